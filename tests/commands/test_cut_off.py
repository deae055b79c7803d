"""Files that somebody cuts off while a command reads them: each costs itself, the others go on.

The file is cut right after it was mapped, as no test could hit the moment otherwise; the mapping,
the file and the signal are real.
"""

from __future__ import annotations

import os

import pytest

from pacs_cli.dicom import document
from pacs_cli.dicom.mapping import mapped
from pacs_cli.pipelines.deid import work
from pacs_cli.pipelines.validation import check
from pacs_cli.pixels import files
from pacs_cli.pixels.files import Task, transcode_file
from pacs_cli.pixels.transcoding import Options
from tests.support import CT
from tests.writing import write_object

PIXELS = bytes(range(256)) * 8192
SIZES = pytest.mark.parametrize("size", [0, 200, 5000, 1_000_000])


@pytest.fixture
def cuts(monkeypatch, tmp_path):
    """Cuts the first file that a module maps."""

    def install(module, path, size):
        def cutting(descriptor, length, *options, **more):
            view = mapped(descriptor, length, *options, **more)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                os.truncate(path, size)
            return view

        monkeypatch.setattr(module, "mapped", cutting)

    return install


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    for number in (1, 2):
        write_object(made / f"{number}.dcm", CT, f"1.2.3.{number}", PIXELS)
    return made


@SIZES
def test_anonymize_withholds_it(pacs, folder, tmp_path, cuts, size):
    cuts(work, folder / "1.dcm", size)
    result = pacs("anonymize", folder, tmp_path / "out", "--json")
    rows = [row for row in result.json if "path" in row]
    assert [row.get("code") for row in rows if row["path"].endswith("1.dcm")] == ["unreadable"]
    assert result.exit == 1
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == 1


def test_anonymize_in_place_leaves_it(pacs, folder, cuts):
    cuts(work, folder / "1.dcm", 1_000_000)
    before = (folder / "1.dcm").read_bytes()
    assert pacs("anonymize", folder, "--in-place").exit == 1
    assert (folder / "1.dcm").read_bytes() == before[:1_000_000]


@SIZES
def test_validate_says_so(pacs, folder, cuts, size):
    cuts(check, folder / "1.dcm", size)
    result = pacs("validate", folder, "--jobs", 1, "--json")
    found = [row for row in result.json if str(row.get("path", "")).endswith("1.dcm")]
    assert [row["rule"] for row in found if "rule" in row] == ["part10-unreadable"]
    assert "shorter" in result.stdout
    assert any(str(row.get("path", "")).endswith("2.dcm") for row in result.json)


@SIZES
@pytest.mark.parametrize("form", [(), ("--json",), ("--keys", "SOPInstanceUID,PatientName")])
def test_dump_says_so(pacs, folder, cuts, size, form):
    cuts(document, folder / "1.dcm", size)
    result = pacs("dump", folder, *form)
    assert result.exit == 1
    assert "shorter" in result.stderr
    assert "1.2.3.2" in result.stdout


@SIZES
def test_diff_says_so(pacs, folder, cuts, size):
    cuts(document, folder / "1.dcm", size)
    result = pacs("diff", folder / "1.dcm", folder / "2.dcm")
    assert (result.exit, "shorter" in result.stderr) == (6, True)


@SIZES
def test_transcode_writes_nothing(folder, tmp_path, cuts, size):
    path = folder / "1.dcm"
    cuts(files, path, size)
    part = tmp_path / "part"
    done = transcode_file(Task(str(path), str(part), "1.2.840.10008.1.2.2", Options()))
    assert (done.error, part.exists()) == ("it became shorter while it was read", False)
