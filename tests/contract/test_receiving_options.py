"""Options of what receives that no other test uses."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import number_contexts
from tests.commands.retrieving import identifier
from tests.contract.scenarios import Place
from tests.interop.peers import free_port, pacs_storescp
from tests.services.raw import command, data, read_pdu, request
from tests.services.retrieving import GET, GET_OFFER, ROLES
from tests.support import CT
from tests.writing import STUDY, write_object

KEY = ("-k", f"StudyInstanceUID={STUDY}")


@pytest.fixture
def move(place: Place, tmp_path: Path):
    """Have the archive move its study here; gives back the result."""

    def run(*options: object):
        receiver = ("--receive", place.destination, "--out", tmp_path / "out")
        return place.pacs("movescu", place.peer, *receiver, *KEY, *options, "--json")

    return run


def test_moved_objects_are_received_at_the_address_of_the_option(move):
    result = move("--bind", "0.0.0.0")
    assert result.exit == 0, result
    assert result.json[0]["address"] == "0.0.0.0"


def test_moved_objects_are_received_from_who_is_allowed(move):
    assert move("--allow", "OTHER").exit != 0
    assert move("--allow", "ARCHIVE").exit == 0


def test_moved_objects_are_filed_by_the_options(move, place: Place, tmp_path: Path):
    index = tmp_path / "other.db"
    assert move("--layout", "{PatientID}/{SOPInstanceUID}", "--db", index).exit == 0
    files = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("1.2.*")}
    assert {"TEST-1/1.2.3.1", "TEST-1/1.2.3.2"} <= {name.removesuffix(".dcm") for name in files}
    assert index.is_file()


@pytest.mark.parametrize(("option", "code"), [("reject", 1), ("replace", 0), ("version", 0)])
def test_moved_objects_meet_what_is_held_by_the_option(
    move, place: Place, tmp_path: Path, option: str, code: int
):
    held = write_object(tmp_path / "held.dcm", CT, "1.2.3.1", b"other pixels")
    with pacs_storescp(tmp_path / "out") as own:
        place.instead("storescu", "127.0.0.1", own.port, held)
        own.stop()
    result = move("--duplicate", option)
    assert result.exit == code, result
    shown = [line["displaced"] for line in result.json if line["type"] == "instance"]
    assert [each["how"] for each in shown if each] == {
        "reject": [], "replace": ["replaced"], "version": ["version"],
    }[option]  # fmt: skip


def test_got_objects_are_asked_for_in_batches_and_indexed_in_the_file_of_the_option(
    place: Place, tmp_path: Path
):
    series = "1.2.826.0.1.3680043.10.3"
    wanted = tmp_path / "list"
    wanted.write_text("".join(f"{STUDY} {series} 1.2.3.{n}\n" for n in (1, 2)))
    for batch in (1, 2):
        index = tmp_path / f"{batch}.db"
        out = ("--out", tmp_path / f"out-{batch}", "--db", index)
        options = ("--from-file", wanted, "--batch", batch)
        result = place.pacs("getscu", place.peer, *out, *options, "--json")
        assert result.exit == 0, result
        assert result.json[-1]["requests"] == 2 // batch
        assert index.is_file()


def test_archive_that_does_not_wait_for_the_disk_says_so(tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", "--durability", "relaxed") as archive:
        archive.stop()
        told = archive.process.stderr.read()
    assert told == ("warning: --durability relaxed: a power cut may lose what was acknowledged\n")


def test_connections_over_the_most_are_closed(tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", "--max-connections", "1") as archive:
        with socket.create_connection(("127.0.0.1", archive.port), 10):
            with socket.create_connection(("127.0.0.1", archive.port), 10) as second:
                assert second.recv(1) == b""


def test_peer_that_does_not_read_is_given_up(place: Place, tmp_path: Path):
    large = write_object(tmp_path / "large.dcm", CT, "1.2.3.9", bytes(20_000_000))
    options = ("--qr", "--write-timeout", "0.2")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        place.instead("storescu", "127.0.0.1", archive.port, large)
        with socket.create_connection(("127.0.0.1", archive.port), 10) as sock:
            contexts = number_contexts(GET_OFFER)
            sock.sendall(request(contexts=contexts, user_information=ROLES))
            assert read_pdu(sock)[0] == 2
            asked = {"MessageID": 1, "Priority": 0, "AffectedSOPClassUID": GET}
            head = command(CommandField.C_GET_RQ, True, **asked)
            query = identifier(QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY)
            sock.sendall(data(1, 3, head) + data(1, 2, query))
            # nothing is read until the archive has had enough
            pause = threading.Event()
            for _ in range(400):
                if len(archive.kind("association_ended")) == 2:
                    break
                pause.wait(0.05)
        archive.stop()
    assert archive.kind("association_ended")[1]["how"] == "timeout"


def test_objects_are_forwarded_over_as_many_associations_as_the_option_says(
    place: Place, tmp_path: Path
):
    port = free_port()
    options = ("--forward", f"127.0.0.1:{port}", "--forward-jobs", "2")
    scans = tmp_path / "many"
    scans.mkdir()
    for number in range(8):
        write_object(scans / f"{number}.dcm", CT, f"1.2.3.{number}")
    # what waits when the destination comes back
    with pacs_storescp(tmp_path / "here", *options) as here:
        place.instead("storescu", "127.0.0.1", here.port, scans)
        here.stop()
    with pacs_storescp(tmp_path / "there", "--fault", "delay=0.1", port=port) as there:
        with pacs_storescp(tmp_path / "here", *options) as here:
            pause = threading.Event()
            for _ in range(400):
                if len(there.kind("instance")) == 8:
                    break
                pause.wait(0.05)
            here.stop()
        there.stop()
    assert len(there.kind("instance")) == 8
    assert len({event["association"] for event in there.kind("instance")}) == 2


def test_program_that_takes_too_long_has_failed(place: Place, tmp_path: Path):
    options = ("--on-instance", "sleep 60", "--hook-timeout", "0.2")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        place.instead("storescu", "127.0.0.1", archive.port, place.scans)
        archive.stop()
    assert archive.events[-1]["hooks"]["failed"] == 2
