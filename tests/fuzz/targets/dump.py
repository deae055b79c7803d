"""A whole file as `dump` shows it, in text, JSON and as a row, and as `diff` compares it."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.dicom.part10 import file_meta
from tests.dicom.datasets import ENCODINGS, of_everything
from tests.dicom.test_dump_fuzz import SYNTAXES, check_compared, check_shown
from tests.fuzz.scratch import written
from tests.support import CT

NAMES = tuple(ENCODINGS)
METAS = tuple(file_meta(CT, "1.2", SYNTAXES[name]) for name in NAMES)


def seeds() -> Iterator[bytes]:
    for number, name in enumerate(NAMES):
        yield bytes((number,)) + of_everything(ENCODINGS[name])


def check(data: bytes) -> None:
    if not data:
        return
    number = data[0] % len(NAMES)
    path = written(METAS[number] + data[1:])
    check_shown(path)
    whole = written(METAS[number] + of_everything(ENCODINGS[NAMES[number]]), "whole")
    check_compared(path, whole)
