"""A SOP instance UID that is held already: refused, replaced, kept as a version, or taken again
because what is held is damaged. At no time is there less than one whole object.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from contextlib import closing
from sqlite3 import connect

import pytest

from pacs_cli.archive.handler import (
    ArchiveHandler,
    ArchiveSettings,
    Duplicates,
    Recovered,
    open_archive,
)
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import OutputError
from pacs_cli.services.serving import Displaced
from tests.archive.storing import (
    ELSEWHERE,
    FIRST,
    SECOND,
    UID,
    at_once,
    before_call,
    files,
    killed,
    request,
    rows,
    store,
)
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT
from tests.writing import SERIES, STUDY, dataset, write_object

PATH = f"{STUDY}/{SERIES}/{UID}.dcm"
OTHER_PATH = PATH.replace(STUDY, "1.9")
V2 = PATH.replace(".dcm", ".v2.dcm")
THIRD = dataset(CT, UID, pixels=b"\3" * 64)


def opened(root, duplicates="reject"):
    return open_archive(root, settings=ArchiveSettings(duplicates=Duplicates(duplicates)))


def sizes(root):
    """What the rows say of path and size, newest ones and older ones."""
    with closing(connect(root / "index.db")) as index:
        newest = index.execute("SELECT path, size FROM instance").fetchall()
        older = index.execute("SELECT path, size FROM version").fetchall()
    return dict(newest), dict(older)


def agrees(root):
    """Rows and files say the same, and nothing is left half done."""
    newest, older = sizes(root)
    assert files(root) == newest.keys() | older.keys()
    for path, size in {**newest, **older}.items():
        assert len(dataset_bytes(root / path)) == size


# -- the same bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize("duplicates", Duplicates)
def test_same_bytes_are_success_and_one_copy(tmp_path, duplicates):
    with opened(tmp_path, duplicates) as archive:
        outcomes = [store(archive.handler, FIRST) for _ in range(3)]
    assert [each.is_duplicate for each in outcomes] == [False, True, True]
    assert {(each.status, each.path, each.displaced) for each in outcomes} == {(0, PATH, None)}
    assert rows(tmp_path) == {UID: PATH}
    agrees(tmp_path)


def test_same_bytes_as_an_older_version_are_success_and_no_new_one(tmp_path):
    for duplicates in ("version", "reject", "replace"):
        with opened(tmp_path, duplicates) as archive:
            if duplicates == "version":
                store(archive.handler, FIRST)
                store(archive.handler, SECOND)
            for data, path in ((FIRST, PATH), (SECOND, V2)):
                again = store(archive.handler, data)
                assert (again.status, again.is_duplicate, again.path) == (0, True, path)
    assert rows(tmp_path) == {UID: V2}
    agrees(tmp_path)


def test_object_that_was_moved_under_the_archive_is_found_where_it_would_be_placed(tmp_path):
    with opened(tmp_path) as archive:
        store(archive.handler, FIRST)
        (tmp_path / PATH).unlink()
        (tmp_path / OTHER_PATH).parent.mkdir(parents=True)
        (tmp_path / OTHER_PATH).write_bytes(file_meta(CT, UID, EXPLICIT) + ELSEWHERE)
        again = store(archive.handler, ELSEWHERE)
        assert (again.status, again.is_duplicate, again.path) == (0, True, OTHER_PATH)
    assert rows(tmp_path) == {UID: OTHER_PATH}
    agrees(tmp_path)


# -- replace ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "syntax", "path"),
    [
        (SECOND, EXPLICIT, PATH),
        (FIRST, "1.2.840.10008.1.2.4.70", PATH),
        (ELSEWHERE, EXPLICIT, OTHER_PATH),
    ],
    ids=["pixels", "syntax", "study"],
)
def test_new_object_takes_the_place_of_the_held_one_and_it_is_told(tmp_path, data, syntax, path):
    with opened(tmp_path, "replace") as archive:
        store(archive.handler, FIRST)
        old = (tmp_path / PATH).read_bytes()
        outcome = store(archive.handler, data, syntax=syntax)
        assert (outcome.status, outcome.path, outcome.is_duplicate) == (0, path, False)
        digest = hashlib.sha256(old).hexdigest()
        assert outcome.displaced == Displaced("replaced", PATH, len(old), digest)
        assert archive.index.counts() == (1, 1, 1, 1)
        assert archive.index.replacements() == []
    assert dataset_bytes(tmp_path / path) == data
    assert sizes(tmp_path) == ({path: len(data)}, {})
    agrees(tmp_path)


def test_of_versions_the_newest_is_replaced_and_the_others_stay(tmp_path):
    with opened(tmp_path, "version") as archive:
        store(archive.handler, FIRST)
        store(archive.handler, SECOND)
    with opened(tmp_path, "replace") as archive:
        outcome = store(archive.handler, THIRD)
        assert (outcome.path, outcome.displaced.path) == (V2, V2)
        assert archive.index.versions(UID) == [(2, V2), (1, PATH)]
    assert dataset_bytes(tmp_path / PATH) == FIRST
    assert dataset_bytes(tmp_path / V2) == THIRD
    agrees(tmp_path)


def test_file_that_is_in_no_index_is_not_replaced_but_set_aside(tmp_path):
    """It has the name where the new one goes; the one that is replaced lies elsewhere."""
    with opened(tmp_path, "replace") as archive:
        store(archive.handler, FIRST)
        (tmp_path / OTHER_PATH).parent.mkdir(parents=True)
        stray = write_object(tmp_path / OTHER_PATH, CT, UID, b"\7" * 10).read_bytes()
        outcome = store(archive.handler, ELSEWHERE)
    assert outcome.displaced.path == PATH
    assert dataset_bytes(tmp_path / OTHER_PATH) == ELSEWHERE
    assert (tmp_path / f"{OTHER_PATH}.aside-1").read_bytes() == stray
    assert files(tmp_path) == {OTHER_PATH, f"{OTHER_PATH}.aside-1"}
    assert rows(tmp_path) == {UID: OTHER_PATH}


def test_there_is_a_whole_file_at_every_moment(tmp_path):
    seen, end = set(), threading.Event()

    def look():
        while not end.is_set():
            seen.add(dataset_bytes(tmp_path / PATH))

    with opened(tmp_path, "replace") as archive:
        store(archive.handler, FIRST)
        looking = threading.Thread(target=look)
        looking.start()
        try:
            for number in range(200):
                assert store(archive.handler, (SECOND, FIRST)[number % 2]).status == 0
        finally:
            end.set()
            looking.join()
    # reading that fails would have ended the thread
    assert seen == {FIRST, SECOND}
    agrees(tmp_path)


# -- version ------------------------------------------------------------------------------------


def test_both_stay_and_the_newest_is_served(tmp_path):
    with opened(tmp_path, "version") as archive:
        outcomes = [store(archive.handler, data) for data in (FIRST, SECOND, ELSEWHERE)]
        v3 = OTHER_PATH.replace(".dcm", ".v3.dcm")
        assert [each.path for each in outcomes] == [PATH, V2, v3]
        assert {each.status for each in outcomes} == {0}
        size = (tmp_path / PATH).stat().st_size
        assert outcomes[1].displaced == Displaced("version", PATH, size)
        assert archive.index.versions(UID) == [(3, v3), (2, V2), (1, PATH)]
        assert archive.index.find_path(UID) == v3
        assert archive.index.counts() == (1, 1, 1, 1)
    for path, data in ((PATH, FIRST), (V2, SECOND), (v3, ELSEWHERE)):
        assert dataset_bytes(tmp_path / path) == data
    agrees(tmp_path)


@pytest.mark.parametrize("lost", ["index", "newest", "oldest"])
def test_versions_are_as_they_were_after_a_start(tmp_path, lost):
    with opened(tmp_path, "version") as archive:
        for data in (FIRST, SECOND, THIRD):
            store(archive.handler, data)
        archive.index.distrust()
    v3 = PATH.replace(".dcm", ".v3.dcm")
    if lost == "index":
        for path in tmp_path.glob("index.db*"):
            path.unlink()
    else:
        (tmp_path / {"newest": v3, "oldest": PATH}[lost]).unlink()
    with opened(tmp_path) as archive:
        expected = {
            "index": (Recovered(rows_added=3), [(3, v3), (2, V2), (1, PATH)]),
            "newest": (Recovered(rows_removed=1), [(2, V2), (1, PATH)]),
            "oldest": (Recovered(rows_removed=1), [(3, v3), (2, V2)]),
        }[lost]
        assert (archive.recovered, archive.index.versions(UID)) == expected
        assert archive.index.find_path(UID) == expected[1][0][1]
    agrees(tmp_path)


def test_version_whose_file_is_gone_is_passed_over(tmp_path):
    with opened(tmp_path, "version") as archive:
        store(archive.handler, FIRST)
        store(archive.handler, SECOND)
        (tmp_path / V2).unlink()
        again = store(archive.handler, FIRST)
        assert (again.status, again.is_duplicate, again.path) == (0, True, PATH)
    with opened(tmp_path) as archive:
        assert archive.recovered == Recovered(rows_removed=1)
        assert archive.index.versions(UID) == [(1, PATH)]
        assert archive.index.find_path(UID) == PATH
    agrees(tmp_path)


def test_number_of_versions_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("pacs_cli.archive.sink.MAX_VERSIONS", 3)
    with opened(tmp_path, "version") as archive:
        statuses = [
            store(archive.handler, dataset(CT, UID, pixels=bytes([number]) * 64)).status
            for number in range(5)
        ]
        assert statuses == [0, 0, 0, 0x0111, 0x0111]
        assert len(archive.index.versions(UID)) == 3
    agrees(tmp_path)


def test_name_of_a_version_that_is_taken_is_passed_over(tmp_path):
    """By a file that came there without the archive."""
    with opened(tmp_path, "version") as archive:
        store(archive.handler, FIRST)
        write_object(tmp_path / V2, CT, UID, b"\7" * 10)
        outcome = store(archive.handler, SECOND)
    assert outcome.path == PATH.replace(".dcm", ".v3.dcm")
    assert dataset_bytes(tmp_path / outcome.path) == SECOND


def test_file_without_a_row_becomes_the_first_version(tmp_path):
    with opened(tmp_path, "version") as archive:
        store(archive.handler, FIRST)
        archive.index.remove(UID)
        store(archive.handler, SECOND)
        assert archive.index.versions(UID) == [(2, V2), (1, PATH)]
    agrees(tmp_path)


# -- damaged ------------------------------------------------------------------------------------

META = len(file_meta(CT, UID, EXPLICIT, "SENDER"))
DAMAGES = {
    "empty": lambda file: b"",
    "garbage": lambda file: b"damaged",
    "meta only": lambda file: file[:META],
    "torn": lambda file: file[:-7],
    "torn in the header": lambda file: file[: META + 50],
    "zeros": lambda file: bytes(len(file)),
    "zeros after the meta": lambda file: file[:META] + bytes(len(file) - META),
}


@pytest.mark.parametrize("duplicates", Duplicates)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_object_makes_way_for_the_one_that_comes_and_is_kept_aside(
    tmp_path, damage, duplicates
):
    """As a power cut leaves it without fsync: else it would be refused for ever."""
    with opened(tmp_path, duplicates) as archive:
        store(archive.handler, FIRST)
        damaged = damage((tmp_path / PATH).read_bytes())
        (tmp_path / PATH).write_bytes(damaged)
        outcome = store(archive.handler, FIRST)
        assert (outcome.status, outcome.path, outcome.is_duplicate) == (0, PATH, False)
        aside = f"{PATH}.aside-1"
        assert outcome.displaced == Displaced("damaged", aside, len(damaged))
        assert store(archive.handler, FIRST).is_duplicate
    assert dataset_bytes(tmp_path / PATH) == FIRST
    assert (tmp_path / aside).read_bytes() == damaged
    assert files(tmp_path) == {PATH, aside}
    assert sizes(tmp_path) == ({PATH: len(FIRST)}, {})


def test_damaged_object_that_a_start_could_not_index_is_taken_again(tmp_path):
    with opened(tmp_path) as archive:
        store(archive.handler, FIRST)
        (tmp_path / PATH).write_bytes(b"torn")
    for path in tmp_path.glob("index.db*"):
        path.unlink()
    with opened(tmp_path) as archive:
        assert archive.recovered == Recovered(unindexed=(PATH,))
        outcome = store(archive.handler, SECOND)
        assert (outcome.status, outcome.displaced.how) == (0, "damaged")
    assert rows(tmp_path) == {UID: PATH}
    assert dataset_bytes(tmp_path / PATH) == SECOND


def test_damaged_object_elsewhere_makes_way_too(tmp_path):
    with opened(tmp_path) as archive:
        store(archive.handler, FIRST)
        (tmp_path / PATH).write_bytes(b"torn")
        outcome = store(archive.handler, ELSEWHERE)
        assert outcome.displaced == Displaced("damaged", f"{PATH}.aside-1", 4)
    assert rows(tmp_path) == {UID: OTHER_PATH}
    assert files(tmp_path) == {OTHER_PATH, f"{PATH}.aside-1"}


@pytest.mark.parametrize("duplicates", Duplicates)
def test_held_object_that_cannot_be_read_today_is_a700_and_stays(tmp_path, monkeypatch, duplicates):
    """`pread` is made to fail: that may be a bad disk or a network that comes back."""
    with opened(tmp_path, duplicates) as archive:
        store(archive.handler, FIRST)
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", failing(errno.EIO))
            outcome = store(archive.handler, SECOND)
        assert (outcome.status, outcome.comment) == (0xA700, "cannot write: input/output error")
        assert store(archive.handler, FIRST).is_duplicate
    agrees(tmp_path)


@pytest.mark.parametrize("duplicates", Duplicates)
def test_file_of_another_object_is_left_alone(tmp_path, duplicates):
    (tmp_path / PATH).parent.mkdir(parents=True)
    other = write_object(tmp_path / PATH, CT, "1.2.3.99").read_bytes()
    with opened(tmp_path, duplicates) as archive:
        outcome = store(archive.handler, FIRST)
        assert outcome.comment == "cannot write: another object's file has its name"
        assert outcome.status == 0xA700
    assert (tmp_path / PATH).read_bytes() == other


# -- threads ------------------------------------------------------------------------------------


def store_at_once(handler, objects):
    def run(number, wait):
        sink = handler.open_store(request())
        sink.write([memoryview(objects[number])])
        wait()
        return sink.finish()

    return at_once(len(objects), run)


@pytest.mark.parametrize("studies", [[STUDY] * 8, [f"1.{number}" for number in range(8)]])
@pytest.mark.parametrize("duplicates", ["replace", "version"])
def test_of_eight_at_once_none_is_lost_and_one_is_served(tmp_path, duplicates, studies):
    objects = [
        dataset(CT, UID, pixels=bytes([number]) * 64, study=study)
        for number, study in enumerate(studies)
    ]
    with opened(tmp_path, duplicates) as archive:
        outcomes = store_at_once(archive.handler, objects)
        assert {outcome.status for outcome in outcomes} == {0}
        assert archive.index.counts() == (1, 1, 1, 1)
        versions = archive.index.versions(UID)
    agrees(tmp_path)
    stored = {dataset_bytes(tmp_path / path) for path in files(tmp_path)}
    if duplicates == "version":
        assert [number for number, _ in versions] == list(range(8, 0, -1))
        assert stored == set(objects)
    else:
        assert len(stored) == 1
        # each of the others was told to have gone, once
        gone = [outcome.displaced.sha256 for outcome in outcomes if outcome.displaced]
        assert len(gone) == len(set(gone)) == 7


# -- failing systems ----------------------------------------------------------------------------


def failing(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


CASES = [
    ("object", "replace", SECOND),
    ("object", "replace", ELSEWHERE),
    ("object", "version", SECOND),
    ("object", "version", ELSEWHERE),
    ("damaged", "reject", SECOND),
    ("damaged", "reject", ELSEWHERE),
]
IDS = [f"{before}-{how}-{'study' if data == ELSEWHERE else 'place'}" for before, how, data in CASES]


def hold(root, before, duplicates):
    archive = opened(root, duplicates)
    store(archive.handler, FIRST)
    if before == "damaged":
        (root / PATH).write_bytes((root / PATH).read_bytes()[:-7])
    return archive


def holds_first(root, before, index):
    """Nothing has changed: the held object has its place, its bytes and its row."""
    held = (root / PATH).read_bytes()[META:]
    assert held == (FIRST[:-7] if before == "damaged" else FIRST)
    assert files(root) == {PATH}
    assert index.versions(UID) == [(1, PATH)]
    assert sizes(root) == ({PATH: len(FIRST)}, {})
    assert index.replacements() == []


@pytest.mark.parametrize(("before", "duplicates", "data"), CASES, ids=IDS)
def test_call_that_fails_changes_nothing_whichever_it_is(tmp_path, before, duplicates, data):
    with hold(tmp_path / "measured", before, duplicates) as archive:
        with before_call(-1, failing(0), "replace") as made:
            assert store(archive.handler, data).status == 0
        calls = list(made)
    assert len(calls) > 8
    for number in range(len(calls)):
        root = tmp_path / f"{number}"
        with hold(root, before, duplicates) as archive:
            with before_call(number, failing(errno.EIO), "replace"):
                outcome = store(archive.handler, data)
            if outcome.status == 0:
                # what fails after the row is changed is no more than an old file left there
                assert (before, data) == ("damaged", ELSEWHERE) or duplicates == "replace"
                assert dataset_bytes(root / archive.index.find_path(UID)) == data
                continue
            assert outcome.status == 0xA700
            holds_first(root, before, archive.index)
            assert store(archive.handler, data).status == 0
        with opened(root, duplicates) as archive:
            assert dataset_bytes(root / archive.index.find_path(UID)) == data


@pytest.mark.parametrize(
    ("before", "duplicates", "data", "method"),
    [
        (*case, method)
        for case in CASES
        for method in (("supersede",) if case[1] == "version" else ("announce", "replace"))
    ],
)
def test_index_that_cannot_be_written_changes_nothing(
    tmp_path, monkeypatch, before, duplicates, data, method
):
    with hold(tmp_path, before, duplicates) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(archive.index, method, refuse)
            outcome = store(archive.handler, data)
        assert (outcome.status, outcome.comment) == (0xA701, "the index cannot be written")
        holds_first(tmp_path, before, archive.index)
        assert store(archive.handler, data).status == 0


def test_object_that_could_not_be_put_back_is_what_the_next_start_indexes(tmp_path, monkeypatch):
    """The row cannot be changed, and then the old file cannot get its place again."""
    calls = iter([os.replace, failing(errno.EIO)])
    with hold(tmp_path, "object", "replace") as archive:
        with monkeypatch.context() as patch:
            patch.setattr(archive.index, "replace", refuse)
            patch.setattr(os, "replace", lambda *names: next(calls)(*names))
            assert store(archive.handler, SECOND).status == 0xA700
        assert sizes(tmp_path) == ({PATH: len(FIRST)}, {})
    assert dataset_bytes(tmp_path / PATH) == SECOND
    with opened(tmp_path) as archive:
        assert archive.index.replacements() == []
    agrees(tmp_path)


@pytest.mark.parametrize("duplicates", ["replace", "reject"])
def test_announcement_that_cannot_be_ended_is_ended_by_the_next_start(
    tmp_path, monkeypatch, duplicates
):
    with hold(tmp_path, "object" if duplicates == "replace" else "damaged", duplicates) as archive:
        with monkeypatch.context() as patch:
            patch.setattr(archive.index, "retract", refuse)
            assert store(archive.handler, ELSEWHERE).status == 0
        assert archive.index.replacements() == [(UID, OTHER_PATH, PATH)]
    with opened(tmp_path) as archive:
        assert archive.index.replacements() == []
        assert archive.index.find_path(UID) == OTHER_PATH
    assert sizes(tmp_path) == ({OTHER_PATH: len(ELSEWHERE)}, {})


def refuse(*_):
    raise OutputError("cannot write the index")


@pytest.mark.parametrize(
    ("before", "duplicates", "where"),
    [
        ("object", "replace", ""),
        ("object", "replace", "elsewhere"),
        ("object", "version", ""),
        ("damaged", "reject", ""),
        ("damaged", "reject", "elsewhere"),
    ],
)
def test_killed_before_any_call_one_whole_object_is_there(tmp_path, before, duplicates, where):
    """Processes that are really killed. Files and rows agree after the next start, in all modes."""
    survivor = killed(tmp_path, before, duplicates, where)
    new = ELSEWHERE if where else SECOND
    roots = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(roots) > 10
    outcomes = set()
    for root in roots:
        with opened(root) as archive:
            served = (root / archive.index.find_path(UID)).read_bytes()
            versions = [dataset_bytes(root / path) for _, path in archive.index.versions(UID)[1:]]
            assert archive.index.replacements() == []
        served = served[META:]
        outcomes.add(served)
        assert served == new or (
            root != survivor and served == (FIRST, FIRST[:-7])[before == "damaged"]
        )
        assert versions == ([FIRST] if duplicates == "version" and served == new else [])
        kept = {path for path in files(root) if ".aside-" not in path}
        if served != FIRST[:-7]:
            newest, older = sizes(root)
            assert kept == newest.keys() | older.keys()
            agrees_in_size(root)
    assert len(outcomes) == 2


def agrees_in_size(root):
    newest, older = sizes(root)
    for path, size in {**newest, **older}.items():
        assert len(dataset_bytes(root / path)) == size


def test_handler_of_its_own_refuses(tmp_path):
    with opened(tmp_path, "replace") as archive:
        plain = ArchiveHandler(archive.blobs, archive.index)
        store(plain, FIRST)
        assert store(plain, SECOND).status == 0x0111
