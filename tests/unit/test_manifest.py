"""Manifests: lists with parameters, as people and programs write them, refused whole and by line."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mixdown.errors import InvalidRequest
from mixdown.items import Defaults, items_of, requests_of
from mixdown.manifest import COLUMNS, Row, read_manifest
from mixdown.model import Concatenate

ROWS = [
    {"source": "/a.wav", "preset": "podcast", "denoise": "18"},
    {"source": "/b, c.wav", "preset": "streaming", "denoise": ""},
]
CSV = 'source,preset,denoise\n/a.wav,podcast,18\n"/b, c.wav",streaming,\n'


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Where a manifest may lie."""
    return tmp_path / "list"


def rows(path: Path, body: str | bytes) -> list[Row]:
    """The rows of a manifest that holds this."""
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return list(read_manifest(str(path)))


def plain(found: list[Row]) -> list[tuple[str, dict[str, Any]]]:
    """What rows say, without where they stand."""
    return [(row.source, {**row.claims, **row.parameters}) for row in found]


AS_WRITTEN = [("/a.wav", {"preset": "podcast", "denoise": "18"}), ("/b, c.wav", {"preset": "streaming"})]


@pytest.mark.parametrize(
    "body",
    [
        CSV,
        "\ufeff" + CSV,
        CSV.encode("utf-16"),
        CSV.replace("\n", "\r\n"),
        CSV.replace(",", ";").replace("b; c", "b, c"),
        CSV.replace(",", "\t").replace("b\t c", "b, c"),
        "sep=;\n" + CSV.replace(",", ";").replace("b; c", "b, c"),
        "\n\n" + CSV.replace("\n", "\n\n"),
        'Source,Preset,"Noise Reduction",,\n/a.wav,podcast,18,,\n"/b, c.wav",streaming,,,,,\n,,,,\n',
        'source , preset, denoise\n /a.wav , podcast, 18.0\n"/b, c.wav",streaming\n',
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"items": ROWS}),
        "\n".join(map(json.dumps, ROWS)),
        "\r\n\r\n".join(map(json.dumps, ROWS)) + "\r\n",
        json.dumps([{"source": "/a.wav", "preset": "podcast", "noise_reduction": 18}, {**ROWS[1], "title": None}]),
    ],
    ids=range(16),
)
def test_whatever_wrote_it_it_says_the_same(body: str | bytes, manifest: Path) -> None:
    """CSV of any separator, byte order mark and line end, JSON lines, and JSON; its name does not matter."""
    assert plain(rows(manifest, body)) == AS_WRITTEN


def test_a_row_can_be_a_name_alone(manifest: Path) -> None:
    """In a list in JSON, and in a sheet of one column; a comma in a name then has to be quoted."""
    assert [row.source for row in rows(manifest, '["/a.wav", "s3://b/k.wav"]')] == ["/a.wav", "s3://b/k.wav"]
    assert [row.source for row in rows(manifest, "source\n/a.wav\n")] == ["/a.wav"]
    assert rows(manifest, '{"source": "/a.wav"}')[0].source == "/a.wav"


def test_rows_know_where_they_stand(manifest: Path) -> None:
    """The line on which each begins, also where cells reach over several."""
    sheet = 'source,title\n\n/a.wav,"one\ntwo"\n/b.wav,x\n'

    assert [row.line for row in rows(manifest, sheet)] == [3, 5]
    assert [row.line for row in rows(manifest, '{"items": [\n\n"/a",\n{"source":\n"/b"},\n"/c"]}')] == [3, 4, 6]
    assert [row.line for row in rows(manifest, '\n"x"\n'.replace('"x"', '{"source": "/a"}'))] == [2]
    assert rows(manifest, sheet)[0].parameters["title"] == "one\ntwo"


def test_every_column(manifest: Path) -> None:
    """Each is read as what it means; several formats and several steps fit in a cell."""
    row = {
        "source": "s3://bucket/x.wav",
        "filename": "Interview.wav",
        "sha256": "A" * 64,
        "preset": "podcast",
        "denoise": "FULL",
        "format": "mp3+WAV, flac",
        "bitrate_kbps": "128.0",
        "sample_rate_hz": "48000",
        "channels": "1",
        "bit_depth": "16",
        "deliver_to": "/masters",
        "notify_url": "https://example.org/hook",
        "never_worse": "gate",
        "steps": "trim end_s=3; label tags.title='a; b'\nfade out_s=1;",
        "title": "An interview",
    }
    assert set(row) == set(COLUMNS)

    [in_json] = rows(manifest, json.dumps([row]))

    assert in_json.claims == {"filename": "Interview.wav", "sha256": "a" * 64}
    assert in_json.parameters == {
        "preset": "podcast",
        "denoise": "full",
        "format": ("mp3", "wav", "flac"),
        "bitrate_kbps": 128,
        "sample_rate_hz": 48000,
        "channels": 1,
        "bit_depth": 16,
        "deliver_to": "/masters",
        "notify_url": "https://example.org/hook",
        "never_worse": "gate",
        "steps": ("trim end_s=3", "label tags.title='a; b'", "fade out_s=1"),
        "title": "An interview",
    }
    quoted = ",".join('"' + value.replace('"', '""') + '"' for value in row.values())
    assert plain(rows(manifest, ",".join(row) + "\n" + quoted)) == plain([in_json])
    listed = {**row, "format": ["mp3", "wav", "flac"], "step": ["trim end_s=3", {"kind": "fade"}]}
    del listed["steps"]
    [from_program] = rows(manifest, json.dumps([listed]))
    assert from_program.parameters["format"] == ("mp3", "wav", "flac")
    assert from_program.parameters["steps"] == ("trim end_s=3", '{"kind": "fade"}')


# -- names ----------------------------------------------------------------------------------------


def test_names_are_relative_to_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources, folders of masters and what steps need; whatever folder somebody stands in."""
    (tmp_path / "show").mkdir()
    monkeypatch.chdir("/")
    body = "source,deliver_to,step\nin/a.wav,out,concatenate sources=intro.wav\n~/b.wav,/out,\nfile:///c.wav,,\n"

    first, second, third = rows(tmp_path / "show" / "list.csv", body)

    here = tmp_path / "show"
    assert (first.source, first.parameters["deliver_to"]) == (f"{here}/in/a.wav", f"{here}/out")
    step = Concatenate.model_validate_json(first.parameters["steps"][0])
    assert [each.uri for each in step.sources] == [f"{here}/intro.wav"]
    assert (second.source, second.parameters["deliver_to"], third.source) == ("~/b.wav", "/out", "file:///c.wav")


def test_stdin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A list that a program pipes in; its names are relative to where the command is given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"123")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"source": "a.wav"}\n')))

    [item] = items_of([], manifest="-")

    assert (item.source.uri, item.size_bytes) == (str(tmp_path / "a.wav"), 3)


def test_what_a_shell_substitutes(tmp_path: Path) -> None:
    """A pipe can be read once; its rows are checked and given out all the same."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(CSV,))
    writer.start()

    assert plain(list(read_manifest(str(pipe)))) == AS_WRITTEN
    writer.join()


def test_a_folder_in_a_row(tmp_path: Path, manifest: Path) -> None:
    """Is every recording in it, with the parameters of the row; one name for several is refused."""
    for name in ("show/a.wav", "show/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    manifest.write_text("source,denoise\nshow,12\n")

    items = list(items_of([], manifest=str(manifest)))

    assert [(item.source.name, item.parameters) for item in items] == [
        ("a.wav", {"denoise": "12"}),
        ("b.wav", {"denoise": "12"}),
    ]
    manifest.write_text("source,filename\nshow,x.wav\n")
    with pytest.raises(InvalidRequest, match="Line 2: several recordings lie there"):
        list(items_of([], manifest=str(manifest)))


def test_a_row_that_leads_to_nothing_stops_no_other(tmp_path: Path, manifest: Path) -> None:
    """An empty folder is an item like a missing file: its job tells, after the rows before it were accepted."""
    (tmp_path / "empty").mkdir()
    manifest.write_text("source\n/a.wav\nempty\n/b.wav\n")

    items = items_of([], manifest=str(manifest))

    assert [item.source.uri for item in items] == ["/a.wav", str(tmp_path / "empty"), "/b.wav"]


def test_a_row_s_own_name_and_hash(manifest: Path) -> None:
    """Go with the source; a pattern in a row is a name like any other."""
    manifest.write_text(f"source,filename,sha256\n/x/*.wav,Talk.wav,{'0' * 64}\n")

    [item] = items_of([], manifest=str(manifest))

    assert (item.source.uri, item.source.filename, item.source.sha256) == ("/x/*.wav", "Talk.wav", "0" * 64)
    assert item.version == "missing"


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"preset": 3}, "preset: this is no text."),
        ({"denoise": "19"}, "denoise: “19” is none of off, 12, 18, 24, full."),
        ({"format": "mp4"}, "format: “mp4” is none of mp3, m4a, opus, ogg, flac, wav."),
        ({"format": "+"}, "format: one or several of mp3, m4a, opus, ogg, flac, wav."),
        ({"bitrate_kbps": "128k"}, "bitrate_kbps: “128k” is not a number from 24 to 512."),
        ({"bitrate_kbps": "9" * 5000}, f"bitrate_kbps: “{'9' * 60}” is not a number from 24 to 512."),
        ({"channels": True}, "channels: “True” is not 1 or 2."),
        ({"bit_depth": -16}, "bit_depth: “-16” is not 16 or 24."),
        ({"never_worse": "maybe"}, "never_worse: “maybe” is none of off, report, gate."),
        ({"notify_url": "ftp://x"}, "notify_url: it begins with https:// or http://."),
        ({"sha256": "abc"}, "sha256: 64 hexadecimal digits are wanted."),
        ({"source": "a\0b"}, "source: a text of at most 4,096 characters, without a NUL in it."),
        ({"source": ""}, "source: it is missing."),
        ({"step": "trimm"}, "steps: There is no step “trimm”."),
        ({"bitrate": 128}, "there is no column “bitrate”. There are: source, filename, sha256, preset, denoise,"),
        ({"steps": "trim", "step": "fade"}, "a column is there twice."),
    ],
)
def test_a_bad_value_is_told_by_line_and_column(row: dict[str, Any], says: str, manifest: Path) -> None:
    """With what would be allowed."""
    with pytest.raises(InvalidRequest) as refused:
        rows(manifest, json.dumps(["/well.wav"])[:-1] + ",\n" + json.dumps({"source": "/a.wav", **row}) + "]")

    assert refused.value.message.startswith(f"1 row of the manifest cannot be used:\nline 2: {says}")


def test_all_that_is_wrong_is_told_at_once(manifest: Path) -> None:
    """Ten rows of it, and how many more; nothing is given out before."""
    body = "source,channels\n" + "".join(f"/{number}.wav,{number % 4}\n" for number in range(1, 41))

    with pytest.raises(InvalidRequest) as refused:
        rows(manifest, body)

    first, *told = refused.value.message.splitlines()
    assert first == "20 rows of the manifest cannot be used:"
    assert told[0] == "line 4: channels: “3” is not 1 or 2."
    assert [line.split(":")[0] for line in told[:-1]] == [f"line {n}" for n in (4, 5, 8, 9, 12, 13, 16, 17, 20, 21)]
    assert told[-1] == "and 10 more."


def test_rows_are_held_against_what_is_asked_of_all(manifest: Path, tmp_path: Path) -> None:
    """A preset that there is not is told by its line, before the first item is given out."""
    manifest.write_text("source,preset\n/a.wav,podcast\n/b.wav,vinyl\n/c.wav,mine\n")

    with pytest.raises(InvalidRequest, match=r"^2 rows .*\nline 3: There is no preset “vinyl”.*\nline 4: "):
        items_of([], manifest=str(manifest), defaults=Defaults())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "The manifest lists no recording."),
        ("source,preset\n\n,,\n", "The manifest lists no recording."),
        ("[]", "The manifest lists no recording."),
        ("a.wav\nb.wav\n", "Line 1 of the manifest names its columns: there is no column “a.wav”."),
        ("preset\nx\n", "Line 1 of the manifest has to name its columns, and “source” among them."),
        ("\nsource,Source\n/a,/b\n", "Line 2 of the manifest names the column “source” twice."),
        ("source,preset\n/a,podcast,x\n", "line 2: it has more cells than there are columns (2)."),
        ("source,,preset\n/a,x,podcast\n", "line 2: it has more cells than there are columns (2)."),
        ('source\n/a\n"/b\n/c\n', "line 3: this is no CSV from here on (unexpected end of data)."),
        ('source\n/a\n"/b"x\n', "line 3: this is no CSV from here on"),
        ("source\n" + "x" * 200_000, "line 2: this is no CSV from here on (field larger than field limit"),
        ('{"source": "/a"}\n{"source": \n', "line 2: this is no JSON."),
        ('{"source": "/a"}\n[1]\n', "line 2: a row is the name of a recording, or an object."),
        ('["/a" "/b"]', "line 1: a comma or the end of the list is missing behind this."),
        ('["/a",\n"/b"', "line 2: a comma or the end of the list is missing behind this."),
        ('["/a",\n{"source": }]', "line 2: this is no JSON from here on."),
        ("[" * 100_000, "line 1: this is no JSON from here on."),
        ('{"items": ["/a"], "title": "x"}', "There is something behind the list of the manifest"),
        ('{"jobs": [\n"/a"]}', "The manifest is no list"),
        ("source\ncaf\xe9.wav\n".encode("latin-1"), "The manifest is not UTF-8 text: save a sheet as “CSV UTF-8”."),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xe1", "The manifest is not UTF-8 text"),
    ],
)
def test_what_is_no_manifest_is_refused_in_a_sentence(body: str | bytes, says: str, manifest: Path) -> None:
    """And by line, where there are lines."""
    with pytest.raises(InvalidRequest) as refused:
        rows(manifest, body)

    assert says in refused.value.message


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    """Its name is told, not where it should be."""
    for place in (tmp_path / "none.csv", tmp_path, tmp_path / "x" / "y.csv"):
        with pytest.raises(InvalidRequest, match=f"^There is no manifest “{place.name}”.$"):
            read_manifest(str(place))


def test_a_manifest_of_any_length_takes_the_same_memory(manifest: Path) -> None:
    """Rows are checked and given out one after the other."""

    def peak_bytes(count: int) -> int:
        with manifest.open("w") as file:
            file.write("source,title,format\n")
            file.writelines(f"/recordings/{number}.wav,Title {number},mp3+flac\n" for number in range(count))
        tracemalloc.start()
        specs = requests_of(items_of([], manifest=str(manifest), defaults=Defaults()), Defaults())
        assert sum(1 for _ in specs) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2_000)  # what is remembered of the first thousand rows

    assert peak_bytes(8_000) < 1.5 * peak_bytes(2_000)
