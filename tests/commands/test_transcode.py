"""`pacs transcode` as it is typed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy
import pytest

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import Exit
from tests.interop.peers import run_pacs
from tests.pixels.images import UID, convert, encoded, image, noise, samples, write

imagecodecs = pytest.importorskip("imagecodecs")

GREY = noise((2, 40, 24), 12)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of three files in three syntaxes, and a text."""
    folder = tmp_path / "scans"
    (folder / "inner").mkdir(parents=True)
    data = encoded(image(GREY, 12))
    write(folder / "a.dcm", data, "explicit")
    write(folder / "b.dcm", convert(data, "explicit", "implicit"), "implicit")
    write(folder / "inner" / "c.dcm", convert(data, "explicit", "j2k"), "j2k")
    (folder / "readme.txt").write_text("no DICOM")
    return folder


def pixels(path: Path) -> numpy.ndarray:
    header = probe(path)
    name = next(name for name, uid in UID.items() if uid == header.transfer_syntax_uid)
    return samples(path.read_bytes()[header.dataset_offset :], name)


def names(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize("jobs", [1, 3])
def test_folder_is_transcoded_with_its_structure(pacs, scans, tmp_path, jobs):
    out = tmp_path / "out"
    result = pacs("transcode", scans, out, "--to", "jpegls", "-j", jobs, "--json")
    assert result.exit == Exit.OK
    assert names(out) == ["a.dcm", "b.dcm", "inner/c.dcm"]
    for each in names(out):
        assert probe(out / each).transfer_syntax_uid == UID["jpegls"]
        assert numpy.array_equal(pixels(out / each), GREY)
    summary = result.json[-1]
    assert (summary["transcoded"], summary["skipped"], summary["failed"]) == (3, 1, 0)


def test_one_file_becomes_one_file(pacs, scans, tmp_path):
    assert pacs("transcode", scans / "a.dcm", tmp_path / "o.dcm", "--to", "rle").exit == Exit.OK
    assert numpy.array_equal(pixels(tmp_path / "o.dcm"), GREY)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
def test_what_has_no_pixels_is_kept_as_it_is(pacs, scans, tmp_path, syntax):
    data = image(GREY, 12)
    del data.PixelData, data.Rows
    report = scans / "report.dcm"
    write(report, convert(encoded(data), "explicit", syntax), syntax)
    result = pacs("transcode", scans, tmp_path / "out", "--to", "j2k", "--json")
    assert result.exit == Exit.OK
    (row,) = [row for row in result.json if row.get("path") == str(report)]
    assert (row["outcome"], row["error"], row["to"]) == ("kept", None, UID[syntax])
    assert (result.json[-1]["kept"], result.json[-1]["failed"]) == (1, 0)
    assert (tmp_path / "out" / "report.dcm").read_bytes() == report.read_bytes()
    # a native syntax is for everything
    native = pacs("transcode", report, tmp_path / "native.dcm", "--to", "big")
    assert native.exit == Exit.OK
    assert probe(tmp_path / "native.dcm").transfer_syntax_uid == UID["big"]


def test_what_has_no_pixels_stays_in_place(pacs, scans):
    data = image(GREY, 12)
    del data.PixelData
    report = write(scans / "report.dcm", encoded(data), "explicit")
    before = report.read_bytes(), report.stat().st_ino
    result = pacs("transcode", scans, "--in-place", "--to", "j2k", "--json")
    assert (result.exit, result.json[-1]["kept"]) == (Exit.OK, 1)
    assert (report.read_bytes(), report.stat().st_ino) == before
    assert [name for name in names(scans) if name.endswith("part")] == []


def test_same_syntax_is_copied_or_left_out(pacs, scans, tmp_path):
    out = tmp_path / "out"
    first = pacs("transcode", scans, out, "--to", "j2k", "--json")
    assert first.json[-1]["copied"] == 1
    assert (out / "inner/c.dcm").read_bytes() == (scans / "inner/c.dcm").read_bytes()
    second = pacs("transcode", scans, tmp_path / "o", "--to", "j2k", "--skip-same")
    assert second.exit == Exit.OK
    assert names(tmp_path / "o") == ["a.dcm", "b.dcm"]


def test_if_syntax_takes_only_those(pacs, scans, tmp_path):
    out = tmp_path / "out"
    args = ("--to", "explicit", "--if-syntax", "j2k, implicit")
    assert pacs("transcode", scans, out, *args).exit == Exit.OK
    assert names(out) == ["b.dcm", "inner/c.dcm"]


def test_in_place_replaces_each_file_and_keeps_its_mode(pacs, scans):
    (scans / "a.dcm").chmod(0o640)
    assert pacs("transcode", scans, "--to", "htj2k", "--in-place").exit == Exit.OK
    assert names(scans) == ["a.dcm", "b.dcm", "inner/c.dcm", "readme.txt"]
    assert probe(scans / "a.dcm").transfer_syntax_uid == UID["htj2k"]
    assert (scans / "a.dcm").stat().st_mode & 0o777 == 0o640
    assert numpy.array_equal(pixels(scans / "a.dcm"), GREY)


def test_input_is_never_replaced_without_being_asked(pacs, scans):
    before = (scans / "a.dcm").read_bytes()
    result = pacs("transcode", scans / "a.dcm", scans / "a.dcm", "--to", "j2k")
    assert result.exit == Exit.OUTPUT
    assert "--in-place" in result.stderr
    assert (scans / "a.dcm").read_bytes() == before


@pytest.mark.parametrize("to", ["j2k", "explicit"], ids=["coded", "copied"])
def test_output_that_is_there_stays_unless_it_is_to_be_replaced(pacs, scans, tmp_path, to):
    out = tmp_path / "o.dcm"
    out.write_bytes(b"another object")
    result = pacs("transcode", scans / "a.dcm", out, "--to", to)
    assert result.exit == Exit.OUTPUT
    assert "o.dcm is there already; --overwrite replaces it" in result.stderr
    assert out.read_bytes() == b"another object"
    assert pacs("transcode", scans / "a.dcm", out, "--to", to, "--overwrite").exit == Exit.OK
    assert numpy.array_equal(pixels(out), GREY)
    assert not list(tmp_path.glob(".*.part"))


def test_dry_run_writes_nothing(pacs, scans, tmp_path):
    result = pacs("transcode", scans, tmp_path / "out", "--to", "j2k", "--dry-run", "--json")
    assert result.exit == Exit.OK
    assert not (tmp_path / "out").exists()
    outcomes = [each["outcome"] for each in result.json if each["type"] == "file"]
    assert outcomes == ["would transcode"] * 3


@pytest.mark.parametrize("damage", ["half", "zeroed", "empty", "text"])
def test_bad_file_costs_one_line_and_the_run_goes_on(pacs, scans, tmp_path, damage):
    whole = (scans / "inner/c.dcm").read_bytes()
    cut = len(whole) * 2 // 3
    bad = {
        "half": whole[:cut],
        "zeroed": whole[:cut] + bytes(len(whole) - cut),
        "empty": b"",
        "text": b"no DICOM",
    }[damage]
    path = scans / "bad.dcm"
    path.write_bytes(bad)
    out, table = tmp_path / "out", tmp_path / "done.csv"
    result = pacs("transcode", path, scans, out, "--to", "explicit", "--report", table)
    assert result.exit == Exit.SOME_FAILED
    lines = [each for each in result.stderr.splitlines() if "bad.dcm" in each]
    assert lines
    assert lines[0].startswith(f"cannot transcode {path}: ")
    assert names(out) == ["a.dcm", "b.dcm", "inner/c.dcm"]
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["outcome"] for row in rows} == {"transcoded", "copied", "failed"}
    alone = pacs("transcode", path, tmp_path / "x.dcm", "--to", "explicit")
    assert alone.exit == Exit.BAD_INPUT
    assert not (tmp_path / "x.dcm").exists()


def test_lossy_says_so_and_has_a_file_meta_of_the_new_object(pacs, scans, tmp_path):
    source = write(tmp_path / "8.dcm", encoded(image(noise((1, 32, 32), 8), 8)), "explicit")
    out = tmp_path / "o.dcm"
    result = pacs("transcode", source, out, "--to", "jpeg", "--quality", 80, "--json")
    assert result.exit == Exit.OK
    record = result.json[0]
    assert record["lossy"] is True
    header = probe(out)
    assert header.media_storage_sop_instance_uid == header.sop_instance_uid
    assert header.sop_instance_uid == record["sop_instance_uid"]
    assert header.sop_instance_uid != record["source_sop_instance_uid"]


@pytest.mark.parametrize(
    "args",
    [
        ("--to", "jpg"),
        ("--to", "j2k", "--quality", "50"),
        ("--to", "jpeg", "--near", "1"),
        ("--to", "jpeg", "--uid", "maybe"),
        (),
    ],
)
def test_wrong_options_are_a_usage_error(pacs, scans, tmp_path, args):
    assert pacs("transcode", scans, tmp_path / "out", *args).exit == Exit.USAGE
    assert not (tmp_path / "out").exists()


def test_nothing_to_transcode_is_bad_input(pacs, tmp_path):
    (tmp_path / "empty").mkdir()
    result = pacs("transcode", tmp_path / "empty", tmp_path / "out", "--to", "j2k")
    assert result.exit == Exit.BAD_INPUT


def test_without_the_codecs_the_extra_is_named(pacs, scans, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    result = pacs("transcode", scans, tmp_path / "out", "--to", "j2k")
    assert result.exit == Exit.USAGE
    assert "pip install 'pacs-cli[codecs]'" in result.stderr
    # what needs none works
    native = pacs("transcode", scans / "a.dcm", tmp_path / "n.dcm", "--to", "deflated")
    assert native.exit == Exit.OK


def test_list_has_every_syntax(pacs):
    rows = pacs("transcode", "--list", "--json").json
    known = {each["name"]: each for each in rows}
    assert set(UID) <= set(known)
    assert known["jpegls"]["encode"] is True
    assert known["jpegxl"]["signed"] is False
    assert pacs("transcode", "--list").stdout.splitlines()[0].startswith("name\tuid\t")


def test_program_transcodes(scans, tmp_path):
    done = run_pacs("transcode", scans, tmp_path / "out", "--to", "deflated")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "out") == ["a.dcm", "b.dcm", "inner/c.dcm"]
