"""What is derived from the key: UIDs, pseudonyms, date shifts and hashes.

With the same key all are the same, whenever, wherever and in whatever order files come; with
another all differ. Nothing has to be remembered for it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pacs_cli.errors import InputError, OutputError, UsageError

VARIABLE = "PACS_ANON_KEY"

#: Shorter keys can be tried out, all of them.
_LEAST_KEY = 16

#: By default dates go back by up to ten years: never into the future, which archives refuse.
_AUTO = (-3650, -1)

#: UIDs remembered; a study, its series and frames of reference come in every one of its files.
_REMEMBERED = 4096


class Identity(NamedTuple):
    """What a line of a patient map gives: PatientID, and days to shift by or None."""

    pseudonym: str
    shift: int | None


@dataclass(frozen=True)
class Keys:
    """Derives from one key; any process that has the same gives the same.

    span      days to shift by, the least and the most
    patients  PatientID -> what a map gives instead of what the key would
    """

    key: bytes = field(repr=False)
    span: tuple[int, int] = _AUTO
    patients: Mapping[str, Identity] = field(default_factory=dict, repr=False)
    _uids: dict[bytes, bytes] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _hmac(self) -> tuple[Any, Any]:
        """The inner and the outer hash after the key: each use of `hmac` costs thrice its hashing.

        source  RFC 2104
        """
        key = self.key if len(self.key) <= 64 else hashlib.sha256(self.key).digest()
        padded = key.ljust(64, b"\0")
        inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
        return hashlib.sha256(inner), hashlib.sha256(outer)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what no other process can have: it is made again there."""
        return {name: value for name, value in self.__dict__.items() if name != "_hmac"}

    def uid(self, old: bytes) -> bytes:
        """Return the UID that stands for another, 2.25. and 128 bits of HMAC-SHA-256.

        source  PS3.5 B.2, RFC 2104
        """
        new = self._uids.get(old)
        if new is None:
            number = int.from_bytes(self._digest(b"uid", old)[:16], "big")
            new = b"2.25.%d" % number
            if len(self._uids) >= _REMEMBERED:
                self._uids.clear()
            self._uids[old] = new
        return new

    def pseudonym(self, patient: str) -> str:
        """Return what a patient is called: of the map, else 80 bits of HMAC-SHA-256."""
        known = self.patients.get(patient)
        if known is not None and known.pseudonym:
            return known.pseudonym
        digest = self._digest(b"patient", patient.encode("utf-8", "surrogateescape"))
        return "P" + base64.b32encode(digest[:10]).decode("ascii")

    def shift(self, patient: str) -> int:
        """Return the days by which all dates of a patient are shifted."""
        known = self.patients.get(patient)
        if known is not None and known.shift is not None:
            return known.shift
        least, most = self.span
        digest = self._digest(b"shift", patient.encode("utf-8", "surrogateescape"))
        days = least + int.from_bytes(digest[:8], "big") % (most - least + 1)
        return days or (least if least else most)

    def hash(self, value: bytes, length: int = 16) -> bytes:
        """Return capital letters and digits that stand for a value."""
        return base64.b32encode(self._digest(b"hash", value))[:length]

    def _digest(self, purpose: bytes, value: bytes) -> bytes:
        inner, outer = (each.copy() for each in self._hmac)
        inner.update(purpose + b"\0" + value)
        outer.update(inner.digest())
        digest: bytes = outer.digest()
        return digest


def read_key(path: Path | None, environment: Mapping[str, str]) -> bytes | None:
    """Return the key of a file, else that of the environment, else None.

    raises  InputError when the file cannot be read, UsageError when the key is too short
    """
    if path is not None:
        try:
            key = path.read_bytes().strip()
        except OSError as error:
            raise InputError(f"cannot read the key {path}: {error.strerror}") from None
        where = f"the key in {path}"
    else:
        text = environment.get(VARIABLE, "")
        if not text:
            return None
        key, where = os.fsencode(text).strip(), f"the key in ${VARIABLE}"
    if len(key) < _LEAST_KEY:
        raise UsageError(f"{where} has under {_LEAST_KEY} bytes; --save-key makes a good one")
    return key


def new_key() -> bytes:
    """Return a key that nobody has."""
    return secrets.token_hex(32).encode("ascii")


def save_key(path: Path, key: bytes) -> None:
    """Write a key to a new file that only its owner can read; OutputError when it is there."""
    write_secret(path, key + b"\n")


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}") from None


def parse_span(text: str) -> tuple[int, int]:
    """Read `auto`, `DAYS` or `MIN:MAX`; UsageError when it is none."""
    if text == "auto":
        return _AUTO
    first, _, second = text.partition(":")
    try:
        least = int(first)
        most = int(second) if second else least
    except ValueError:
        raise UsageError(f"--date-shift {text}: write auto, DAYS or MIN:MAX") from None
    if least > most or max(abs(least), abs(most)) > 100_000 or least == most == 0:
        raise UsageError(f"--date-shift {text}: MIN is at most MAX, and no shift is none")
    return least, most


def read_patient_map(path: Path) -> dict[str, Identity]:
    """Read lines of old PatientID, new one and, perhaps, days to shift by.

    A first line `old,new` or `old,new,shift` is a header.

    raises  InputError when it cannot be read, UsageError when a line is none
    """
    import csv

    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "it is not CSV in UTF-8"
        raise InputError(f"cannot read {path}: {reason}") from None
    patients: dict[str, Identity] = {}
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row]
        if number == 1 and cells[:2] == ["old", "new"]:
            continue
        try:
            old, new = cells[0], cells[1]
            shift = int(cells[2]) if len(cells) > 2 and cells[2] else None
        except (IndexError, ValueError):
            raise UsageError(f"{path}, line {number}: write old,new or old,new,shift") from None
        is_long = len(new) > 64 or "\\" in new or not new.isascii() or not new.isprintable()
        if old in patients or is_long:
            why = "the patient has a line already" if old in patients else "that is no PatientID"
            raise UsageError(f"{path}, line {number}: {why}")
        patients[old] = Identity(new, shift)
    return patients
