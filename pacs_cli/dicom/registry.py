"""Names and lists from the field's own tables: UIDs (PS3.6 Annex A) and statuses.

The tables are pydicom's and pynetdicom's; importing them costs tens and hundreds of milliseconds,
so that happens in the function that needs them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

from pacs_cli.dicom.dictionary import uid_table
from pacs_cli.errors import UsageError

#: Named "Storage" in PS3.6, but not what a C-STORE carries: two services and the DICOMDIR.
_NOT_STORED = frozenset(
    {
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
        "1.2.840.10008.1.3.10",  # Media Storage Directory
    }
)

#: In PS3.6 since 2023 and 2024, and not yet in pydicom 3.0.
_NEWER = {
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
}

#: The same of transfer syntaxes, since 2024 and 2025; pynetdicom adds the first three to pydicom's.
_NEWER_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}

#: Implicit VR Little Endian with big endian pixels, in old GE archives.
_GE_IMPLICIT = "1.2.840.113619.5.2"

#: Every application has the first (PS3.5 10.1); the second keeps the VRs.
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")

#: What most storage SOP classes begin with.
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1"

#: Modality (the defined terms of PS3.3 C.7.3.1.1.1, and the four at the end, which people write
#: as if they were) -> its storage SOP classes below the root (PS3.6 A), the retired ones too.
_MODALITIES = {
    "ANN": "91.1",
    "AR": "78.2",
    "ASMT": "90.1",
    "AU": "9.4.1 9.4.2",
    "CFM": "77.1.8 77.1.9",
    "CR": "1",
    "CT": "2 2.1 2.2",
    "DMS": "77.1.7",
    "DOC": "104.1 104.2",
    "DX": "1.1 1.1.1",
    "ECG": "9.1.1 9.1.2 9.1.3 9.1.4",
    "EEG": "9.7.1 9.7.4",
    "EMG": "9.7.2",
    "EOG": "9.7.3",
    "EPS": "9.3.1",
    "ES": "77.1.1 77.1.1.1",
    "FID": "66.2",
    "GM": "77.1.2 77.1.2.1",
    "HD": "9.2.1",
    "IO": "1.3 1.3.1",
    "IOL": "78.8",
    "IVOCT": "14.1 14.2",
    "KER": "78.3",
    "KO": "88.59",
    "LEN": "78.1",
    "M3D": "104.3 104.4 104.5",
    "MG": "1.2 1.2.1 13.1.3 13.1.4 13.1.5",
    "MR": "4 4.1 4.2 4.3 4.4",
    "NM": "5 20",
    "OAM": "78.7",
    "OP": "77.1.5.1 77.1.5.2 77.1.5.5 77.1.5.6",
    "OPM": "81.1",
    "OPT": "77.1.5.4",
    "OPTBSV": "77.1.5.8",
    "OPTENF": "77.1.5.7",
    "OPV": "80.1",
    "OSS": "68.1 68.2",
    "PA": "6.3",
    "POS": "9.8.1",
    "PR": "9.100.1 9.100.2 11.1 11.2 11.3 11.4 11.5 11.6 11.7 11.8 11.9 11.10 11.11 11.12",
    "PT": "128 128.1 130",
    "REG": "66.1 66.3",
    "RESP": "9.6.1 9.6.2",
    "RF": "12.2 12.2.1",
    "RTDOSE": "481.2",
    "RTIMAGE": "481.1 481.23 481.24",
    "RTINTENT": "481.10",
    "RTPLAN": "481.5 481.8",
    "RTRAD": "481.13 481.14 481.15",
    "RTRECORD": "481.4 481.6 481.7 481.9 481.16 481.17 481.18 481.19 481.20",
    "RTSEGANN": "481.11",
    "RTSTRUCT": "481.3",
    "RWV": "67",
    "SEG": "66.4 66.5 66.7 66.8",
    "SM": "77.1.3 77.1.6",
    "SR": "78.6 79.1 88.1 88.2 88.3 88.4 88.11 88.22 88.33 88.34 88.35 88.40 88.50 88.65 88.67 "
    "88.68 88.69 88.70 88.71 88.72 88.73 88.74 88.75 88.76 88.77",
    "SRF": "78.4",
    "US": "3 3.1 6 6.1 6.2",
    "VA": "78.5",
    "XA": "12.1 12.1.1 12.3 13.1.1",
    "XC": "77.1.4 77.1.4.1",
    "PDF": "104.1",
    "PET": "128 128.1 130",
    "RAW": "66",
    "SC": "7 7.1 7.2 7.3 7.4",
}

#: The short names of transfer syntaxes, the same in every command.
_SHORT_SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg-extended": "1.2.840.10008.1.2.4.51",
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-lossless-57": "1.2.840.10008.1.2.4.57",
    "jpegls": "1.2.840.10008.1.2.4.80",
    "jpegls-near": "1.2.840.10008.1.2.4.81",
    "j2k": "1.2.840.10008.1.2.4.90",
    "j2k-lossy": "1.2.840.10008.1.2.4.91",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "htj2k-rpcl": "1.2.840.10008.1.2.4.202",
    "htj2k-lossy": "1.2.840.10008.1.2.4.203",
    "jpegxl": "1.2.840.10008.1.2.4.110",
    "jpegxl-recompress": "1.2.840.10008.1.2.4.111",
    "jpegxl-lossy": "1.2.840.10008.1.2.4.112",
    "deflated-frame": "1.2.840.10008.1.2.8.1",
}

# PS3.5 9.1, without its rule against leading zeros, which old software breaks
_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")


def uid_name(uid: str) -> str:
    """Return the name PS3.6 gives a UID, or the UID itself when it has none."""
    if uid == _GE_IMPLICIT:
        return "GE Private Implicit VR Big Endian"
    entry = uid_table().get(uid)
    return entry[0] if entry else (_NEWER | _NEWER_SYNTAXES).get(uid, uid)


def is_storage_sop_class(uid: str) -> bool:
    """Whether objects of this SOP class are stored with C-STORE (PS3.4 B.5), retired or not."""
    return uid in storage_sop_classes()


@cache
def storage_sop_classes() -> frozenset[str]:
    """Return every storage SOP class of the standard, the retired ones too."""
    named = (
        uid
        for uid, (name, kind, *_) in uid_table().items()
        if kind == "SOP Class" and "Storage" in name
    )
    return frozenset((*named, *_NEWER)) - _NOT_STORED


@cache
def transfer_syntaxes() -> tuple[str, ...]:
    """Return every transfer syntax of the standard and GE's, the uncompressed ones first."""
    known = (uid for uid, entry in uid_table().items() if entry[1] == "Transfer Syntax")
    return tuple(dict.fromkeys((*_UNCOMPRESSED, *known, *_NEWER_SYNTAXES, _GE_IMPLICIT)))


@cache
def non_storage_uids() -> frozenset[str]:
    """Return every UID of the standard that no C-STORE carries: other services and what is none."""
    return frozenset(uid_table()) - storage_sop_classes()


def sop_class_uids(name: str) -> tuple[str, ...]:
    """Return the storage SOP classes that a name means, in the order of PS3.6.

    name    a modality for all of its SOP classes (CT: also the enhanced ones), a keyword of PS3.6
            (CTImageStorage), both in any case, or a UID; a private one is taken as it is
    raises  UsageError naming the nearest known name
    """
    if classes := _MODALITIES.get(name.upper()):
        return tuple(f"{_STORAGE_ROOT}.{each}" for each in classes.split())
    keywords = _keywords(storage_sop_classes())
    uid = keywords.get(name.lower()) or _given_uid(name, storage_sop_classes(), "storage SOP class")
    if uid is None:
        known = (*_MODALITIES, *map(_keyword, storage_sop_classes()))
        raise _unknown("storage SOP class", name, known)
    return (uid,)


def modality_of(sop_class_uid: str) -> str:
    """Return the modality whose objects a storage SOP class has; "" for one of no modality."""
    return _modalities().get(sop_class_uid, "")


def transfer_syntax_uid(name: str) -> str:
    """Return the transfer syntax that a name means.

    name    a short name (j2k, jpegls, rle), a keyword of PS3.6 (JPEG2000Lossless), both in any
            case, or a UID; a private one is taken as it is
    raises  UsageError naming the nearest known name. HTJ2K and JPEGXL too: as keywords they are
            the lossy syntaxes, while the short names htj2k and jpegxl are the lossless ones
    """
    short = _SHORT_SYNTAXES.get(name.lower())
    keyword = _keywords(transfer_syntaxes()).get(name.lower())
    if short and keyword and name not in _SHORT_SYNTAXES:
        raise UsageError(
            f"transfer syntax {name} can be two things; write {name.lower()} for {uid_name(short)} "
            f"or {name.lower()}-lossy for {uid_name(keyword)}"
        )
    uid = short or keyword or _given_uid(name, transfer_syntaxes(), "transfer syntax")
    if uid is None:
        known = (*_SHORT_SYNTAXES, *map(_keyword, transfer_syntaxes()))
        raise _unknown("transfer syntax", name, known)
    return uid


def short_syntax_name(uid: str) -> str:
    """Return the short name of a transfer syntax, or what PS3.6 calls it."""
    names = (name for name, known in _SHORT_SYNTAXES.items() if known == uid)
    return next(names, uid_name(uid))


def short_syntaxes() -> tuple[str, ...]:
    """Return the short names of the transfer syntaxes."""
    return tuple(_SHORT_SYNTAXES)


def modalities() -> tuple[str, ...]:
    """Return the modalities that stand for their storage SOP classes."""
    return tuple(_MODALITIES)


def status_meaning(status: int) -> str:
    """Return what a DIMSE status says, in the words of the standard (PS3.7 C, PS3.4 B, C and W).

    Where services use one status for different things, C-STORE's meaning is given.
    """
    from pynetdicom import status as tables

    services = (
        tables.STORAGE_SERVICE_CLASS_STATUS,
        tables.GENERAL_STATUS,
        tables.QR_FIND_SERVICE_CLASS_STATUS,
        tables.QR_MOVE_SERVICE_CLASS_STATUS,
        tables.QR_GET_SERVICE_CLASS_STATUS,
    )
    for table in services:
        if status in table:
            category, meaning = table[status]
            return f"{category}: {meaning}" if meaning else str(category)
    return f"unknown status {status:04X}"


@cache
def _modalities() -> dict[str, str]:
    """SOP class -> modality, the first that has it."""
    found: dict[str, str] = {}
    for modality, numbers in _MODALITIES.items():
        for number in numbers.split():
            found.setdefault(f"{_STORAGE_ROOT}.{number}", modality)
    return found


def _keyword(uid: str) -> str:
    """Return the keyword of PS3.6; where pydicom has none it is the name without the spaces."""
    entry = uid_table().get(uid)
    return (entry[4] if entry else "") or "".join(uid_name(uid).split())


def _keywords(uids: Iterable[str]) -> dict[str, str]:
    return {_keyword(uid).lower(): uid for uid in uids}


def _given_uid(name: str, known: Iterable[str], kind: str) -> str | None:
    """Return `name` when it is a UID; one that the standard gives to something else is an error."""
    if not _UID.fullmatch(name):
        return None
    if name not in known and name in uid_table():
        raise UsageError(f"{name} is {uid_name(name)}, no {kind}")
    return name


def _unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    # the sets behind it have no order, and two names may be equally near
    names = {each.lower(): each for each in sorted(known)}
    nearest = get_close_matches(name.lower(), names, n=1)
    hint = f"; did you mean {names[nearest[0]]}?" if nearest else ""
    return UsageError(f"unknown {kind} {name!r}{hint}")
