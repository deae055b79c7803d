"""What becomes of one element with a value."""

from __future__ import annotations

import struct
from typing import NamedTuple

from pacs_cli.dicom.dictionary import uid_table
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.pipelines.deid.policy import Decision, Kind
from pacs_cli.pipelines.deid.subject import MOST_SEARCHED, STAYS, Change, Piece, Removed, Subject
from pacs_cli.pipelines.deid.values import cleaned, dummy, is_age_told, is_of_vr, padded, shifted

_PATIENT_NAME = 0x00100010
_CODING_SCHEME_UID = 0x0008010C

LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))


def element(encoding: Encoding, tag: int, vr: str, value: Piece) -> bytes:
    """Return an element, written as a data set is."""
    return header(encoding, tag, vr, len(value)) + value


def header(encoding: Encoding, tag: int, vr: str, length: int) -> bytes:
    """Return tag, VR and length (PS3.5 7.1.2 and 7.1.3)."""
    order = "<" if encoding.little else ">"
    group, number = tag >> 16, tag & 0xFFFF
    if not encoding.explicit:
        return struct.pack(order + "HHL", group, number, length)
    if vr in LONG_VRS:
        return struct.pack(order + "HH2sxxL", group, number, vr.encode(), length)
    return struct.pack(order + "HH2sH", group, number, vr.encode(), length)


class Found(NamedTuple):
    """The header of an element, and where its value is.

    vr  as written, or by the dictionary
    """

    tag: int
    vr: str
    length: int
    offset: int
    start: int


class Context(NamedTuple):
    """Where an element stands."""

    encoding: Encoding
    charset: bytes
    is_top: bool


def changed(
    view: memoryview, found: Found, decision: Decision, subject: Subject, context: Context
) -> Change:
    """Return what becomes of an element with a value.

    view  of what `found` is in
    """
    stop = found.start + found.length
    kind, vr = decision.kind, decision.vr
    if kind is Kind.REMOVE:
        stop = min(stop, found.start + MOST_SEARCHED)
    value = bytes(view[found.start : stop])
    uids: tuple[tuple[bytes, bytes], ...] = ()
    new = None
    match kind:
        case Kind.KEEP:
            return STAYS
        case Kind.CHECK_DATE if is_of_vr(value, vr):
            return STAYS
        case Kind.AGE if is_age_told(value):
            return STAYS
        case Kind.UID:
            new, uids = _uids(value, found.tag, subject)
        case Kind.SHIFT:
            new = shifted(value, vr, subject.days)
        case Kind.CLEAN:
            new = _text(value, vr, subject)
        case Kind.HASH:
            text = value.strip(b" \0")
            new = padded(subject.keys.hash(text), vr) if text else value
        case Kind.REPLACE:
            new = padded(decision.value, vr)
        case Kind.PSEUDONYM:
            new = _pseudonym(value, found.tag, subject, context)
    if new is not None and new == value:
        return STAYS
    removed = Removed(found.tag, found.vr, value[:MOST_SEARCHED], context.charset)
    told = removed if value else None
    if new is None:
        if kind in (Kind.SHIFT, Kind.CHECK_DATE, Kind.AGE, Kind.CLEAN):
            kind = decision.fallback
        if kind is Kind.REMOVE:
            return Change((), kind, told)
        # no items where a sequence should be are no value
        new = b"" if kind is Kind.EMPTY or vr == "SQ" else dummy(vr, len(value))
    made = element(context.encoding, found.tag, vr, new)
    is_cleaned = decision.kind is Kind.CLEAN and kind is Kind.CLEAN
    return Change(
        (memoryview(made) if is_cleaned else made,),
        kind if new else Kind.EMPTY,
        told,
        uids,
    )


def _uids(
    value: bytes, tag: int, subject: Subject
) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Return a value of UIDs with others in their place, and these; well-known ones stay.

    source  PS3.15 E.1, code U
    """
    parts, pairs = [], []
    for part in value.split(b"\\"):
        old = part.strip(b" \0")
        if old and not is_well_known(old, tag):
            part = subject.keys.uid(old)
            pairs.append((old, part))
        parts.append(part)
    new = b"\\".join(parts)
    return (new if len(new) % 2 == 0 else new + b"\0"), tuple(pairs)


def _text(value: bytes, vr: str, subject: Subject) -> bytes | None:
    """Return text cleaned; None when nothing of it is left."""
    new = cleaned(value, subject.words)
    if new == value.strip(b" \0"):
        return value
    return padded(new, vr) if new else None


def _pseudonym(value: bytes, tag: int, subject: Subject, context: Context) -> bytes:
    """Return what the patient is called; another one in a sequence is another one."""
    text = value.strip(b" \0")
    name = subject.pseudonym
    if not context.is_top and text and tag != _PATIENT_NAME:
        other = text.decode("latin-1")
        if other != subject.patient:
            name = subject.keys.pseudonym(other)
    return padded(name.encode("ascii"), "LO")


def is_well_known(uid: bytes, tag: int = 0) -> bool:
    """Whether a UID is one of the standard's, which tells nothing of anybody (PS3.6 Annex A).

    Those of coding schemes that HL7 has registered count too, where such a one belongs.
    """
    if uid.startswith(b"1.2.840.10008."):
        return uid.decode("latin-1") in uid_table()
    return tag == _CODING_SCHEME_UID and uid.startswith(b"2.16.840.1.113883.6.")
