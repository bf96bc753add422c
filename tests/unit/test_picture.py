"""The picture of a recording: small, the same every time, and true to the signal."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mixdown.dsp.processor import Block
from mixdown.picture import HEIGHT, WIDTH, PeakCollector, Peaks, waveform
from tests.signals import speech_like


def peaks_of(signal: Block, block_frames: int = 65_536, columns: int = WIDTH) -> Peaks:
    collector = PeakCollector(columns)
    for start in range(0, len(signal), block_frames):
        collector.push(signal[start : start + block_frames])
    return collector.peaks()


def pixels(png: bytes) -> np.ndarray:
    """Opacity of each pixel, 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[:, :, 3]


def test_picture_is_a_small_transparent_palette_png():
    """800 × 160 pixels in a few kilobytes, on a ground that lets the page through."""
    speech = speech_like(60.0, rate_hz=16_000, channels=2)

    png = waveform(peaks_of(speech), peaks_of(speech * 4))
    image = Image.open(io.BytesIO(png))

    assert (image.format, image.mode, image.size) == ("PNG", "P", (WIDTH, HEIGHT))
    assert len(png) < 6_000
    assert np.median(pixels(png)) == 0


def test_same_signal_same_bytes():
    """A picture made again is the same file, so the result of a job has one hash."""
    speech = speech_like(5.0)

    assert waveform(peaks_of(speech), peaks_of(speech)) == waveform(peaks_of(speech), peaks_of(speech))


def test_louder_is_drawn_larger():
    """Both recordings share one scale: four times the amplitude is drawn more than twice as high."""
    quiet = np.full((48_000, 1), 0.2, np.float32) * np.float32([1, -1] * 24_000)[:, None]

    opacity = pixels(waveform(peaks_of(quiet), peaks_of(quiet * 4)))[:, WIDTH // 2]
    above, below = (opacity[: HEIGHT // 2] > 0).sum(), (opacity[HEIGHT // 2 :] > 0).sum()

    assert below > 2 * above
    assert below < HEIGHT // 2


def test_a_recording_far_too_low_is_more_than_a_line():
    """Peaks at −30 dBFS can be seen beside those at full scale."""
    quiet = np.full((48_000, 1), 10 ** (-30 / 20), np.float32)

    opacity = pixels(waveform(peaks_of(quiet), peaks_of(quiet)))[: HEIGHT // 2, WIDTH // 2]

    assert (opacity > 0).sum() >= 5


def test_time_runs_from_left_to_right():
    """A signal that is silent in its first half is a thin line there, and only there."""
    signal = np.zeros((48_000, 1), np.float32)
    signal[24_000:] = 0.5

    drawn = (pixels(waveform(peaks_of(signal), peaks_of(signal))) > 0).sum(axis=0)
    gutter = 60  # the captions stand left of it

    middle = gutter + (WIDTH - gutter) // 2
    assert drawn[gutter : middle - 20].max() <= 4
    assert drawn[middle + 20 : -4].min() > 20


@pytest.mark.parametrize("frames", [0, 1, 2, 500])
def test_short_and_empty_signals_are_drawn(frames):
    """A signal with fewer frames than columns, or none, is a picture all the same."""
    few = peaks_of(np.full((frames, 2), 0.5, np.float32))

    assert pixels(waveform(few, few)).any()


def test_captions_are_written():
    """Captions stand beside the waveforms; a true minus sign is written as a plain one."""
    speech = peaks_of(speech_like(1.0))

    plain = waveform(speech, speech, captions=("-30.1 LUFS", "-16.0 LUFS"))

    assert plain == waveform(speech, speech, captions=("−30.1 LUFS", "−16.0 LUFS"))
    assert plain != waveform(speech, speech)
    assert pixels(plain)[:, :60].any()


@given(
    frames=st.integers(1, 60_000),
    block_frames=st.integers(1, 60_000),
    channels=st.integers(1, 3),
    columns=st.integers(1, 50),
)
@settings(deadline=None, max_examples=50)
def test_peaks_are_those_of_the_signal(frames, block_frames, channels, columns):
    """Whatever the length and the blocks: each stretch's extremes and RMS are its own, none is lost."""
    signal = np.random.default_rng(frames).uniform(-1, 1, (frames, channels)).astype(np.float32)

    peaks = peaks_of(signal, block_frames, columns)
    stretch = next(2**power for power in range(20) if -(-frames // 2**power) <= columns * 8)
    stretches = [signal[start : start + stretch] for start in range(0, frames, stretch)]

    assert np.array_equal(peaks.low, [stretch.min() for stretch in stretches])
    assert np.array_equal(peaks.high, [stretch.max() for stretch in stretches])
    assert peaks.rms == pytest.approx([np.sqrt(np.mean(stretch**2)) for stretch in stretches], rel=1e-4)


def test_columns_keep_every_peak():
    """However few columns are drawn, a single loud sample stays visible."""
    signal = np.zeros((1_000_000, 1), np.float32)
    signal[777_777] = 0.9

    columns = peaks_of(signal).columns(100)

    assert columns.high.argmax() == 77
    assert columns.high.max() == np.float32(0.9)
    assert columns.rms.max() == pytest.approx(0.9 / np.sqrt(10_000), rel=0.02)
