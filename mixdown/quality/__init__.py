"""Never worse: what is delivered, held against what came in."""

from mixdown.quality.compare import compare
from mixdown.quality.gate import Settled, Tried, is_spectral, never_worse
from mixdown.quality.hearing import Heard, Hearing

__all__ = ["Heard", "Hearing", "Settled", "Tried", "compare", "is_spectral", "never_worse"]
