"""Every option of `pacs storescp` does what its help says, in a process of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pacs_cli.errors import AssociationAborted, AssociationRejected
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import PACS, Archive, pacs_storescp, run_pacs
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT, IMPLICIT, MR
from tests.writing import SERIES, STUDY, dataset, write_object

PRIVATE = "1.2.826.0.1.3680043.10.99.1"
OFFER = (Proposal(CT, (EXPLICIT,)), Proposal(MR, (EXPLICIT,)), Proposal(PRIVATE, (EXPLICIT,)))


def session(archive: Archive, offer=OFFER, **changes) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(10, 10, 10), **changes)
    return Session(target, offer)


def store(archive: Archive, uid: str = "1.2.3.1", pixels: bytes = b"\0" * 64, **changes) -> int:
    with session(archive, **changes) as association:
        return association.store(1, CT, uid, [dataset(CT, uid, pixels)]).status


def accepted(archive: Archive) -> list[str]:
    with session(archive) as association:
        return [c.abstract_syntax for c in association.contexts.values() if c.is_accepted]


def kept(archive: Archive) -> list[str]:
    files = archive.folder.rglob("*.dcm")
    return sorted(path.relative_to(archive.folder).as_posix() for path in files)


def test_layout_names_the_files(tmp_path):
    layout = "{PatientID|lower}/{StudyDate|date:%Y-%m}/{Modality}-{SOPInstanceUID}"
    with pacs_storescp(tmp_path / "archive", "--layout", layout) as archive:
        assert store(archive) == 0
        archive.stop()
    assert kept(archive) == ["test-1/2026-01/CT-1.2.3.1.dcm"]
    assert archive.kind("instance")[0]["path"] == kept(archive)[0]


@pytest.mark.parametrize(
    ("mode", "statuses", "held"),
    [
        ("reject", [0, 0x0111], [b"\0"]),
        ("replace", [0, 0], [b"\1"]),
        ("version", [0, 0], [b"\0", b"\1"]),
    ],
)
def test_duplicate_decides_what_becomes_of_other_bytes(tmp_path, mode, statuses, held):
    with pacs_storescp(tmp_path / "archive", "--duplicate", mode) as archive:
        assert [store(archive, pixels=bytes([n]) * 64) for n in (0, 1)] == statuses
        archive.stop()
    contents = [dataset_bytes(archive.folder / path) for path in kept(archive)]
    assert contents == [dataset(CT, "1.2.3.1", byte * 64) for byte in held]
    displaced = archive.kind("instance")[1]["displaced"]
    if mode == "reject":
        assert displaced is None
    else:
        assert displaced["how"] == {"replace": "replaced", "version": "version"}[mode]
        assert displaced["path"] == f"{STUDY}/{SERIES}/1.2.3.1.dcm"


def test_min_free_answers_a700_before_the_disk_is_full(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--min-free", "999T") as archive:
        assert store(archive) == 0xA700
        with session(archive, (Proposal("1.2.840.10008.1.1", (IMPLICIT,)),)) as association:
            assert association.echo(1).status == 0
        archive.stop()
    assert kept(archive) == []


def test_accept_takes_only_what_is_named(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--accept", "CT") as archive:
        assert accepted(archive) == [CT]


def test_promiscuous_takes_private_classes_too(tmp_path):
    with pacs_storescp(tmp_path / "one") as archive:
        assert accepted(archive) == [CT, MR]
    with pacs_storescp(tmp_path / "two", "--promiscuous") as archive:
        assert accepted(archive) == [CT, MR, PRIVATE]
        with session(archive) as association:
            data = dataset(PRIVATE, "1.2.3.5")
            assert association.store(5, PRIVATE, "1.2.3.5", [data]).status == 0


def test_prefer_chooses_among_what_is_offered(tmp_path):
    offer = (Proposal(CT, (IMPLICIT, EXPLICIT)),)
    for options, chosen in (((), IMPLICIT), (("--prefer", "ExplicitVRLittleEndian"), EXPLICIT)):
        with pacs_storescp(tmp_path / chosen, *options) as archive:
            with session(archive, offer) as association:
                assert association.contexts[1].transfer_syntax == chosen


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        ("FRIEND", True),
        ("FRIEND@127.0.0.1", True),
        ("@127.0.0.0/8", True),
        ("OTHER", False),
        ("FRIEND@10.0.0.1", False),
    ],
)
def test_allow_serves_only_who_is_named(tmp_path, rule, is_allowed):
    with pacs_storescp(tmp_path / "archive", "--allow", rule) as archive:
        if is_allowed:
            assert store(archive, calling_ae_title="FRIEND") == 0
            return
        with pytest.raises(AssociationRejected) as caught:
            store(archive, calling_ae_title="FRIEND")
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)


def test_allow_silences_the_warning_of_a_wide_bind(tmp_path):
    options = ("--bind", "0.0.0.0", "--allow", "FRIEND")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        archive.stop()
        assert archive.process.stderr.read() == ""


def test_hooks_run_for_objects_and_studies(tmp_path):
    told = tmp_path / "told"
    script = tmp_path / "hook"
    script.write_text(f'#!/bin/sh\necho "$@" "$PACS_SOP_INSTANCE_UID" >> "{told}"\n')
    script.chmod(0o755)
    options = (
        *("--on-instance", f"{script} object {{SOPInstanceUID}} {{CallingAETitle}}"),
        *("--on-study", f"{script} study {{StudyInstanceUID}} {{count}}", "--study-idle", "600"),
    )
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        for number in range(3):
            assert store(archive, f"1.2.3.{number}") == 0
        assert archive.stop() == 0
    lines = sorted(told.read_text().splitlines())
    assert lines == [
        *(f"object 1.2.3.{number} PACS 1.2.3.{number}" for number in range(3)),
        f"study {STUDY} 3 ",
    ]
    assert archive.kind("summary")[0]["hooks"]["succeeded"] == 4


def test_hook_that_fails_is_told_and_costs_no_object(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--on-instance", "false {path}") as archive:
        assert store(archive) == 0
        assert archive.stop() == 0
        assert "false" in archive.process.stderr.read()
    assert archive.kind("summary")[0]["hooks"]["failed"] == 1


def test_fault_status_is_answered_and_nothing_kept(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--fault", "status=A700,every=2") as archive:
        assert [store(archive, f"1.2.3.{n}") for n in range(4)] == [0, 0xA700, 0, 0xA700]
        archive.stop()
        assert "misbehaving on purpose" in archive.process.stderr.read()
    assert len(kept(archive)) == 2


def test_fault_lets_a_sender_show_its_retries(tmp_path):
    write_object(tmp_path / "a.dcm", CT, "1.2.3.1")
    with pacs_storescp(tmp_path / "archive", "--fault", "refuse,every=2") as archive:
        # the first connection stands; an association that is aborted is not tried for ever
        assert run_pacs("storescu", "127.0.0.1", archive.port, tmp_path / "a.dcm").returncode == 0
    with pacs_storescp(tmp_path / "other", "--fault", "abort-after=10") as archive:
        done = run_pacs(
            *("storescu", "127.0.0.1", archive.port, tmp_path / "a.dcm", "--retries", "1")
        )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


def test_pdu_timeout_ends_who_dribbles(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--pdu-timeout", "0.3") as archive:
        association = session(archive)
        association._channel._sock.setblocking(True)
        association._channel._sock.sendall(b"\4\0\0\0\1\0")
        with pytest.raises(AssociationAborted):
            association.echo(1)
        association.abort()
        archive.stop()
    assert archive.kind("association_ended")[0]["how"] == "timeout"


def test_connections_over_the_cap_are_closed(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--max-per-address", "1") as archive:
        with session(archive):
            with pytest.raises(AssociationAborted):
                session(archive)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--layout", "{PatientID}"), "SOPInstanceUID"),
        (("--layout", "{PatinetID}/{SOPInstanceUID}"), "PatientID"),
        (("--duplicate", "keep"), "reject, replace or version"),
        (("--min-free", "much"), "--min-free"),
        (("--durability", "none"), "full or relaxed"),
        (("--accept", "CTT"), "CT"),
        (("--accept", "CT", "--promiscuous"), "exclude each other"),
        (("--prefer", "JPEG2001"), "JPEG"),
        (("--allow", "A" * 17), "AE title"),
        (("--fault", "statsu=A700"), "status"),
        (("--on-instance", "no-such-program-anywhere {path}"), "no-such-program-anywhere"),
        (("--on-study", "true {pth}"), "path"),
        (("--study-idle", "0"), "--study-idle"),
        (("--pdu-timeout", "-1"), "--pdu-timeout"),
    ],
)
def test_what_is_mistyped_is_named(tmp_path, pacs, options, words):
    result = pacs("storescp", "0", "--out", tmp_path / "archive", *options)
    assert result.exit == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_four_objects_of_fifty_megabytes_at_once_stay_small(tmp_path):
    """Resident memory does not grow with the objects: VmHWM of the whole run."""
    uids = [f"1.2.3.{number}" for number in range(4)]
    for uid in uids:
        write_object(tmp_path / f"{uid}.dcm", CT, uid, bytes(50_000_000))
    with pacs_storescp(tmp_path / "archive", "--durability", "relaxed") as archive:
        command = [*PACS, "storescu", "127.0.0.1", str(archive.port)]
        senders = [
            subprocess.Popen([*command, str(tmp_path / f"{uid}.dcm")], stdout=subprocess.DEVNULL)
            for uid in uids
        ]
        assert [sender.wait(60) for sender in senders] == [0] * 4
        status = Path(f"/proc/{archive.process.pid}/status").read_text().splitlines()
        (peak,) = [int(line.split()[1]) for line in status if line.startswith("VmHWM")]
    assert peak < 100_000  # kB; the objects are 200,000


@pytest.mark.parametrize("option", [("--fuzzy",), ("--move-to", "WS@127.0.0.1:104")])
def test_options_of_queries_need_qr(pacs, tmp_path, option):
    done = pacs("storescp", 0, "--out", tmp_path, *option)
    assert done.exit == 2
    assert "add --qr" in done.stderr


@pytest.mark.parametrize(
    "place", ["127.0.0.1:104", "WS@127.0.0.1", "WS@", "TOO-LONG-AN-AE-TITLE@h:1"]
)
def test_destination_without_title_or_port_is_a_usage_error(pacs, tmp_path, place):
    done = pacs("storescp", 0, "--out", tmp_path, "--qr", "--move-to", place)
    assert done.exit == 2


@pytest.mark.parametrize(
    "options",
    [("--qr", "--move-to", "WS1"), ("--move-to", "WS1@127.0.0.1:1"), ("--fuzzy",)],
)
def test_what_is_mistyped_about_queries_makes_no_archive(options, tmp_path):
    for workers in ("1", "2"):
        done = run_pacs("storescp", "0", "--out", tmp_path / "a", *options, "--workers", workers)
        assert (done.returncode, (tmp_path / "a").exists()) == (2, False), done.stderr
