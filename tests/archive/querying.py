"""An archive of made-up patients, and questions asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_cli.archive.handler import Archive, open_archive
from pacs_cli.archive.query import Abilities, QueryEngine, read_question
from pacs_cli.dicom.identifier import decode_identifier
from pacs_cli.dicom.keys import parse_key
from pacs_cli.dicom.keys import put as put_key
from pacs_cli.dicom.query import Model
from pacs_cli.services.serving import StoreRequest
from tests.archive.storing import INFO
from tests.support import CT, EXPLICIT, MR
from tests.writing import element

PLAIN = Abilities()

#: PS3.5 H: a name in three groups.
JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def data(sop_class: str, uid: str, more: dict[int, tuple[str, str | bytes]]) -> bytes:
    """A data set in Explicit VR Little Endian; `more` replaces what it has."""
    elements: dict[int, tuple[str, str | bytes]] = {
        0x00080016: ("UI", sop_class),
        0x00080018: ("UI", uid),
        0x00080020: ("DA", "20260102"),
        0x00080030: ("TM", "101500"),
        0x00080050: ("SH", "A1"),
        0x00080060: ("CS", "CT"),
        0x00080090: ("PN", "Referrer^One"),
        0x00081030: ("LO", "Head routine"),
        0x0008103E: ("LO", "Axial"),
        0x00100010: ("PN", "Doe^Jane"),
        0x00100020: ("LO", "P1"),
        0x00100030: ("DA", "19700131"),
        0x00100040: ("CS", "F"),
        0x0020000D: ("UI", "1.2.1"),
        0x0020000E: ("UI", "1.2.1.1"),
        0x00200010: ("SH", "S1"),
        0x00200011: ("IS", "1"),
        0x00200013: ("IS", "1"),
        **more,
    }
    return b"".join(element(tag, vr, value) for tag, (vr, value) in sorted(elements.items()))


def put(archive: Archive, uid: str, more: dict[int, tuple[str, str | bytes]], sop: str = CT) -> str:
    """Store one object as a peer does; return its path."""
    sink = archive.handler.open_store(StoreRequest(INFO, 1, sop, uid, EXPLICIT))
    sink.write([memoryview(data(sop, uid, more))])
    outcome = sink.finish()
    assert outcome.status == 0, outcome
    archive.index.flush()
    return outcome.path


def fill(archive: Archive) -> None:
    """Three patients, four studies, five series, six objects."""
    utf8 = ("CS", "ISO_IR 192")
    put(archive, "1.2.1.1.1", {})
    put(archive, "1.2.1.1.2", {0x00200013: ("IS", "2")})
    put(
        archive,
        "1.2.1.2.1",
        {0x0020000E: ("UI", "1.2.1.2"), 0x00080060: ("CS", "MR"), 0x00200011: ("IS", "2")},
        MR,
    )
    second = {
        0x0020000D: ("UI", "1.2.2"),
        0x0020000E: ("UI", "1.2.2.1"),
        0x00080020: ("DA", "20260315"),
        0x00080030: ("TM", "235959.5"),
        0x00080050: ("SH", "A_2"),
        0x00081030: ("LO", "Chest [new] 100%"),
    }
    put(archive, "1.2.2.1.1", second)
    third = {
        0x00080005: utf8,
        0x0020000D: ("UI", "1.2.3"),
        0x0020000E: ("UI", "1.2.3.1"),
        0x00080020: ("DA", "20251231"),
        0x00080030: ("TM", "0800"),
        0x00080050: ("SH", "B3"),
        0x00100010: ("PN", JAPANESE),
        0x00100020: ("LO", "P2"),
        0x00100040: ("CS", "M"),
    }
    put(archive, "1.2.3.1.1", third)
    fourth = {
        0x00080005: ("CS", "ISO_IR 100"),
        0x0020000D: ("UI", "1.2.4"),
        0x0020000E: ("UI", "1.2.4.1"),
        0x00080020: ("DA", ""),
        0x00080030: ("TM", ""),
        0x00080050: ("SH", ""),
        0x00080090: ("PN", ""),
        0x00081030: ("LO", ""),
        0x00100010: ("PN", "Müller^Jürgen".encode("latin-1")),
        0x00100020: ("LO", "P3"),
        0x00100030: ("DA", ""),
        0x00100040: ("CS", "O"),
    }
    put(archive, "1.2.4.1.1", fourth)


def identifier(level: str, *keys: str) -> Dataset:
    """An identifier of keys as they are typed."""
    dataset = Dataset()
    for key in keys:
        put_key(dataset, parse_key(key))
    dataset.QueryRetrieveLevel = level
    return dataset


def ask(
    archive: Archive,
    level: str,
    *keys: str,
    model: Model = Model.STUDY_ROOT,
    abilities: Abilities = PLAIN,
) -> list[Dataset]:
    """Return the answers to a query, each through its bytes."""
    question = read_question(model, identifier(level, *keys), abilities, "HERE")
    return [
        decode_identifier(answer.encode(EXPLICIT), EXPLICIT)
        for answer in engine(archive).find(question)
    ]


def engine(archive: Archive) -> QueryEngine:
    """The engine of an open archive."""
    return QueryEngine(archive.index.connect, archive.blobs.root)


@contextmanager
def filled(folder: Path) -> Iterator[Archive]:
    """An archive with `fill` in it."""
    with open_archive(folder) as archive:
        fill(archive)
        yield archive
