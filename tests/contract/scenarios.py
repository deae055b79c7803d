"""A scenario for each command: all that it can tell, on two scans and an archive of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from pacs_cli.jobs.file import JobFile
from tests import samples
from tests.conftest import Pacs, Result
from tests.interop.peers import Archive, free_port, pacs_storescp
from tests.support import CT
from tests.writing import STUDY, write_object


@dataclass
class Place:
    """Where a scenario runs.

    form     options that each run of the command has
    results  of these runs
    events   what `storescp` told
    """

    pacs: Pacs
    folder: Path
    archive: Archive
    destination: int
    command: str = ""
    form: Sequence[object] = ("--json",)
    results: list[Result] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def scans(self) -> Path:
        """A CT and an MR of one series, and a pipe, which is never opened."""
        return self.folder / "scans"

    @property
    def peer(self) -> str:
        """The archive, by its AE title and address."""
        return f"ARCHIVE@127.0.0.1:{self.archive.port}"

    def __call__(self, *arguments: object, form: Sequence[object] = ()) -> None:
        """Run the command, and keep what it gave back."""
        words = (*self.command.split(), *arguments, *(form or self.form))
        self.results.append(self.pacs(*words))

    def instead(self, *arguments: object) -> None:
        """Run another command, which has to end well."""
        result = self.pacs(*arguments)
        assert result.exit == 0, result

    def play(self, command: str) -> None:
        """Run the scenario of a command; AssertionError that says what to do without one."""
        name = command.replace(" ", "_").replace("-", "_")
        scenario: Callable[[Place], None] | None = globals().get(name)
        assert scenario, f"write a scenario for pacs {command}, in which it tells all it can"
        self.command = command
        scenario(self)


def _configured(run: Place) -> None:
    run.instead("config", "peers", "add", "it", run.peer)


def echoscu(run: Place) -> None:
    run(run.peer)
    run(run.peer, "--propose", "CT=implicit")
    _configured(run)
    run("--all")


def doctor(run: Place) -> None:
    run(run.peer)


def config_init(run: Place) -> None:
    run()


def config_path(run: Place) -> None:
    run()


config_show = config_path


def config_peers_list(run: Place) -> None:
    _configured(run)
    run()


config_peers_test = config_peers_list


def config_peers_add(run: Place) -> None:
    run("it", run.peer)


def config_peers_remove(run: Place) -> None:
    _configured(run)
    run("it")


def _users(run: Place) -> tuple[object, ...]:
    (run.folder / "passcode").write_text("made-up passcode\n")
    return ("--file", run.folder / "users", "doe")


def users_add(run: Place) -> None:
    run(*_users(run), "--passcode-file", run.folder / "passcode")


def users_remove(run: Place) -> None:
    who = _users(run)
    run.instead("users", "add", *who, "--passcode-file", run.folder / "passcode")
    run(*who)


def users_list(run: Place) -> None:
    who = _users(run)
    run.instead("users", "add", *who, "--passcode-file", run.folder / "passcode")
    run(*who[:2])


def completion_install(run: Place) -> None:
    run("fish")


completion_uninstall = completion_show = completion_install


def storescu(run: Place) -> None:
    run(run.peer, run.scans)
    run(run.peer, run.scans, "--dry-run")


def findscu(run: Place) -> None:
    run(run.peer, "--drill")
    if run.form == ("--json",):
        run(run.peer, form=("--dicom-json",))


def movescu(run: Place) -> None:
    # an archive whose index is gone, and which holds something else under one of the UIDs
    held = run.folder / "held"
    shutil.copytree(run.archive.folder, held, ignore=shutil.ignore_patterns("index.db*", ".*"))
    (ct,) = held.rglob("1.2.3.1.dcm")
    write_object(ct, CT, "1.2.3.1", b"other pixels")
    key = ("-k", f"StudyInstanceUID={STUDY}")
    run(run.peer, "--receive", run.destination, "--out", held, *key)


def getscu(run: Place) -> None:
    held = run.folder / "held"
    shutil.copytree(run.archive.folder, held, ignore=shutil.ignore_patterns("index.db*", ".*"))
    (ct,) = held.rglob("1.2.3.1.dcm")
    write_object(ct, CT, "1.2.3.1", b"other pixels")
    run(run.peer, "--out", held, "-k", f"StudyInstanceUID={STUDY}")


def storescp(run: Place) -> None:
    folder, port = run.folder / "own", free_port()
    options = ("--qr", "--check-called", "--aet", "OWN", "--move-to", f"PACS@127.0.0.1:{port}")
    on_instance = ("--on-instance", "true {path}")
    with pacs_storescp(folder, *options, *on_instance, "--forward", run.peer) as own:
        peer = f"OWN@127.0.0.1:{own.port}"
        assert run.pacs("echoscu", f"OTHER@127.0.0.1:{own.port}").exit == 4
        run.instead("echoscu", peer)
        run.instead("storescu", peer, run.scans)
        key = ("-k", f"StudyInstanceUID={STUDY}")
        run.instead("findscu", peer, *key)
        run.instead("getscu", peer, *key, "--out", run.folder / "got")
        moved = ("--receive", port, "--out", run.folder / "moved")
        run.instead("movescu", peer, *key, *moved)
        assert own.stop() == 0
    run.events += own.events
    rules = run.folder / "access.toml"
    rules.write_text('default = "deny"\n')
    metrics = ("--metrics", str(free_port()))
    with pacs_storescp(run.folder / "strict", "--access", str(rules), *metrics) as strict:
        assert run.pacs("echoscu", "127.0.0.1", strict.port).exit == 4
        strict.stop()
    run.events += strict.events
    (folder / "index.db").unlink()
    with pacs_storescp(folder) as again:
        again.stop()
    run.events += again.events


def _start(run: Place, *options: object) -> Path:
    job = run.folder / "move.job"
    run.pacs("send-batch", run.peer, run.scans, "--state", job, *options)
    return job


def send_batch_start(run: Place) -> None:
    run(run.peer, run.scans, "--state", run.folder / "move.job", "--verify")


def send_batch_resume(run: Place) -> None:
    job = run.folder / "move.job"
    nobody = ("127.0.0.1", 1, "-aec", "ARCHIVE")
    run.pacs("send-batch", *nobody, run.scans, "--state", job, "--verify", "--retries", 0)
    with JobFile(job) as opened:
        opened.retry_failed()
        ((_, name, kept),) = opened.destinations()
        opened.add_destination(name, {**kept, "port": run.archive.port})
    run(job)


def send_batch_status(run: Place) -> None:
    run(_start(run))


send_batch_retry_failed = send_batch_status


def send_batch_report(run: Place) -> None:
    table = run.folder / "fixes.csv"
    table.write_text("PatientID,new:PatientID\nTEST-1,TEST-2\n")
    run(_start(run, "--fixes", table))


def send_batch_pause(run: Place) -> None:
    run(_start(run))


send_batch_cancel = send_batch_pause


def index_add(run: Place) -> None:
    run(run.scans)


def index_rebuild(run: Place) -> None:
    run.instead("index", "add", run.scans)
    run(run.scans)


def index_find(run: Place) -> None:
    index_rebuild(run)
    if run.form == ("--json",):
        run(run.scans, form=("--dicom-json",))


index_stats = index_export = index_rebuild


def index_verify(run: Place) -> None:
    run.instead("index", "add", run.scans)
    (run.scans / "ct.dcm").unlink()
    run(run.scans)


index_prune = index_verify


def index_dicomdir(run: Place) -> None:
    disc = run.folder / "disc"
    run(run.scans, "--copy-to", disc)
    run(disc)


def dump(run: Place) -> None:
    (run.folder / "short.dcm").write_bytes((run.scans / "ct.dcm").read_bytes()[:400])
    run(run.scans, run.folder / "short.dcm")
    run(run.scans, "--keys", "Rows,PatientName")


def diff(run: Place) -> None:
    ct = run.scans / "ct.dcm"
    (image,) = (path for path in samples.every_file() if path.name == "CT_small.dcm")
    data = image.read_bytes()
    other = run.folder / "other.dcm"
    other.write_bytes(data[:-5000] + bytes([data[-5000] ^ 1]) + data[-4999:])
    run(ct, run.scans / "mr.dcm")
    run(image, other, "--pixels")
    right = run.folder / "right"
    right.mkdir()
    shutil.copy(ct, right)
    run(run.scans, right)


def validate(run: Place) -> None:
    run(run.scans)
    run("--list-rules")


def anonymize(run: Place) -> None:
    out = run.folder / "out"
    run(run.scans, out, "--dry-run", "--diff")
    run(run.scans, out)
    run("verify", run.scans, out)
    run("--explain")


def reidentify(run: Place) -> None:
    identity = trustme.CA().issue_cert("made-up", key_type=trustme.KeyType.RSA)
    certificate, key, out = (run.folder / name for name in ("trust.pem", "trust.key", "out"))
    identity.cert_chain_pems[0].write_to_path(certificate)
    identity.private_key_pem.write_to_path(key)
    run.instead("anonymize", run.scans / "ct.dcm", out, "--encrypt-to", certificate)
    run(out, run.folder / "back", "--private-key", key)


def transcode(run: Place) -> None:
    run(run.scans, run.folder / "out", "--to", "deflated")
    run("--list")


def demo(run: Place) -> None:
    run(run.scans)
