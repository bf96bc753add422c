"""Sounds of their own: a logo, a sting, and the signals of the trade."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from mixdown.dsp.processor import Block
from mixdown.errors import InvalidRequest, UnknownSound
from mixdown.music import instruments
from mixdown.music.chords import frequency_hz
from mixdown.music.instruments import Mono, shaped, sides
from mixdown.music.room import in_a_room

_LONGEST_S = 300.0
_EDGE_S = 0.005
_LEAD_S = 0.01  # before the first note: the edge does not touch it


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is known when a sound is made."""

    values: Mapping[str, float]
    sample_rate_hz: int
    random: Generator

    def frames(self) -> int:
        return max(1, round(self.values["s"] * self.sample_rate_hz))


@dataclass(frozen=True, slots=True)
class _Kind:
    about: str
    make: Callable[[_Asked], Block]
    values: Mapping[str, float]  #: its parameters, and what they are if they are not given


def sound(name: str, parameters: Mapping[str, str], *, sample_rate_hz: int, seed: int) -> Block:
    """A sound.

    Parameters
    ----------
    name : str
        One of `SOUNDS`.
    parameters : mapping of str to str
        Numbers: `s`, seconds; `hz`, `to_hz`; `dbfs`, the peak, of noise the RMS; `fps`. Each sound has its own.
    sample_rate_hz : int
    seed : int
        0 or more; another one gives another logo, sting or noise.

    Returns
    -------
    ndarray of float32, shape (frames, 2)
        The same bytes for the same arguments.

    Raises
    ------
    UnknownSound
        There is no such sound.
    InvalidRequest
        It has no such parameter, or not in this range.
    """
    if name not in _KINDS:
        raise UnknownSound(f"There is no sound {name[:40]!r}. There are: {', '.join(_KINDS)}.")
    kind = _KINDS[name]
    highest_hz = 0.45 * sample_rate_hz
    usual = {key: min(value, highest_hz) if key == "to_hz" else value for key, value in kind.values.items()}
    values = {**usual, **{key: _number(name, kind, key, text) for key, text in parameters.items()}}
    for key in {"hz", "to_hz"} & values.keys():
        if not 10.0 <= values[key] <= highest_hz:
            raise InvalidRequest(f"{name}: {key} is from 10 to {highest_hz:,.0f} at {sample_rate_hz} Hz.")
    random = Generator(PCG64(SeedSequence([seed, zlib.crc32(name.encode())])))
    return kind.make(_Asked(values, sample_rate_hz, random))


def _number(name: str, kind: _Kind, key: str, text: str) -> float:
    if key not in kind.values:
        raise InvalidRequest(f"{name} has no parameter {key[:40]!r}. It has: {', '.join(kind.values) or 'none'}.")
    low, high = {"s": (0.001, _LONGEST_S), "dbfs": (-120.0, 0.0), "fps": (10.0, 120.0)}.get(key, (10.0, 1e5))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InvalidRequest(f"{name}: {key} is a number from {low:g} to {high:g}.")
    return value


def _logo(asked: _Asked) -> Block:
    """Four notes that rise to a chord: bells over keys."""
    tonic = 60 + int(asked.random.integers(0, 8))
    rise = ((0, 7, 4, 12), (0, 4, 7, 12), (7, 12, 9, 14), (0, 2, 7, 12))[int(asked.random.integers(4))]
    apart_s = (0.11, 0.14, 0.17)[int(asked.random.integers(3))]
    notes = [(tonic + 12 + step, index * apart_s, 0.6, 0.3 * (-1) ** index) for index, step in enumerate(rise)]
    chord_s = 3 * apart_s
    chord = [(tonic + step, chord_s, 0.45, pan) for step, pan in ((-12, 0.0), (0, -0.2), (7, 0.2), (16, 0.0))]
    return _struck(
        asked, [(instruments.BELL, *note) for note in notes] + [(instruments.KEYS, *note) for note in chord]
    )


def _sting(asked: _Asked) -> Block:
    """A hit: drum, low piano and strings at once, gone after two seconds."""
    tonic = 48 + int(asked.random.integers(0, 8))
    third = (3, 4, 5)[int(asked.random.integers(3))]
    piano = [(instruments.PIANO, tonic + step, 0.16, 0.6, 0.0) for step in (-12, 0, 7)]
    strings = [
        (instruments.STRINGS, tonic + step, at_s, level, pan)
        for at_s, level in ((0.0, 0.3), (0.08, 0.35), (0.16, 0.5))
        for step, pan in ((12, -0.3), (12 + third, 0.3), (19, 0.0))
    ]
    bells = [(instruments.BELL, tonic + 24, 0.16, 0.3, 0.1)]
    return _struck(asked, [*piano, *strings, *bells], drum_at_s=0.16)


def _struck(
    asked: _Asked, notes: list[tuple[instruments.Struck, int, float, float, float]], drum_at_s: float | None = None
) -> Block:
    """Notes (instrument, pitch, when, how loud, where) in a room, at the peak that was asked for."""
    rate_hz = asked.sample_rate_hz
    # Silence behind it, so that the room does not run into the beginning.
    samples = np.zeros((2, scipy.fft.next_fast_len(round(8.0 * rate_hz), real=True)), np.float32)
    for instrument, pitch, at_s, level, pan in notes:
        note, at = instrument.note(frequency_hz(pitch), rate_hz), round((_LEAD_S + at_s) * rate_hz)
        for side, share in zip(samples, sides(pan), strict=True):
            side[at : at + len(note)] += np.float32(level * share) * note
    if drum_at_s is not None:
        hit, at = instruments.kick(rate_hz), round((_LEAD_S + drum_at_s) * rate_hz)
        samples[:, at : at + len(hit)] += np.float32(0.8) * hit
    heard = in_a_room(samples, wet=0.5, length_s=1.8, sample_rate_hz=rate_hz)
    heard = heard[: min(len(heard), asked.frames())]
    heard *= np.float32(10.0 ** (asked.values["dbfs"] / 20.0) / float(np.abs(heard).max(initial=1e-9)))
    return _both(heard, rate_hz, min(0.6, 0.4 * asked.values["s"]))


def _tone(asked: _Asked) -> Block:
    turns = asked.values["hz"] * np.arange(asked.frames()) / asked.sample_rate_hz
    return _sine(turns, asked)


def _sweep(asked: _Asked) -> Block:
    """After A. Farina: as long in every octave."""
    position = np.arange(asked.frames()) / asked.frames()
    octaves = math.log(asked.values["to_hz"] / asked.values["hz"]) or 1e-9
    return _sine(asked.values["hz"] * asked.values["s"] / octaves * np.expm1(position * octaves), asked)


def _sine(turns: NDArray[np.float64], asked: _Asked) -> Block:
    amplitude = 10.0 ** (asked.values["dbfs"] / 20.0)
    samples = (amplitude * np.sin(2.0 * math.pi * (turns % 1.0))).astype(np.float32)
    return _both(_twice(samples), asked.sample_rate_hz, _EDGE_S)


def _pink(asked: _Asked) -> Block:
    return _noise(asked, slope=0.5, lowest_hz=20.0, alike=1.0)


def _room(asked: _Asked) -> Block:
    """A quiet room: mostly low, and not the same on both sides."""
    return _noise(asked, slope=0.9, lowest_hz=50.0, alike=0.8)


def _noise(asked: _Asked, *, slope: float, lowest_hz: float, alike: float) -> Block:
    frames = asked.frames()
    length = scipy.fft.next_fast_len(frames, real=True)
    frequencies = np.maximum(scipy.fft.rfftfreq(length, 1.0 / asked.sample_rate_hz), 1e-3)
    levels = frequencies**-slope * (frequencies > lowest_hz)
    middle, side = asked.random.standard_normal((2, len(frequencies), 2)) @ np.array([1.0, 1.0j]) * levels
    side *= math.sqrt(1.0 - alike * alike) / max(alike, 1e-9)
    both = scipy.fft.irfft(np.stack([middle + side, middle - side]), length)[:, :frames].T
    both *= 10.0 ** (asked.values["dbfs"] / 20.0) / max(math.sqrt(float((both * both).mean())), 1e-30)
    return _both(np.clip(both, -1.0, 1.0).astype(np.float32), asked.sample_rate_hz, _EDGE_S)


def _slate(asked: _Asked) -> Block:
    """The 2-pop: a frame of 1 kHz, then silence until two seconds are over."""
    pop = min(asked.frames(), round(asked.sample_rate_hz / asked.values["fps"]))
    turns = asked.values["hz"] * np.arange(pop) / asked.sample_rate_hz
    samples = np.zeros((asked.frames(), 2), np.float32)
    samples[:pop] = _sine(turns, asked)
    return samples


def _silence(asked: _Asked) -> Block:
    return np.zeros((asked.frames(), 2), np.float32)


def _twice(samples: Mono) -> Block:
    return np.repeat(samples[:, None], 2, axis=1)


def _both(samples: Block, sample_rate_hz: int, fade_out_s: float) -> Block:
    """Both sides with edges that do not click."""
    edge = min(round(_EDGE_S * sample_rate_hz), len(samples) // 2)
    fade_out = min(round(fade_out_s * sample_rate_hz), len(samples) - edge)
    return np.stack([shaped(np.ascontiguousarray(side), edge, fade_out) for side in samples.T], axis=1)


_KINDS = {
    "logo": _Kind("Four rising notes and a chord.", _logo, {"s": 3.2, "dbfs": -6.0}),
    "sting": _Kind("A hit that says: now.", _sting, {"s": 2.2, "dbfs": -6.0}),
    "tone": _Kind("A sine.", _tone, {"hz": 1000.0, "s": 1.0, "dbfs": -20.0}),
    "sweep": _Kind(
        "A sine through all frequencies.", _sweep, {"hz": 20.0, "to_hz": 20_000.0, "s": 5.0, "dbfs": -20.0}
    ),
    "pink": _Kind("Pink noise.", _pink, {"s": 5.0, "dbfs": -20.0}),
    "room": _Kind("The tone of a quiet room.", _room, {"s": 5.0, "dbfs": -60.0}),
    "slate": _Kind(
        "A pop, two seconds before it begins.", _slate, {"hz": 1000.0, "s": 2.0, "dbfs": -20.0, "fps": 25.0}
    ),
    "silence": _Kind("Nothing.", _silence, {"s": 1.0}),
}

#: Names of the sounds there are and what they are; their parameters, and what those are if not given.
SOUNDS = {name: kind.about for name, kind in _KINDS.items()}
PARAMETERS = {name: dict(kind.values) for name, kind in _KINDS.items()}
