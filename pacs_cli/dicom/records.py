"""Which directory record an object has in a DICOMDIR.

source  PS3.3 table F.4-1 and F.5, PS3.4 table B.5-1
"""

from __future__ import annotations

_STORAGE = "1.2.840.10008.5.1.4.1.1."

#: What follows `_STORAGE`, or the whole UID; the longest that fits counts. Others are an IMAGE.
_TYPES = {
    "4.2": "SPECTROSCOPY",
    "9": "WAVEFORM",
    "11": "PRESENTATION",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.4": "IMAGE",
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "66.7": "IMAGE",
    "66.8": "IMAGE",
    "67": "VALUE MAP",
    "68": "SURFACE SCAN",
    "77.1.5.3": "STEREOMETRIC",
    "78": "MEASUREMENT",
    "78.6": "SR DOCUMENT",
    "79": "SR DOCUMENT",
    "80": "MEASUREMENT",
    "88": "SR DOCUMENT",
    "88.59": "KEY OBJECT DOC",
    "90": "ASSESSMENT",
    "104": "ENCAP DOC",
    "131": "PRESENTATION",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN",
    "481.9": "RT TREAT RECORD",
    # the second generation of radiotherapy
    **{f"481.{number}": "RADIOTHERAPY" for number in range(10, 26)},
}

#: Those that are of no patient: their records stand at the root.
_ROOTS = {
    "1.2.840.10008.5.1.4.38.1": "HANGING PROTOCOL",
    "1.2.840.10008.5.1.4.39.1": "PALETTE",
    "1.2.840.10008.5.1.4.43.1": "IMPLANT",
    "1.2.840.10008.5.1.4.44.1": "IMPLANT ASSY",
    "1.2.840.10008.5.1.4.45.1": "IMPLANT GROUP",
}


def record_type(sop_class_uid: str, modality: str = "") -> tuple[str, bool]:
    """Return the type of an object's record, and whether it stands at the root."""
    if sop_class_uid in _ROOTS:
        return _ROOTS[sop_class_uid], True
    if modality in ("RTINTENT", "RTSEGANN", "RTRAD"):
        return "RADIOTHERAPY", False
    if modality == "PLAN":
        return "PLAN", False
    parts = sop_class_uid.removeprefix(_STORAGE).split(".")
    for count in range(len(parts), 0, -1):
        known = _TYPES.get(".".join(parts[:count]))
        if known and sop_class_uid.startswith(_STORAGE):
            return known, False
    return "IMAGE", False
