"""Objects to de-identify, made in code, with made-up values."""

from __future__ import annotations

from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import Policy, make_policy
from pacs_cli.pipelines.deid.work import Outcome, Settings, Worker
from tests.support import CT, EXPLICIT
from tests.writing import element

KEY = b"a key of the tests, 32 bytes long"

#: Values of one made-up patient, none of which may be in an output.
NAME, PATIENT_ID, BIRTH = "Quixotic^Marmalade", "MRN-77123", "19510817"


def dataset(*more: bytes, uid: str = "1.2.3.1", sop_class: str = CT, pixels: int = 64) -> bytes:
    """A small CT of the patient in Explicit VR Little Endian; `more` are other elements of it."""
    usual = [
        element(0x00080016, "UI", sop_class),
        element(0x00080018, "UI", uid),
        element(0x00080020, "DA", "20260102"),
        element(0x00080030, "TM", "101112"),
        element(0x00080050, "SH", "ACC-55221"),
        element(0x00080060, "CS", "CT"),
        element(0x00080090, "PN", "Referring^Doctor"),
        element(0x00100010, "PN", NAME),
        element(0x00100020, "LO", PATIENT_ID),
        element(0x00100030, "DA", BIRTH),
        element(0x00100040, "CS", "F"),
        element(0x0020000D, "UI", "1.2.826.0.1.3680043.10.2"),
        element(0x0020000E, "UI", "1.2.826.0.1.3680043.10.3"),
        element(0x00200010, "SH", "STUDY-9"),
        element(0x00200013, "IS", "1"),
        element(0x7FE00010, "OW", b"\0" * pixels),
    ]
    own = {tag_bytes(each) for each in more}
    elements = [*more, *(each for each in usual if tag_bytes(each) not in own)]
    return b"".join(sorted(elements, key=lambda each: each[1::-1] + each[3:1:-1]))


def tag_bytes(each: bytes) -> bytes:
    return each[:4]


def write(path: Path, data: bytes, uid: str = "1.2.3.1", sop_class: str = CT) -> Path:
    """Write a file with a preamble and file meta that tell something, too."""
    meta = file_meta(sop_class, uid, EXPLICIT, "SECRETAET")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PREAMBLESECRET".ljust(128, b"x") + meta[128:] + data)
    return path


def worker(out: Path, policy: Policy | None = None, **settings: object) -> Worker:
    """A worker with the key of the tests."""
    key = settings.pop("key", KEY)
    return Worker(Settings(policy or make_policy(), Keys(key), out, **settings))


def released(outcome: Outcome) -> Path:
    """The output of a file that is released; fails when it is withheld."""
    assert outcome.output is not None, outcome
    return Path(outcome.output)
