"""`pacs dump` through its entry point: what is shown, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pydicom
import pytest

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import Exit
from tests.dicom.datasets import LITTLE, element, item, sequence
from tests.samples import every_file
from tests.support import CT, EXPLICIT, MR
from tests.writing import write_object

SAMPLES = {path.name: path for path in every_file()}


@pytest.fixture
def ct(tmp_path):
    return write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")


@pytest.fixture
def made(tmp_path):
    """Writes a file of these elements."""

    def write(*elements, name="made.dcm"):
        path = tmp_path / name
        path.write_bytes(file_meta(CT, "1.2", EXPLICIT) + b"".join(elements))
        return path

    return write


@pytest.fixture
def broken(made):
    """A file that ends in a sequence, after a name."""
    name = element(LITTLE, 0x00100010, "PN", b"Made^Up ")
    code = element(LITTLE, 0x00080100, "SH", b"CODE")
    path = made(name, sequence(LITTLE, 0x00400275, item(LITTLE, code, code)))
    path.write_bytes(path.read_bytes()[:-5])
    return path


def test_dump_shows_the_file_meta_and_every_element(pacs, ct):
    result = pacs("dump", ct)
    assert (result.exit, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "# file meta"
    assert "# data set, Explicit VR Little Endian" in lines
    assert lines[-1].startswith("(7FE0,0010) OW 0000\\0000")
    assert "=CTImageStorage" in result.stdout
    assert "\x1b" not in result.stdout
    assert "# file meta" not in pacs("dump", ct, "--no-meta").stdout


def test_terminal_has_colours_unless_they_are_not_wanted(pacs, ct):
    coloured = pacs("dump", ct, terminal=True).stdout
    assert "\x1b[36m(0010,0010)\x1b[0m" in coloured
    plain = pacs("dump", ct, terminal=True, env={"NO_COLOR": "1"}).stdout
    assert plain == pacs("dump", ct).stdout


def test_text_of_a_file_cannot_steer_the_terminal(pacs, made):
    hostile = "\x1b]0;owned\x07\n\u202egnp\x9b2J".encode()
    path = made(
        element(LITTLE, 0x00080005, "CS", b"ISO_IR 192"),
        element(LITTLE, 0x00104000, "LT", hostile + b" " * (len(hostile) % 2)),
        element(LITTLE, 0x00091001, "UN", hostile + b" " * (len(hostile) % 2)),
    )
    shown = pacs("dump", path, "--max-length", 0, "--no-meta").stdout
    assert len(shown.splitlines()) == 4
    assert "\\x1b]0;owned\\x07\\n\\u202egnp" in shown
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(shown)
    coloured = pacs("dump", path, terminal=True).stdout
    assert "\x1b]0" not in coloured
    assert "\x9b" not in coloured


def test_several_files_have_their_names_above(pacs, ct, tmp_path):
    write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    names = [f"# {tmp_path}/ct.dcm", f"# {tmp_path}/mr.dcm"]
    for paths in ((tmp_path,), (ct, tmp_path / "mr.dcm")):
        shown = pacs("dump", *paths).stdout.splitlines()
        assert [each for each in shown if each.startswith("# /")] == names
    # a file in which nothing is meant is not mentioned
    only = pacs("dump", tmp_path, "--only", "SOPClassUID").stdout.splitlines()
    assert len(only) == 4
    assert pacs("dump", tmp_path, "--only", "PixelRepresentation").stdout == ""


def test_depth_and_length_bound_what_is_shown(pacs):
    plan = SAMPLES["rtplan.dcm"]
    shown = pacs("dump", plan, "--depth", 0, "--max-length", 4).stdout
    assert "(300A,00B0) SQ 1 item" in shown
    assert "[Last...]" in shown
    assert "BeamName" not in shown


def test_json_is_the_dicom_json_model_and_nothing_else(pacs, ct):
    result = pacs("dump", ct, "--json")
    (members,) = result.json
    assert pydicom.Dataset.from_json(members) == pydicom.dcmread(ct)
    (with_meta,) = pacs("dump", ct, "--json", "--meta").json
    assert with_meta == {**with_meta, **members}
    assert with_meta["00020010"] == {"vr": "UI", "Value": [EXPLICIT]}
    (only,) = pacs("dump", ct, "--json", "--only", "PatientID").json
    assert only == {"00100020": {"vr": "LO", "Value": ["TEST-1"]}}


def test_json_of_several_files_has_a_line_each_and_one_for_what_failed(pacs, ct, tmp_path):
    missing = tmp_path / "missing.dcm"
    result = pacs("dump", ct, missing, ct, "--json")
    assert result.exit == Exit.SOME_FAILED
    assert [line.get("type") for line in result.json] == [None, "error", None]
    error = result.json[1]
    assert (error["error"], error["exit"], error["path"]) == ("InputError", 6, str(missing))
    assert result.stderr == f"cannot read {missing}: no such file or directory; check the path\n"


def test_keys_are_columns(pacs, tmp_path, made):
    made(
        element(LITTLE, 0x00080008, "CS", b"ORIGINAL\\AXIAL "),
        element(LITTLE, 0x00100010, "PN", b"Made^Up "),
        sequence(
            LITTLE,
            0x00400275,
            *(item(LITTLE, element(LITTLE, 0x00400009, "SH", name)) for name in (b"ONE ", b"TWO,")),
        ),
    )
    write_object(tmp_path / "z.dcm", CT, "1.2.3.1")
    steps = "RequestAttributesSequence"
    keys = (
        *("-k", "PatientName,0008,0008", "--keys", f"{steps}[1].ScheduledProcedureStepID"),
        *("-k", f"{steps}.0040,0009", "-k", f"{steps},TransferSyntaxUID,InstanceNumber"),
    )
    names = [
        *("path", "PatientName", "ImageType", f"{steps}[1].ScheduledProcedureStepID"),
        *(f"{steps}.ScheduledProcedureStepID", steps, "TransferSyntaxUID", "InstanceNumber"),
    ]
    made_row = ["Made^Up", "ORIGINAL\\AXIAL", "TWO,", "ONE\\TWO,", "2 items", EXPLICIT, ""]
    z_row = ["Made^Up", "", "", "", "", EXPLICIT, "1"]
    rows = [[f"{tmp_path}/made.dcm", *made_row], [f"{tmp_path}/z.dcm", *z_row]]
    text = pacs("dump", tmp_path, *keys)
    assert (text.exit, text.stderr) == (0, "")
    assert [line.split("\t") for line in text.stdout.splitlines()] == [names, *rows]
    table = pacs("dump", tmp_path, *keys, "--csv").stdout
    assert list(csv.reader(io.StringIO(table))) == [names, *rows]
    *records, summary = pacs("dump", tmp_path, *keys, "--json").json
    assert summary == {**summary, "type": "summary", "shown": 2, "failed": 0, "skipped": 0}
    assert records[0]["ImageType"] == ["ORIGINAL", "AXIAL"]
    assert records[0][f"{steps}.ScheduledProcedureStepID"] == ["ONE", "TWO,"]
    assert records[0][steps] == [
        {"ScheduledProcedureStepID": "ONE"},
        {"ScheduledProcedureStepID": "TWO,"},
    ]
    assert records[1]["InstanceNumber"] == 1
    assert records[1][steps] is None
    assert [record["type"] for record in records] == ["row", "row"]


def test_column_has_the_character_set_that_the_file_says(pacs):
    (row, _) = pacs("dump", SAMPLES["chrH31.dcm"], "-k", "SpecificCharacterSet", "--json").json
    assert row["SpecificCharacterSet"] == [None, "ISO 2022 IR 87"]


def test_keys_on_a_terminal_are_a_table(pacs, ct):
    shown = pacs("dump", ct, "-k", "PatientName", terminal=True, env={"COLUMNS": "200"}).stdout
    path, name = shown.splitlines()[-1].split("  ")
    assert (path, name) == (str(ct), "Made^Up")
    assert "─  ─" in shown


def test_keys_do_not_need_what_comes_after_them(pacs, broken):
    assert pacs("dump", broken, "-k", "PatientName").exit == 0
    result = pacs("dump", broken, "-k", "PatientName,RequestAttributesSequence")
    assert result.exit == Exit.BAD_INPUT
    assert result.stdout == ""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_broken_file_is_shown_as_far_as_it_goes(pacs, broken, options):
    result = pacs("dump", broken, *options)
    assert result.exit == Exit.BAD_INPUT
    assert "Made^Up" in result.stdout
    assert "CODE" in result.stdout
    why = "the data set ends inside an element at byte 48"
    assert result.stderr == f"cannot read all of {broken}: {why}\n"
    if options:
        assert [line.get("error") for line in result.json] == [None, "TruncatedDataset"]


def test_what_is_no_dicom_is_a_failure_by_name_and_passed_in_a_folder(pacs, ct, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("plain text, long enough to have been a file\n" * 9)
    named = pacs("dump", notes)
    assert named.exit == Exit.BAD_INPUT
    assert named.stderr == f"cannot read {notes}: it is not a DICOM file\n"
    assert pacs("dump", notes, ct).exit == Exit.SOME_FAILED
    inside = pacs("dump", tmp_path, "-v", "--only", "PatientID")
    assert inside.exit == 0
    assert inside.stderr == f"skipped {notes}: it is not a DICOM file\n"
    ct.unlink()
    empty = pacs("dump", tmp_path)
    assert empty.exit == Exit.BAD_INPUT
    assert "nothing to dump" in empty.stderr


def test_dicomdir_is_shown_itself(pacs):
    result = pacs("dump", SAMPLES["DICOMDIR"])
    assert result.exit == 0
    assert "=MediaStorageDirectoryStorage" in result.stdout
    assert "DirectoryRecordSequence" in result.stdout


def test_files_can_be_listed(pacs, ct, tmp_path):
    listing = tmp_path / "list"
    listing.write_text(f"{ct}\n")
    assert "Made^Up" in pacs("dump", "--from-file", listing).stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-k", "PatientNam"), "did you mean PatientName?"),
        (("--only", "PatientNam"), "did you mean PatientName?"),
        (("--csv",), "--csv needs columns"),
        (("-k", "Rows", "--only", "Columns"), "--keys excludes --only"),
        (("--json", "--depth", "1"), "--depth is of text"),
        (("--max-length", "-1"), "--max-length"),
        (("-k", "0009"), "a column is one attribute"),
    ],
)
def test_what_is_mistyped_is_a_usage_error(pacs, ct, options, words):
    result = pacs("dump", ct, *options)
    assert result.exit == Exit.USAGE
    assert words in result.stderr
    assert pacs("dump").exit == Exit.USAGE


def test_quiet_only_checks(pacs, ct, broken):
    assert pacs("dump", ct, "-q") == pacs("dump", ct, "-q", "--only", "Rows")
    assert pacs("dump", ct, "-q").stdout == ""
    assert pacs("dump", broken, "-q").exit == Exit.BAD_INPUT


def test_reader_that_goes_away_ends_it_silently(ct):
    with subprocess.Popen(
        [sys.executable, "-m", "pacs_cli", "dump", *[str(ct)] * 3000],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == Exit.BROKEN_PIPE


def test_plain_file_is_shown_without_pydicom(ct):
    code = (
        "import sys; from pacs_cli.cli import main; main(['dump', sys.argv[1]]); "
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ct)], capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.split())
    assert "pacs_cli.dicom.text_dump" in modules
    assert not {"pydicom", "numpy", "rich", "tqdm", "sqlite3"} & modules


def test_every_file_of_pydicom_is_json(pacs):
    paths = [path for path in every_file() if path.suffix not in (".txt", ".gz", ".icc")]
    result = pacs("dump", *paths, "--json", "--max-length", 100)
    assert result.exit == Exit.SOME_FAILED
    failed = [line for line in result.json if "type" in line]
    assert {line["path"].rsplit("/", 1)[1] for line in failed} == {
        *("MR_truncated.dcm", "rtplan_truncated.dcm", "DICOMDIR-nooffset", "no_meta.dcm"),
        *("README", "rtplan.dump", "rtstruct.dump", "test1.json", "test_PN.json"),
    }
    json.dumps(result.json, allow_nan=False)
