"""Fills a template with rows: a program of its own, which ends itself where one takes too long or too much memory.

Run as `python -I template_child.py CPU_S MEMORY_BYTES LONGEST_CHARS`. Reads JSON lines: the template, then the
values of a row each; answers each with `{"text": …}` or `{"fault": …}`.
"""

from __future__ import annotations

import json
import resource
import signal
import sys

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment


def main() -> None:
    """Answer until nothing more is asked."""
    cpu_s, memory_bytes, longest = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
    )
    template: Template | None = None
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # Its signal ends the process, in whatever it is.
        try:
            if template is None:
                template = environment.from_string(asked)
                answer = {"text": ""}
            else:
                answer = _filled(template, asked, longest)
        except TemplateSyntaxError as error:
            answer = {"fault": f"line {error.lineno}: {error.message}"}
        except TemplateError as error:
            answer = {"fault": (error.message or "it cannot be filled").rstrip(".")}
        except (MemoryError, RecursionError, OverflowError):
            answer = {"fault": "it takes more memory than a template may, or calls itself without end"}
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            answer = {"fault": f"it cannot be filled with this ({str(error)[:200]})"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _filled(template: Template, values: dict[str, object], longest: int) -> dict[str, str]:
    parts, length = [], 0
    for part in template.generate(values, row=values):
        parts.append(part)
        length += len(part)
        if length > longest:
            return {"fault": f"it makes more than {longest:,} characters"}
    return {"text": "".join(parts)}


if __name__ == "__main__":
    main()
