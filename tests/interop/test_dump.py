"""`pacs dump` and `pacs diff` beside DCMTK's dcmdump, dcm2json and dcmconv."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess

import pytest

from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.json_dump import Model, read_model
from pacs_cli.dicom.text_dump import View, dump_lines
from pacs_cli.errors import InputError
from tests.interop.peers import run
from tests.peers import require
from tests.samples import every_file

pytestmark = pytest.mark.interop

#: `(gggg,eeee) VR value   # length, number of values name`.
LINE = re.compile(r" *\((\w{4},\w{4})\) (\w\w) (.*?) +# +(u/l|\d+)(?:, *(\d+))?.*")
#: What dcmdump writes above each of several files.
NAME = re.compile(r"# dcmdump \(\d+/\d+\): (.*)")
#: What we write and dcmdump writes otherwise, and what it has of a value that is none.
OTHERWISE = ("(no value", "(Sequence", "(PixelSequence", "encapsulated", "[]")

#: dcmdump reads these otherwise, or not at all.
NOT_THEIRS = {
    "SC_rgb_jpeg.dcm": "Implicit VR with encapsulated pixels, which it refuses",
    "meta_missing_tsyntax.dcm": "a private sequence in group 0001, which it takes for the end",
    "nested_priv_SQ.dcm": "the same",
    "priv_SQ.dcm": "the same",
}


@pytest.fixture(scope="module")
def readable():
    """The samples that are DICOM and whole."""
    paths = []
    for path in every_file():
        try:
            for _ in open_document(path).events():
                pass
        except InputError:
            continue
        paths.append(path)
    return paths


def parsed(text: str) -> list[tuple[str, str, str, str, str]]:
    """Tag, VR, value, length and number of values of each element."""
    found = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match is None or match[1].lower().startswith("fffe"):
            continue
        tag, vr, value, length, count = match.groups()
        value = "" if value.startswith(OTHERWISE) else value.strip().replace("\0", "")
        if vr in ("FL", "FD"):
            # other digits of the same number, and no negative zero
            value = " ".join(f"{float(each) + 0.0:.6g}" for each in value.split("\\") if each)
        is_counted = vr != "SQ" and length not in ("u/l", "0")
        vr = "UL" if vr == "up" else "OB" if vr == "OW" and length == "u/l" else vr
        found.append((tag.lower(), vr, value, length, (count or "") if is_counted else ""))
    return found


def comparable(element, other):
    """What of an element both know: text that is ASCII, and of private ones what has a VR in both;
    UN is text to us where it is some.
    """
    tag, vr, value, length, count = element
    if "UN" in (vr, other[1]):
        return (tag, length)
    if not (value.isascii() and other[2].isascii()) or "\x1b" in other[2]:
        return (tag, vr, length, count)
    return (tag, vr, value.lower() if vr == "AT" else value, length, count)


def test_elements_are_those_of_dcmdump(readable):
    program = require("dcmdump")
    done = subprocess.run(
        [program, "-q", "+L", "-Un", "+uc", "+F", *map(str, readable)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    parts = NAME.split(done.stdout.decode("latin-1"))
    theirs = {name: parsed(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    compared = 0
    for path in readable:
        if path.name in NOT_THEIRS:
            continue
        lines = dump_lines(open_document(path), View(max_length=0))
        shown = ["".join(text for style, text in each if style != "note") for each in lines]
        ours, other = parsed("\n".join(shown)), theirs[str(path)]
        assert [each[0] for each in ours] == [each[0] for each in other], path.name
        for one, two in zip(ours, other, strict=True):
            assert comparable(one, two) == comparable(two, one), path.name
        compared += len(ours)
    assert compared > 10_000


def singles(members):
    """Members with floats of 32 bits as what they are in these, as DCMTK writes nine digits."""
    same = {}
    for tag, attribute in members.items():
        values = attribute.get("Value", [])
        if attribute["vr"] == "SQ":
            values = [singles(each) for each in values]
        elif attribute["vr"] == "FL":
            values = [struct.pack("<f", each) for each in values]
        same[tag] = {**attribute, "Value": values}
    return same


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "liver_1frame.dcm"])
def test_json_is_that_of_dcm2json(name, readable):
    (path,) = [each for each in readable if each.name == name]
    done = run("dcm2json", "-q", path)
    assert done.returncode == 0, done.stderr
    model = Model()
    read_model(open_document(path), model, 0)
    theirs = json.loads(done.stdout)
    assert singles(model.json) == singles(theirs)


@pytest.mark.parametrize(
    "options",
    [
        ("+ti",),
        ("+te",),
        ("+tb",),
        ("+td",),
        ("+te", "-e"),
        ("+te", "-g"),
        ("+te", "+p", "4096", "64"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "MR_small.dcm"])
def test_what_dcmconv_writes_otherwise_is_no_difference(pacs, tmp_path, readable, name, options):
    (path,) = [each for each in readable if each.name == name]
    copy = tmp_path / "copy.dcm"
    assert run("dcmconv", *options, path, copy).returncode == 0
    result = pacs("diff", path, copy, "--pixels")
    assert (result.exit, result.stdout) == (0, "")


def test_what_dcmodify_changes_is_the_difference(pacs, tmp_path, readable):
    (path,) = [each for each in readable if each.name == "rtplan.dcm"]
    copy = tmp_path / "copy.dcm"
    shutil.copy(path, copy)
    edits = (
        *("-m", "(0010,0020)=TEST-2", "-i", "(0010,4000)=MADE UP", "-e", "(0008,1070)"),
        *("-m", "(300a,00b0)[0].(300a,0111)[1].(300a,0112)=7"),
    )
    assert run("dcmodify", "-nb", *edits, copy).returncode == 0
    result = pacs("diff", path, copy, "--json")
    assert [(each["change"], each["path"]) for each in result.json[:-1]] == [
        ("removed", "OperatorsName"),
        ("changed", "PatientID"),
        ("added", "PatientComments"),
        ("changed", "BeamSequence[0].ControlPointSequence[1].ControlPointIndex"),
    ]
