"""Recordings made from recipes, to try presets on: spoken by the engine of the examples, disturbed by our code."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from mixdown.codec.encode import open_writer
from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.dsp.resample import Resampler
from mixdown.examples import sounds
from mixdown.examples.sounds import Samples
from mixdown.examples.voices import RATE_HZ, Line, speak
from mixdown.model import AudioFormat, OutputSpec, Recipe

#: What is said; a recipe takes as much of it as there is time for.
_HOST = (
    Line("This recording was made to try a preset on. Somebody speaks, at an even pace."),
    Line("She stands in front of a microphone, and says seventy six simple sentences, some of them softly."),
    Line("Then there is a pause, so that the room can be heard. The voice goes on after that."),
)
_GUEST = (
    Line("Somebody else answers, and sits in another place.", "en-US", pitch=0.85),
    Line("How loud this voice is, next to the first one, is a part of the recipe.", "en-US", pitch=0.85),
    Line("It has nothing to say that matters much.", "en-US", pitch=0.85),
)

_PAUSE_S = 0.5
_BLOCK_FRAMES = 65_536

#: Music takes so much of a recording in which somebody speaks as well.
_MUSIC_SHARE = 1 / 3


def record(recipe: Recipe, path: Path) -> Path:
    """Make the recording of a recipe: a WAV of 24 bit."""
    samples = made(recipe)
    output = OutputSpec(format=AudioFormat.wav, bit_depth=24)
    with open_writer(path, output, sample_rate_hz=recipe.sample_rate_hz, channels=recipe.channels) as file:
        for start in range(0, len(samples), _BLOCK_FRAMES):
            file.write(samples[start : start + _BLOCK_FRAMES])
    return path


def made(recipe: Recipe) -> Block:
    """The samples of a recipe, shape (frames, channels), full scale ±1.0; the same every time.

    What is to be heard is brought to its loudness first; what disturbs is added at its own level, all through.
    """
    rate_hz, frames = recipe.sample_rate_hz, round(recipe.duration_s * recipe.sample_rate_hz)
    head, tail = (round(length_s * rate_hz) for length_s in (recipe.silence_head_s, recipe.silence_tail_s))
    heard = _heard(recipe, frames - head - tail)
    if recipe.echo:
        sides = [sounds.in_a_hall(heard[:, side], rate_hz, recipe.seed) for side in range(heard.shape[1])]
        heard = np.stack(sides, axis=1)
    heard = heard * 10 ** ((recipe.level_lufs - _loudness_lufs(heard, rate_hz)) / 20)
    sound = np.pad(heard, ((head, tail), (0, 0)))
    sound += _disturbance(recipe, frames)
    if recipe.clipped_at_dbfs is not None:
        limit = 10 ** (recipe.clipped_at_dbfs / 20)
        sound = np.clip(sound, -limit, limit)
    if recipe.one_sided:
        sound[:, 1] = 0.0
    return np.ascontiguousarray(np.clip(sound, -1.0, 1.0), np.float32)


def _heard(recipe: Recipe, frames: int) -> Samples:
    """Voice and music at some level, shape (frames, channels)."""
    if not recipe.voice:
        return _music(recipe, frames)
    voice = np.repeat(_talk(recipe, frames)[:, None], recipe.channels, axis=1)
    if not recipe.music:
        return voice
    first = round(frames * _MUSIC_SHARE)
    music = _music(recipe, first)
    gain_db = _loudness_lufs(voice, recipe.sample_rate_hz) - _loudness_lufs(music, recipe.sample_rate_hz)
    return np.concatenate([music * 10 ** (gain_db / 20), voice[: frames - first]])


def _talk(recipe: Recipe, frames: int) -> Samples:
    """So much talk, with pauses between the sentences; the last one may be cut off."""
    host = _spoken(_HOST, recipe.sample_rate_hz)
    turns = [(clip, 0.0) for clip in host]
    if recipe.guest_db is not None:
        guest = _spoken(_GUEST, recipe.sample_rate_hz)
        turns = [
            turn for pair in zip(host, guest, strict=True) for turn in ((pair[0], 0.0), (pair[1], recipe.guest_db))
        ]
    pause = np.zeros(round(_PAUSE_S * recipe.sample_rate_hz))
    said: list[Samples] = []
    total = 0
    while total < frames:
        for clip, gain_db in turns:
            said += [clip * 10 ** (gain_db / 20), pause]
            total += len(clip) + len(pause)
    return np.concatenate(said)[:frames]


@cache
def _spoken(lines: tuple[Line, ...], rate_hz: int) -> tuple[Samples, ...]:
    """Each line at a rate; spoken once in a process."""
    clips = []
    for clip in speak(lines):
        resampler = Resampler(RATE_HZ, rate_hz, 1)
        clips.append(np.concatenate([resampler.process(clip), resampler.flush()])[:, 0].astype(np.float64))
    return tuple(clips)


def _music(recipe: Recipe, frames: int) -> Samples:
    bars = math.ceil(frames / (1.6 * recipe.sample_rate_hz))
    music = np.stack(sounds.sting(recipe.sample_rate_hz, bars), axis=1)[:frames]
    return music if recipe.channels == 2 else music.mean(axis=1, keepdims=True)


def _disturbance(recipe: Recipe, frames: int) -> Samples:
    """All that should not be there, shape (frames, channels); noise differs from side to side."""
    rate_hz = recipe.sample_rate_hz
    sides = []
    for side in range(recipe.channels):
        sound = np.full(frames, recipe.offset)
        if recipe.noise_dbfs is not None:
            kind = sounds.fan if recipe.noise == "fan" else sounds.room_tone
            sound += sounds.at_level(kind(frames, rate_hz, 1000 * side + recipe.seed), recipe.noise_dbfs)
        sides.append(sound)
    common = np.zeros(frames)
    if recipe.rumble_dbfs is not None:
        white = np.random.default_rng(recipe.seed + 1).standard_normal(frames)
        common += sounds.at_level(sounds.band(white, rate_hz, 12, 35), recipe.rumble_dbfs)
    if recipe.hum_hz is not None:
        common += sounds.at_level(sounds.hum(frames, rate_hz, recipe.hum_hz), recipe.hum_dbfs)
    if recipe.clicks:
        per_second = (recipe.clicks + 0.5) * rate_hz / frames
        common += 0.5 * sounds.clicks(frames, rate_hz, recipe.seed + 2, per_second)
    return np.stack(sides, axis=1) + common[:, None]


def _loudness_lufs(sound: Samples, rate_hz: int) -> float:
    meter = LoudnessMeter(rate_hz, sound.shape[1], true_peak=False)
    for start in range(0, len(sound), _BLOCK_FRAMES):
        meter.push(np.ascontiguousarray(sound[start : start + _BLOCK_FRAMES], np.float32))
    return meter.report().integrated_lufs
