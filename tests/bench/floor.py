"""What no sender in Python can be faster than, beside DCMTK's: a bound for the goals of `store`.

    python -m tests.bench.floor [--rounds 5] [--scale 1.0]

The floor is a bare loop that writes messages made before and reads their answers: no file is
opened, nothing is parsed, decided or told. To it comes the start of Python with typer, which every
command has. Printed as by `tests.bench.store`: over 1 even that is ahead of the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pacs_cli.dicom.part10 import probe
from pacs_cli.net.target import Target
from pacs_cli.services.scu import Session
from pacs_cli.wire.command import Command, CommandField, encode_command
from pacs_cli.wire.message import fragments
from pacs_cli.wire.negotiation import Proposal
from tests.bench.measuring import Cost, environment, in_turns, served, show, storage_of, timed
from tests.bench.store import dcmtk_scp, dcmtk_scu, make_data
from tests.interop.peers import free_port
from tests.support import CT, EXPLICIT

ROOT = Path(__file__).parents[2]
_ANSWER = 64 * 1024


def send(port: int, folder: Path) -> None:
    """Send what is in the folder, and print the seconds of the bare loop as JSON."""
    session = Session(Target("ANY-SCP", "127.0.0.1", port), (Proposal(CT, (EXPLICIT,)),))
    messages = list(_messages(session, folder))
    # the engine's own socket: what it set is set for the floor too
    sock = session._channel._sock
    sock.setblocking(True)
    answer = memoryview(bytearray(_ANSWER))
    wall, cpu = time.perf_counter(), time.process_time()
    for message in messages:
        sock.sendall(message)
        count = sock.recv_into(answer)
        while count < 6 + int.from_bytes(answer[2:6], "big"):
            count += sock.recv_into(answer[count:])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(json.dumps({"wall": wall, "cpu": cpu}))
    sock.setblocking(False)
    session.release()


def _messages(session: Session, folder: Path) -> Iterator[bytes]:
    context = session.context_for(CT)
    assert context is not None
    size = session._association._fragment
    for number, path in enumerate(sorted(folder.iterdir())):
        header = probe(path)
        elements = {
            "AffectedSOPClassUID": header.sop_class_uid,
            "AffectedSOPInstanceUID": header.sop_instance_uid,
            "Priority": 0,
            "MessageID": number % 65535 + 1,
        }
        command = encode_command(Command(CommandField.C_STORE_RQ, elements, has_data_set=True))
        data = path.read_bytes()[header.dataset_offset :]
        yield b"".join(
            (*fragments(context.id, 1, (command,), size), *fragments(context.id, 0, (data,), size))
        )


def _floor(port: int, folder: Path) -> Cost:
    loop = subprocess.run(
        [sys.executable, "-m", "tests.bench.floor", "--send", str(port), str(folder)],
        cwd=ROOT,
        env=environment(tuned=True),
        check=True,
        capture_output=True,
    )
    start = timed([[sys.executable, "-c", "import typer"]])
    spent = json.loads(loop.stdout)
    return Cost(spent["wall"] + start.wall, spent["cpu"] + start.cpu)


def _compare(title: str, folder: Path, storage: Path, rounds: int, goal: str) -> None:
    def cost_of(who: str) -> Cost:
        spent: list[Cost] = []

        def work(port: int) -> Cost:
            is_floor = who == "ours"
            spent.append(_floor(port, folder) if is_floor else timed([dcmtk_scu(port, folder)]))
            return spent[0]

        served(dcmtk_scp("--ignore"), free_port(), storage, work)
        return spent[0]

    show(title, in_turns(rounds, cost_of), goal)


def main() -> None:
    """Measure both kinds of objects."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--send", nargs=2, metavar=("PORT", "FOLDER"))
    options = parser.parse_args()
    if options.send:
        send(int(options.send[0]), Path(options.send[1]))
        return
    rows = (
        ("ct", "floor, CT, tuned", 2000, (525_000,), "1.8, 2.5"),
        ("small", "floor, small, tuned", 5000, (10_000, 20_000, 30_000), "1.8, 2.8"),
    )
    with storage_of(None, int(4e9 * options.scale)) as root:
        print(f"{options.rounds} rounds, {os.cpu_count()} cores, in {root.parent}; peer / floor")
        for name, title, count, sizes, goal in rows:
            (folder,) = make_data(root, name, max(1, int(count * options.scale)), sizes).folders
            _compare(title, folder, root, options.rounds, goal)


if __name__ == "__main__":
    main()
