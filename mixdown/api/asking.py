"""Requests of clients become jobs and batches: looked over, stored, written down, answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from mixdown.api import uploads
from mixdown.api.desk import Caller, Desk
from mixdown.api.requested import (
    AnalyzeParameters,
    AnyParameters,
    EnhanceParameters,
    GenerateParameters,
    Text,
    defaults_of,
    source_of,
)
from mixdown.api.uploads import Upload
from mixdown.channels import refuse_unknown
from mixdown.errors import InvalidRequest
from mixdown.items import Item, items_of
from mixdown.items.requests import templates
from mixdown.jobs import Asked
from mixdown.jobs.requests import Known, Name, RequestStore
from mixdown.manifest import read_manifest
from mixdown.model import (
    Generate,
    JobRecord,
    JobSpec,
    Priority,
    Source,
    Step,
    Target,
    digest,
    sources_of,
)
from mixdown.step_text import parse_steps
from mixdown.strangers import Strangers, from_outside
from mixdown.studio import Studio
from mixdown.submission import asked_of, size_hint_bytes

#: Jobs written down in one transaction.
_CHUNK = 1000

#: Recordings of one request at most, whatever it is that lists them.
MOST_RECORDINGS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One recording, and what is to be done with it."""

    what: Source | Upload
    spec: JobSpec  #: about a recording that lies nowhere yet
    size_bytes: int = 0  #: where that is known without asking

    @property
    def mark(self) -> object:
        """What tells two requests apart."""
        if isinstance(self.what, Upload):
            return [self.what.filename, self.what.sha256]
        return self.what.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWanted:
    """Many recordings, and whom to tell."""

    wanted: Sequence[Wanted]
    title: str | None = None
    priority: Priority = Priority.normal
    notify: tuple[Target, ...] = ()


def spec_of(desk: Desk, parameters: AnyParameters) -> JobSpec:
    """What parameters ask for; InvalidRequest where they make no sense."""
    _check_places(desk, _beside(parameters), parameters.deliver_to)
    refuse_unknown(parameters.notify, desk.studio.channels)
    defaults = defaults_of(parameters, desk.studio.settings.effective_presets)
    return from_outside(templates(defaults)({})).model_copy(update={"notify": parameters.notify})


def at_address(desk: Desk, given: Source | Text | str, spec: JobSpec) -> Wanted:
    """What lies somewhere already, or a script; InvalidRequest or SourceForbidden where it must not be fetched."""
    source = source_of(given)
    if source.text is not None and not isinstance(spec.work, Generate):
        raise InvalidRequest("A text is no recording: only audio can be generated from it (kind: generate).")
    _check_places(desk, [source], None)
    return Wanted(what=source, spec=spec)


def of_manifest(
    desk: Desk,
    manifest: Upload | str,
    parameters: AnyParameters,
    files: Sequence[Upload] = (),
) -> Iterator[Wanted]:
    """The recordings that a manifest lists, by addresses or, where it came in, by the names of `files` with it.

    Raises
    ------
    InvalidRequest
        It is no manifest, or has rows that cannot be used.
    """
    spec_of(desk, parameters)
    template = templates(defaults_of(parameters, desk.studio.settings.effective_presets))

    def checked(row: Mapping[str, Any]) -> JobSpec:
        _check_places(desk, _others(parse_steps(row.get("steps", ()))), row.get("deliver_to"))
        spec = from_outside(template(row))
        return spec.model_copy(update={"notify": (*spec.notify, *parameters.notify)})

    sent = {file.filename: file for file in files}
    if isinstance(manifest, Upload):
        folder = f"{manifest.path.parent}/"
        rows = read_manifest(str(manifest.path), check=checked)
    else:
        folder, studio = "\0", desk.studio
        _check_places(desk, [Source(uri=manifest)], None)
        strangers = Strangers(studio.settings, studio.objects)
        rows = read_manifest(manifest, s3=studio.s3, check=checked, strangers=strangers)
    for row in rows:
        spec = checked(row.parameters)
        if row.source.startswith(folder):
            what = sent.get(row.source.removeprefix(folder))
            if what is None:
                raise InvalidRequest(f"Line {row.line}: no file of this name came with the manifest.")
            yield Wanted(what=what, spec=spec)
        else:
            source = Source(uri=row.source).model_copy(update=dict(row.claims))
            yield at_address(desk, source, spec)


def below(desk: Desk, wanted: Wanted) -> Iterator[Wanted]:
    """The recordings below an `s3://` prefix; any other one as it is."""
    what = wanted.what
    if isinstance(what, Upload) or not (what.uri.startswith("s3://") and what.uri.endswith("/")):
        yield wanted
        return
    own = desk.studio.settings.effective_results_url  # masters of ours are no recordings of theirs
    for item in items_of([what.uri], s3=desk.studio.s3, left_out=[own]):
        yield replace(wanted, what=item.source, size_bytes=item.size_bytes)


def gathered(wanted: Iterable[Wanted]) -> list[Wanted]:
    """All of them; InvalidRequest where they are more than one request may have."""
    found = list(islice(wanted, MOST_RECORDINGS + 1))
    if len(found) > MOST_RECORDINGS:
        raise InvalidRequest(f"A batch over HTTP has at most {MOST_RECORDINGS:,} recordings: make several of it.")
    return found


def ask_job(desk: Desk, caller: Caller, wanted: Wanted, name: Name | None) -> JobRecord:
    """A new job; under a name that was used for the same request before, the job of then.

    Raises
    ------
    IdempotencyMismatch
        Another request was made under this name.
    """
    requests, studio = RequestStore(desk.studio.jobs.engine), desk.studio
    known = requests.begin(name, _digest("job", [wanted])) if name else Known()
    if known.job_id is not None:
        return studio.jobs.get(known.job_id)
    key = digest("api", name.owner, name.scope, name.name) if name else _new_key(caller)
    [record] = studio.jobs.submit([_asked(studio, caller, wanted, key)])
    if name:
        requests.settle(name, Known(job_id=record.id))
    return record


def ask_batch(desk: Desk, caller: Caller, batch: BatchWanted, name: Name | None) -> UUID:
    """The id of a new batch; under a name that was used for the same request before, that of then.

    Raises
    ------
    IdempotencyMismatch
        Another request was made under this name.
    InvalidRequest
        There is nothing in it.
    """
    if not batch.wanted:
        raise InvalidRequest("There is nothing to do: name recordings, send files, or a manifest.")
    refuse_unknown(batch.notify, desk.studio.channels)
    requests, studio = RequestStore(desk.studio.jobs.engine), desk.studio
    others = [batch.title, batch.priority, [each.model_dump(mode="json") for each in batch.notify]]
    known = requests.begin(name, _digest("batch", batch.wanted, *others)) if name else Known()
    if known.batch_id is not None:
        return known.batch_id
    # Cut off before it is settled, the same request goes on with the same batch.
    batch_id = uuid5(NAMESPACE_URL, "\n".join(("mixdown", name.owner, name.scope, name.name))) if name else uuid4()
    studio.jobs.open_batch(
        batch.title, batch_id=batch_id, priority=batch.priority, key_id=caller.key_id, notify=batch.notify
    )
    keyed = (_asked(studio, caller, each, digest(str(batch_id), n)) for n, each in enumerate(batch.wanted))
    while chunk := list(islice(keyed, _CHUNK)):
        studio.jobs.accept(chunk, batch_id=batch_id)
    if name:
        requests.settle(name, Known(batch_id=batch_id))
    return batch_id


def _new_key(caller: Caller) -> str:
    """The key of a job that is a new one each time; its result is made once for equal bytes all the same."""
    return digest(str(caller.key_id), uuid4().hex)


def _digest(kind: str, wanted: Iterable[Wanted], *others: object) -> str:
    specs: dict[int, str] = {}  # those of one batch share their parameters
    marks = [
        [specs.setdefault(id(each.spec), each.spec.model_dump_json(exclude={"source"})), each.mark]
        for each in wanted
    ]
    return digest(kind, marks, *others)


def _asked(studio: Studio, caller: Caller, wanted: Wanted, key: str) -> Asked:
    if isinstance(wanted.what, Source):
        item = Item(source=wanted.what, size_bytes=wanted.size_bytes or size_hint_bytes(wanted.what))
        spec = wanted.spec.model_copy(update={"source": wanted.what})
        return asked_of(studio, spec, item, key, caller.key_id)
    item = Item(source=uploads.store(studio, wanted.what), size_bytes=wanted.what.size_bytes)
    spec = wanted.spec.model_copy(update={"source": item.source})
    return asked_of(studio, spec, item, key, caller.key_id)


def _beside(parameters: AnyParameters) -> list[Source]:
    """The recordings and files that parameters name."""
    if isinstance(parameters, GenerateParameters):
        named = (parameters.lexicon, parameters.music.source if parameters.music else None)
        return [source for source in named if source is not None]
    if isinstance(parameters, AnalyzeParameters):
        return []
    edits = parameters.edits if isinstance(parameters, EnhanceParameters) else ()
    return _others([*(parameters.steps or ()), *edits])


def _others(steps: Iterable[Step]) -> list[Source]:
    """The other recordings that steps need."""
    return [source for step in steps for source in sources_of(step)]


def _check_places(desk: Desk, sources: Iterable[Source], deliver_to: str | None) -> None:
    """Refuse places that are not for clients to name."""
    strangers = Strangers(desk.studio.settings, desk.studio.objects)
    for source in sources:
        strangers.check(source)
    if deliver_to is not None:
        strangers.check_delivery(deliver_to)
