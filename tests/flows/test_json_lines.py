"""What Prefect writes where the log is to be JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from flows.commands import JSON_LINES

_PROGRAM = """
import logging
from prefect.logging.configuration import setup_logging

setup_logging()
logging.getLogger("prefect.flow_runs").error("key mxd_abcdefghijkl " + "x" * 300, extra={"flow_run_id": "1a2b"})
"""


def test_lines_of_prefect_are_ours(tmp_path: Path) -> None:
    """Its console writes an object a line, however long, with the flow run and without secrets."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, **JSON_LINES, "PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_TO_API_ENABLED": "false"},
        capture_output=True,
        text=True,
        check=True,
    )

    [line] = [json.loads(each) for each in done.stderr.splitlines()]
    assert line["event"] == "key *** " + "x" * 300
    assert (line["flow_run"], line["level"]) == ("1a2b", "error")
