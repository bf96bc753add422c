"""What a person hands in becomes items, one after the other, with one look at each."""

from __future__ import annotations

import os
import socket
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from mixdown.errors import InvalidRequest, UnknownPreset
from mixdown.fetch import source_version
from mixdown.items import Defaults, Item, items_of, requests_of
from mixdown.model import (
    AudioFormat,
    Enhance,
    JobSpec,
    Label,
    Loudness,
    NeverWorse,
    NoiseReduction,
    OutputSpec,
    Source,
    Transform,
    Trim,
)


def touched(path: Path, body: bytes = b"RIFF") -> Path:
    """A file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def names(*given: object, **more: str) -> list[str]:
    """What the recordings are called that these names lead to."""
    return [item.source.name for item in items_of([str(each) for each in given], **more)]


# -- files and folders ----------------------------------------------------------------------------


def test_a_file_brings_its_version_and_size(tmp_path: Path) -> None:
    """Both from one look; the version is what `source_version` would say, also of what is not there."""
    talk = touched(tmp_path / "talk.xyz", b"12345")
    (tmp_path / "link.wav").symlink_to(talk)
    given = [talk, tmp_path / "link.wav", tmp_path / "missing.wav", tmp_path / ("n" * 300)]

    items = list(items_of([*map(str, given), talk.as_uri(), f"{tmp_path}/x/../talk.xyz"]))

    assert [item.size_bytes for item in items] == [5, 5, 0, 0, 5, 5]
    assert [item.version for item in items] == [source_version(item.source) for item in items]
    assert items[0].source == Source(uri=str(talk), filename="talk.xyz")
    assert items[1].source == Source(uri=str(talk), filename="link.wav")
    assert items[4].source == items[0].source
    assert "missing" in {items[2].version, items[3].version}


def test_a_folder_is_read_in_the_order_people_number_things(tmp_path: Path) -> None:
    """`take 9` comes before `take 10`, folders stand among the files, and the order is the same every time."""
    for name in ("take 10.wav", "take 9.WAV", "take 9b/x.flac", "take 09.wav", "a/z.mp3", "notes.txt", "zz"):
        touched(tmp_path / name)

    assert names(tmp_path) == ["z.mp3", "take 09.wav", "take 9.WAV", "x.flac", "take 10.wav"]


def test_items_of_a_folder_carry_what_a_look_at_each_would_tell(tmp_path: Path) -> None:
    """Version and size of everything found, links included, agree with `source_version`."""
    touched(tmp_path / "in" / "a.wav", b"1")
    touched(tmp_path / "elsewhere.wav", b"22")
    (tmp_path / "in" / "b.wav").symlink_to(tmp_path / "elsewhere.wav")
    (tmp_path / "in" / "c.wav").symlink_to(tmp_path / "nowhere.wav")
    touched(tmp_path / "in" / os.fsdecode(b"caf\xe9.wav"), b"333")

    items = list(items_of([str(tmp_path / "in")]))

    assert [item.size_bytes for item in items] == [1, 2, 0, 3]
    assert [item.version for item in items] == [source_version(item.source) for item in items]
    assert items[2].version == "missing"
    assert [item.source.filename for item in items] == ["a.wav", "b.wav", "c.wav", "caf\ufffd.wav"]


def test_what_is_hidden_is_left_alone(tmp_path: Path) -> None:
    """A Mac's shadow files, hidden folders and what we are still writing are no recordings, unless named."""
    hidden = touched(tmp_path / "._talk.wav")
    for name in (".Trash/old.wav", ".mixdown-1~2-0123456789abcdef.part", "talk.wav.part", ".wav"):
        touched(tmp_path / name)
    touched(tmp_path / "talk.wav")

    assert names(tmp_path) == ["talk.wav"]
    assert names(tmp_path / "*") == ["talk.wav"]
    assert names(hidden) == ["._talk.wav"]
    assert names(tmp_path / ".Trash") == ["old.wav"]


def test_links_lead_to_recordings_never_into_folders(tmp_path: Path) -> None:
    """A link to a folder below the one that was named is not followed, so that a circle ends."""
    touched(tmp_path / "out" / "x.wav")
    touched(tmp_path / "in" / "talk.wav")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "album.wav").symlink_to(tmp_path / "out")

    assert names(tmp_path / "in") == ["talk.wav"]
    assert names(tmp_path / "in" / "**" / "*.wav") == ["x.wav", "talk.wav"]
    assert names(tmp_path / "in" / "album.wav") == ["x.wav"]


def test_what_is_no_file_is_an_item_that_will_say_so(tmp_path: Path) -> None:
    """A pipe or socket named like a recording is not opened here and not dropped in silence."""
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.wav"))
        items = list(items_of([str(tmp_path)]))

    assert [(item.source.name, item.size_bytes) for item in items] == [("pipe.wav", 0), ("s.wav", 0)]


def test_a_very_deep_folder_is_read_to_its_end(tmp_path: Path) -> None:
    """Folders lie deeper than functions may call each other."""
    deep = tmp_path / "deep"
    deep.mkdir()
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1_100):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("x.wav", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        [item] = items_of([str(tmp_path)])
    finally:
        subprocess.run(["rm", "-rf", deep], check=True)  # pytest cannot

    assert item.source.uri == f"{deep}/{'d/' * 1_100}x.wav"


def test_masters_and_results_are_no_recordings(tmp_path: Path) -> None:
    """What lies where masters go, or where results are kept, is left out; unless it is what was named."""
    link, tmp_path = tmp_path / "same", tmp_path / "in"
    for name in ("talk.wav", "masters/deep/talk.mp3", "results/ab/cd.mp3", "masters2.wav"):
        touched(tmp_path / name)
    link.symlink_to(tmp_path)
    avoided = {"deliver_to": str(link / "masters")}

    found = items_of([str(tmp_path)], left_out=[str(tmp_path / "results"), "s3://bucket/x"], **avoided)

    assert [item.source.name for item in found] == ["masters2.wav", "talk.wav"]
    assert names(tmp_path / "**", **avoided) == ["masters2.wav", "cd.mp3", "talk.wav"]
    assert names(tmp_path / "*", **avoided) == ["masters2.wav", "cd.mp3", "talk.wav"]
    assert names(tmp_path / "masters", **avoided) == ["talk.mp3"]
    assert names(tmp_path / "masters/**/*.mp3", **avoided) == ["talk.mp3"]


def test_a_folder_is_given_out_while_it_is_read(tmp_path: Path) -> None:
    """A folder that is gone when its turn comes is empty; what came before has been given out."""
    touched(tmp_path / "1" / "a.wav")
    later = touched(tmp_path / "2" / "b.wav")
    items = items_of([str(tmp_path)])

    first = next(items)
    later.unlink()
    later.parent.rmdir()

    assert first.source.name == "a.wav"
    assert list(items) == []


# -- patterns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.wav", ["1.wav", "10.wav"]),
        ("?.wav", ["1.wav"]),
        ("[12]*.wav", ["1.wav", "10.wav"]),
        ("*", ["1.wav", "2.mp3", "10.wav", "5.wav", "4.wav", "9.flac"]),
        ("**", ["1.wav", "2.mp3", "10.wav", "5.wav", "4.wav", "9.flac"]),
        ("**/*.wav", ["1.wav", "10.wav", "4.wav", "5.wav"]),
        ("**/x/*.wav", ["5.wav"]),
        ("**/x/**/*.wav", ["5.wav"]),
        ("sub/*", ["5.wav", "4.wav", "9.flac"]),
        ("s*/4.wav", ["4.wav"]),
        ("*.txt", ["notes.txt"]),
    ],
)
def test_patterns_that_no_shell_has_expanded(pattern: str, found: list[str], tmp_path: Path) -> None:
    """As in a shell; `*` means recordings, and a suffix that is spelled out means what it says."""
    for name in ("1.wav", "10.wav", "2.mp3", "notes.txt", "sub/4.wav", "sub/9.flac", "sub/.hidden.wav"):
        touched(tmp_path / name)
    touched(tmp_path / "sub" / "2" / "x" / "5.wav")

    assert names(tmp_path / pattern) == found


def test_a_name_that_looks_like_a_pattern_and_is_there(tmp_path: Path) -> None:
    """Is a name."""
    touched(tmp_path / "take [1]?.wav")
    touched(tmp_path / "take 1x.wav")

    assert names(tmp_path / "take [1]?.wav") == ["take [1]?.wav"]


# -- what leads to nothing ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty", "There is no recording in the folder “empty”."),
        ("full/*.flac", "No recording matches “*.flac”."),
        ("nowhere/**/*.wav", "No recording matches “**/*.wav”."),
        ("a\0b", "A recording needs a name, without a NUL in it."),
        ("d/" * 2100 + "x.wav", "The path of “x.wav” is longer than 4,096 characters."),
    ],
)
def test_what_leads_to_nothing_is_refused_before_anything_is_given_out(
    name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it stands behind names that are well."""
    touched(tmp_path / "full" / "talk.wav")
    touched(tmp_path / "empty" / "notes.txt")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidRequest) as refused:
        items_of(["full", name])

    assert refused.value.message == says


def test_nothing_at_all_is_refused() -> None:
    """In a sentence."""
    with pytest.raises(InvalidRequest, match="There is nothing to do"):
        items_of([])


def test_addresses_are_not_looked_into() -> None:
    """What they lead to is told by who fetches it; an object named like a recording costs no request here."""
    given = ["https://example.org/a b?c#d", "s3://bucket/key.wav", "s3://", "ftp://x/y", "file://elsewhere/x.wav"]

    assert list(items_of(given)) == [Item(source=Source(uri=each)) for each in given]


# -- requests -------------------------------------------------------------------------------------


def requested(defaults: Defaults, **parameters: object) -> JobSpec:
    """The request for one recording with these parameters of its own."""
    item = Item(source=Source(uri="/talk.wav"), parameters=parameters)
    [(spec, same)] = requests_of([item], defaults)
    assert same is item
    assert spec.source == item.source
    return spec


def test_recordings_without_parameters_share_all_but_their_source() -> None:
    """Ten thousand requests are checked once, and given out as they are asked for."""
    items = (Item(source=Source(uri=f"/{number}.wav")) for number in range(10**12))
    defaults = Defaults(
        preset="broadcast-ebu",
        noise_reduction=NoiseReduction.full,
        outputs=(OutputSpec(format=AudioFormat.flac),),
        deliver_to="s3://out/x",
        notify_url="https://example.org/hook",
        never_worse=NeverWorse.off,
    )

    (first, _), (second, _) = islice(requests_of(items, defaults), 2)

    assert [first.source.uri, second.source.uri] == ["/0.wav", "/1.wav"]
    assert first.work is second.work
    assert first.work == Enhance(
        preset="broadcast-ebu", noise_reduction=NoiseReduction.full, never_worse=NeverWorse.off
    )
    assert (first.outputs, first.deliver_to) == (defaults.outputs, "s3://out/x")
    assert [target.url for target in first.notify] == ["https://example.org/hook"]


def test_a_row_goes_before_what_is_asked_of_all(tmp_path: Path) -> None:
    """Each of its parameters, and no other."""
    defaults = Defaults(deliver_to="s3://b/all", outputs=(OutputSpec(bitrate_kbps=96),))

    spec = requested(
        defaults,
        preset="streaming",
        denoise="12",
        format=("mp3", "wav"),
        channels=1,
        deliver_to=str(tmp_path),
        notify_url="http://localhost/h",
        never_worse="gate",
        steps=("trim end_s=3",),
        title="One",
    )

    assert spec.work == Enhance(
        preset="streaming",
        noise_reduction=NoiseReduction.db12,
        edits=(Trim(end_s=3), Label(tags={"title": "One"})),
        never_worse=NeverWorse.gate,
    )
    assert spec.outputs == tuple(
        OutputSpec(format=kind, bitrate_kbps=96, channels=1) for kind in (AudioFormat.mp3, AudioFormat.wav)
    )
    assert (spec.deliver_to, spec.notify[0].url) == (str(tmp_path), "http://localhost/h")
    assert requested(defaults).outputs == defaults.outputs


def test_outputs_are_as_the_row_s_preset_says() -> None:
    """Where neither the row nor the request says more; a bitrate alone changes the bitrate alone."""
    assert requested(Defaults(), preset="archive-restore").outputs[0].format is AudioFormat.flac
    changed = requested(Defaults(), preset="audiobook-acx", bitrate_kbps=256).outputs[0]
    usual = requested(Defaults(), preset="audiobook-acx").outputs[0]

    assert changed == usual.model_copy(update={"bitrate_kbps": 256})


@pytest.mark.parametrize(
    ("defaults", "parameters", "error"),
    [
        (Defaults(preset="vinyl"), {}, UnknownPreset),
        (Defaults(), {"preset": "vinyl"}, UnknownPreset),
        (Defaults(), {"steps": ("loudness",)}, InvalidRequest),
        (Defaults(), {"deliver_to": "ftp://x"}, InvalidRequest),
        (Defaults(work=Transform()), {"preset": "podcast"}, InvalidRequest),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    defaults: Defaults, parameters: dict[str, object], error: type[InvalidRequest]
) -> None:
    """In a sentence."""
    with pytest.raises(error, match=r"\.$"):
        requested(defaults, **parameters)


def test_recordings_can_be_transformed_by_the_thousand() -> None:
    """With steps of their own, where a row has some."""
    defaults = Defaults(work=Transform(steps=(Trim(end_s=5),)), outputs=(OutputSpec(format=AudioFormat.wav),))

    assert requested(defaults).work == defaults.work
    assert requested(defaults, steps=("trim end_s=1",), title="T").work == Transform(
        steps=(Trim(end_s=1), Label(tags={"title": "T"}))
    )


def test_a_chain_of_one_s_own_gives_way_to_a_row_s_preset() -> None:
    """Where the row names none, the chain stays."""
    defaults = Defaults(steps=(Loudness(target_lufs=-18),))

    assert requested(defaults).work.steps == defaults.steps
    assert requested(defaults, preset="podcast").work.steps is None
