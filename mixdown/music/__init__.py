"""Music and sounds made in code: no samples, no licences, the same bytes from the same seed."""

from mixdown.music.beds import BEDS, LOUDNESS_LUFS, bed
from mixdown.music.sounds import PARAMETERS, SOUNDS, sound

__all__ = ["BEDS", "LOUDNESS_LUFS", "PARAMETERS", "SOUNDS", "bed", "sound"]
