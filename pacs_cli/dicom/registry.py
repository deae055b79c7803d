"""Names and lists from the field's own tables: UIDs (PS3.6 Annex A) and statuses.

The tables are pydicom's and pynetdicom's; importing them costs tens and hundreds of milliseconds,
so that happens in the function that needs them.
"""

from __future__ import annotations

from functools import cache

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

#: Implicit VR Little Endian with big endian pixels, in old GE archives.
_GE_IMPLICIT = "1.2.840.113619.5.2"

#: Every application has the first (PS3.5 10.1); the second keeps the VRs.
_UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")


def uid_name(uid: str) -> str:
    """Return the name PS3.6 gives a UID, or the UID itself when it has none."""
    if uid == _GE_IMPLICIT:
        return "GE Private Implicit VR Big Endian"
    entry = _uid_dictionary().get(uid)
    return entry[0] if entry else _NEWER.get(uid, uid)


def is_storage_sop_class(uid: str) -> bool:
    """Whether objects of this SOP class are stored with C-STORE (PS3.4 B.5), retired or not."""
    return uid in storage_sop_classes()


@cache
def storage_sop_classes() -> frozenset[str]:
    """Return every storage SOP class of the standard, the retired ones too."""
    named = (
        uid
        for uid, (name, kind, *_) in _uid_dictionary().items()
        if kind == "SOP Class" and "Storage" in name
    )
    return frozenset((*named, *_NEWER)) - _NOT_STORED


@cache
def transfer_syntaxes() -> tuple[str, ...]:
    """Return every transfer syntax of the standard and GE's, the uncompressed ones first."""
    known = (uid for uid, entry in _uid_dictionary().items() if entry[1] == "Transfer Syntax")
    return tuple(dict.fromkeys((*_UNCOMPRESSED, *known, _GE_IMPLICIT)))


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


def _uid_dictionary() -> dict[str, tuple[str, str, str, str, str]]:
    """Return uid -> name, kind, remark, retired, keyword."""
    from pydicom._uid_dict import UID_dictionary

    return UID_dictionary
