"""Clips on a timeline: the sum of what lies there, however it is cut into blocks."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixdown.dsp.fade import fade_in_gains, fade_out_gains
from mixdown.dsp.processor import Block
from mixdown.editing.timeline import Clip, joined, mixed
from mixdown.intermediate import Intermediate
from mixdown.model import FadeCurve
from tests.unit.signals import noise

AUDIO_FRAMES = 700


@pytest.fixture(scope="module")
def audios():
    with TemporaryDirectory() as folder:
        made = []
        for seed in range(2):
            audio = Intermediate(Path(folder) / f"{seed}.f32", sample_rate_hz=8_000, channels=2)
            audio.fill([noise(AUDIO_FRAMES, seed=seed)])
            made.append(audio)
        yield made


@st.composite
def clip_shapes(draw: st.DrawFn):
    """Everything of a clip but its audio."""
    start = draw(st.integers(0, AUDIO_FRAMES - 1))
    frames = draw(st.integers(1, AUDIO_FRAMES - start))
    return {
        "which": draw(st.integers(0, 1)),
        "start_frame": start,
        "frames": frames,
        "at_frame": draw(st.integers(0, 1_500)),
        "gain": draw(st.sampled_from([1.0, 0.5, -2.0])),
        "fade_in_frames": draw(st.integers(0, frames)),
        "fade_out_frames": draw(st.integers(0, frames)),
        "curve": draw(st.sampled_from(FadeCurve)),
    }


def clips_of(shapes: list[dict], audios: list[Intermediate]) -> list[Clip]:
    clips = [
        Clip(audio=audios[shape["which"]], **{k: v for k, v in shape.items() if k != "which"}) for shape in shapes
    ]
    return joined(clips)[0]


def naive(clips: list[Clip], frames: int) -> Block:
    """The sum, from whole arrays."""
    total = np.zeros((frames, 2))
    for clip in clips:
        sound = clip.audio.read(clip.start_frame, clip.frames).astype(np.float64) * clip.gain
        fade_in, fade_out = clip.fade_in_frames, clip.fade_out_frames
        if fade_in:
            sound[:fade_in] *= fade_in_gains(clip.curve, 0, fade_in, fade_in)[:, None]
        if fade_out:
            sound[len(sound) - fade_out :] *= fade_out_gains(clip.curve, 0, fade_out, fade_out)[:, None]
        end = min(frames, clip.end_frame)
        if end > clip.at_frame:
            total[clip.at_frame : end] += sound[: end - clip.at_frame]
    return total.astype(np.float32)


@given(shapes=st.lists(clip_shapes(), max_size=8), frames=st.integers(0, 2_500), block_frames=st.integers(1, 900))
@settings(deadline=None)
def test_a_timeline_is_the_sum_of_its_clips(audios, shapes: list[dict], frames: int, block_frames: int):
    """Overlapping or apart, faded or not, beyond the end or not: what comes out is the plain sum, and as long."""
    clips = clips_of(shapes, audios)

    result = list(mixed(clips, frames=frames, channels=2, block_frames=block_frames))

    assert sum(map(len, result)) == frames
    together = np.concatenate([np.zeros((0, 2), np.float32), *result])
    assert together.dtype == np.float32
    assert np.allclose(together, naive(clips, frames), atol=1e-6)


@given(shapes=st.lists(clip_shapes(), max_size=6), block_frames=st.integers(1, 900))
@settings(deadline=None)
def test_the_length_of_blocks_does_not_matter(audios, shapes: list[dict], block_frames: int):
    """The same samples bit for bit."""
    clips = clips_of(shapes, audios)

    whole = np.concatenate(list(mixed(clips, frames=2_200, channels=2)))
    cut = np.concatenate(list(mixed(clips, frames=2_200, channels=2, block_frames=block_frames)))

    assert np.array_equal(whole, cut)


def test_a_clip_alone_is_the_recording_itself(audios):
    """What is neither faded nor turned up comes out bit for bit."""
    clip = Clip(audio=audios[0], start_frame=100, frames=300)

    assert np.array_equal(np.concatenate(list(mixed([clip], frames=300, channels=2))), audios[0].read(100, 300))


def test_blocks_are_the_takers_own(audios):
    """Who writes into a block changes nothing but that block."""
    clip = Clip(audio=audios[0], frames=500)
    for block in mixed([clip], frames=500, channels=2):
        block[:] = 7.0

    assert np.abs(audios[0].read(0, 500)).max() < 1.0


def test_clips_are_taken_as_they_are_needed(audios):
    """Any number of clips may be waiting: they are asked for when their time comes."""
    taken = []

    def endless():
        at = 0
        while True:
            taken.append(at)
            yield Clip(audio=audios[0], frames=100, at_frame=at)
            at += 100

    blocks = mixed(endless(), frames=1_000_000, channels=2, block_frames=1_000)
    next(blocks)

    assert len(taken) <= 12


@pytest.mark.parametrize("curve", FadeCurve)
@pytest.mark.parametrize("length", [1, 2, 3, 480])
def test_a_fade_rises_between_nothing_and_one(curve: FadeCurve, length: int):
    """Never quite 0 or 1, never falling, and a fade out is a fade in backwards."""
    gains = fade_in_gains(curve, 0, length, length)

    assert gains.min() > 0.0
    assert gains.max() < 1.0
    assert (np.diff(gains) > 0.0).all()
    assert np.array_equal(fade_out_gains(curve, 0, length, length), gains[::-1])


@pytest.mark.parametrize("curve", FadeCurve)
@given(start=st.integers(0, 480), frames=st.integers(0, 480))
def test_part_of_a_fade_is_a_part_of_the_whole(curve: FadeCurve, start: int, frames: int):
    """Any part can be had alone."""
    frames = min(frames, 480 - start)

    for gains in (fade_in_gains, fade_out_gains):
        assert np.array_equal(gains(curve, start, frames, 480), gains(curve, 0, 480, 480)[start : start + frames])


def test_sines_keep_the_power_and_lines_the_gain():
    """Squares of the sine pair add up to one; values of the linear pair do."""
    rising, falling = (
        gains(FadeCurve.sine, 0, 999, 999).astype(float) for gains in (fade_in_gains, fade_out_gains)
    )
    assert np.allclose(rising**2 + falling**2, 1.0)

    rising, falling = (
        gains(FadeCurve.linear, 0, 999, 999).astype(float) for gains in (fade_in_gains, fade_out_gains)
    )
    assert np.allclose(rising + falling, 1.0)


def test_an_exponential_fade_is_straight_in_db():
    """From −35 dB on it climbs by as many dB in every part of its length."""
    gains = 20.0 * np.log10(fade_in_gains(FadeCurve.exponential, 0, 6_000, 6_000))

    assert gains[2_999] == pytest.approx(-30.0, abs=0.3)
    assert np.diff(gains[2_500::500]) == pytest.approx(5.0, abs=0.3)
