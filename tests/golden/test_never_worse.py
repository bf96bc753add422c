"""Honest masters pass, broken ones do not: a spoken recording, mastered well and in every way badly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from mixdown.codec.decode import open_audio
from mixdown.codec.encode import open_writer
from mixdown.dsp.denoise import Denoiser
from mixdown.dsp.filters import HighPassFilter
from mixdown.dsp.limiter import TruePeakLimiter
from mixdown.dsp.processor import run
from mixdown.examples.sounds import room_tone
from mixdown.examples.voices import RATE_HZ as SPOKEN_HZ
from mixdown.examples.voices import Line, speak
from mixdown.model import Aspect, AudioFormat, Comparison, Limits, OutputSpec
from mixdown.quality import Heard, Hearing, compare

RATE_HZ = 44_100
Signal = NDArray[np.float32]

_LINES = (
    Line("Welcome back. Today we talk about what happens to a recording after it is made."),
    Line("Thanks for having me. I sit rather far from the microphone, as you can hear.", "en-US"),
    Line("That is exactly why you are here. Nothing that leaves this house is worse than what came in."),
    Line("And who says so? Somebody has to listen to both, and that takes as long as they are.", "en-US"),
)


@pytest.fixture(scope="module")
def spoken() -> Signal:
    """Half a minute of two voices in a quiet room, in stereo."""
    pause = np.zeros((SPOKEN_HZ // 2, 1), np.float32)
    voice = np.concatenate([part for line in speak(list(_LINES)) for part in (line, pause)])
    voice = soxr.resample(voice[:, 0], SPOKEN_HZ, RATE_HZ)
    room = room_tone(len(voice), RATE_HZ, 3)
    mono = 0.6 * voice + 10 ** (-60 / 20) * room / np.sqrt(np.mean(room**2))
    return np.ascontiguousarray(np.stack([mono, 0.8 * mono], axis=1), np.float32)


@pytest.fixture(scope="module")
def source(spoken: Signal) -> Heard:
    """What is heard of it."""
    return heard(spoken)


def heard(signal: Signal, rate_hz: int = RATE_HZ) -> Heard:
    """A signal, heard."""
    hearing = Hearing(rate_hz, signal.shape[1])
    hearing.push(np.ascontiguousarray(signal, np.float32))
    return hearing.report()


def worse(comparison: Comparison) -> set[Aspect]:
    """The aspects that are worse."""
    return {finding.aspect for finding in comparison.findings if finding.worse}


def _dropouts(signal: Signal) -> Signal:
    """A tenth of a second is missing, five times, where somebody speaks."""
    broken = signal.copy()
    level = uniform_filter1d(np.mean(signal**2, axis=1), 4_410)
    loud = np.flatnonzero(level > np.quantile(level, 0.7))
    for start in loud[np.linspace(0, len(loud) - 1, 7).astype(int)[1:-1]]:
        broken[start : start + 4_410] = 0.0
    return broken


def _hole(signal: Signal) -> Signal:
    """A second is silent."""
    broken = signal.copy()
    middle = int(np.argmax(uniform_filter1d(np.mean(signal**2, axis=1), RATE_HZ)))
    broken[middle - RATE_HZ // 2 : middle + RATE_HZ // 2] = 0.0
    return broken


def _low_passed(cutoff_hz: float) -> Callable[[Signal], Signal]:
    filters = butter(6, cutoff_hz, fs=RATE_HZ, output="sos")
    return lambda signal: sosfiltfilt(filters, signal, axis=0)


def _scrambled(signal: Signal) -> Signal:
    """As loud and as bright as before at every moment, and no voice any more: random phases."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, 1_024, axis=0)[::512].copy()
    phases = np.exp(2j * np.pi * np.random.default_rng(1).random((len(frames), signal.shape[1], 513)))
    made = np.fft.irfft(np.abs(np.fft.rfft(frames * np.hanning(1_024))) * phases)
    broken = np.zeros_like(signal)
    for index, frame in enumerate(made * np.hanning(1_024)):
        broken[index * 512 : index * 512 + 1_024] += 1.3 * frame.T
    return broken


def _hissing(signal: Signal) -> Signal:
    """With noise 5 dB below the voice."""
    level = np.sqrt(np.mean(signal**2)) * 10 ** (-5 / 20)
    return signal + level * np.random.default_rng(2).standard_normal(signal.shape)


def _peak(signal: Signal) -> float:
    return float(np.abs(signal).max())


@pytest.mark.parametrize(
    ("breaking", "aspect"),
    [
        pytest.param(lambda s: np.clip(2 * s / _peak(s), -1, 1), Aspect.clipping, id="driven into full scale"),
        pytest.param(lambda s: 0.89 * np.clip(8 * s / _peak(s), -1, 1), Aspect.crest, id="cut off, then lowered"),
        pytest.param(_low_passed(3_000), Aspect.bandwidth, id="low-passed at 3 kHz"),
        pytest.param(_low_passed(4_000), Aspect.bandwidth, id="low-passed at 4 kHz"),
        pytest.param(_dropouts, Aspect.dropouts, id="dropouts of 100 ms"),
        pytest.param(_hole, Aspect.silence, id="silent for a second"),
        pytest.param(lambda s: s[: -RATE_HZ // 2], Aspect.duration, id="cut off at the end"),
        pytest.param(lambda s: soxr.resample(s, 100, 101), Aspect.duration, id="1 % slower"),
        pytest.param(lambda s: soxr.resample(s, 100, 101)[: len(s)], Aspect.drift, id="1 % slower, as long"),
        pytest.param(_scrambled, Aspect.speech_signal, id="scrambled"),
        pytest.param(_hissing, Aspect.speech_overall, id="hissing"),
    ],
)
def test_what_is_broken_is_told(
    spoken: Signal, source: Heard, breaking: Callable[[Signal], Signal], aspect: Aspect
) -> None:
    """Each way to break a recording is found by the check that is there for it."""
    scored = aspect in (Aspect.speech_signal, Aspect.speech_overall)

    comparison = compare(source, heard(breaking(spoken)), speech_scores=scored)

    assert aspect in worse(comparison)
    assert comparison.worse


def _mastered(signal: Signal, *, gain_db: float = -6.0, limit_db: float = 0.0) -> Signal:
    chain = [
        HighPassFilter(80.0, sample_rate_hz=RATE_HZ, channels=2),
        Denoiser(limit_db=limit_db, sample_rate_hz=RATE_HZ, channels=2),
        TruePeakLimiter(gain_db=gain_db, ceiling_dbtp=-1.3, sample_rate_hz=RATE_HZ, channels=2),
    ]
    return np.concatenate(list(run(chain, [signal])))


def _encoded(signal: Signal, audio_format: AudioFormat, path: Path) -> Heard:
    """A master as it is delivered, decoded again."""
    output = OutputSpec(format=audio_format)
    rate_hz = 48_000 if audio_format is AudioFormat.opus else RATE_HZ
    signal = np.ascontiguousarray(soxr.resample(signal, RATE_HZ, rate_hz))
    with open_writer(path, output, sample_rate_hz=rate_hz, channels=signal.shape[1]) as writer:
        writer.write(signal)
    with open_audio(path, name=path.name, limits=Limits()) as reader:
        hearing = Hearing(reader.sample_rate_hz, reader.channels)
        for block in reader.blocks():
            hearing.push(block)
    return hearing.report()


@pytest.fixture(scope="module")
def mastered(spoken: Signal) -> Signal:
    """The recording with 12 dB of noise reduction."""
    return _mastered(spoken, limit_db=12.0)


@pytest.mark.parametrize("audio_format", list(AudioFormat))
def test_an_honest_master_passes_in_every_format(
    mastered: Signal, source: Heard, audio_format: AudioFormat, tmp_path: Path
) -> None:
    """High-pass, 12 dB of noise reduction, limiter, codec: nothing of it is worse."""
    master = _encoded(mastered, audio_format, tmp_path / f"master{audio_format.suffix}")

    assert worse(compare(source, master)) == set()


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_gain_alone_is_never_worse(spoken: Signal, source: Heard, gain_db: float) -> None:
    """Louder into the limiter, or softer: that is what mastering is."""
    assert worse(compare(source, heard(_mastered(spoken, gain_db=gain_db)), speech_scores=False)) == set()


def test_speech_is_scored_at_the_same_places(spoken: Signal, source: Heard) -> None:
    """Each place with speech has its scores, before and after, with the second it starts at."""
    comparison = compare(source, heard(_hissing(spoken)))

    assert [segment.start_s for segment in comparison.segments] == [0.0, 10.0, 20.0][: len(comparison.segments)]
    assert all(segment.overall_after < segment.overall_before for segment in comparison.segments)


def test_music_is_not_scored_as_speech() -> None:
    """The scores mean nothing for music, so they are not taken."""
    time_s = np.arange(20 * RATE_HZ) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 277.2, 329.6, 440.0))
    music = np.ascontiguousarray((0.1 * chord)[:, None], np.float32)

    comparison = compare(heard(music), heard(_hissing(music)))

    assert comparison.segments == ()
    assert Aspect.speech_signal not in {finding.aspect for finding in comparison.findings}


def test_without_scores_none_are_taken(source: Heard) -> None:
    """Where nothing worked on the spectrum they would cost for nothing."""
    assert compare(source, source, speech_scores=False).segments == ()


def test_an_edited_master_is_held_to_what_needs_no_timeline(spoken: Signal, source: Heard) -> None:
    """With an intro in front it is longer, and that is no fault; clipped it is worse all the same."""
    intro = np.concatenate([spoken[:RATE_HZ], spoken])

    assert worse(compare(source, heard(intro), edited=True)) == set()
    assert Aspect.clipping in worse(compare(source, heard(np.clip(intro * 9, -1, 1)), edited=True))


def test_a_recording_against_itself_is_not_worse(source: Heard) -> None:
    """Every aspect is looked at, and none is worse."""
    comparison = compare(source, source)

    assert not comparison.worse
    assert {finding.aspect for finding in comparison.findings} == set(Aspect)
    assert comparison.complaints == ()
