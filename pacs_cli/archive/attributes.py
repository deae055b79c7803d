"""Which elements the index keeps, and how their bytes become text."""

from __future__ import annotations

from collections.abc import Mapping

#: tag -> column; study, series, instance and sop_class are the UIDs of the hierarchy.
COLUMNS: dict[int, str] = {
    0x00080005: "specific_character_set",
    0x00080016: "sop_class",
    0x00080018: "instance",
    0x00080020: "study_date",
    0x00080030: "study_time",
    0x00080050: "accession_number",
    0x00080060: "modality",
    0x00080090: "referring_physician_name",
    0x00081030: "study_description",
    0x0008103E: "series_description",
    0x00100010: "patient_name",
    0x00100020: "patient_id",
    0x00100021: "issuer_of_patient_id",
    0x00100030: "patient_birth_date",
    0x00100040: "patient_sex",
    0x00180015: "body_part_examined",
    0x0020000D: "study",
    0x0020000E: "series",
    0x00200010: "study_id",
    0x00200011: "series_number",
    0x00200013: "instance_number",
}
TAGS = frozenset(COLUMNS)

#: The longest text of a value that is kept; none of these VRs may be longer (PS3.5 table 6.2-1).
_MAX_TEXT = 1024


def describe(values: Mapping[int, bytes]) -> dict[str, str]:
    """Return column -> text of the elements that `pick` found; empty ones are left out.

    Text is decoded by the Specific Character Set (PS3.3 C.12.1.1.2); what cannot be decoded
    becomes a replacement character and never a failure.
    """
    character_set = values.get(0x00080005, b"").decode("latin-1").strip(" \0")
    texts = {}
    for tag, value in values.items():
        text = _decode(value[:_MAX_TEXT], character_set).strip(" \0")
        if text:
            texts[COLUMNS[tag]] = text
    return texts


def _decode(value: bytes, character_set: str) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        encodings = convert_encodings(character_set.split("\\"))
        # where a code extension ends (PS3.5 6.1.2.5.3); pydicom wants code points
        return decode_bytes(value, encodings, set(map(ord, "\\^=")))
    except (LookupError, ValueError):
        return value.decode("latin-1")
