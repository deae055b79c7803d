"""The bytes of a data set in the encoding that the first byte says: walk, pick and salvage."""

from __future__ import annotations

from collections.abc import Iterator

from tests.dicom.datasets import ENCODINGS, nested, of_everything
from tests.dicom.test_elements_fuzz import check_survives

NAMES = tuple(ENCODINGS)


def seeds() -> Iterator[bytes]:
    for number, name in enumerate(NAMES):
        yield bytes((number,)) + of_everything(ENCODINGS[name])
        if not ENCODINGS[name].deflated:
            yield bytes((number,)) + nested(ENCODINGS[name], 5, True)
            yield bytes((number,)) + nested(ENCODINGS[name], 5, False)


def check(data: bytes) -> None:
    if data:
        check_survives(data[1:], ENCODINGS[NAMES[data[0] % len(NAMES)]])
