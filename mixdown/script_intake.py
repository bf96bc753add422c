"""The first stage of a `generate` job: its script, and all that goes with it, fetched, read and planned."""

from __future__ import annotations

from pathlib import Path

from mixdown.chain import effective_steps, result_key, sources_beside
from mixdown.errors import InvalidScript, NoSuchEngine, TooLong
from mixdown.findings import Material, SpeechPlan, Validated
from mixdown.intake import fetched_into, reachable
from mixdown.model import Advanced, Claim, EffectCue, Generate, JobRecord, Listening, Script, Source, Stage
from mixdown.performing import check_sounds
from mixdown.programme import planned
from mixdown.speech.plan import CHARS_PER_S
from mixdown.speech.recogniser import missing
from mixdown.storage import material_key, source_key
from mixdown.strangers import Strangers
from mixdown.studio import Studio

#: Four bytes for each of the two million characters that a script may have.
_LARGEST_BYTES = 8 << 20

#: How long speech becomes is only guessed before it is made: what is guessed to be this much longer is too long.
_SURELY = 2.0


def take_in_script(studio: Studio, record: JobRecord, claim: Claim, work: Generate) -> Advanced:
    """Fetch and read a script, choose its engine, plan what is to be said, and find out if it is done already."""
    spec = record.spec
    steps = effective_steps(work)
    if work.listening is Listening.on and (why_not := missing()):
        raise NoSuchEngine(f"There is no recogniser here. {why_not}")
    with studio.workspace() as folder:
        strangers = Strangers(studio.settings, studio.objects) if spec.from_outside else None
        fetched = fetched_into(studio, spec.source, folder / "source", strangers)
        others = [
            (source, fetched_into(studio, source, folder / f"material-{index}", strangers))
            for index, source in enumerate(sources_beside(work, steps))
        ]
        programme = planned(
            studio.settings,
            work,
            _read(fetched.path, spec.filename),
            _lexicon(work, {source.uri: other.path for source, other in others}),
            name=spec.filename,
        )
        _check_length(studio, programme.plan, spec.filename)
        check_sounds(programme.script, work)
        sounds = sources_of(programme.script)
        others += [
            (source, fetched_into(studio, source, folder / f"sound-{index}", strangers))
            for index, source in enumerate(sounds)
        ]
        key = result_key(
            fetched.sha256,
            spec,
            [other.sha256 for _, other in others],
            preset_folder=studio.settings.effective_presets,
            spoken_by=f"{programme.plan.engine} {programme.plan.identity}",
        )
        earlier = studio.jobs.find_result(key)
        needed = earlier is None or not studio.intact(earlier)
        source, staged = reachable(studio, spec.source, fetched, source_key(claim.job_id), needed=needed)
        materials = []
        for index, (asked, other) in enumerate(others):
            stored, copied = reachable(studio, asked, other, material_key(claim.job_id, index), needed=needed)
            materials.append(Material(asked=asked, object=stored, staged=copied))
    found = Validated(
        source=source,
        probe=None,
        result_key=key,
        staged=staged,
        already_made=not needed,
        materials=tuple(materials),
        speech=programme.plan,
    )
    return Advanced(claim=claim, stage=Stage.validate, work={"validated": found.as_work()})


def sources_of(script: Script) -> list[Source]:
    """The recordings that a script plays, each once."""
    uris = dict.fromkeys(item.uri for item in script.items if isinstance(item, EffectCue) and item.uri)
    return [Source(uri=uri) for uri in uris]


def _lexicon(work: Generate, paths: dict[str, Path]) -> tuple[str, bytes] | None:
    return (work.lexicon.name, _read(paths[work.lexicon.uri], work.lexicon.name)) if work.lexicon else None


def _read(path: Path, name: str) -> bytes:
    """A file of text, which is held in memory."""
    with path.open("rb") as file:
        body = file.read(_LARGEST_BYTES + 1)
    if len(body) > _LARGEST_BYTES:
        raise InvalidScript(f"“{name}” has more than {_LARGEST_BYTES:,} bytes: no script is that long.")
    return body


def _check_length(studio: Studio, plan: SpeechPlan, name: str) -> None:
    """Refuse what would become far too long, before anything of it is said."""
    longest_s = studio.settings.limits.duration_s
    expected_s = plan.characters / CHARS_PER_S
    if expected_s > _SURELY * longest_s:
        raise TooLong(
            f"“{name}” has {plan.characters:,} characters to say, about {expected_s / 3600:.0f} hours;"
            f" at most {longest_s / 3600:.1f} are accepted."
        )
