"""Sending files: every one gets its result, and none counts as sent that was not acknowledged."""

from __future__ import annotations

import os
import socket
import threading
from operator import attrgetter
from pathlib import Path

import pytest

from pacs_cli.errors import Exit, OutputError
from pacs_cli.net.target import Target
from pacs_cli.pipelines.send import Sent, collect, send
from pacs_cli.services.serving import AssociationEnded, AssociationOpened
from pacs_cli.wire.pdu import RELEASE_RQ, Abort
from tests.pipelines.sendings import Run
from tests.samples import dataset_bytes
from tests.services.misbehaviour import (
    EVERY_ONE,
    LARGE,
    SECONDARY_CAPTURE,
    accept,
    patient,
    read_all,
    read_message,
)
from tests.services.raw import data, read_pdu, stored
from tests.support import CT, MR, MemoryHandler, misbehaving_peer, running_provider
from tests.writing import write_object


def write(folder: Path, *sop_classes: str, size: int = 64) -> list[Path]:
    """One file of each class, the first with so many bytes of pixels."""
    return [
        write_object(folder / f"{n}.dcm", sop_class, f"1.2.3.{n}", bytes(64 if n else size))
        for n, sop_class in enumerate(sop_classes)
    ]


def send_all(target: Target, paths: list[Path], change=lambda: None) -> list[Sent]:
    """Send what the paths are; change it after it was looked at."""
    items, failures, _ = collect(map(str, paths))
    assert not failures
    change()
    results = send(target, items, lambda session: None)
    assert [result.path for result in results] == list(map(str, paths))
    for result in results:
        assert (result.error is None) == (result.exit is Exit.OK)
        assert "\n" not in (result.error or "")
    return results


def exits(results: list[Sent]) -> list[Exit]:
    return [result.exit for result in results]


# -- peers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_nothing_counts_as_sent_whatever_a_peer_does(tmp_path, peer):
    over = threading.Event()
    paths = write(tmp_path, CT, MR, SECONDARY_CAPTURE, size=peer.size)
    with misbehaving_peer(lambda sock: peer.act(sock, over)) as target:
        results = send_all(peer.target(target), paths)
        over.set()
    assert exits(results) == [peer.error.exit] * 3
    assert {result.status for result in results} == {None}
    assert peer.words in results[0].error


@pytest.mark.parametrize("end", [b"", Abort(0, 0).encode(), RELEASE_RQ, data(1, 3, stored(1))])
def test_what_was_acknowledged_before_the_peer_went_wrong_counts(tmp_path, end):
    def act(sock: socket.socket) -> None:
        accept(sock)
        read_message(sock)
        sock.sendall(data(1, 3, stored(1)) + end)
        if end:
            read_all(sock)

    with misbehaving_peer(act) as target:
        results = send_all(patient(target), write(tmp_path, CT, MR, SECONDARY_CAPTURE))
    # the last is refused by its context, unless the association did not live to see it
    assert exits(results) == [Exit.OK, Exit.ASSOCIATION, Exit.ASSOCIATION]


@pytest.mark.parametrize("end", [b"", Abort(0, 0).encode(), RELEASE_RQ, b"GET / HTTP/1.1\r\n"])
def test_release_that_goes_wrong_takes_nothing_back(tmp_path, end):
    def act(sock: socket.socket) -> None:
        accept(sock)
        for number, context in ((1, 1), (2, 3)):
            read_message(sock)
            sock.sendall(data(context, 3, stored(number)))
        assert read_pdu(sock) == RELEASE_RQ
        sock.sendall(end)

    with misbehaving_peer(act) as target:
        results = send_all(patient(target), write(tmp_path, CT, MR, SECONDARY_CAPTURE))
    assert exits(results) == [Exit.OK, Exit.OK, Exit.ASSOCIATION]
    assert "abstract syntax not supported" in results[2].error


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0xB007, Exit.OK), (0xA700, Exit.PEER_FAILED), (0xFF00, Exit.PEER_FAILED)],
)
def test_status_of_the_peer_is_the_result_of_the_file(tmp_path, status, expected):
    with running_provider(MemoryHandler(status, "a remark")) as running:
        (result,) = send_all(running.target(), write(tmp_path, CT))
    assert (result.exit, result.status, result.is_warning) == (expected, status, status == 0xB007)
    assert expected is Exit.OK or "(a remark)" in result.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError])
@pytest.mark.parametrize("jobs", [1, 3])
def test_sending_that_is_given_up_aborts_the_association(tmp_path, jobs, error):
    """Also when the results are what cannot be written: that is no end of the association."""

    over = threading.Event()

    class Thinking(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_instance_uid != "1.2.3.0":
                over.wait(10)
            return super().open_store(request)

    def give_up(sent: object) -> None:
        raise error("no")

    with running_provider(Thinking()) as running:
        sending = Run(running.target(), retries=3, jobs=jobs).sending(*write(tmp_path, *[CT] * 9))
        with pytest.raises(error):
            sending.run(give_up)
        over.set()
        opened = running.wait_for(AssociationOpened)
        ended = running.wait_for(AssociationEnded, len(opened))
    # an association that had nothing on its way yet may be released
    hows = {event.how for event in ended}
    assert "aborted" in hows
    assert hows <= {"aborted", "released"}


# -- more than 128 contexts ----------------------------------------------------------------------

CLASSES = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, 301)]


def test_association_that_accepts_nothing_does_not_stop_the_others(tmp_path):
    served = frozenset(CLASSES[:128] + CLASSES[256:])
    with running_provider(abstract_syntaxes=served) as running:
        results = send_all(running.target(), write(tmp_path, *CLASSES))
        running.wait_for(AssociationEnded, 3)
    assert exits(results) == [Exit.OK] * 128 + [Exit.ASSOCIATION] * 128 + [Exit.OK] * 44
    assert [r.affected_sop_class_uid for r, _ in running.handler.stored] == [
        *CLASSES[:128],
        *CLASSES[256:],
    ]


def test_association_that_dies_does_not_stop_the_others(tmp_path):
    class Dying(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_class_uid == CLASSES[130]:
                raise OSError("gone")
            return super().open_store(request)

    with running_provider(Dying()) as running:
        run = Run(running.target(), retries=1)
        results = run.send(*write(tmp_path, *CLASSES))
    failed = [result for result in results if result.error]
    assert [result.item.header.sop_class_uid for result in failed] == [CLASSES[130]]
    assert len(running.handler.stored) == 299


# -- files that change after they were looked at -------------------------------------------------


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def replace_by_fifo(path: Path) -> None:
    """Opening it would wait for a writer that never comes."""
    path.unlink()
    os.mkfifo(path)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (shorten, "it became shorter while it was being sent"),
        (lambda path: os.truncate(path, 0), "it became shorter while it was being sent"),
        (Path.unlink, "no such file or directory"),
        (replace_by_fifo, "not a regular file"),
        (replace_by_folder, "not a regular file"),
        (replace_by_loop, "too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("size", [64, 5_000_000])
def test_file_that_changed_is_told_and_the_others_are_sent(tmp_path, size, change, reason):
    paths = write(tmp_path, CT, CT, CT, size=size)
    others = [dataset_bytes(path) for path in paths[1:]]
    with running_provider() as running:
        results = send_all(running.target(), paths, lambda: change(paths[0]))
    assert exits(results) == [Exit.BAD_INPUT, Exit.OK, Exit.OK]
    assert results[0].error == f"cannot send {paths[0]}: {reason}"
    assert [whole for _, whole in running.handler.stored] == others


def test_file_that_grew_is_sent_as_it_was_looked_at(tmp_path):
    (path,) = write(tmp_path, CT)
    before = dataset_bytes(path)

    def grow() -> None:
        with path.open("ab") as file:
            file.write(bytes(100))

    with running_provider() as running:
        assert exits(send_all(running.target(), [path], grow)) == [Exit.OK]
    assert running.handler.stored[0][1] == before


def test_file_cut_off_while_it_is_on_its_way_is_told_and_the_others_are_sent(tmp_path):
    """Half a message cannot be taken back: the others go over another association."""
    paths = write(tmp_path, CT, CT, MR, size=LARGE)
    others = [dataset_bytes(path) for path in paths[1:]]

    class Cutting(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_instance_uid == "1.2.3.0":
                os.truncate(paths[0], 1000)
            return super().open_store(request)

    with running_provider(Cutting()) as running:
        results = send_all(running.target(), paths)
        running.wait_for(AssociationEnded, 2)
    assert exits(results) == [Exit.BAD_INPUT, Exit.OK, Exit.OK]
    assert "it became shorter while it was being sent" in results[0].error
    assert [whole for _, whole in running.handler.stored] == others
    assert running.handler.discarded == 1


# -- what is looked at ---------------------------------------------------------------------------


def test_every_path_ends_as_item_failure_or_left_out(tmp_path):
    good = write(tmp_path, CT)
    undecodable = tmp_path / os.fsdecode(b"\xff.dcm")
    good.append(write_object(undecodable, CT, "1.2.3.9"))
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no DICOM at all, but long enough to be something else\n" * 9)
    os.mkfifo(tmp_path / "fifo")
    write_object(tmp_path / "DICOMDIR", "1.2.840.10008.1.3.10", "1.2.3.8")
    named = tmp_path / ".named-fifo"
    os.mkfifo(named)
    items, failures, passed = collect(map(str, (tmp_path, named, tmp_path / "missing")))
    assert sorted(item.path for item in items) == sorted(map(str, good))
    names = [Path(each.path).name for each in failures]
    assert sorted(names) == [".named-fifo", "empty", "missing", "text"]
    assert {(each.exit, each.status, each.item) for each in failures} == {
        (Exit.BAD_INPUT, None, None)
    }
    assert {Path(each.path).name: each.reason for each in passed} == {
        "DICOMDIR": "a DICOMDIR is not sent",
        "fifo": "not a regular file",
    }
    with running_provider() as running:
        assert exits(send(running.target(), items, lambda session: None)) == [Exit.OK] * 2
