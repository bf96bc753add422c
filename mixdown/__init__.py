"""Mixdown: recordings in, broadcast-ready masters out, with proof.

The core. It imports no Prefect: delete ``flows/ tasks/ blocks/`` and the command line still makes
a correct file.
"""

__version__ = "0.1.0"
