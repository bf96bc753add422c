"""A recording listened to once, by everything that can tell something about it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from mixdown.analysis import music as musical
from mixdown.analysis.conformance import verdicts
from mixdown.analysis.excerpts import MiddleExcerpt, SegmentSampler
from mixdown.analysis.passages import PassageSurvey
from mixdown.analysis.spectrum import SpectrumSurvey, bandwidth_hz
from mixdown.analysis.waveform import WaveSurvey
from mixdown.codec.decode import AudioReader, open_audio
from mixdown.codec.remix import remix
from mixdown.dsp import dnsmos
from mixdown.dsp.channel_balance import ChannelSurvey
from mixdown.dsp.declip import ClipSurvey
from mixdown.dsp.hum import Hum, HumSurvey
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.voice import VoiceSurvey
from mixdown.dsp.voice_map import MUSIC, NOISE, SILENCE, SPEECH, VoiceMap
from mixdown.model import MEASURED, Analysis, HumTone, Limits, Music, Passage, Preset, ProbedAudio, QualitySegment
from mixdown.overlap import ahead
from mixdown.progress import Progress, part, ticker

#: Segments that speech quality is judged on: about so many, each of 9 s, a quarter second of CPU.
_SEGMENTS = 24

#: A segment counts where somebody speaks for this part of it.
_SPOKEN = 0.4

#: Music is listened to more closely where there is at least so much of it.
_LEAST_MUSIC_S, _LEAST_MUSIC_SHARE = 5.0, 0.05

_KINDS = {SILENCE: "silence", NOISE: "noise", SPEECH: "speech", MUSIC: "music"}
_HEARD, _JUDGED = 0.75, 0.9  # shares of the work that are done when all is decoded, and when speech is judged


class _Listener(Protocol):
    def push(self, block: Block, /) -> None: ...


def analyze(
    path: Path,
    *,
    name: str,
    limits: Limits | None = None,
    presets: Sequence[Preset] = (),
    music: bool = True,
    always_music: bool = False,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    progress: Progress = lambda _: None,
) -> Analysis:
    """All that can be told about a recording, in one pass over it and in constant memory.

    Parameters
    ----------
    path : Path
    name : str
        What its owner calls it.
    limits : Limits or None
        What is accepted; the defaults of `Limits`.
    presets : sequence of Preset
        Those whose requirements it is held against.
    music : bool
        Whether to find tempo, beats, key and onsets where music is heard.
    always_music : bool
        Whether to look for them where none is heard, too.
    providers : sequence of str
        ONNX Runtime execution providers for the judgement of speech.
    progress : callable
        Called with 0 to 1; may raise to stop the work.

    Returns
    -------
    Analysis

    Raises
    ------
    SourceError, AudioError
        The member that fits; see `mixdown.errors`.

    Notes
    -----
    Speech quality is judged on 24 to 47 segments of 9 s spread over the file, music listened to for at most
    10 minutes in its middle; everything else hears every sample. Of more than two channels, levels, clipping
    and offsets are those of each; all else listens to the down-mix to stereo.
    """
    with open_audio(path, name=name, limits=limits or Limits()) as reader:
        heard = _Ears(reader, music=music)
        tick = ticker(part(progress, 0.0, _HEARD), reader.probe.duration_s, reader.sample_rate_hz)
        for block in ahead(reader.blocks()):
            heard.push(block)
            tick(len(block))
        probe, warnings = reader.probe, tuple(reader.warnings)
    voices = heard.voice.report()
    quality = _judged(heard.segments, voices, providers, part(progress, _HEARD, _JUDGED))
    found = None
    if music and (always_music or _has_music(voices)):
        samples = heard.middle.samples()
        found = musical.listen(samples, heard.middle.start_s)
    progress(1.0)
    return heard.told(name, probe, voices, quality, found, presets, warnings)


class _Ears:
    """Everything that listens while the recording goes by."""

    def __init__(self, reader: AudioReader, *, music: bool) -> None:
        rate_hz, channels, expected_s = reader.sample_rate_hz, reader.channels, reader.probe.duration_s
        self._sides = min(channels, 2)
        self.meter = LoudnessMeter(rate_hz, channels)
        self.passages = PassageSurvey(rate_hz, channels)
        self.clips = ClipSurvey(channels)
        self.levels = ChannelSurvey(channels)
        self.balance = self.levels if channels == self._sides else ChannelSurvey(self._sides)
        self.voice = VoiceSurvey(rate_hz, self._sides)
        self.hum = HumSurvey(rate_hz, self._sides)
        self.wave = WaveSurvey(rate_hz, self._sides)
        self.spectrum = SpectrumSurvey(rate_hz, self._sides, expected_s=expected_s)
        self.middle = MiddleExcerpt(rate_hz, musical.RATE_HZ, most_s=musical.MOST_S, expected_s=expected_s)
        self.segments = SegmentSampler(
            rate_hz, dnsmos.RATE_HZ, segment_s=dnsmos.SEGMENT_S, wanted=_SEGMENTS, expected_s=expected_s
        )
        self._on_all: tuple[_Listener, ...] = (self.meter, self.passages, self.clips, self.levels)
        on_sides: tuple[_Listener, ...] = (self.voice, self.hum, self.wave, self.spectrum)
        self._on_sides = on_sides if self.balance is self.levels else (*on_sides, self.balance)
        self._on_mono: tuple[_Listener, ...] = (self.middle, self.segments) if music else (self.segments,)

    def push(self, block: Block) -> None:
        for listener in self._on_all:
            listener.push(block)
        sides = remix(block, self._sides)
        for listener in self._on_sides:
            listener.push(sides)
        mono = remix(sides, 1)
        for listener in self._on_mono:
            listener.push(mono)

    def told(
        self,
        name: str,
        probe: ProbedAudio,
        voices: VoiceMap,
        quality: tuple[QualitySegment, ...],
        music: Music | None,
        presets: Sequence[Preset],
        warnings: tuple[str, ...],
    ) -> Analysis:
        """What all of them found."""
        levels, passages, balance = self.meter.report(), self.passages.report(), self.balance.report()
        clipping, hum, spectrum = self.clips.report(), self.hum.report(), self.spectrum.report()
        highest_hz, low_pass = bandwidth_hz(spectrum)
        stereo = self._sides == 2
        sounding = [level for level in balance.level_dbfs if math.isfinite(level)]
        both = stereo and len(sounding) == 2
        measures: dict[str, float | None] = {
            **{each: getattr(levels, each) for each in MEASURED if hasattr(levels, each)},
            "noise_floor_dbfs": passages.noise_floor_dbfs,
            "snr_db": passages.snr_db(voices),
            "clipped_samples": clipping.samples,
            "clipped_runs": clipping.runs,
            "dc_offset": max((abs(each) for each in passages.dc_offsets), default=0.0),
            "bandwidth_hz": highest_hz,
            "hum_hz": hum.mains_hz,
            "hum_dbfs": _together_dbfs(hum),
            "stereo_correlation": balance.correlation if both else None,
            "stereo_balance_db": balance.level_dbfs[0] - balance.level_dbfs[1] if both else None,
            **{f"{word}_s": float(np.sum(voices.kinds == kind)) * voices.step_s for kind, word in _KINDS.items()},
            "head_silence_s": passages.head_s,
            "tail_silence_s": passages.tail_s,
            **_means(quality),
            "tempo_bpm": music.tempo_bpm if music else None,
            "bit_depth": probe.bit_depth,
            "bitrate_kbps": probe.bitrate_kbps,
        }
        return Analysis(
            name=name,
            probe=probe,
            levels=levels,
            measures=measures,
            loudness=self.meter.series(),
            dc_offsets=passages.dc_offsets,
            channel_levels_dbfs=self.levels.report().level_dbfs,
            low_pass=low_pass,
            hum=tuple(HumTone(**{each: getattr(line, each) for each in HumTone.__slots__}) for line in hum.lines),
            passages=_passages(voices),
            quality=quality,
            music=music,
            peaks=self.wave.report(),
            spectrum=spectrum,
            verdicts=verdicts(measures, presets),
            warnings=warnings,
        )


def _judged(
    sampler: SegmentSampler, voices: VoiceMap, providers: Sequence[str], progress: Progress
) -> tuple[QualitySegment, ...]:
    """Speech quality of the segments in which somebody speaks."""
    judged = []
    segments = sampler.segments()
    for index, (start_s, end_s, samples) in enumerate(segments):
        spoken = voices.kinds[round(start_s / voices.step_s) : round(end_s / voices.step_s)] == SPEECH
        if len(spoken) and spoken.mean() >= _SPOKEN:
            score = dnsmos.dnsmos(samples, providers=providers)
            judged.append(
                QualitySegment(
                    start_s=start_s,
                    end_s=end_s,
                    signal_mos=score.signal,
                    background_mos=score.background,
                    overall_mos=score.overall,
                )
            )
        progress((index + 1) / len(segments))
    return tuple(judged)


def _means(quality: Sequence[QualitySegment]) -> dict[str, float | None]:
    names = ("signal_mos", "background_mos", "overall_mos")
    return {each: float(np.mean([getattr(one, each) for one in quality])) if quality else None for each in names}


def _has_music(voices: VoiceMap) -> bool:
    heard_s = float(np.sum(voices.kinds == MUSIC)) * voices.step_s
    return heard_s >= _LEAST_MUSIC_S and voices.share(MUSIC) >= _LEAST_MUSIC_SHARE


def _passages(voices: VoiceMap) -> tuple[Passage, ...]:
    """The map as stretches, in order."""
    spans = [(span, word) for kind, word in _KINDS.items() for span in voices.spans(kind)]
    return tuple(
        Passage(kind=word, start_s=round(span.start_s, 3), end_s=round(span.end_s, 3))
        for span, word in sorted(spans, key=lambda each: each[0])
    )


def _together_dbfs(hum: Hum) -> float | None:
    """Level of all the harmonics of a hum; None where there is none."""
    power = sum(10.0 ** (line.level_dbfs / 10.0) for line in hum.lines)
    return 10.0 * math.log10(power) if power > 0.0 else None
