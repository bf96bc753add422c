"""Beds: music to lie under a voice, in loops without a seam."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.random import PCG64, Generator, SeedSequence

from mixdown.dsp.loudness import LoudnessMeter
from mixdown.dsp.processor import Block
from mixdown.errors import UnknownSound
from mixdown.music import instruments
from mixdown.music.chords import frequency_hz, progression, voiced
from mixdown.music.instruments import Mono, Struck, shaped, sides
from mixdown.music.room import in_a_room
from mixdown.music.styles import STYLES, Part, Style

#: Names of the beds there are, and what they are good for.
BEDS = {name: style.about for name, style in STYLES.items()}

#: Every bed is this loud.
LOUDNESS_LUFS = -20.0

_PHRASE_BARS = 4
_BASS_LOWEST, _PAD_LOWEST = 33, 53  # A1, F3


def bed(name: str, *, seed: int, sample_rate_hz: int) -> Block:
    """A bed that can be repeated without end: its last sample leads into its first.

    Parameters
    ----------
    name : str
        One of `BEDS`.
    seed : int
        0 or more; another one gives another piece of the same kind.
    sample_rate_hz : int

    Returns
    -------
    ndarray of float32, shape (frames, 2)
        20 to 60 seconds at -20 LUFS; the same bytes for the same arguments.

    Raises
    ------
    UnknownSound
        There is no such bed.
    """
    if name not in STYLES:
        raise UnknownSound(f"There is no bed {name[:40]!r}. There are: {', '.join(STYLES)}.")
    return _Piece(
        STYLES[name], sample_rate_hz, Generator(PCG64(SeedSequence([seed, zlib.crc32(name.encode())])))
    ).made()


class _Piece:
    """One piece in the making."""

    def __init__(self, style: Style, sample_rate_hz: int, random: Generator) -> None:
        self._style = style
        self._rate_hz = sample_rate_hz
        self._random = random
        # A length that transforms fast; the tempo moves by less than can be heard.
        self._sixteenth = scipy.fft.next_fast_len(round(15.0 / style.tempo_bpm * sample_rate_hz), real=True)
        self._loop = np.zeros((2, style.bars * 16 * self._sixteenth), np.float32)
        self._notes: dict[tuple[int, Struck], Mono] = {}
        tonic = int(random.choice(style.keys))
        chosen = progression(style.chords[int(random.integers(len(style.chords)))])
        self._chords = [(tonic + root, notes) for root, notes in chosen]
        self._motif = [int(step) for step in random.integers(0, 4, size=8)]

    def made(self) -> Block:
        style = self._style
        self._play_pad()
        for part in style.parts:
            self._play(part)
        if style.bass:
            self._play_bass()
        if style.kick:
            self._drum(instruments.kick(self._rate_hz), style.kick, style.kick_level)
        if style.shaker:
            self._drum(instruments.shaker(self._rate_hz, self._random), style.shaker, style.shaker_level, pan=0.35)
        loop = in_a_room(self._loop, wet=style.wet, length_s=style.room_s, sample_rate_hz=self._rate_hz)
        meter = LoudnessMeter(self._rate_hz, 2, true_peak=False)
        meter.push(loop)
        loop *= np.float32(10.0 ** ((LOUDNESS_LUFS - meter.report().integrated_lufs) / 20.0))
        return loop

    def _play_pad(self) -> None:
        """Each chord held, swelling while the one before goes."""
        frames = self._loop.shape[1] // len(self._slots)
        crossfade = min(round(1.2 * self._rate_hz), frames // 2)
        rising = np.sin(0.5 * math.pi * (np.arange(crossfade) + 0.5) / crossfade).astype(np.float32)
        for slot, (root, notes) in enumerate(self._slots):
            chord = instruments.pad(
                [frequency_hz(pitch) for pitch in voiced(root, notes, _PAD_LOWEST)],
                frames + crossfade,
                brightness_hz=self._style.brightness_hz,
                sample_rate_hz=self._rate_hz,
                random=self._random,
            )
            chord[:, :crossfade] *= rising
            chord[:, -crossfade:] *= rising[::-1]
            chord *= np.float32(0.09 / math.sqrt(len(notes)) * self._style.pad_level)
            for side, samples in zip(self._loop, chord, strict=True):
                self._lay(samples, side, slot * frames - crossfade // 2)

    @cached_property
    def _slots(self) -> list[tuple[int, tuple[int, ...]]]:
        """The chords of the piece, each for as long as the others."""
        count = self._style.bars // self._style.bars_per_chord
        return [self._chords[index % len(self._chords)] for index in range(count)]

    def _chord_of(self, bar: int) -> tuple[int, tuple[int, ...]]:
        return self._slots[bar // self._style.bars_per_chord]

    def _play(self, part: Part) -> None:
        side, played, phrase = 1.0, 0, 0
        for bar, place, at in self._places(part.patterns):
            if bar // _PHRASE_BARS != phrase:
                played, phrase = 0, bar // _PHRASE_BARS  # the motif again, over other chords: that makes it one
            letter = part.patterns[bar % len(part.patterns)][place]
            pitches = voiced(*self._chord_of(bar), _PAD_LOWEST + 12 * part.octave)
            step = int(letter) if letter.isdigit() else self._motif[played % len(self._motif)]
            octave, step = divmod(step, len(pitches))
            accent = 1.0 if letter == "X" or place == 0 else self._random.uniform(0.72, 0.92)
            late = round(self._random.uniform(0.0, 0.006) * self._rate_hz)  # hands are no clocks
            note = self._note(part.instrument, pitches[step] + 12 * octave)
            self._add(note, at + late, 0.2 * part.level * accent, side * 0.4 if part.swing else part.pan)
            side, played = -side, played + 1

    def _play_bass(self) -> None:
        """One note at a time: two of a pitch would weaken each other."""
        places = list(self._places(self._style.bass))
        starts = [at for _, _, at in places]
        for (bar, place, at), following in zip(places, [*starts[1:], starts[0] + self._loop.shape[1]], strict=True):
            root, _ = self._chord_of(bar)
            note = self._note(instruments.BASS, _BASS_LOWEST + (root - _BASS_LOWEST) % 12)
            if following - at < len(note):
                note = shaped(note[: following - at].copy(), 1, round(0.05 * self._rate_hz))
            self._add(note, at, 0.2 * self._style.bass_level * (1.0 if place == 0 else 0.8))

    def _drum(self, hit: Mono, pattern: str, level: float, pan: float = 0.0) -> None:
        for _, _, at in self._places((pattern,)):
            self._add(hit, at, 0.5 * level * self._random.uniform(0.85, 1.0), pan)

    def _places(self, patterns: tuple[str, ...]) -> Iterator[tuple[int, int, int]]:
        """Where patterns have a note: its bar, its place in the bar's pattern, its frame."""
        for bar in range(self._style.bars):
            pattern = patterns[bar % len(patterns)]
            for place, letter in enumerate(pattern):
                if letter != ".":
                    yield bar, place, (bar * 16 + place * 16 // len(pattern)) * self._sixteenth

    def _note(self, instrument: Struck, pitch: int) -> Mono:
        key = (pitch, instrument)
        if key not in self._notes:
            self._notes[key] = instrument.note(frequency_hz(pitch), self._rate_hz)
        return self._notes[key]

    def _add(self, samples: Mono, at: int, level: float, pan: float = 0.0) -> None:
        """Into the loop, what goes beyond its end at its beginning; left is -1, right is 1."""
        for side, share in zip(self._loop, sides(pan), strict=True):
            self._lay(samples * np.float32(level * share), side, at)

    def _lay(self, samples: Mono, side: Mono, at: int) -> None:
        at %= len(side)
        while len(samples):
            here = side[at : at + len(samples)]
            here += samples[: len(here)]
            samples, at = samples[len(here) :], 0
