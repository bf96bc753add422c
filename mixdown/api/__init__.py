"""The front door: HTTP in front of the ledger. It parses, checks, hands over and answers.

No audio library is loaded by its process: jobs are written down here and worked on elsewhere.
"""

from mixdown.api.app import create_app

__all__ = ["create_app"]
