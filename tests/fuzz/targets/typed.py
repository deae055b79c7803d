"""What is typed: keys, selectors, rules, assignments, character sets, spans and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset

from pacs_cli.dicom.edit import editor_for
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE
from pacs_cli.dicom.identifier import encode_identifier, parse_character_set
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.dicom.selectors import parse_keys, parse_selectors
from pacs_cli.errors import InputError, UsageError
from pacs_cli.pipelines.deid.keys import parse_span
from pacs_cli.pipelines.deid.rules import parse_rule
from tests.support import CT, EXPLICIT
from tests.writing import dataset

DATA = dataset(CT, "1.2.3")


def _key(text: str) -> None:
    keys = [parse_key(line) for line in text.splitlines()]
    encode_identifier(assemble(keys, Dataset()), EXPLICIT)


def _edit(text: str) -> None:
    editor = editor_for(text.splitlines(), None)
    if editor is not None:
        edited = editor.edit(DATA, EXPLICIT_LITTLE)
        assert edited.rest <= len(DATA)
        editor.identity(CT, "1.2.3")


def _suffix(text: str) -> None:
    editor = editor_for((), text)
    if editor is not None:
        editor.edit(DATA, EXPLICIT_LITTLE)


PARSERS: tuple[Callable[[str], object], ...] = (
    _key,
    lambda text: parse_selectors(text.splitlines(), "--only"),
    lambda text: parse_keys(text.splitlines(), "-k"),
    parse_rule,
    _edit,
    _suffix,
    parse_character_set,
    parse_span,
)


def seeds() -> Iterator[bytes]:
    for number, texts in enumerate(
        (
            ("PatientName=Made^Up\n0008,0020=20260101-\nReferencedSeriesSequence[0].Modality=CT",),
            ("0008,xxxx\nprivate\nContentSequence.CodeValue\n60xx,3000",),
            ("PatientName,Rows\nReferencedImageSequence.CodeValue",),
            ("PatientName = keep", '0009,xx01:"MADE UP" = remove', "SQ.vr:LO = dummy"),
            ("PatientName=Made^Up\n0010,0020=X\nRows=12\nSliceThickness=1.5",),
            ("1.2", ".7"),
            ("ISO_IR 100", "latin1", "ISO 2022 IR 87"),
            ("auto", "-10:20", "7"),
        )
    ):
        for text in texts:
            yield bytes((number,)) + text.encode()


def check(data: bytes) -> None:
    if not data:
        return
    # as the system hands over what is typed
    text = data[1:].decode("utf-8", "surrogateescape")
    try:
        PARSERS[data[0] % len(PARSERS)](text)
    except (UsageError, InputError):
        return
