"""`python -m mixdown.cli`."""

from mixdown.cli import main

main()
