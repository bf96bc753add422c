"""Chords by their names, laid out so that one flows into the next."""

from __future__ import annotations

#: Semitones above the root.
_KINDS = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "maj9": (0, 4, 7, 11, 14),
    "min9": (0, 3, 7, 10, 14),
    "7sus": (0, 5, 7, 10),
}


def progression(text: str) -> list[tuple[int, tuple[int, ...]]]:
    """Chords of a line such as ``0:maj7 9:min7``: semitones of its root, and of notes above that."""
    chords = []
    for word in text.split():
        root, _, kind = word.partition(":")
        chords.append((int(root), _KINDS[kind]))
    return chords


def voiced(root: int, notes: tuple[int, ...], lowest: int) -> list[int]:
    """The notes of a chord from a lowest pitch on (MIDI numbers), each once, so that most stay where they were.

    Notes
    -----
    Every note lies in the octave above `lowest`, which moves each voice as little as can be from chord to chord.
    Of two neighbors a semitone apart the lower is put an octave up: a seventh is mild where a second is harsh.
    """
    pitches = sorted(lowest + (root + note - lowest) % 12 for note in notes)
    for index in range(len(pitches) - 1):
        if pitches[index + 1] - pitches[index] == 1:
            pitches[index] += 12
    return sorted(pitches)


def frequency_hz(pitch: float) -> float:
    """Frequency of a MIDI number: 69 is 440 Hz."""
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
