"""A peer that changes valid PDUs, against a real `pacs storescp --qr`.

    python -m tests.fuzz.provider [--seconds 600] [--seed N]

After each batch the archive has to answer a C-ECHO and to hold no more descriptors and, by and
large, no more memory than before; in the end nothing partial may be in it. Exits 1 when something
is wrong, with the seed of the batch.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.dicom.part10 import probe
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import Proposal, number_contexts
from pacs_cli.wire.pdu import RELEASE_RQ, AssociateRequest
from pacs_cli.wire.userinfo import UserInformation
from tests.fuzz.mutating import mutated
from tests.interop.peers import Archive, pacs_storescp
from tests.interop.visitors import echoes
from tests.interop.vitals import Vitals, settled
from tests.services.raw import command, data, read_pdu, store
from tests.support import CT, EXPLICIT, IMPLICIT, VERIFICATION
from tests.writing import dataset

_BATCH, _THREADS = 200, 4
_FIND, _MOVE, _GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
_COMMITMENT = "1.2.840.10008.1.20.1"
#: MiB that the archive may have more than after the first batch: its caches, not its peers.
_GROWTH_MIB = 24


class Outcome(NamedTuple):
    """What came of it; `wrong` is empty when all is well."""

    connections: int
    answers: Counter[str]
    samples: list[Vitals]
    wrong: list[str]


def messages() -> list[bytes]:
    """Return PDUs of every service, each valid: what is changed."""
    from pydicom.dataset import Dataset

    keys = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.3", "PatientName=Made*")
    query = encode_identifier(assemble(map(parse_key, keys), Dataset()), EXPLICIT)
    asked = {"MessageID": 3, "Priority": 0}
    found = []
    for context, field, sop_class, more in (
        (5, CommandField.C_FIND_RQ, _FIND, {}),
        (7, CommandField.C_MOVE_RQ, _MOVE, {"MoveDestination": "NOBODY"}),
        (9, CommandField.C_GET_RQ, _GET, {}),
    ):
        elements = {**asked, "AffectedSOPClassUID": sop_class, **more}
        found.append(data(context, 3, command(field, True, **elements)) + data(context, 2, query))
    whole = dataset(CT, "1.2.3.4")
    found.append(data(3, 3, store(5, "1.2.3.4")) + data(3, 0, whole[:90]) + data(3, 2, whole[90:]))
    action = {
        "MessageID": 6,
        "RequestedSOPClassUID": _COMMITMENT,
        "RequestedSOPInstanceUID": "1.2.840.10008.1.20.1.1",
        "ActionTypeID": 1,
    }
    request = command(CommandField.N_ACTION_RQ, True, **action)
    found.append(data(11, 3, request) + data(11, 2, query))
    ask = command(CommandField.C_ECHO_RQ, AffectedSOPClassUID=VERIFICATION, MessageID=1)
    return [*found, data(1, 3, ask), RELEASE_RQ]


def association() -> bytes:
    """Return a request of all these contexts."""
    classes = (VERIFICATION, CT, _FIND, _MOVE, _GET, _COMMITMENT)
    contexts = number_contexts([Proposal(each, (EXPLICIT, IMPLICIT)) for each in classes])
    information = UserInformation(16384, "1.2.3", "MADE_UP")
    return AssociateRequest("CALLED", "CALLING", contexts, information).encode()


REQUEST, MESSAGES = association(), messages()


def conversation(random: Random) -> bytes:
    """Return what one peer says: messages in any order, some of them or the request changed."""
    said = [random.choice(MESSAGES) for _ in range(random.randrange(1, 5))]
    if random.random() < 0.25:
        return mutated(REQUEST, random, MESSAGES) + b"".join(said)
    most = random.choice((1, 1, 2, 6))
    said[random.randrange(len(said))] = mutated(random.choice(MESSAGES), random, MESSAGES, most)
    return REQUEST + b"".join(said) + RELEASE_RQ


def talk(port: int, said: bytes) -> str:
    """Say it, and read what is answered to its end."""
    answers = []
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as sock:
            sock.sendall(said)
            sock.shutdown(socket.SHUT_WR)
            while answer := read_pdu(sock):
                answers.append(answer[0])
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "no end"
    return {7: "aborted", 3: "rejected", 6: "released"}.get(answers[-1] if answers else 0, "closed")


def fuzz(archive: Archive, seconds: float, seed: int) -> Outcome:
    """Fuzz an archive in batches for so long."""
    answers: Counter[str] = Counter()
    samples: list[Vitals] = []
    wrong: list[str] = []
    ends, batch = time.monotonic() + seconds, 0
    while not wrong and (not samples or time.monotonic() < ends):
        random = Random(seed * 1_000_003 + batch)
        said = [conversation(random) for _ in range(_BATCH)]
        with ThreadPoolExecutor(_THREADS) as pool:
            answers.update(pool.map(lambda each: talk(archive.port, each), said))
        if archive.process.poll() is not None:
            wrong.append(f"batch {batch}: it has ended with {archive.process.returncode}")
            break
        if (how := echoes(archive.port, random)) != "released":
            wrong.append(f"batch {batch}: an echo is {how}")
        samples.append(settled(archive.process.pid, samples[0].descriptors if samples else 30))
        if samples[-1].descriptors > samples[0].descriptors + 2:
            wrong.append(f"batch {batch}: {samples[0]}, then {samples[-1]}")
        if samples[-1].rss_kib > samples[0].rss_kib + _GROWTH_MIB * 1024:
            wrong.append(f"batch {batch}: {samples[0]}, then {samples[-1]}")
        batch += 1
    if answers["no end"]:
        wrong.append(f"{answers['no end']} conversations had no end")
    return Outcome(batch * _BATCH, answers, samples, wrong)


def partial(folder: Path) -> list[str]:
    """Return what is wrong with the files of an archive that has ended."""
    wrong = [str(path) for path in (folder / ".staging").iterdir() if path.name != "lock"]
    for path in folder.rglob("*.dcm"):
        try:
            probe(path)
        except Exception as error:
            wrong.append(f"{path}: {error}")
    return wrong


def run(folder: Path, seconds: float, seed: int) -> Outcome:
    """Start an archive, fuzz it, end it, and look into it."""
    with pacs_storescp(folder, "--qr") as archive:
        outcome = fuzz(archive, seconds, seed)
        code = archive.stop()
        told = archive.process.stderr.read() if archive.process.stderr else ""
    wrong = [*outcome.wrong, *partial(folder)]
    if code:
        wrong.append(f"it ended with {code}")
    if "Traceback" in told:
        wrong.append(told[-3000:])
    return outcome._replace(wrong=wrong)


def main() -> int:
    """Fuzz and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder) / "archive", asked.seconds, asked.seed)
    print(f"seed {asked.seed}: {outcome.connections} conversations, {dict(outcome.answers)}")
    print(f"{outcome.samples[0]} at first, {outcome.samples[-1]} at last")
    for each in outcome.wrong:
        print(f"WRONG: {each}")
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
