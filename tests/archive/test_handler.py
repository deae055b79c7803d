"""What the archive answers, and what it holds then: success only for what is safe and indexed."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
import tracemalloc
import zlib
from contextlib import closing, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from pacs_cli.archive.blobs import Blobs, Durability, Room
from pacs_cli.archive.contents import HEAD
from pacs_cli.archive.handler import ArchiveHandler, ArchiveSettings, Recovered, open_archive
from pacs_cli.archive.index import Index
from tests.archive.storing import (
    UID,
    assert_holds,
    at_once,
    await_rows,
    before_call,
    files,
    locked,
    request,
    rows,
    store,
)
from tests.samples import dataset_bytes, header, storable
from tests.support import CT, EXPLICIT, IMPLICIT, MR
from tests.writing import SERIES, STUDY, dataset, element

DATA = dataset(CT, UID)
OTHER = dataset(CT, UID, pixels=b"\1" * 64)
PIXELS = element(0x7FE00010, "OW", bytes(64))
PATH = f"{STUDY}/{SERIES}/{UID}.dcm"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def handler(root):
    with open_archive(root) as archive:
        yield archive.handler


# -- success ------------------------------------------------------------------------------------


def test_success_means_that_file_and_row_are_there(handler, root):
    sink = handler.open_store(request())
    for position in range(len(DATA)):
        sink.write([memoryview(DATA)[position : position + 1]])
    assert files(root) == set()
    assert rows(root) == {}
    outcome = sink.finish()
    # without a question: nothing but the archive itself commits the row
    await_rows(root, UID)
    assert (outcome.status, outcome.path, outcome.size) == (0, PATH, len(DATA))
    assert (outcome.study_instance_uid, outcome.series_instance_uid) == (STUDY, SERIES)
    assert dataset_bytes(root / PATH) == DATA
    assert rows(root) == {UID: PATH}
    assert files(root) == {PATH}


def test_question_sees_every_object_acknowledged_before_it(handler):
    for number in range(1, 50):
        uid = f"1.2.3.{number}"
        sink = handler.open_store(request(uid))
        sink.write([memoryview(dataset(CT, uid))])
        assert sink.finish().status == 0
        assert handler.index.find_path(uid) == f"{STUDY}/{SERIES}/{uid}.dcm"
        assert handler.index.counts()[3] == number


@pytest.mark.parametrize("size", [HEAD - 300, HEAD, HEAD + 1, 3 * HEAD])
@pytest.mark.parametrize("step", [1000, HEAD // 2, HEAD - 1, HEAD, HEAD + 1, 10 * HEAD])
def test_object_is_kept_byte_for_byte_however_it_comes(handler, root, size, step):
    """What is kept in memory, what overflows and what follows are cut at every place."""
    data = dataset(CT, UID, pixels=os.urandom(size))
    sink = handler.open_store(request())
    for position in range(0, len(data), step):
        piece = bytearray(data[position : position + step])
        sink.write([memoryview(piece)[:7], memoryview(piece)[7:], memoryview(b"")])
        # the views die when the call returns
        piece[:] = bytes(len(piece))
    outcome = sink.finish()
    assert (outcome.status, outcome.size) == (0, len(data))
    assert dataset_bytes(root / PATH) == data
    handler.index.flush()
    assert_holds(root, UID)


def test_every_sample_is_kept_byte_for_byte_and_indexed(root):
    """Each UID once. The reasons of those refused are in the tests of the command."""
    samples = {header(path).sop_instance_uid: path for path in storable()}
    kept, syntaxes = {}, set()
    with open_archive(root, settings=Durability.RELAXED) as archive:
        for uid, path in samples.items():
            found, data = header(path), dataset_bytes(path)
            syntax = found.transfer_syntax_uid
            outcome = store(archive.handler, data, uid, syntax, found.sop_class_uid)
            if outcome.status == 0:
                kept[uid] = data
                syntaxes.add(syntax)
        assert_holds(root, *kept)
    assert len(samples) - len(kept) == 6
    assert syntaxes >= {IMPLICIT, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
    assert {uid: dataset_bytes(root / path) for uid, path in rows(root).items()} == kept


def test_same_bytes_again_are_success_and_one_copy(handler, root):
    assert not store(handler, DATA).is_duplicate
    again = store(handler, DATA)
    assert (again.status, again.is_duplicate, again.path) == (0, True, PATH)
    assert_holds(root, UID)
    # success is never said without a row, whatever became of the first one
    handler.index.remove(UID)
    assert store(handler, DATA).status == 0
    assert_holds(root, UID)


def test_deflated_object_is_indexed_whatever_its_size(handler, root):
    deflated = zlib.compress(dataset(CT, UID, pixels=bytes(9_000_000)), 1, -zlib.MAX_WBITS)
    assert store(handler, deflated, syntax=DeflatedExplicitVRLittleEndian).status == 0
    assert_holds(root, UID)


# -- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (OTHER, EXPLICIT),
        (DATA[:-1] + b"\1", EXPLICIT),
        (DATA + element(0x7FE10010, "LO", "x"), EXPLICIT),
        # its pixels mean something else
        (DATA, "1.2.840.10008.1.2.4.70"),
        (dataset(CT, UID, study="1.9"), EXPLICIT),
    ],
    ids=["pixels", "last byte", "longer", "syntax", "study"],
)
def test_other_object_of_the_same_uid_is_0111_and_the_first_stays(handler, root, data, syntax):
    store(handler, DATA)
    outcome = store(handler, data, syntax=syntax)
    assert (outcome.status, outcome.path) == (0x0111, "")
    assert dataset_bytes(root / PATH) == DATA
    assert_holds(root, UID)
    assert handler.index.counts() == (1, 1, 1, 1)


def without(tag, vr, value):
    assert element(tag, vr, value) in DATA
    return DATA.replace(element(tag, vr, value), b"")


REFUSED = {
    "empty": (b"", "empty data set"),
    "garbage": (b"\xa5garbage that is no data set", "cannot understand the data set: "),
    "zeros": (bytes(1000), "missing SOPClassUID"),
    "one byte": (b"\0", "cannot understand the data set: "),
    "not deflated": (DATA, "cannot understand the data set: the data set is not deflated"),
    "no study": (without(0x0020000D, "UI", STUDY), "missing StudyInstanceUID"),
    "no series": (without(0x0020000E, "UI", SERIES), "missing SeriesInstanceUID"),
    "no instance": (without(0x00080018, "UI", UID), "missing SOPInstanceUID"),
    "no class": (without(0x00080016, "UI", CT), "missing SOPClassUID"),
    "empty study": (dataset(CT, UID, study=""), "missing StudyInstanceUID"),
    "path": (dataset(CT, UID, study="../../x"), "invalid StudyInstanceUID"),
    "dots": (dataset(CT, UID, study=".."), "invalid StudyInstanceUID"),
    "escape": (dataset(CT, UID, study="\x1b(B1.2"), "invalid StudyInstanceUID"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_understood_is_refused_and_leaves_nothing(handler, root, data, reason):
    syntax = DeflatedExplicitVRLittleEndian if "deflated" in reason else EXPLICIT
    outcome = store(handler, data, syntax=syntax)
    assert (outcome.status, outcome.path) == (0xC000, "")
    assert outcome.comment.startswith(reason)
    assert_holds(root)
    assert store(handler, DATA).status == 0


@pytest.mark.parametrize(
    ("uid", "sop_class", "status"),
    [
        *(("1.2.3.9", CT, 0xA900), ("1.2.3.10", CT, 0xA900), (UID, MR, 0xA900)),
        *((uid, CT, 0xC000) for uid in ("", "1.2/3", "x", "1" * 65)),
        (UID, "x", 0xC000),
    ],
)
def test_command_that_names_another_object_or_none_is_refused(
    handler, root, uid, sop_class, status
):
    assert store(handler, DATA, uid, sop=sop_class).status == status
    assert_holds(root)


@pytest.mark.parametrize(("depth", "status"), [(64, 0), (65, 0xC000), (10_000, 0xC000)])
def test_sequences_are_followed_to_a_depth_of_64(handler, root, depth, status):
    """None has a length, so that its end has to be looked for."""
    begin = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    data = DATA.replace(PIXELS, begin * depth + end * depth + PIXELS)
    assert store(handler, data).status == status
    assert_holds(root, *([UID] if status == 0 else []))


def test_data_set_that_ends_inside_an_element_is_refused_wherever_that_is(root):
    """Between two elements nothing is missing that could be noticed, once the UIDs are there."""
    ends = {DATA.index(element(0x00200013, "IS", "1")), DATA.index(PIXELS), len(DATA)}
    taken = set()
    with open_archive(root, settings=Durability.RELAXED) as archive:
        for cut in range(len(DATA) + 1):
            status = store(archive.handler, DATA[:cut]).status
            assert status in (0, 0x0111, 0xC000)
            taken |= {cut} if status != 0xC000 else set()
        assert_holds(root, UID)
    assert taken == ends


@pytest.mark.parametrize("size", [0, 100, 3 * HEAD])
def test_what_breaks_off_leaves_nothing(handler, root, size):
    sink = handler.open_store(request())
    sink.write([memoryview(DATA[:size] + bytes(size - len(DATA[:size])))])
    assert bool(files(root)) is (size > HEAD)
    sink.discard()
    assert_holds(root)


def test_memory_of_one_object_is_bounded(handler):
    """One byte at a time, and as much at once as one PDU may have."""
    piece = memoryview(bytes(1_000_000))
    for first in (1, len(piece)):
        sink = handler.open_store(request())
        tracemalloc.start()
        try:
            for _ in range(2 * HEAD // first + 1):
                sink.write([piece[:first]])
            for _ in range(20):
                sink.write([piece])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        sink.discard()
        assert peak < 3 * HEAD


def test_no_data_at_all_is_an_empty_data_set(handler):
    assert handler.open_store(request()).finish().comment == "empty data set"


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.integers(0, len(DATA) - 1),
    st.binary(min_size=1, max_size=8),
    st.integers(0, 8),
    st.sampled_from([EXPLICIT, IMPLICIT, str(ExplicitVRBigEndian)]),
)
def test_damaged_object_is_taken_or_refused_and_nothing_else(damaged, at, value, removed, syntax):
    data = DATA[:at] + value + DATA[at + removed :]
    outcome = store(damaged.handler, data, syntax=syntax)
    assert outcome.status in (0, 0x0111, 0xA900, 0xC000)
    assert files(damaged.blobs.root) == set(rows(damaged.blobs.root).values())


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    with open_archive(tmp_path_factory.mktemp("damaged"), None, Durability.RELAXED) as archive:
        yield archive


# -- failing systems ----------------------------------------------------------------------------


def failing(code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    return fail


def calls_of_a_store(root):
    with open_archive(root) as archive, before_call(-1, failing(0)) as made:
        assert store(archive.handler, DATA).status == 0
        return list(made)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EMFILE])
def test_call_that_fails_is_a700_and_leaves_nothing_whichever_it_is(tmp_path, code):
    """`os` is made to fail: a disk cannot be filled up to one chosen call."""
    calls = calls_of_a_store(tmp_path / "measured")
    assert {"open", "writev", "mkdir", "fsync", "link"} <= set(calls)
    for number, name in enumerate(calls):
        root = tmp_path / f"{number}"
        with open_archive(root) as archive:
            with before_call(number, failing(code)) as made:
                outcome = store(archive.handler, DATA)
            assert made[number] == name
            assert (outcome.status, outcome.path) == (0xA700, ""), (number, name)
            assert outcome.comment == f"cannot write: {os.strerror(code).lower()}"
            assert_holds(root)
            assert store(archive.handler, DATA).status == 0
            assert_holds(root, UID)


def test_room_that_is_to_be_kept_free_is_kept_from_every_object(tmp_path):
    """More than any disk has: what there is of it is the test of another test."""
    settings = ArchiveSettings(min_free=2**62)
    for data in (DATA, dataset(CT, UID, pixels=bytes(3 * HEAD))):
        with open_archive(tmp_path, settings=settings) as archive:
            outcome = store(archive.handler, data)
            assert (outcome.status, outcome.path) == (0xA700, "")
            assert outcome.comment == "cannot write: less than the space that is to be kept free"
            assert_holds(tmp_path)
        with open_archive(tmp_path) as archive:
            assert archive.recovered == Recovered()


def test_room_that_ends_while_an_object_comes_ends_it(handler, root):
    """The disk is one that says so: 20 times what is kept in memory is free on it."""
    handler.blobs._room = Room(
        HEAD, lambda: 20 * HEAD - sum(path.stat().st_size for path in parts())
    )

    def parts():
        return (root / ".staging").glob("*.part")

    sink = handler.open_store(request())
    sink.write([memoryview(DATA)])
    sizes = []
    for _ in range(40):
        sink.write([memoryview(bytes(HEAD))])
        sizes += [path.stat().st_size for path in parts()]
    assert 10 * HEAD < max(sizes) < 20 * HEAD
    assert len(sizes) < 30
    assert sink.finish().status == 0xA700
    assert_holds(root)


def test_index_that_is_locked_is_a701_and_the_file_is_taken_out(root):
    blobs, index = Blobs(root), Index(root / "index.db", busy_timeout=0.05)
    handler = ArchiveHandler(blobs, index)
    with locked(root):
        outcome = store(handler, DATA)
        assert files(root) == set()
    assert (outcome.status, outcome.comment) == (0xA701, "the index cannot be written")
    assert store(handler, DATA).status == 0
    assert_holds(root, UID)
    index.close()
    blobs.close()


@pytest.mark.parametrize("study", [STUDY, "1.9"])
def test_object_whose_file_was_removed_from_under_the_archive_is_taken_again(handler, root, study):
    store(handler, DATA)
    shutil.rmtree(root / STUDY)
    again = dataset(CT, UID, pixels=b"\2" * 80, study=study)
    outcome = store(handler, again)
    assert (outcome.status, outcome.is_duplicate) == (0, False)
    assert dataset_bytes(root / outcome.path) == again
    assert_holds(root, UID)
    with closing(sqlite3.connect(root / "index.db")) as index:
        assert index.execute("SELECT size FROM instance").fetchall() == [(len(again),)]
    assert handler.index.counts() == (1, 1, 1, 1)


# -- threads ------------------------------------------------------------------------------------


def store_at_once(handler, objects):
    """Store in a thread each, all of them finishing at the same time."""

    def run(number, wait):
        sink = handler.open_store(request())
        sink.write([memoryview(objects[number])])
        wait()
        return sink.finish()

    return at_once(len(objects), run)


def test_same_object_from_eight_at_once_is_one_and_eight_successes(handler, root):
    outcomes = store_at_once(handler, [DATA] * 8)
    assert [outcome.status for outcome in outcomes] == [0] * 8
    assert sum(not outcome.is_duplicate for outcome in outcomes) == 1
    assert_holds(root, UID)


@pytest.mark.parametrize("studies", [[STUDY] * 8, [f"1.{number}" for number in range(8)]])
def test_of_eight_different_objects_of_one_uid_one_is_held(handler, root, studies):
    objects = [
        dataset(CT, UID, pixels=bytes([number]) * 64, study=study)
        for number, study in enumerate(studies)
    ]
    outcomes = store_at_once(handler, objects)
    assert sorted(outcome.status for outcome in outcomes) == [0] + [0x0111] * 7
    (held,) = (data for data, outcome in zip(objects, outcomes, strict=True) if not outcome.status)
    assert_holds(root, UID)
    assert dataset_bytes(root / rows(root)[UID]) == held
    assert handler.index.counts() == (1, 1, 1, 1)


def test_of_different_objects_one_is_held_where_there_are_no_hard_links(handler, root, monkeypatch):
    """Looking and renaming are two calls there; the wait is for a second thread to get between."""
    rename, both = os.rename, threading.Barrier(2)

    def slow_rename(*names):
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        rename(*names)

    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    monkeypatch.setattr(os, "rename", slow_rename)
    outcomes = store_at_once(handler, [DATA, OTHER])
    assert sorted(outcome.status for outcome in outcomes) == [0, 0x0111]
    assert_holds(root, UID)
