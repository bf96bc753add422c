"""The first stage: the source and all that goes with it, fetched, checked, and made reachable."""

from __future__ import annotations

from pathlib import Path

from mixdown.chain import effective_steps, materials_of, result_key
from mixdown.codec.probe import probe
from mixdown.errors import KeepsCrashing
from mixdown.fetch import Fetched, fetch
from mixdown.findings import Material, Validated, completed
from mixdown.model import Advanced, Claim, Generate, JobRecord, Source, Stage, StoredObject
from mixdown.storage import material_key, path_of, source_key
from mixdown.strangers import Strangers
from mixdown.studio import Studio

_WEB = ("http", "https")

#: How many processes may die over a job before it is left alone.
MOST_DEATHS = 5


def take_in(studio: Studio, record: JobRecord, claim: Claim) -> Advanced | None:
    """Fetch the source, hash and probe it, refuse what is not accepted, and find out if it is done already."""
    if record.deaths >= MOST_DEATHS:
        raise KeepsCrashing(f"{MOST_DEATHS} processes died over “{record.spec.filename}”; it is left alone now.")
    if completed(record, Stage.validate):
        return None
    spec = record.spec
    if isinstance(spec.work, Generate):
        from mixdown.script_intake import take_in_script  # here: it needs this module, and speech is not for all

        return take_in_script(studio, record, claim, spec.work)
    steps = effective_steps(spec.work)  # a chain that makes no sense is refused before anything is fetched
    with studio.workspace() as folder:
        strangers = Strangers(studio.settings, studio.objects) if spec.from_outside else None
        fetched = fetched_into(studio, spec.source, folder / "source", strangers)
        probed = probe(fetched.path, name=spec.filename, limits=studio.settings.limits)
        others = [
            (source, fetched_into(studio, source, folder / f"material-{index}", strangers))
            for index, source in enumerate(materials_of(steps))
        ]
        folder_of_presets = studio.settings.effective_presets
        materials_sha256 = [other.sha256 for _, other in others]
        key = result_key(fetched.sha256, spec, materials_sha256, preset_folder=folder_of_presets)
        earlier = studio.jobs.find_result(key)
        already_made = earlier is not None and studio.intact(earlier)
        source, staged = reachable(studio, spec.source, fetched, source_key(claim.job_id), needed=not already_made)
        materials = []
        for index, (asked, other) in enumerate(others):
            key_of_copy = material_key(claim.job_id, index)
            stored, copied = reachable(studio, asked, other, key_of_copy, needed=not already_made)
            materials.append(Material(asked=asked, object=stored, staged=copied))
    found = Validated(
        source=source,
        probe=probed,
        result_key=key,
        staged=staged,
        already_made=already_made,
        materials=tuple(materials),
    )
    return Advanced(claim=claim, stage=Stage.validate, work={"validated": found.as_work()})


def fetched_into(studio: Studio, source: Source, path: Path, strangers: Strangers | None = None) -> Fetched:
    """A source as a local file; one that lies on this machine is read where it lies.

    With `strangers`, it has to be one that they may name, or have sent.
    """
    return fetch(
        source,
        path,
        limits=studio.settings.limits,
        s3=studio.s3,
        timeout_s=studio.settings.fetch_timeout_s,
        check=studio.check,
        strangers=None if strangers is None or strangers.sent(source) else strangers,
    )


def reachable(
    studio: Studio, source: Source, fetched: Fetched, key: str, *, needed: bool
) -> tuple[StoredObject, bool]:
    """The source as every machine can read it, and whether that is a copy of ours.

    What lies in S3 stays there, and so does a script that is its own address. A local file is read in place where
    the results are local too: then all work happens on this machine. Everything else is copied under the job's own
    prefix.
    """
    scheme = source.uri.partition("://")[0].lower()
    lies_here = fetched.path == path_of(source.uri)  # and is no copy
    in_place = scheme in ("s3", "text") or (scheme not in _WEB and studio.objects.is_local and lies_here)
    if in_place or not needed:
        return StoredObject(uri=source.uri, sha256=fetched.sha256, size_bytes=fetched.size_bytes), False
    return studio.objects.put_file(
        fetched.path, key, media_type="application/octet-stream", check=studio.check
    ), True
