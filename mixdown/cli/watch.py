"""`mixdown watch`."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from mixdown import presets
from mixdown.cli.process import asked_outputs
from mixdown.cli.shared import BitrateKbps, Formats, Mono, Notify, err, in_sentences, out, studio
from mixdown.errors import BatchCancelled, Interrupted, RetryableError
from mixdown.model import NeverWorse, NoiseReduction, OutputSpec
from mixdown.settings import Settings

if TYPE_CHECKING:
    from mixdown.inbox import Filed, Inbox, Left
    from mixdown.inbox.moments import Moments
    from mixdown.items import Defaults
    from mixdown.studio import Studio

#: A file that is still being written after this time is worth a word.
_LONG_S = 3600.0
_HEED_S = 0.5


def watch(
    inbox: Annotated[
        str, typer.Argument(metavar="FOLDER|s3://…", help="Where recordings arrive.", show_default=False)
    ],
    preset: Annotated[
        str,
        typer.Option(
            "--preset", "-p", metavar="NAME", help=f"What the masters are for: {', '.join(presets.names())}."
        ),
    ] = "podcast",
    deliver_to: Annotated[
        str, typer.Option("--out", "-o", metavar="DIR|s3://…", help="Where the masters go.")
    ] = "masters",
    formats: Formats = None,
    bitrate_kbps: BitrateKbps = None,
    mono: Mono = False,
    noise_reduction: Annotated[
        NoiseReduction | None,
        typer.Option(
            "--denoise", metavar="DB", help="Noise reduction: off, 12, 18, 24 or full; instead of the preset's."
        ),
    ] = None,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--step", metavar="'KIND NAME=VALUE…'", help="An edit before the loudness; see mixdown steps."
        ),
    ] = None,
    never_worse: Annotated[
        NeverWorse,
        typer.Option(
            "--never-worse",
            metavar="MODE",
            help="Masters are compared with their source: report it, gate (make again with less), or off.",
        ),
    ] = NeverWorse.report,
    notify: Notify = None,
    every_s: Annotated[
        float, typer.Option("--every", metavar="S", help="Look this often even if nothing seems to change.", min=1)
    ] = 30.0,
    settle_s: Annotated[
        float, typer.Option("--settle", metavar="S", help="How long a file must not have changed.", min=0)
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, do what is there, and leave.")] = False,
) -> None:
    """Master whatever arrives in a folder or below an S3 prefix.

    What has arrived is moved to “processing”, then to “done” or “failed”, with a report beside it. What is still
    being written is left. Ctrl-C stops; the same command goes on.
    """
    from mixdown.channels import refuse_unknown_name
    from mixdown.inbox import open_inbox
    from mixdown.items import Defaults
    from mixdown.step_text import parse_steps

    with in_sentences():
        folder = Settings().effective_presets
        usual = presets.load(preset, folder=folder).output or OutputSpec()
        asked = Defaults(
            preset=preset,
            noise_reduction=noise_reduction,
            outputs=tuple(asked_outputs(usual, formats, bitrate_kbps, mono=mono)),
            deliver_to=deliver_to,
            notify_url=notify,
            edits=tuple(parse_steps(edits or ())),
            never_worse=never_worse,
            preset_folder=folder,
        )
        opened = studio()
        refuse_unknown_name(notify, opened.channels)
        opened.sweep()
        place = open_inbox(inbox, opened, deliver_to=deliver_to, settle_s=settle_s)
        desk = _Desk(opened, place, asked, settle_s)
        try:
            desk.look_once() if once else desk.stay(every_s)
        except KeyboardInterrupt:
            err.print("Stopped. Nothing is lost: run the same command again to go on.")
            raise typer.Exit(130) from None
    raise typer.Exit(1 if once and desk.failed else 0)


class _Desk:
    """One thread looks, takes in and files away; this one works on what was taken in."""

    def __init__(self, opened: Studio, inbox: Inbox, asked: Defaults, settle_s: float) -> None:
        self._studio = opened
        self._inbox = inbox
        self._asked = asked
        self._settle_s = settle_s
        self._batches: queue.SimpleQueue[UUID] = queue.SimpleQueue()
        self._known: set[UUID] = set()
        self._said: set[str] = set()
        self.failed = 0

    def look_once(self) -> None:
        """Take in what is there, work on it to the end, and file it away."""
        from mixdown.inbox import filing, sweep
        from mixdown.runner import benches, run_batch  # brings in all of the sound

        swept = sweep(
            self._studio,
            self._inbox,
            self._asked,
            attached=True,
            patience_s=self._settle_s + 1,
            told=self._say_filed,
        )
        for left in swept.left:
            self._say_left(left)
        with filing(self._studio, self._inbox, told=self._say_filed), benches(self._studio, swept.held) as bench:
            for batch_id in swept.open_batches:
                with suppress(BatchCancelled):
                    run_batch(self._studio, batch_id, bench=bench)

    def stay(self, every_s: float) -> None:
        """Work on what comes, until Ctrl-C."""
        from mixdown.inbox.moments import Moments
        from mixdown.runner import benches, run_batch

        moments = Moments(self._inbox, every_s)
        err.print(f"Watching {self._inbox.label.removeprefix('the ')}. Stop with Ctrl-C.", highlight=False)
        with self._looking(moments) as looking, benches(self._studio, jobs=2) as bench:
            while not looking.done():
                with suppress(queue.Empty):
                    batch_id = self._batches.get(timeout=_HEED_S)
                    with suppress(BatchCancelled):
                        run_batch(self._studio, batch_id, bench=bench)
                    self._known.discard(batch_id)
                    moments.ask()

    @contextmanager
    def _looking(self, moments: Moments) -> Iterator[Future[None]]:
        """A thread that looks; what goes wrong in it is raised here."""
        with ThreadPoolExecutor(1, thread_name_prefix="looking") as pool:
            looking = pool.submit(self._look, moments)
            try:
                yield looking
            finally:
                self._studio.stopping.set()
                moments.stop()
            looking.result()

    def _look(self, moments: Moments) -> None:
        from mixdown.inbox import sweep

        away = False
        for _ in moments:
            try:
                swept = sweep(self._studio, self._inbox, self._asked, attached=True, told=self._say_filed)
            except Interrupted:
                return
            except RetryableError as error:
                if not away:
                    err.print(f"{error.message} It is tried again.", markup=False, highlight=False)
                away = True
                continue
            away = False
            for left in swept.left:
                self._say_left(left)
            if swept.settling:
                moments.look_again_in(max(1.0, self._settle_s))
            for batch_id in swept.open_batches:
                if batch_id not in self._known:
                    self._known.add(batch_id)
                    self._batches.put(batch_id)

    def _say_filed(self, filed: Filed) -> None:
        from mixdown.inbox import Drawer
        from mixdown.wording import state_words

        self.failed += filed.drawer is Drawer.failed
        said = f"{filed.name}: {state_words(filed.record)}"
        out.print("".join(char if char.isprintable() else "\ufffd" for char in said), markup=False, highlight=False)

    def _say_left(self, left: Left) -> None:
        """Once for each, and of what is being written only when that takes long."""
        from mixdown.inbox import left_words

        words = left_words(left)
        if words not in self._said and (not left.settles or left.seen_for_s >= _LONG_S):
            self._said.add(words)
            err.print(f"{words}; it is left there.", markup=False, highlight=False)
