"""A small picture of a recording before and after: peaks light, loudness solid, both on one scale."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mixdown.dsp.processor import Block

WIDTH, HEIGHT = 800, 160
_BINS_PER_COLUMN = 8  # kept while the length is unknown, so that a column is never off by much

# Mid-tones without a background: they stand out on white as on black.
_BEFORE, _AFTER, _TEXT = (139, 144, 156), (41, 138, 226), (127, 132, 144)
_COLUMN = 2  # pixels a column is wide
_SHADES = 4  # of each, so that all and the transparent ground fit into 4 bits a pixel
_PEAK_OPACITY = 0.5
_SCALE = 0.6  # drawn straight, what lies 30 dB below the full scale would be a line
_TEXT_HEIGHT, _MARGIN = 12, 8


@dataclass(frozen=True, slots=True)
class Peaks:
    """Lowest and highest sample, and the root mean square, of equal stretches of a signal, all channels."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    rms: NDArray[np.float32]

    def columns(self, count: int) -> Peaks:
        """The same signal in ``count`` stretches."""
        bins = len(self.low)
        if not bins:
            nothing = np.zeros(count, np.float32)
            return Peaks(low=nothing, high=nothing, rms=nothing)
        first = np.arange(count) * bins // count
        per_column = np.maximum(np.diff(first, append=bins), 1)
        power = np.add.reduceat(self.rms.astype(np.float64) ** 2, first) / per_column
        return Peaks(
            low=np.minimum.reduceat(self.low, first),
            high=np.maximum.reduceat(self.high, first),
            rms=np.sqrt(power).astype(np.float32),
        )


class PeakCollector:
    """Collects the peaks of a signal of unknown length, in constant memory.

    Parameters
    ----------
    columns : int
        The finest picture to be made of it.

    Notes
    -----
    Stretches begin as single frames; whenever there are too many, neighbours are merged. The result depends
    on the signal alone, not on its blocks.
    """

    def __init__(self, columns: int = WIDTH) -> None:
        self._bins = columns * _BINS_PER_COLUMN
        self._low = np.full(self._bins, np.inf, np.float32)
        self._high = np.full(self._bins, -np.inf, np.float32)
        self._power = np.zeros(self._bins)
        self._frames = 0
        self._bin_frames = 1

    def push(self, block: Block) -> None:
        """Add the next frames of the signal, shape (frames, channels)."""
        while len(block):
            if self._frames == self._bins * self._bin_frames:
                self._merge()
            room = self._bins * self._bin_frames - self._frames
            _collect(block[:room], self._frames, self._bin_frames, self._low, self._high, self._power)
            self._frames += len(block[:room])
            block = block[room:]

    def peaks(self) -> Peaks:
        """What was collected so far."""
        used = -(-self._frames // self._bin_frames)
        frames = np.full(used, self._bin_frames)
        if used:
            frames[-1] = self._frames - (used - 1) * self._bin_frames
        rms = np.sqrt(self._power[:used] / frames).astype(np.float32)
        return Peaks(low=self._low[:used].copy(), high=self._high[:used].copy(), rms=rms)

    def _merge(self) -> None:
        half = self._bins // 2
        for values, joined, empty in (
            (self._low, np.minimum, np.inf),
            (self._high, np.maximum, -np.inf),
            (self._power, np.add, 0.0),
        ):
            values[:half] = joined(values[0::2], values[1::2])
            values[half:] = empty
        self._bin_frames *= 2


@njit(nogil=True, cache=True)
def _collect(
    block: Block,
    before: int,
    bin_frames: int,
    lows: NDArray[np.float32],
    highs: NDArray[np.float32],
    powers: NDArray[np.float64],
) -> None:
    """Add frames, of which there were ``before``, to the stretches they fall into."""
    frames, channels = block.shape
    frame = 0
    while frame < frames:
        index = (before + frame) // bin_frames
        end = min(frames, (index + 1) * bin_frames - before)
        low, high, power = lows[index], highs[index], 0.0
        for position in range(frame, end):
            for channel in range(channels):
                value = block[position, channel]
                low = min(low, value)
                high = max(high, value)
                power += value * value
        lows[index], highs[index] = low, high
        powers[index] += power / channels
        frame = end


def waveform(before: Peaks, after: Peaks, *, captions: tuple[str, str] = ("before", "after")) -> bytes:
    """Return a PNG of a recording before (above) and after (below): the same input, the same bytes.

    Parameters
    ----------
    before, after : Peaks
    captions : pair of str
        What is written beside each, in ASCII (the built-in font has no more); may have several short lines.
    """
    font = ImageFont.load_default(_TEXT_HEIGHT)
    captions = (captions[0].replace("−", "-"), captions[1].replace("−", "-"))  # the font has no minus sign
    text = Image.new("L", (WIDTH, HEIGHT))
    pen = ImageDraw.Draw(text)
    boxes = [pen.multiline_textbbox((0, 0), caption, font=font) for caption in captions]
    gutter = int(max(right for _, _, right, _ in boxes)) + 2 * _MARGIN
    shades = np.zeros((HEIGHT, WIDTH), np.uint8)
    lane = HEIGHT // 2
    for index, (peaks, caption, box) in enumerate(zip((before, after), captions, boxes, strict=True)):
        opacity = _opacity(peaks.columns((WIDTH - gutter) // _COLUMN), lane)
        drawn = np.repeat(_shade(opacity, index), _COLUMN, axis=1)
        shades[index * lane : (index + 1) * lane, gutter : gutter + drawn.shape[1]] = drawn
        middle = index * lane + (lane - box[1] - box[3]) / 2
        pen.multiline_text((_MARGIN, middle), caption, fill=255, font=font)
    written = np.asarray(text, np.float64) / 255
    shades = np.where(written > 0.5 / _SHADES, _shade(written, 2), shades)
    return _png(shades)


def _opacity(peaks: Peaks, height: int) -> NDArray[np.float64]:
    """How much of each pixel of a lane is covered, shape (height, columns)."""
    half = height / 2
    reach = half - 2
    rows = np.arange(height)[:, None]

    def drawn(value: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.sign(value) * np.minimum(np.abs(value), 1.0) ** _SCALE * reach

    def coverage(high: NDArray[np.float32], low: NDArray[np.float32]) -> NDArray[np.float64]:
        # Never thinner than a line, so that silence is seen to be there.
        top = half - np.maximum(drawn(high), 0.5)
        bottom = half - np.minimum(drawn(low), -0.5)
        return np.clip(np.minimum(bottom, rows + 1) - np.maximum(top, rows), 0, 1)

    return np.maximum(_PEAK_OPACITY * coverage(peaks.high, peaks.low), coverage(peaks.rms, -peaks.rms))


def _shade(opacity: NDArray[np.float64], colour: int) -> NDArray[np.uint8]:
    """Palette indices for a colour at these opacities."""
    steps = np.rint(opacity * _SHADES)
    return np.where(steps > 0, colour * _SHADES + steps, 0).astype(np.uint8)


def _png(shades: NDArray[np.uint8]) -> bytes:
    """A 4-bit palette PNG with transparency."""
    image = Image.fromarray(shades, "P")
    colours = [value for colour in (_BEFORE, _AFTER, _TEXT) for value in colour * _SHADES]
    image.putpalette([0, 0, 0, *colours])
    opacities = [round(255 * step / _SHADES) for step in range(1, _SHADES + 1)]
    file = io.BytesIO()
    image.save(file, "PNG", bits=4, compress_level=6, transparency=bytes([0, *opacities * 3]))
    return file.getvalue()
