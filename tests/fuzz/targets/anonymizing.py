"""A file as `anonymize` rewrites it: released without the name, or withheld with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.elements import Element
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.policy import make_policy
from tests.dicom.datasets import ENCODINGS, of_everything
from tests.dicom.test_dump_fuzz import SYNTAXES
from tests.fuzz.scratch import folder, written
from tests.pipelines.deid.objects import NAME, dataset, worker
from tests.support import CT, EXPLICIT
from tests.writing import element

POLICIES = (
    make_policy(),
    make_policy(retain=["uids", "modified-dates", "safe-private"], clean=["descriptors"]),
    make_policy(clean=["structured", "graphics"]),
)


def seeds() -> Iterator[bytes]:
    for number in range(len(POLICIES)):
        more = element(0x00081030, "LO", f"of {NAME}"), element(0x00081199, "SQ", b"")
        yield bytes((number,)) + file_meta(CT, "1.2.3.1", EXPLICIT) + dataset(*more)
    for name, encoding in ENCODINGS.items():
        yield b"\0" + file_meta(CT, "1.2.3", SYNTAXES[name]) + of_everything(encoding)


def check(data: bytes) -> None:
    if not data:
        return
    out = folder() / "out"
    made = worker(out, POLICIES[data[0] % len(POLICIES)])
    outcome = made.one(str(written(data[1:], "in.dcm")))
    if outcome.output is None:
        assert outcome.code
    elif _patient() == NAME.encode():
        assert NAME.encode() not in Path(outcome.output).read_bytes()
    shutil.rmtree(out, ignore_errors=True)


def _patient() -> bytes:
    """Return the name of the patient, where the file says one that can be read."""
    with suppress(InputError):
        for event in open_document(folder() / "in.dcm").events():
            if isinstance(event, Element) and event.depth == 0 and event.tag == 0x00100010:
                return bytes(event.value).strip()
    return b""
