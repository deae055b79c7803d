"""Where objects go: by any template, and never where a peer wants."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.archive.attributes import COLUMNS, KEYWORDS
from pacs_cli.archive.handler import ArchiveSettings, open_archive
from pacs_cli.archive.layout import MAX_VERSIONS, Layout, version_of
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.errors import MalformedDataset, UsageError
from tests.archive.storing import assert_holds, files, rows, store
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT
from tests.writing import SERIES, STUDY, dataset

LONGEST = "1." + "2" * 62


def row(sop="1.4", study="1.2", series="1.3", source="SENDER", **attributes):
    return InstanceRow(study, series, sop, CT, EXPLICIT, 10, "", source, 1.5, attributes)


def place(template, *args, **attributes):
    return Layout(template).place(row(*args, **attributes))


# -- UIDs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uid",
    [
        *("..", ".", "/", "1/2", "\\", "/etc", "1\0", "1.2\n", " 1", "1 ", "", "1" * 65, "1.2.a"),
        *("-1", "1,2", "١.٢", "１", "²", ".1", "~", "1.2.dcm", "%2e", "1..\u2215"),
    ],
)
@pytest.mark.parametrize("template", ["{SOPInstanceUID}", Layout().template])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_no_uid_gets_no_path_whatever_the_template(uid, position, template):
    uids = ["1.4", "1.2", "1.3"]
    uids[position] = uid
    name = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")[position]
    with pytest.raises(MalformedDataset, match=f"(missing|invalid) {name}"):
        place(template, *uids)


def test_longest_uid_has_a_path():
    path = Layout().place(row(LONGEST, LONGEST, LONGEST))
    assert path == f"{LONGEST}/{LONGEST}/{LONGEST}.dcm"


# -- templates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{SOPInstanceUID}.dcm", "1.4.dcm"),
        ("{SOPInstanceUID}", "1.4.dcm"),
        ("in/{SOPInstanceUID}/image.dcm", "in/1.4/image.dcm"),
        ("{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm", "Test_1/1.2/1.4.dcm"),
        ("{Modality|lower}-{SOPInstanceUID}", "ct-1.4.dcm"),
        ("{Modality|lower|upper}-{SOPInstanceUID}", "CT-1.4.dcm"),
        ("{SOPInstanceUID}_{Modality}", "1.4_CT.dcm"),
        ("{StudyDate|date:%Y/%m}/{SOPInstanceUID}", "2026/01/1.4.dcm"),
        ("{StudyDate|date:%Y-%m-%d}/{SOPInstanceUID}", "2026-01-02/1.4.dcm"),
        ("{StudyDate|date:%Y/%m|last:1}/{SOPInstanceUID}", "6/1/1.4.dcm"),
        ("{PatientBirthDate|date:%Y/%m}/{SOPInstanceUID}", "unknown/unknown/1.4.dcm"),
        ("{PatientID|date:%Y/%m}/{SOPInstanceUID}", "unknown/unknown/1.4.dcm"),
        ("{PatientID|hash}/{SOPInstanceUID}", "26ea0ae294881f12/1.4.dcm"),
        ("{PatientID|hash:4}/{SOPInstanceUID}", "26ea/1.4.dcm"),
        ("{PatientName|hash}/{SOPInstanceUID}", "unknown/1.4.dcm"),
        ("{PatientID|last:2}/{SOPInstanceUID}", "_1/1.4.dcm"),
        ("{PatientID|slice:0:4}/{SOPInstanceUID}", "Test/1.4.dcm"),
        ("{PatientID|slice:4:}/{SOPInstanceUID}", "_1/1.4.dcm"),
        ("{PatientID|slice::1}/{SOPInstanceUID}", "T/1.4.dcm"),
        ("{PatientID|slice:6:9}/{SOPInstanceUID}", "unknown/1.4.dcm"),
        ("{SOPInstanceUID|last:1}/{SOPInstanceUID}", "4/1.4.dcm"),
        ("{SOPClassUID}/{TransferSyntaxUID}/{SOPInstanceUID}", f"{CT}/{EXPLICIT}/1.4.dcm"),
        ("{CallingAETitle}/{SOPInstanceUID}", "MOD_1/1.4.dcm"),
        ("100%/%s/{SOPInstanceUID}", "100%/%s/1.4.dcm"),
        ("con/{SOPInstanceUID}", "_con/1.4.dcm"),
        ("{BodyPartExamined}/{SOPInstanceUID}", "_AUX.v1/1.4.dcm"),
        ("{SOPInstanceUID}-{SeriesDescription}", "1.4-a_v2.dcm"),
    ],
)
def test_template_gives_a_path(template, path):
    values = {
        "patient_id": "Test 1",
        "modality": "CT",
        "study_date": "20260102",
        "body_part_examined": "AUX.v1",
        "series_description": "a.v2",
    }
    assert place(template, "1.4", "1.2", "1.3", "MOD 1", **values) == path


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", "unknown"),
        ("..", "unknown"),
        ("../../etc", "_.._etc"),
        ("/etc", "_etc"),
        ("a\\b", "a_b"),
        ("a\0b\n\x1b[31m\x7f\x85", "a_b___31m__"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("a.", "a"),
        ("NUL", "_NUL"),
        ("com1.txt", "_com1.txt"),
        ("COM¹", "_COM¹"),
        ("console", "console"),
        ("Müller^Jörg", "Müller^Jörg"),
        ("Mu\u0308ller", "Müller"),
        ("山田^太郎", "山田^太郎"),
        ("हिन्दी", "हिन्दी"),
        ("a\u202eb\u200bc\ufffd", "a_b_c_"),
        ("*?\"<>|:'$`!&;~#", "_" * 15),
        ("\ud800", "_"),
        ("x" * 65, "x" * 64),
        ("é" * 33, "é" * 32),
        ("x" * 63 + "é", "x" * 63),
    ],
)
def test_value_is_cleaned_and_bounded(value, name):
    assert place("{PatientID}/{SOPInstanceUID}", patient_id=value) == f"{name}/1.4.dcm"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{PatientId}/{SOPInstanceUID}", "unknown keyword 'PatientId'; did you mean PatientID?"),
        ("{PatientID|hsh}/{SOPInstanceUID}", "unknown function 'hsh'; did you mean hash?"),
        ("{PatientID|}/{SOPInstanceUID}", "unknown function ''; known are date, hash, last"),
        ("{}/{SOPInstanceUID}", "unknown keyword ''"),
        ("{Rows}/{SOPInstanceUID}", "unknown keyword 'Rows'"),
        ("{StudyDate|date}/{SOPInstanceUID}", "write date:%Y/%m, of %Y, %m and %d,"),
        ("{StudyDate|date:%H}/{SOPInstanceUID}", "write date:%Y/%m, of %Y, %m and %d,"),
        ("{StudyDate|date:x}/{SOPInstanceUID}", "write date:%Y/%m, of %Y, %m and %d,"),
        ("{StudyDate|date:%}/{SOPInstanceUID}", "write date:%Y/%m, of %Y, %m and %d,"),
        ("{StudyDate|date:%Y/}/{SOPInstanceUID}", "write date:%Y/%m, of %Y, %m and %d,"),
        *(
            (f"{{PatientID|{bad}}}/{{SOPInstanceUID}}", "write ")
            for bad in (
                *("hash:0", "hash:65", "hash:x", "hash:-1", "last", "last:0", "last:+1"),
                *("slice", "slice:1", "slice:a:b", "slice:-1:2", "slice:1:2:3", "upper:1"),
            )
        ),
        ("", "cannot begin with '.'"),
        ("{PatientID}", "without a function"),
        ("{SOPInstanceUID|last:8}", "without a function"),
        ("{SOPInstanceUID|upper}", "without a function"),
        ("{PatientID}{SOPInstanceUID}", "one side only"),
        ("{SOPInstanceUID}{PatientID}", "one side only"),
        ("{PatientID}.{SOPInstanceUID}", "digit or dot"),
        ("{SOPInstanceUID}0{PatientID}", "digit or dot"),
        ("{PatientID}-{SOPInstanceUID}-{Modality}", "one side only"),
        ("/{SOPInstanceUID}", "is empty; a path is relative"),
        ("a//{SOPInstanceUID}", "is empty"),
        ("{SOPInstanceUID}/", "cannot begin with '.'"),
        ("../{SOPInstanceUID}", "cannot begin with '.'"),
        ("a/./{SOPInstanceUID}", "cannot begin with '.'"),
        (".staging/{SOPInstanceUID}", "cannot begin with '.'"),
        (".{SOPInstanceUID}", "cannot begin with '.'"),
        ("a./{SOPInstanceUID}", "cannot end in 'a.'"),
        ("a /{SOPInstanceUID}", "cannot end in 'a '"),
        ("{SOPInstanceUID}.v2.dcm", "cannot end in '.v2.dcm'"),
        ("a\\b/{SOPInstanceUID}", "has no place there"),
        ("C:/{SOPInstanceUID}", "':' has no place there"),
        ("a\nb/{SOPInstanceUID}", "has no place there"),
        ("{SOPInstanceUID", "'{' has no place there"),
        ("{{SOPInstanceUID}}", "'{' has no place there"),
        ("SOPInstanceUID}", "'}' has no place there"),
        ("x" * 250 + "/{SOPInstanceUID}", "longer than 255 bytes"),
        ("{PatientName}-{PatientID}-{StudyID}-{AccessionNumber}/{SOPInstanceUID}", "longer than"),
        ("{PatientName}/" * 14 + "{SOPInstanceUID}", "longer than 1024 bytes"),
    ],
)
def test_template_that_cannot_be_used_is_a_usage_error(template, words):
    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        Layout(template)
    assert str(caught.value).startswith(f"cannot use the layout {template!r}: ")
    assert "\n" not in str(caught.value)


def test_every_column_of_the_index_has_a_keyword():
    uids = {"study", "series", "instance", "sop_class"}
    assert set(KEYWORDS.values()) == set(COLUMNS.values()) - uids
    for keyword, column in KEYWORDS.items():
        assert place(f"{{{keyword}}}/{{SOPInstanceUID}}", **{column: "7"}) == "7/1.4.dcm"


def test_keywords_are_those_of_the_dictionary():
    from pydicom.datadict import keyword_for_tag

    columns = {column: keyword_for_tag(tag) for tag, column in COLUMNS.items()}
    assert all(columns[column] == keyword for keyword, column in KEYWORDS.items())


# -- versions -----------------------------------------------------------------------------------


def test_every_version_has_a_name_that_tells_it():
    for template in (Layout().template, "{SOPInstanceUID}-{SeriesDescription}"):
        layout = Layout(template)
        paths = [
            layout.place(row(series_description="b.v7"), version)
            for version in (1, 2, 10, MAX_VERSIONS)
        ]
        assert [version_of(path) for path in paths] == [1, 2, 10, MAX_VERSIONS]
        assert len(set(paths)) == 4
    assert paths[1] == "1.4-b_v7.v2.dcm"
    for path in ("1.v0.dcm", "1.v01.dcm", "1.v1000.dcm", "1.v2.dcm.aside-1", "v2.dcm"):
        assert version_of(path) == 1


# -- whatever a peer says -----------------------------------------------------------------------

TEXT = st.text(max_size=80) | st.text(st.sampled_from("./\\\0\n:con1-~ é山\u202e\u0308v2"))
UIDS = st.from_regex(r"[0-9][0-9.]{0,63}", fullmatch=True)
#: Every field that there is in some place, and all that may stand beside a UID.
TEMPLATES = [
    *(f"{{{keyword}}}/{{SOPInstanceUID}}" for keyword in (*KEYWORDS, "CallingAETitle")),
    *(f"{{{keyword}}}-{{SOPInstanceUID}}" for keyword in ("PatientID", "SeriesNumber")),
    *(f"{{SOPInstanceUID}}v{{{keyword}}}" for keyword in ("PatientID", "PatientName")),
    "{PatientID}{PatientName}/x{SOPInstanceUID}/{Modality}",
    "{PatientID|slice:1:9}{StudyDate|date:%Y/%m}{PatientID|last:3|upper}/{SOPInstanceUID}",
    Layout().template,
]
LAYOUTS = [Layout(template) for template in TEMPLATES]


def values():
    columns = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYWORDS.values(), TEXT))
    return st.builds(lambda each, ae: {"source": ae, **each}, columns, TEXT)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(LAYOUTS), UIDS, values(), st.sampled_from([1, 2, MAX_VERSIONS]))
def test_no_value_leads_out_of_the_archive_or_to_an_unusable_name(layout, uid, hostile, version):
    path = layout.place(row(uid, "1.2", "1.3", **hostile), version)
    assert os.path.normpath(f"/archive/{path}") == f"/archive/{path}"
    assert len(path.encode()) <= 1024
    assert path.endswith(".dcm")
    assert version_of(path) == version
    template = layout.template.replace("%Y/%m", "%Y|%m")
    assert path.count("/") == template.count("/") + template.count("%Y|%m")
    for name in path.split("/"):
        assert len(os.fsencode(name)) <= 255
        assert name[0] not in ".- "
        # a UID may have one there, and is kept whole
        assert name[-1] not in ". " or name == f"{uid}"
        assert name.isprintable()
        assert not re.search(r'[\\:*?"<>|]', name)
        assert name.partition(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt1")


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.sampled_from(LAYOUTS), UIDS, UIDS, values(), values(), st.integers(1, 12))
def test_two_objects_never_get_one_name(layout, first, second, some, others, version):
    paths = {
        layout.place(row(first, "1.2", "1.3", **some)),
        layout.place(row(second, "1.2", "1.3", **others), version),
    }
    assert len(paths) == (2 if first != second or version > 1 else len(paths))


@pytest.mark.parametrize(
    "template", ["{PatientID}{SOPInstanceUID}", "{PatientID}-{SOPInstanceUID}"]
)
def test_one_name_for_two_objects_is_what_the_rule_is_for(template):
    """What the refused template would do, and the other one does not."""
    pairs = [("1", "2.3.4"), ("12.", "3.4"), ("1-2", "3.4")]
    by_hand = {template.format(PatientID=a, SOPInstanceUID=b) for a, b in pairs}
    if "-" in template:
        layout = Layout(template)
        assert len({layout.place(row(b, patient_id=a)) for a, b in pairs}) == len(by_hand) == 3
    else:
        assert len(by_hand) == 2
        with pytest.raises(UsageError):
            Layout(template)


# -- in an archive ------------------------------------------------------------------------------


def test_changed_template_leaves_old_files_where_they_are_and_finds_them(tmp_path):
    templates = [Layout().template, "{PatientID}/{SOPInstanceUID}", "{SOPInstanceUID}"]
    uids = [f"1.2.3.{number}" for number in range(len(templates))]
    for template, uid in zip(templates, uids, strict=True):
        with open_archive(tmp_path, settings=ArchiveSettings(Layout(template))) as archive:
            assert store(archive.handler, dataset(CT, uid), uid).status == 0
            # those from before are duplicates and not stored again
            for old in uids[: uids.index(uid)]:
                assert store(archive.handler, dataset(CT, old), old).is_duplicate
    placed = {
        uids[0]: f"{STUDY}/{SERIES}/{uids[0]}.dcm",
        uids[1]: f"TEST-1/{uids[1]}.dcm",
        uids[2]: f"{uids[2]}.dcm",
    }
    assert rows(tmp_path) == placed
    assert files(tmp_path) == set(placed.values())
    for path in tmp_path.glob("index.db*"):
        path.unlink()
    with open_archive(tmp_path) as archive:
        assert archive.recovered.rows_added == 3
    assert rows(tmp_path) == placed


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.data())
def test_hostile_object_is_stored_inside_and_read_back(hostile, data):
    """Through the whole archive: values as bytes of a data set, in the widest of templates."""
    number = data.draw(st.integers(1, 10**9))
    uid = f"1.2.{number}"
    patient = data.draw(TEXT.filter(lambda text: len(text.encode("utf-8", "replace")) < 200))
    value = patient.encode("utf-8", "replace")
    value += b" " * (len(value) % 2)
    old = b"\x10\0\x20\0LO\x06\0TEST-1"
    new = old[:6] + len(value).to_bytes(2, "little") + value
    content = dataset(CT, uid).replace(old, new)
    outcome = store(hostile.handler, content, uid)
    assert outcome.status in (0, 0x0111)
    if outcome.status == 0:
        path = hostile.blobs.path(outcome.path)
        assert hostile.blobs.root.resolve() in path.resolve().parents
        assert dataset_bytes(path) == content


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    layout = Layout("{PatientID}/{PatientID|upper}-{SOPInstanceUID}")
    with open_archive(
        tmp_path_factory.mktemp("hostile"), settings=ArchiveSettings(layout)
    ) as archive:
        yield archive
        assert set(archive.blobs.files()) == {path for _, path in archive.index.paths()}


def test_placed_file_is_found_by_its_layout_and_by_nothing_else(tmp_path):
    layout = Layout("{StudyDate|date:%Y/%m}/{PatientID|hash:8}/{SOPInstanceUID}")
    with open_archive(tmp_path, settings=ArchiveSettings(layout)) as archive:
        outcome = store(archive.handler, dataset(CT, "1.2.3.1"))
    assert re.fullmatch(r"2026/01/[0-9a-f]{8}/1\.2\.3\.1\.dcm", outcome.path)
    assert_holds(tmp_path, "1.2.3.1")
