"""A file: preamble, file meta and the beginning of the data set, by each of their readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pacs_cli.archive.contents import held_header
from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.part10 import file_meta, header_of, probe
from pacs_cli.errors import InputError
from pacs_cli.pipelines.dicomdir import dataset_of
from tests.dicom.datasets import ENCODINGS, of_everything
from tests.dicom.test_dump_fuzz import SYNTAXES
from tests.fuzz.scratch import written
from tests.support import CT
from tests.writing import dataset


def seeds() -> Iterator[bytes]:
    for name, encoding in ENCODINGS.items():
        yield file_meta(CT, "1.2.3", SYNTAXES[name]) + of_everything(encoding)
    yield file_meta(CT, "1.2.3", SYNTAXES["little"], "MADE_UP") + dataset(CT, "1.2.3")
    yield dataset(CT, "1.2.3")


def check(data: bytes) -> None:
    path = written(data)
    try:
        header = probe(path)
        # what is read of a file's beginning is what is read of the file
        assert header_of(data, True, len(data)) == header
        assert header.dataset_offset <= len(data)
    except InputError:
        pass
    with suppress(InputError):
        held_header(str(path))
    with suppress(InputError):
        document = open_document(path)
        for _ in document.meta_events():
            pass
    with suppress(InputError):
        dataset_of(data)
