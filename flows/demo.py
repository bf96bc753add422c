"""The demo: example recordings through the batch flow, on the embedded default."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from mixdown.batch_watch import live
from mixdown.cli import out
from mixdown.console import reasons, results_table
from mixdown.examples import make_examples
from mixdown.model import JobRecord, JobSpec, Status
from mixdown.settings import Settings
from mixdown.studio import Studio, open_studio
from mixdown.submission import enhance_specs, known, sources, submit
from mixdown.wording import place_words

PRESET = "podcast"


def run_demo(home: Path, *, shown_as: Path, batch_id: UUID) -> None:
    """Make the examples, master them and show what came of it; what is done already is only shown."""
    with out.status("Making example recordings …"):
        names = [str(path) for path in make_examples(home / "recordings")]
    specs = enhance_specs(sources(names), preset=PRESET, deliver_to=str(home / "masters"))
    studio = open_studio(Settings())
    before = _all_done(studio, specs)
    if before is not None:
        _show(before, shown_as)
        out.print("Everything is already done: nothing was processed again.", style="green")
        return
    started_s = time.monotonic()
    studio.jobs.open_batch("example recordings", batch_id=batch_id, attached=True)
    submit(studio, specs, batch_id=batch_id)
    _run_flow(studio, names, str(home / "masters"), batch_id)
    _show([record for record in known(studio, specs) if record is not None], shown_as)
    out.print(f"Took {time.monotonic() - started_s:.0f} s. Run it again: what is done is not done again.")


def _all_done(studio: Studio, specs: Sequence[JobSpec]) -> list[JobRecord] | None:
    """The jobs, if each has ended and its result is still there."""
    records = [record for record in known(studio, specs) if record is not None and record.status.ended]
    intact = all(record.result is None or studio.intact(record.result) for record in records)
    return records if len(records) == len(specs) and intact else None


def _run_flow(studio: Studio, names: list[str], masters: str, batch_id: UUID) -> None:
    with out.status("Starting Prefect …"):
        from flows.form import PresetName
        from flows.process import process_batch
    out.print("Running the Prefect flow [bold]process-batch[/]: validate → process → store → notify")
    with live(out, studio.jobs, batch_id):
        process_batch(names, preset=PresetName(PRESET), deliver_to=masters)


def _show(records: Sequence[JobRecord], home: Path) -> None:
    out.print()
    out.print(results_table(records))
    out.print()
    for line in reasons(records):
        out.print(line, highlight=False)
    example = next((record for record in records if record.status is Status.succeeded), None)
    out.print(f"\nRecordings  {home / 'recordings'}\nMasters     {home / 'masters'}", highlight=False)
    if example and example.result:
        out.print(
            f"Reports     {home / 'results'} (report.json and waveform.png beside each master)", highlight=False
        )
        out.print(f"Listen      xdg-open {home / 'masters' / _name(example)}", highlight=False)
    out.print(f"Job by job  MIXDOWN_HOME={home} .venv/bin/mixdown jobs", highlight=False)


def _name(record: JobRecord) -> str:
    uri = record.result.renditions[0].delivered_uri if record.result and record.result.renditions else None
    return Path(place_words(uri or "")).name
