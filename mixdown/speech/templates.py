"""A template of Jinja2 that strangers may have written: filled in a child process with limits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mixdown.errors import InvalidScript

LONGEST_TEMPLATE = 100_000
_CPU_S, _MEMORY_BYTES = 2.0, 512 << 20
#: After so many rows that took too long the others are not tried any more.
_MOST_ENDED = 10


class Filling:
    """Fills a template with the values of rows, one after the other; used as a context.

    Parameters
    ----------
    template : str
        Jinja2. It reaches nothing but the values; a name that has none is an error.
    longest_chars : int
        A longer text is refused.

    Raises
    ------
    InvalidScript
        On entering: it is no template.
    """

    def __init__(self, template: str, *, longest_chars: int) -> None:
        if len(template) > LONGEST_TEMPLATE:
            raise InvalidScript(f"The template has more than {LONGEST_TEMPLATE:,} characters.")
        self._template, self._longest = template, longest_chars
        self._child: subprocess.Popen[bytes] | None = None
        self._ended = 0

    def __enter__(self) -> Filling:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def text(self, values: Mapping[str, Any]) -> str:
        """The template with these values.

        Raises
        ------
        InvalidScript
            It cannot be filled with them, or takes too long.
        """
        if self._ended >= _MOST_ENDED:
            raise InvalidScript("The template takes too long: it was tried with some rows, and not with this one.")
        if self._child is None:
            self._start()
        answer = self._asked(values)
        if "fault" in answer:
            raise InvalidScript(f"The template: {answer['fault']}.")
        return answer["text"]

    def _start(self) -> None:
        program = Path(__file__).with_name("template_child.py")
        limits = [str(_CPU_S), str(_MEMORY_BYTES), str(self._longest)]
        self._child = subprocess.Popen(  # noqa: S603 - our own program; the template goes in by stdin
            [sys.executable, "-I", str(program), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # Ctrl-C is the parent's to hear; without it, this one ends by itself
        )
        answer = self._asked(self._template)
        if "fault" in answer:
            self._end()
            raise InvalidScript(f"The template cannot be read: {answer['fault']}.")

    def _asked(self, question: object) -> dict[str, str]:
        child = self._child
        answer = b""
        if child is not None and child.stdin is not None and child.stdout is not None:
            try:
                child.stdin.write(json.dumps(question).encode() + b"\n")
                child.stdin.flush()
                answer = child.stdout.readline()
            except BrokenPipeError:
                answer = b""
        if not answer.endswith(b"\n"):
            self._end()
            self._ended += 1
            return {"fault": f"it takes more than {_CPU_S:.0f} seconds, or too much memory"}
        found: dict[str, str] = json.loads(answer)
        return found

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
