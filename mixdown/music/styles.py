"""What the beds are made of."""

from __future__ import annotations

from dataclasses import dataclass

from mixdown.music import instruments
from mixdown.music.instruments import Struck


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An instrument and when it plays: a letter for each eighth of a bar, or for each sixteenth.

    ``.`` rests; ``x`` plays the next note of the motif, ``X`` louder; a digit that note of the chord, 0 the lowest.
    One pattern follows the other, bar by bar.
    """

    instrument: Struck
    patterns: tuple[str, ...]
    level: float
    octave: int = 0  #: above the pad's
    pan: float = 0.0  #: -1 left, 1 right
    swing: bool = False  #: its notes alternate between the sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A bed: chords, tempo, who plays."""

    about: str
    tempo_bpm: float
    bars: int
    bars_per_chord: int
    chords: tuple[str, ...]  #: progressions, of which the seed takes one
    keys: tuple[int, ...]  #: pitches of the tonic (MIDI), of which the seed takes one
    pad_level: float
    brightness_hz: float
    parts: tuple[Part, ...] = ()
    bass: tuple[str, ...] = ()
    bass_level: float = 0.0
    kick: str = ""
    kick_level: float = 0.0
    shaker: str = ""
    shaker_level: float = 0.0
    wet: float = 0.5
    room_s: float = 2.2


STYLES = {
    "warm": Style(
        about="Electric piano over soft chords, unhurried: talks, stories.",
        tempo_bpm=76,
        bars=8,
        bars_per_chord=1,
        chords=(
            "0:maj9 9:min7 5:maj9 7:7sus 0:maj9 4:min7 5:maj9 7:7sus",
            "0:maj9 5:maj7 9:min9 7:sus4 0:maj9 5:maj7 2:min9 7:7sus",
            "5:maj9 4:min7 2:min9 0:maj9 5:maj9 7:7sus 9:min7 0:maj9",
        ),
        keys=(60, 62, 63, 65, 67),
        pad_level=0.55,
        brightness_hz=900,
        parts=(
            Part(instrument=instruments.KEYS, patterns=("0..2.1.3", "0.2...1."), level=0.62, pan=-0.2),
            Part(
                instrument=instruments.KEYS,
                patterns=("....x..x", "x.......", "..x..x..", "........"),
                level=0.42,
                octave=1,
                pan=0.3,
            ),
        ),
        bass=("0...0...", "0....0.."),
        bass_level=0.55,
    ),
    "bright": Style(
        about="Plucks and a light shaker, cheerful: explainers, products.",
        tempo_bpm=104,
        bars=16,
        bars_per_chord=2,
        chords=(
            "0:add9 7:sus4 9:min7 5:maj7 0:add9 7:maj 5:add9 7:sus4",
            "0:add9 5:maj7 9:min7 7:sus4 0:add9 5:maj7 2:min7 7:maj",
            "5:add9 0:add9 7:sus4 9:min7 5:add9 0:add9 7:sus4 7:maj",
        ),
        keys=(60, 62, 64, 65, 67),
        pad_level=0.28,
        brightness_hz=1600,
        parts=(
            Part(
                instrument=instruments.KALIMBA, patterns=("0.2.1.3.", "0.2.3.1."), level=0.5, octave=1, swing=True
            ),
            Part(
                instrument=instruments.KALIMBA,
                patterns=("x..x..x.", "........", "x..x.x..", "........"),
                level=0.42,
                octave=2,
                pan=0.25,
            ),
            Part(instrument=instruments.PIANO, patterns=("0.......", "....1..."), level=0.35, pan=-0.3),
        ),
        bass=("0..0..0.", "0..0...."),
        bass_level=0.42,
        kick="x...x...",
        kick_level=0.4,
        shaker="..x...x.",
        shaker_level=0.05,
        wet=0.4,
        room_s=1.6,
    ),
    "calm": Style(
        about="Long chords and a few bells: meditation, reading.",
        tempo_bpm=60,
        bars=8,
        bars_per_chord=1,
        chords=(
            "0:maj9 9:min9 5:maj9 0:sus2 9:min9 5:maj9 2:min9 7:sus4",
            "0:sus2 5:maj9 9:min7 5:maj9 0:sus2 4:min7 5:maj9 7:sus4",
        ),
        keys=(58, 60, 62, 63, 65),
        pad_level=1.3,
        brightness_hz=700,
        parts=(
            Part(
                instrument=instruments.BELL,
                patterns=("x.......", "...x....", "........", ".....x.."),
                level=0.3,
                octave=1,
                swing=True,
            ),
            Part(instrument=instruments.KEYS, patterns=("0...1...", "....2..."), level=0.3, pan=-0.2),
        ),
        bass=("0.......",),
        bass_level=0.45,
        wet=0.8,
        room_s=3.5,
    ),
    "pulse": Style(
        about="A steady pulse in minor, forward: technology, tension.",
        tempo_bpm=112,
        bars=16,
        bars_per_chord=2,
        chords=(
            "0:madd9 8:maj7 3:add9 10:sus4 0:madd9 8:maj7 5:min7 7:7sus",
            "0:min9 5:min7 8:maj7 10:sus2 0:min9 3:add9 8:maj7 10:sus4",
        ),
        keys=(57, 59, 60, 62, 64),
        pad_level=0.45,
        brightness_hz=1000,
        parts=(
            Part(
                instrument=instruments.PULSE,
                patterns=("0.0.0.0.0.1.0.2.", "0.0.0.0.0.2.1.0."),
                level=0.34,
                swing=True,
            ),
            Part(
                instrument=instruments.MARIMBA,
                patterns=("..x..x..", "x..x....", "..x..x.x", "........"),
                level=0.36,
                octave=1,
                pan=0.3,
            ),
        ),
        bass=("0.0.0.0.",),
        bass_level=0.36,
        kick="x...x...",
        kick_level=0.55,
        shaker="..x...x.",
        shaker_level=0.04,
        wet=0.45,
        room_s=1.8,
    ),
    "news": Style(
        about="Short strings and drums, urgent: headlines.",
        tempo_bpm=120,
        bars=16,
        bars_per_chord=2,
        chords=(
            "0:min 8:maj 3:maj 10:maj 0:min 8:maj 5:min 10:sus4",
            "0:min 10:maj 8:maj 10:sus4 0:min 3:maj 8:maj 10:maj",
        ),
        keys=(57, 58, 60, 62),
        pad_level=0.5,
        brightness_hz=1500,
        parts=(
            Part(
                instrument=instruments.STRINGS,
                patterns=("0.1.2.1.0.1.2.01", "0.1.2.1.0.2.1.22"),
                level=0.4,
                octave=1,
                pan=-0.3,
            ),
            Part(instrument=instruments.STRINGS, patterns=("..0...0...0...0.",), level=0.34, pan=0.3),
            Part(
                instrument=instruments.BELL,
                patterns=("X.......", "........", "........", "........"),
                level=0.2,
                octave=2,
            ),
        ),
        bass=("0..0..0.",),
        bass_level=0.45,
        kick="x..x..x.",
        kick_level=0.6,
        wet=0.5,
        room_s=1.8,
    ),
    "hopeful": Style(
        about="Piano that rises over held chords: causes, portraits.",
        tempo_bpm=84,
        bars=12,
        bars_per_chord=1,
        chords=(
            "5:add9 7:sus4 9:min7 0:add9 5:add9 7:sus4 0:add9 0:sus2 2:min7 4:min7 5:maj7 7:maj",
            "0:add9 7:sus4 9:min7 5:add9 0:add9 7:maj 5:add9 5:add9 9:min7 5:maj7 2:min7 7:sus4",
        ),
        keys=(60, 62, 63, 65),
        pad_level=0.55,
        brightness_hz=1000,
        parts=(
            Part(instrument=instruments.PIANO, patterns=("0.2.1.2.", "0.1.2.1."), level=0.5, pan=-0.15),
            Part(
                instrument=instruments.PIANO,
                patterns=("x...x...", "..x.....", "x..x..x.", "........"),
                level=0.42,
                octave=1,
                pan=0.2,
            ),
        ),
        bass=("0.......", "0...0..."),
        bass_level=0.4,
        wet=0.6,
        room_s=2.6,
    ),
    "deep": Style(
        about="Dark and slow, hardly any movement: documentaries, crime.",
        tempo_bpm=56,
        bars=8,
        bars_per_chord=2,
        chords=("0:madd9 8:maj7 0:min7 5:min9", "0:min9 3:maj7 8:maj7 7:7sus"),
        keys=(50, 52, 53, 55),
        pad_level=1.4,
        brightness_hz=480,
        parts=(
            Part(
                instrument=instruments.PIANO,
                patterns=("x.......", "........", "....x...", "........"),
                level=0.4,
                octave=1,
                pan=0.2,
            ),
        ),
        bass=("0.......", "........"),
        bass_level=0.6,
        kick="x.......",
        kick_level=0.4,
        wet=0.9,
        room_s=4.0,
    ),
}
