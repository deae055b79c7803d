"""`pacs diff` through its entry point: what differs, and the exit codes that CI goes by."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import Exit
from tests.dicom.datasets import LITTLE, element
from tests.samples import every_file
from tests.support import CT, EXPLICIT, MR
from tests.writing import write_object

SAMPLES = {path.name: path for path in every_file()}


@pytest.fixture
def made(tmp_path):
    """Writes a file with this name of a patient."""

    def write(file, name, *more, folder=tmp_path):
        path = folder / file
        label = element(LITTLE, 0x00080005, "CS", b"ISO_IR 192")
        patient = element(LITTLE, 0x00100010, "PN", name.encode())
        path.write_bytes(file_meta(CT, "1.2", EXPLICIT) + label + patient + b"".join(more))
        return path

    return write


def test_equal_files_say_nothing_and_exit_0(pacs, made):
    left, right = made("a", "Made^Up "), made("b", "Made^Up ")
    result = pacs("diff", left, right)
    assert (result.exit, result.stdout, result.stderr) == (0, "", "")
    (summary,) = pacs("diff", left, right, "--json").json
    assert summary == {**summary, "compared": 1, "equal": 1, "changed": 0}


def test_difference_is_shown_and_exits_1(pacs, made):
    station = element(LITTLE, 0x00200010, "SH", b"STUDY1")
    left, right = made("a", "Jérôme^A"), made("b", "Jérôme^B", station)
    result = pacs("diff", left, right)
    assert (result.exit, result.stderr) == (Exit.SOME_FAILED, "")
    lines = [line.split("# ") for line in result.stdout.splitlines()]
    assert lines == [
        [f"--- {left}"],
        [f"+++ {right}"],
        ["- (0010,0010) PN [Jérôme^A]".ljust(64), "PatientName"],
        ["+ (0010,0010) PN [Jérôme^B]".ljust(64), "PatientName"],
        ["+ (0020,0010) SH [STUDY1]".ljust(64), "StudyID"],
    ]
    changed, added, summary = pacs("diff", left, right, "--json").json
    assert changed == {
        "type": "difference",
        "left_path": str(left),
        "right_path": str(right),
        "change": "changed",
        "path": "PatientName",
        "tag": "00100010",
        "left": {"vr": "PN", "Value": [{"Alphabetic": "Jérôme^A"}]},
        "right": {"vr": "PN", "Value": [{"Alphabetic": "Jérôme^B"}]},
    }
    assert (added["change"], added["left"]) == ("added", None)
    assert summary == {**summary, "equal": 0, "added": 1, "removed": 0, "changed": 1}


def test_what_is_ignored_is_no_difference(pacs, made):
    left, right = made("a", "Made^A"), made("b", "Made^B")
    assert pacs("diff", left, right, "--ignore", "0008,PatientName").exit == 0
    assert pacs("diff", left, right, "--ignore", "Rows", "--ignore", "PatientName").exit == 0
    assert pacs("diff", left, right, "--ignore", "PatientID").exit == 1


def test_terminal_has_colours_and_no_text_of_the_file_steers_it(pacs, made):
    left, right = made("a", "\x1b[2J^A "), made("b", "Made^B")
    shown = pacs("diff", left, right, terminal=True).stdout
    assert "\x1b[31m- (0010,0010) PN [\\x1b[2J^A]" in shown
    assert "\x1b[32m+ (0010,0010) PN [Made^B]" in shown
    assert "\x1b[2J" not in shown


def test_file_meta_is_compared_when_asked_for(pacs):
    pair = SAMPLES["MR_small.dcm"], SAMPLES["MR_small_bigendian.dcm"]
    assert pacs("diff", *pair).exit == 0
    result = pacs("diff", *pair, "--meta")
    assert result.exit == 1
    assert "# TransferSyntaxUID" in result.stdout


def test_pixels_are_compared_decoded_when_asked_for(pacs):
    pair = SAMPLES["MR_small.dcm"], SAMPLES["MR_small_RLE.dcm"]
    encoded = pacs("diff", *pair)
    assert encoded.exit == 1
    assert "+ (7FE0,0010) OB 1 fragment, " in encoded.stdout
    assert pacs("diff", *pair, "--pixels").exit == 0
    lossy = SAMPLES["SC_rgb_small_odd.dcm"], SAMPLES["SC_rgb_small_odd_jpeg.dcm"]
    groups = ("0002", "0008", "0010", "0018", "0020", "0028")
    options = ("--pixels", *(word for group in groups for word in ("--ignore", group)))
    result = pacs("diff", *lossy, *options)
    assert result.exit == 1
    assert "! pixels: " in result.stdout
    (record, summary) = pacs("diff", *lossy, *options, "--json").json
    assert record["change"] == "pixels"
    assert 0 < record["differing"] <= record["samples"]
    assert summary["changed"] == 1
    assert pacs("diff", *lossy, *options, "--tolerance", record["largest"]).exit == 0
    assert pacs("diff", *lossy, *options, "--tolerance", record["largest"] - 1).exit == 1
    assert pacs("diff", *lossy, *options, "--ignore", "PixelData").exit == 0


def test_folders_are_compared_by_instance(pacs, tmp_path):
    left, right = tmp_path / "left", tmp_path / "right"
    for folder in (left, right):
        folder.mkdir()
        write_object(folder / f"{folder.name}-1", CT, "1.1")
    same = pacs("diff", left, right)
    assert (same.exit, same.stdout) == (0, "")
    write_object(left / "2", CT, "1.2")
    write_object(right / "2", MR, "1.2")
    write_object(left / "3", CT, "1.3")
    write_object(right / "4", CT, "1.4")
    result = pacs("diff", left, right)
    assert result.exit == 1
    assert "- (0008,0016) UI [1.2.840.10008.5.1.4.1.1.2] =CTImageStorage" in result.stdout
    assert f"--- {left}/3  only there\n+++ {right}/4  only there\n" in result.stdout
    assert result.stderr == "1 of 2 pairs are equal, 2 files have no counterpart\n"
    *records, summary = pacs("diff", left, right, "--json").json
    assert [record["type"] for record in records] == ["difference", "unmatched", "unmatched"]
    assert (records[1]["left_path"], records[1]["right_path"]) == (f"{left}/3", None)
    assert summary == {**summary, "compared": 2, "equal": 1, "unmatched": 2, "failed": 0}


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_cannot_be_compared_exits_6_whatever_differs(pacs, made, tmp_path, options):
    good, other = made("a", "Made^A"), made("b", "Made^B")
    cut = tmp_path / "cut"
    cut.write_bytes(good.read_bytes()[:-3])
    notes = tmp_path / "notes"
    notes.write_text("plain text " * 30)
    none = tmp_path / "none"
    for path, words in (
        (cut, f"cannot compare {cut}: (0010,0010) at byte 18 goes past the end"),
        (notes, f"cannot read {notes}: it is not a DICOM file"),
        (none, f"cannot read {none}: no such file or directory; check the path"),
    ):
        for pair in ((good, path), (path, good)):
            result = pacs("diff", *pair, *options)
            assert result.exit == Exit.BAD_INPUT
            assert result.stderr == f"{words}\n"
            if options:
                assert [line["type"] for line in result.json] == ["error", "summary"]
    for folder, file in (("left", good), ("right", cut)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1").write_bytes(file.read_bytes())
        (tmp_path / folder / "2").write_bytes((good if folder == "left" else other).read_bytes())
    assert pacs("diff", tmp_path / "left", tmp_path / "right", *options).exit == Exit.BAD_INPUT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--ignore", "PatientNam"), "did you mean PatientName?"),
        (("--tolerance", "1"), "write --pixels too"),
        (("--csv",), "differences have no columns"),
    ],
)
def test_what_is_mistyped_is_a_usage_error(pacs, made, options, words):
    left, right = made("a", "Made^A"), made("b", "Made^B")
    result = pacs("diff", left, right, *options)
    assert result.exit == Exit.USAGE
    assert words in result.stderr
    assert pacs("diff", left).exit == Exit.USAGE
    assert pacs("diff", left, left.parent).exit == Exit.USAGE


def test_equal_pixels_are_compared_without_decoding_or_keeping_them(tmp_path):
    """Two files of 300 MB that differ in one element, with little memory and without numpy."""
    for name, patient in (("a", b"Made^A"), ("b", b"Made^B")):
        head = element(LITTLE, 0x00100010, "PN", patient)
        pixels = element(LITTLE, 0x7FE00010, "OW", b"")[:-4] + (300 << 20).to_bytes(4, "little")
        with (tmp_path / name).open("wb") as file:
            file.write(file_meta(CT, "1.2", EXPLICIT) + head + pixels)
            file.truncate(file.tell() + (300 << 20))
    code = (
        "import sys; from pacs_cli.cli import main\n"
        "code = main(['diff', *sys.argv[1:]])\n"
        "mapped = open('/proc/self/status').read()\n"
        "own = int(mapped.split('RssAnon:')[1].split()[0])\n"
        "sys.stderr.write(f'{code} {own} {\"numpy\" in sys.modules}')"
    )
    for options in ((), ("--pixels",)):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "a"), str(tmp_path / "b"), *options],
            capture_output=True,
            text=True,
            check=True,
        )
        exit_code, own, has_numpy = done.stderr.split()
        assert (exit_code, has_numpy) == ("1", "False")
        assert int(own) < 64 * 1024
        assert "PixelData" not in done.stdout
