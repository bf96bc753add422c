"""`python -m mixdown.cli`."""

from mixdown.cli import main

if __name__ == "__main__":
    main()
