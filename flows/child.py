"""Runs a module as `python -m` would, in a process that ends with its parent: see `flows.lifeline.command`."""

from __future__ import annotations

import runpy
import sys

from flows.lifeline import end_with


def main() -> None:
    """Become the module."""
    _, parent_pid, module, *arguments = sys.argv
    end_with(int(parent_pid))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
