"""A data set that arrives: what is indexed of it, where it lies, how it is edited to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pacs_cli.archive.attributes import describe
from pacs_cli.archive.contents import TAGS
from pacs_cli.dicom.edit import editor_for
from pacs_cli.dicom.encoding import Bounds
from pacs_cli.dicom.survey import survey
from pacs_cli.errors import InputError, MalformedDataset
from tests.dicom.datasets import ENCODINGS, LITTLE, of_everything
from tests.support import CT
from tests.writing import dataset

NAMES = tuple(ENCODINGS)
EDITORS = (
    editor_for(["PatientName=Made^Up", "StudyDate=20260101", "0028,0010=7"], "1.2"),
    editor_for((), "9"),
)
BOUNDS = Bounds(inflate=1 << 20)


def seeds() -> Iterator[bytes]:
    for number, name in enumerate(NAMES):
        yield bytes((number,)) + of_everything(ENCODINGS[name])
    yield bytes((NAMES.index("little"),)) + dataset(CT, "1.2.3")


def check(data: bytes) -> None:
    if not data:
        return
    encoding, body = ENCODINGS[NAMES[data[0] % len(NAMES)]], data[1:]
    head = body[: len(body) // (1 + data[0] // 16)]

    def read(offset: int, size: int) -> bytes:
        return body[offset : offset + size]

    with suppress(MalformedDataset):
        found = survey(head, len(body), read, encoding, TAGS, BOUNDS)
        for text in describe(found).values():
            assert isinstance(text, str)
    if not encoding.deflated or encoding == LITTLE:
        for editor in EDITORS:
            assert editor is not None
            with suppress(InputError):
                editor.edit(body, encoding)
