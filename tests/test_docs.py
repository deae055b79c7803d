"""The documents say what is true: their commands run, their tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pacs_cli.dicom.dataset import Dataset
from pacs_cli.dicom.keys import keyword_of, parse_key
from pacs_cli.dicom.query import Level, Model, make_query
from pacs_cli.errors import Exit
from tests.interop.peers import pacs_storescp
from tests.support import CT, MR
from tests.writing import write_object

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
]


@pytest.fixture
def folder(tmp_path):
    """A folder with two scans."""
    (tmp_path / "scans").mkdir()
    write_object(tmp_path / "scans" / "ct.dcm", CT, "1.2.3.1")
    write_object(tmp_path / "scans" / "mr.dcm", MR, "1.2.3.2")
    return tmp_path


def test_readme_has_two_commands_that_set_everything_up():
    first, second = re.findall(r"```sh\n(.*?)\n```", README)[:2]
    assert first.endswith("pip install '.[codecs]' && pacs demo")
    assert second == "pip install -e '.[test]' && pytest -n auto"
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(second)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_exit_codes_are_all_documented():
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", (ROOT / "docs/exit-codes.md").read_text(), re.M)
    assert [(int(code), name) for code, name in rows] == [(int(e), e.name) for e in Exit]


def test_json_fields_are_all_documented(pacs, folder):
    text = (ROOT / "docs" / "json.md").read_text()
    disc = folder / "disc"
    with pacs_storescp(folder / "archive") as archive:
        records = [
            *pacs("storescu", "127.0.0.1", archive.port, folder / "scans", "--json").json,
            *pacs("echoscu", "127.0.0.1", archive.port, "--json").json,
            *pacs("doctor", "127.0.0.1", archive.port, "--json").json,
        ]
        archive.stop()
    records += archive.events
    records += pacs("demo", folder / "scans", "--json").json
    records += pacs("echoscu", "127.0.0.1", 1, "--json").json
    for options in (("--explain",), (folder / "scans", folder / "out", "--dry-run", "--diff")):
        records += pacs("anonymize", *options, "--json").json
    records += pacs("anonymize", folder / "scans", folder / "out", "--json").json
    records += pacs("anonymize", "verify", folder / "scans", folder / "out", "--json").json
    job = folder / "move.job"
    records += pacs("send-batch", "127.0.0.1", 1, folder / "scans", "--state", job, "--json").json
    for command in ("status", "report", "retry-failed"):
        records += pacs("send-batch", command, job, "--json").json
    scans = folder / "scans"
    for command in (
        *(("add", scans), ("stats", scans), ("rebuild", scans)),
        *(("dicomdir", scans, "--copy-to", disc), ("dicomdir", disc)),
    ):
        records += pacs("index", *command, "--json").json
    for words in (("init",), ("show",), ("peers", "add", "x", "h:1"), ("peers", "remove", "x")):
        records += pacs("config", *words, "--json").json
    records += pacs("completion", "show", "fish", "--json").json
    records += pacs("diff", scans / "ct.dcm", scans / "mr.dcm", "--json").json
    records += pacs("diff", scans, disc, "--json").json
    records += pacs("dump", scans / "none", "--keys", "Rows", "--json").json
    records += pacs("validate", scans, "--json").json
    records += pacs("validate", "--list-rules", "--json").json
    (scans / "ct.dcm").unlink()
    for command in ("verify", "prune"):
        records += pacs("index", command, scans, "--json").json
    assert {"stats", "problem", "removed", "record"} <= {record["type"] for record in records}
    for record in records:
        for name in (record["type"], *record):
            assert name == "type" or f"`{name}`" in text, (record["type"], name)


GUIDE = (ROOT / "docs" / "guide.md").read_text()


def test_keys_of_the_guide_are_keys():
    keys = re.findall(r"`-k '?([^'`]+?)'?`", GUIDE)
    assert len(keys) > 6
    for key in keys:
        parse_key(key.split(" ")[0])


@pytest.mark.parametrize("level", Level)
def test_return_keys_of_the_guide_are_those_of_the_program(level):
    (row,) = re.findall(rf"^\| {level.lower()} \| ([^|]*) \|$", GUIDE, re.MULTILINE)
    model = Model.WORKLIST if level is Level.WORKLIST else Model.PATIENT_ROOT
    request = make_query(model, Dataset(), level).first()
    uniques = {"PatientID", "StudyInstanceUID", "SeriesInstanceUID"}
    returned = {keyword_of(path[-1]) for path in request.columns} - uniques
    told = set(re.findall(r"\b[A-Z][A-Za-z]+[a-z]\w*", row)) - uniques
    if "the four of the patient" in row and level is Level.WORKLIST:
        told |= {"PatientName", "PatientBirthDate", "PatientSex"}
    assert told == returned
