"""Queries of someone who means harm: nothing breaks out, nothing takes for ever."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_cli.archive.handler import Archive
from pacs_cli.archive.library import ArchiveLibrary
from pacs_cli.archive.matching import BadKey, matcher_for
from pacs_cli.archive.query import read_question
from pacs_cli.dicom.identifier import encode_identifier, quietly
from pacs_cli.dicom.query import Model
from pacs_cli.services.serving import AssociationInfo, QueryRefused, QueryRequest
from tests.archive.querying import ask, engine, filled, identifier, put
from tests.support import EXPLICIT, IMPLICIT
from tests.writing import element

STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
INFO = AssociationInfo(1, "127.0.0.1", "ASKER", "ARCHIVE")

STATEMENTS = (
    "' OR '1'='1",
    "x'; DROP TABLE study; --",
    '" OR 1=1 --',
    "x') UNION SELECT path FROM instance --",
    "{0}",
    "{} GLOB ?",
    "%",
    "_%",
    "[",
    "[!",
    "[^]*",
    "\\",
    "\\\\\\",
    "?" * 64,
    "a\x00b",
    "\x1b$B",
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with filled(tmp_path_factory.mktemp("archive")) as archive:
        yield archive


def keys_of(tag: int, vr: str, value: object) -> Dataset:
    dataset = identifier("STUDY")
    with quietly():
        dataset[tag] = DataElement(tag, vr, value)
    return dataset


def find(archive: Archive, data: bytes, syntax: str = EXPLICIT) -> list[bytes] | int:
    """Ask as a peer does: the identifiers of the answers, or the status of a refusal."""
    library = ArchiveLibrary(archive.index, archive.blobs.root, "HERE")
    request = QueryRequest(INFO, 1, STUDY_FIND, syntax, data)
    try:
        return list(library.find(request, lambda: False).identifiers)
    except QueryRefused as refused:
        return refused.status


@pytest.mark.parametrize("text", STATEMENTS)
@pytest.mark.parametrize(
    ("tag", "vr"), [(0x00100020, "LO"), (0x00081030, "LO"), (0x00100010, "PN"), (0x0020000D, "UI")]
)
def test_a_value_is_never_part_of_the_statement(
    archive: Archive, tag: int, vr: str, text: str
) -> None:
    question = read_question(Model.STUDY_ROOT, keys_of(tag, vr, text))
    assert text not in " ".join(question.conditions) or len(text) < 4
    assert list(engine(archive).find(question)) == []
    assert len(ask(archive, "STUDY", "StudyInstanceUID")) == 4


def test_a_connection_that_answers_cannot_write(archive: Archive) -> None:
    with (
        engine(archive)._reading(None, lambda: False) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("DELETE FROM study")


def test_a_list_of_very_many_uids_is_one_value(archive: Archive) -> None:
    uids = [f"1.2.{number}" for number in range(100_000)]
    question = read_question(Model.STUDY_ROOT, keys_of(0x0020000D, "UI", uids))
    assert len(question.values) == 1
    assert len(list(engine(archive).find(question))) == 4


@pytest.mark.parametrize("vr", ["LO", "PN"])
def test_a_pattern_cannot_take_for_ever(vr: str) -> None:
    value = "a" * 1024
    matcher = matcher_for(vr, "*a" * 300 + "*b")
    began = time.process_time()
    assert not matcher.matches(value)
    assert time.process_time() - began < 1
    assert not matcher.condition


def test_a_pattern_for_sqlite_cannot_take_for_ever() -> None:
    matcher = matcher_for("LO", "*a*b")
    assert matcher.condition
    with closing(sqlite3.connect(":memory:")) as connection:
        began = time.process_time()
        statement = f"SELECT {matcher.condition.format('?')}"
        connection.execute(statement, ("a" * 10_240, *matcher.values)).fetchone()
        assert time.process_time() - began < 1


def nested(depth: int) -> bytes:
    data = element(0x00080100, "SH", "X")
    for _ in range(depth):
        item = b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data
        data = element(0x00081032, "SQ", item)
    return element(0x00080052, "CS", "STUDY") + data


def test_deep_nesting_is_refused_and_what_is_allowed_is_answered(archive: Archive) -> None:
    assert find(archive, nested(65)) == 0xC000
    assert find(archive, nested(60)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes(200),
        b"\xff" * 200,
        element(0x00080052, "CS", "STUDY")[:-1],
        element(0x00080052, "SQ", b""),
    ],
)
def test_what_is_no_identifier_is_refused(archive: Archive, data: bytes) -> None:
    assert find(archive, data) in (0xA900, 0xC000)


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00100020, "OB", b"\1\2"),
        (0x00100010, "US", b"\1\0"),
        (0x00080020, "UN", b"\xff\xfe"),
        (0x0020000D, "SQ", b""),
        (0x00200013, "IS", "one"),
        (0x00080005, "CS", "unicode_escape"),
        (0x00080005, "CS", "ISO 2022 IR 149\\NONSENSE"),
        (0x00100010, "PN", b"\x1b$)C\xff\xff\x1b(J\xfe"),
    ],
)
def test_a_wrong_vr_or_value_never_is_our_failure(
    archive: Archive, tag: int, vr: str, value: str | bytes
) -> None:
    first, second = sorted(
        [(0x00080052, element(0x00080052, "CS", "STUDY")), (tag, element(tag, vr, value))]
    )
    found = find(archive, first[1] + second[1])
    assert found == 0xC000 or isinstance(found, list)


@given(st.binary(max_size=400))
def test_any_bytes_are_answered_or_refused(archive: Archive, data: bytes) -> None:
    found = find(archive, element(0x00080052, "CS", "STUDY") + data)
    assert found in (0xA900, 0xC000) or isinstance(found, list)


@given(
    tag=st.sampled_from([0x00080050, 0x00080060, 0x00080061, 0x00081030, 0x00100010, 0x00100020]),
    text=st.text(max_size=70),
)
def test_any_text_is_answered_or_refused(archive: Archive, tag: int, text: str) -> None:
    dataset = identifier("STUDY")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    with quietly():
        dataset[tag] = DataElement(tag, "PN" if tag == 0x00100010 else "LO", text)
        data = encode_identifier(dataset, IMPLICIT)
    found = find(archive, data, IMPLICIT)
    assert found in (0xA900, 0xC000) or isinstance(found, list)


_VRS = "AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV"
_TAGS = st.one_of(
    st.sampled_from(
        [
            *(0x00080005, 0x00080018, 0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00081030),
            *(0x00081032, 0x00100010, 0x00100020, 0x00101010, 0x00104000, 0x0020000D, 0x00201208),
            *(0x00290010, 0x00291010, 0x0040A730, 0x7FE00010),
        ]
    ),
    st.integers(0x00080001, 0xFFFAFFFF),
)


@given(
    elements=st.dictionaries(
        _TAGS, st.tuples(st.sampled_from(_VRS.split()), st.binary(max_size=40)), max_size=8
    )
)
def test_elements_of_any_vr_are_answered_or_refused(
    archive: Archive, elements: dict[int, tuple[str, bytes]]
) -> None:
    elements[0x00080052] = ("CS", b"STUDY ")
    data = b"".join(_explicit(tag, *each) for tag, each in sorted(elements.items()))
    found = find(archive, data)
    assert found in (0xA900, 0xC000) or isinstance(found, list)


def _explicit(tag: int, vr: str, value: bytes) -> bytes:
    value += bytes(len(value) % 2)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("OB", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"):
        return head + bytes(2) + len(value).to_bytes(4, "little") + value
    return head + len(value).to_bytes(2, "little") + value


#: Characters that mean something to SQL, GLOB, DICOM or a regular expression, and others.
_MEANT = st.text(alphabet="ab*?[]^-%_'\"(.+éß^= ", max_size=12)


@given(vr=st.sampled_from(["LO", "SH", "CS", "UI", "DA"]), key=_MEANT, value=_MEANT)
def test_sqlite_says_what_we_say(vr: str, key: str, value: str) -> None:
    try:
        matcher = matcher_for(vr, key)
    except BadKey:
        return
    if not matcher.condition:
        return
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (v TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        statement = f"SELECT count(*) FROM t WHERE {matcher.condition.format('t.v')}"
        ((count,),) = connection.execute(statement, matcher.values)
    assert bool(count) == matcher.matches(value)


@given(
    days=st.lists(st.dates().map("{:%Y%m%d}".format), min_size=3, max_size=3).filter(
        lambda days: all(len(day) == 8 for day in days)
    )
)
def test_sqlite_has_the_same_days_in_a_range(days: list[str]) -> None:
    low, high, day = days
    for key in (f"{low}-{high}", f"{low}-", f"-{high}", low):
        matcher = matcher_for("DA", key)
        with closing(sqlite3.connect(":memory:")) as connection:
            statement = f"SELECT {matcher.condition.format('d')} FROM (SELECT ? AS d)"
            ((found,),) = connection.execute(statement, (*matcher.values, day))
        assert bool(found) == matcher.matches(day)


def test_an_answer_of_a_hostile_archive_can_be_read(archive: Archive) -> None:
    uid = "1.2.66.1.1"
    put(
        archive,
        uid,
        {
            0x0020000D: ("UI", "1.2.66"),
            0x00100010: ("PN", b"\x1b$B\x00\xff" * 10),
            0x00100020: ("LO", "X" * 5000),
            0x00081030: ("LO", "\x00\x01\n'"),
            0x00080020: ("DA", "notaday!"),
        },
    )
    try:
        found = ask(archive, "STUDY", "StudyInstanceUID=1.2.66", "PatientName", "PatientID")
        assert len(found) == 1
        assert found[0].PatientID == "X" * 1024
    finally:
        archive.index.remove(uid)
