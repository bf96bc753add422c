"""Is a master worse than its source? Every aspect that is looked at, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from mixdown.model import Aspect, Comparison, Finding, SegmentScores
from mixdown.quality.hearing import BANDS_HZ, STEPS_PER_S, Heard
from mixdown.quality.levels import crest_db, drift_s, holes, longest_new_silence_s, lost_in_bands_db
from mixdown.quality.speech import speech_scores as scores_of
from mixdown.quality.thresholds import Thresholds, thresholds


def compare(
    before: Heard,
    after: Heard,
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    speech_scores: bool = True,
    edited: bool = False,
) -> Comparison:
    """Hold a master against its source.

    Parameters
    ----------
    before, after : Heard
        What was heard of the decoded source and of the decoded master.
    providers : sequence of str
        ONNX Runtime execution providers for the speech scores, in order of preference.
    speech_scores : bool
        Whether speech is scored (DNSMOS): for masters whose spectrum was worked on, as by noise reduction. Costs
        up to two seconds of CPU.
    edited : bool
        Whether the master has another timeline, as after a cut or with an intro. Then only what needs none is
        looked at: clipping, crest and bandwidth.
    """
    limits = thresholds()
    findings = [_clipping(before, after, limits), _crest(before, after, limits), _bandwidth(before, after, limits)]
    if edited:
        return Comparison(findings=tuple(findings))
    findings += [_duration(before, after, limits), _drift(before, after, limits)]
    findings += [_dropouts(before, after, limits), _silence(before, after, limits)]
    scores: tuple[SegmentScores, ...] = ()
    if speech_scores:
        scores = scores_of(before, after, least_speech=limits.least_speech, providers=providers)
    if scores:
        findings += [_speech_signal(scores, limits), _speech_overall(scores, limits)]
    return Comparison(findings=tuple(findings), segments=scores)


def _speech_signal(scores: Sequence[SegmentScores], limits: Thresholds) -> Finding:
    pairs = [(score.signal_before, score.signal_after) for score in scores]
    sentence = "The voice sounds {} ({:.1f} → {:.1f} of 5)."
    return _scored(Aspect.speech_signal, pairs, limits.signal_drop, limits.signal_drop_of_a_place, sentence, scores)


def _speech_overall(scores: Sequence[SegmentScores], limits: Thresholds) -> Finding:
    pairs = [(score.overall_before, score.overall_after) for score in scores]
    sentence = "Speech and background together sound {} ({:.1f} → {:.1f} of 5)."
    return _scored(
        Aspect.speech_overall, pairs, limits.overall_drop, limits.overall_drop_of_a_place, sentence, scores
    )


def _scored(
    aspect: Aspect,
    pairs: Sequence[tuple[float, float]],
    drop: float,
    drop_of_a_place: float,
    sentence: str,
    scores: Sequence[SegmentScores],
) -> Finding:
    """The mean over all places; the worst place speaks for all where it alone fell too far."""
    before, after = fmean(was for was, _ in pairs), fmean(became for _, became in pairs)
    worst = max(range(len(pairs)), key=lambda index: pairs[index][0] - pairs[index][1])
    worst_drop = pairs[worst][0] - pairs[worst][1]
    worse = before - after > drop or worst_drop > drop_of_a_place
    where = f" at {scores[worst].start_s:.0f} s"
    if worse and before - after <= drop:
        before, after = pairs[worst]
    else:
        where = ""
    words = "worse than before" if worse else "as good as before or better" if after >= before else "much the same"
    return Finding(
        aspect=aspect,
        before=round(before, 2),
        after=round(after, 2),
        unit="MOS",
        worse=worse,
        sentence=sentence.format(words + where, before, after),
    )


def _clipping(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    was, became = _per_min(before.clipped_runs, before), _per_min(after.clipped_runs, after)
    worse = became - was > limits.clipped_runs_per_min
    sentence = (
        f"Peaks are cut off at full scale {became:.0f} times a minute, which were {was:.0f} before."
        if worse
        else "No more peaks are cut off at full scale than before."
    )
    return Finding(
        aspect=Aspect.clipping,
        before=round(was, 2),
        after=round(became, 2),
        unit="1/min",
        worse=worse,
        sentence=sentence,
    )


def _per_min(count: int, heard: Heard) -> float:
    return count * 60.0 / heard.duration_s if heard.frames else 0.0


def _crest(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    was, became = crest_db(before), crest_db(after)
    worse = was - became > limits.crest_drop_db
    verdict = "were flattened" if worse else "stand out as they did"
    return Finding(
        aspect=Aspect.crest,
        before=round(was, 1),
        after=round(became, 1),
        unit="dB",
        worse=worse,
        sentence=f"Peaks of loud passages {verdict}: {was:.1f} → {became:.1f} dB above their level.",
    )


def _bandwidth(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    lost_db = lost_in_bands_db(before, after)
    held = np.flatnonzero(~np.isnan(lost_db))
    kept = np.flatnonzero(lost_db <= limits.band_loss_db)
    # The voice band, the first, is what the others are measured by.
    was_hz = BANDS_HZ[held[-1] + 1] if len(held) else BANDS_HZ[1]
    became_hz = BANDS_HZ[kept[-1] + 1] if len(kept) else BANDS_HZ[1]
    worse = became_hz < was_hz
    sentence = (
        f"What was above {became_hz / 1000:g} kHz is lost; it went up to {was_hz / 1000:g} kHz at least."
        if worse
        else "Nothing is lost of the highs, up to 12 kHz."
    )
    return Finding(
        aspect=Aspect.bandwidth, before=was_hz, after=became_hz, unit="Hz", worse=worse, sentence=sentence
    )


def _duration(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    off_s = after.duration_s - before.duration_s
    worse = abs(off_s) > limits.duration_s
    sentence = (
        f"It is {abs(off_s):.2f} s {'longer' if off_s > 0 else 'shorter'} than before."
        if worse
        else "It is as long as before."
    )
    return Finding(
        aspect=Aspect.duration,
        before=round(before.duration_s, 3),
        after=round(after.duration_s, 3),
        unit="s",
        worse=worse,
        sentence=sentence,
    )


def _drift(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    moved_s = drift_s(before, after)
    worse = moved_s is not None and abs(moved_s) > limits.drift_s
    sentence = (
        f"Its end has moved by {abs(moved_s or 0.0):.2f} s against its beginning."
        if worse
        else "Beginning and end are where they were."
        if moved_s is not None
        else "Beginning and end are too unlike those of the source to be placed."
    )
    after_s = round(moved_s, 3) if moved_s is not None else 0.0
    return Finding(aspect=Aspect.drift, before=0.0, after=after_s, unit="s", worse=worse, sentence=sentence)


def _dropouts(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    found = holes(before, after, deeper_than_db=limits.hole_db, least_s=limits.hole_s)
    sentence = (
        f"Sound drops out {len(found)} {'time' if len(found) == 1 else 'times'}, first at "
        f"{found[0][0] / STEPS_PER_S:.1f} s."
        if found
        else "No sound drops out."
    )
    return Finding(
        aspect=Aspect.dropouts,
        before=0.0,
        after=float(len(found)),
        unit="count",
        worse=bool(found),
        sentence=sentence,
    )


def _silence(before: Heard, after: Heard, limits: Thresholds) -> Finding:
    longest_s = longest_new_silence_s(before, after, silent_db=limits.silent_db)
    worse = longest_s > limits.silence_s
    sentence = (
        f"It is silent for {longest_s:.1f} s where it was not." if worse else "It is silent only where it was."
    )
    return Finding(
        aspect=Aspect.silence, before=0.0, after=round(longest_s, 2), unit="s", worse=worse, sentence=sentence
    )
