"""Two recordings against each other: each aspect's numbers, and the sentences for people."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from mixdown.dsp.dnsmos import DnsMos
from mixdown.dsp.processor import Block
from mixdown.model import Aspect, Comparison, Finding
from mixdown.quality import Heard, Hearing, compare
from mixdown.quality.levels import drift_s, holes, longest_new_silence_s, lost_in_bands_db
from mixdown.quality.thresholds import thresholds
from tests.signals import speech_like
from tests.unit.signals import sine

RATE_HZ = 48_000


def heard(signal: Block, rate_hz: int = RATE_HZ) -> Heard:
    """A signal, heard."""
    hearing = Hearing(rate_hz, signal.shape[1])
    hearing.push(np.ascontiguousarray(signal, np.float32))
    return hearing.report()


@pytest.fixture(scope="module")
def voice() -> Block:
    """Ten seconds of something like speech in a little noise."""
    signal = speech_like(10.0, level_dbfs=-20.0)
    return signal + (1e-4 * np.random.default_rng(1).standard_normal(signal.shape)).astype(np.float32)


def found(comparison: Comparison, aspect: Aspect) -> Finding:
    """The finding of one aspect."""
    return next(finding for finding in comparison.findings if finding.aspect is aspect)


def test_a_hole_is_found_where_it_is(voice: Block) -> None:
    """A tenth of a second of nothing, in the middle of a syllable."""
    loudest = int(np.argmax(np.abs(voice[:, 0])))
    broken = voice.copy()
    broken[loudest - 2_400 : loudest + 2_400] = 0.0

    places = holes(heard(voice), heard(broken), deeper_than_db=50.0, least_s=0.06)

    assert len(places) == 1
    assert places[0][0] / 50 <= loudest / RATE_HZ <= places[0][1] / 50


def test_turned_down_pauses_are_no_holes(voice: Block) -> None:
    """Noise reduction takes 40 dB out of every pause; the voice itself is whole."""
    sounds = np.convolve(np.abs(voice[:, 0]), np.ones(480) / 480, "same") > 2e-3
    denoised = voice * np.where(sounds, 1.0, 0.01)[:, None]

    assert holes(heard(voice), heard(denoised), deeper_than_db=50.0, least_s=0.06) == []
    assert longest_new_silence_s(heard(voice), heard(denoised), silent_db=85.0) == 0.0


@pytest.mark.parametrize("late_s", [-0.3, 0.1, 0.3])
def test_the_end_is_found_where_it_moved_to(voice: Block, late_s: float) -> None:
    """Half of it played on time, the other half late or early."""
    half, gap = len(voice) // 2, round(abs(late_s) * RATE_HZ)
    rest = voice[half + gap :] if late_s < 0 else np.concatenate([np.zeros((gap, 1), np.float32), voice[half:]])
    moved = np.concatenate([voice[:half], rest])
    moved = np.concatenate([moved, np.zeros((max(0, len(voice) - len(moved)), 1), np.float32)])[: len(voice)]

    assert drift_s(heard(voice), heard(moved)) == pytest.approx(late_s, abs=0.04)


def test_steady_hiss_is_nothing_to_lose() -> None:
    """Only what comes and goes in a band is missed; of noise alone none is."""
    tone = sine(500.0, RATE_HZ, 5.0, peak=0.3)
    hiss = tone + (0.01 * np.random.default_rng(2).standard_normal(tone.shape)).astype(np.float32)

    assert np.isnan(lost_in_bands_db(heard(hiss), heard(tone))[1:]).all()


def test_bands_are_held_against_the_voice_band(voice: Block) -> None:
    """A gain loses nothing; half the sample rate is no loss of what neither could hold."""
    lost_db = lost_in_bands_db(heard(voice), heard(0.1 * voice))

    assert np.nanmax(np.abs(lost_db)) <= 1.0
    assert np.isnan(lost_in_bands_db(heard(voice), heard(voice, 16_000))[8:]).all()


@pytest.mark.parametrize(
    ("signal_after", "worse", "sentence"),
    [
        (3.0, False, "The voice sounds much the same (3.1 → 3.0 of 5)."),
        (3.4, False, "The voice sounds as good as before or better (3.1 → 3.4 of 5)."),
        (2.7, True, "The voice sounds worse than before (3.1 → 2.7 of 5)."),
    ],
)
def test_speech_scores_in_words(voice: Block, signal_after: float, worse: bool, sentence: str) -> None:
    """The numbers are told whatever they are; scores that were taken already are used again."""
    before = scored(heard(voice), signal=3.1)
    after = scored(heard(voice), signal=signal_after)

    comparison = compare(before, after)

    finding = found(comparison, Aspect.speech_signal)
    assert (finding.before, finding.after, finding.worse) == (3.1, signal_after, worse)
    assert finding.sentence == sentence
    assert comparison.segments[0].signal_after == signal_after


def test_one_bad_place_speaks_for_all(voice: Block) -> None:
    """The mean hides it; the sentence says where."""
    long = np.concatenate([voice] * 4)
    before, after = scored(heard(long), signal=3.5), scored(heard(long), signal=3.5)
    after.scores[20] = replace(after.scores[20], signal=2.8)

    finding = found(compare(before, after), Aspect.speech_signal)

    assert finding.worse
    assert finding.sentence == "The voice sounds worse than before at 20 s (3.5 → 2.8 of 5)."


def scored(heard: Heard, *, signal: float) -> Heard:
    """What was heard, its excerpts scored already."""
    heard.scores.update({start_s: DnsMos(signal=signal, background=3.0, overall=3.0) for start_s in heard.excerpts})
    return heard


def test_a_comparison_is_written_down_as_json(voice: Block) -> None:
    """Plain numbers and strings, for the ledger and the report."""
    comparison = compare(heard(voice), heard(voice[:-RATE_HZ]), speech_scores=False)

    written = json.loads(json.dumps(asdict(comparison)))

    duration = next(finding for finding in written["findings"] if finding["aspect"] == "duration")
    assert duration == {
        "aspect": "duration",
        "before": 10.0,
        "after": 9.0,
        "unit": "s",
        "worse": True,
        "sentence": "It is 1.00 s shorter than before.",
    }


@pytest.mark.parametrize("signal", [np.zeros((0, 1)), np.zeros((48_000, 1)), sine(440.0, 48_000, 0.05)])
def test_nothing_silence_and_the_very_short_are_compared_too(signal: Block) -> None:
    """There is always an answer: such a recording against itself is not worse."""
    assert not compare(heard(signal), heard(signal), speech_scores=True).worse


def test_thresholds_come_from_their_file() -> None:
    """Every one is there, and positive."""
    assert all(value > 0.0 for value in asdict(thresholds()).values())
