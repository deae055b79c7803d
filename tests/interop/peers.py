"""The field's programs as real peers, each on a free port in a folder of the test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import schemas
from tests.peers import require

PACS = (sys.executable, "-m", "pacs_cli")


def free_port() -> int:
    """Return a port nobody listens on now; for programs that cannot take port 0."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return once something listens; these programs tell in no other way that they are ready."""
    pause = threading.Event()
    for _ in range(400):
        assert process.poll() is None, process.communicate()
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextmanager
def running(
    *command: str | Path, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program inside the block and terminate it after."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def dcmtk_storescp(folder: Path, *options: str, tuned: bool = False) -> Iterator[int]:
    """DCMTK's receiver, writing what it gets bit by bit; yields its port."""
    program, port = require("storescp"), free_port()
    env = {**os.environ, **({"TCP_NODELAY": "1"} if tuned else {})}
    folder.mkdir(exist_ok=True)
    command = (program, "-aet", "DCMTK", "+B", "-od", folder, *options, str(port))
    with running(*command, env=env) as process:
        await_port(port, process)
        yield port


@contextmanager
def orthanc(folder: Path) -> Iterator[int]:
    """An Orthanc of its own; yields its DICOM port."""
    program, port = require("Orthanc", "/usr/sbin/Orthanc"), free_port()
    folder.mkdir(exist_ok=True)
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowEcho": True,
        "OverwriteInstances": False,
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with running(program, config) as process:
        await_port(port, process)
        yield port


class Archive:
    """A `pacs storescp` in its own process, and the events it told, each as its schema has it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.events = [json.loads(process.stdout.readline())]
        self._checked = 0
        assert "port" in self.events[0], self.events[0]
        self.port: int = self.events[0]["port"]
        # read as they come: a full pipe would make the archive wait for us
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, read and check the remaining events, return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        self._reading.join(20)
        code = self.process.wait(20)
        for event in self.events[self._checked :]:
            schemas.record_of("storescp", event)
            self._checked += 1
        return code

    def _read(self) -> None:
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def kind(self, kind: str) -> list[dict[str, object]]:
        """Return the events of one type."""
        return [event for event in self.events if event["type"] == kind]

    def files(self) -> dict[str, Path]:
        """Return the stored files by SOP instance UID."""
        return {
            path.stem: path for path in self.folder.rglob("*.dcm") if ".staging" not in path.parts
        }


@contextmanager
def pacs_storescp(folder: Path, *options: str, port: int = 0) -> Iterator[Archive]:
    """Our receiver as its users start it; yields once it told its port."""
    command = (*PACS, "storescp", str(port), "--out", str(folder), "--json", *options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        archive = Archive(process, folder)
        try:
            yield archive
        finally:
            archive.stop()


def run_pacs(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one command of ours to its end; what it writes with --json is as its schema has it."""
    done = subprocess.run(
        [*PACS, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    schemas.check(arguments, done.stdout.splitlines())
    return done


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the field's programs to its end."""
    return subprocess.run(
        [require(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
