"""Which elements the index keeps, and how their bytes become text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

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
_TAG_OF = {column: tag for tag, column in COLUMNS.items()}

#: Keyword (PS3.6) -> column, of those that are no UIDs of the hierarchy.
KEYWORDS = {
    "SpecificCharacterSet": "specific_character_set",
    "StudyDate": "study_date",
    "StudyTime": "study_time",
    "AccessionNumber": "accession_number",
    "Modality": "modality",
    "ReferringPhysicianName": "referring_physician_name",
    "StudyDescription": "study_description",
    "SeriesDescription": "series_description",
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer_of_patient_id",
    "PatientBirthDate": "patient_birth_date",
    "PatientSex": "patient_sex",
    "BodyPartExamined": "body_part_examined",
    "StudyID": "study_id",
    "SeriesNumber": "series_number",
    "InstanceNumber": "instance_number",
}

#: Those of them whose VR is text in the Specific Character Set (PS3.5 6.1.2.3): LO, PN, SH.
_TEXT = frozenset(
    (
        0x00080050,
        0x00080090,
        0x00081030,
        0x0008103E,
        0x00100010,
        0x00100020,
        0x00100021,
        0x00200010,
    )
)

#: The longest text of a value that is kept; none of these VRs may be longer (PS3.5 table 6.2-1).
_MAX_TEXT = 1024

#: What code extensions cut a value into, and what ends one (PS3.5 6.1.2.5.3).
_PARTS = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_DELIMITER = re.compile(rb"[\\^=]")

#: Any character where the term has a space or an underscore: common, and pydicom takes it too.
_TERM = re.compile(r"ISO.(2022.)?IR.(\d{1,3})")


class Attributes(Mapping[str, str]):
    """Column -> text of the elements that were found; empty ones are not in it.

    Text is decoded by the Specific Character Set (PS3.3 C.12.1.1.2); what cannot be decoded
    becomes a replacement character and never a failure. It is decoded when it is asked for: of an
    object of a series that is known that is hardly anything.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[int, bytes]) -> None:
        self._values = values

    def __getitem__(self, column: str) -> str:
        tag = _TAG_OF[column]
        value = self._values[tag][:_MAX_TEXT]
        character_set = self._values.get(0x00080005, b"") if tag in _TEXT else b""
        text = _decode(value, character_set.decode("latin-1").strip(" \0")).strip(" \0")
        if not text:
            raise KeyError(column)
        return text

    def __iter__(self) -> Iterator[str]:
        return (column for tag in self._values if (column := COLUMNS[tag]) in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def describe(values: Mapping[int, bytes]) -> dict[str, str]:
    """Return column -> text of the elements that were found; see `Attributes`."""
    return dict(Attributes(values))


def uid_of(values: Mapping[int, bytes], tag: int) -> str:
    """Return the text of a UID without its padding, "" when there is none; it may be anything."""
    return values.get(tag, b"").decode("latin-1").strip(" \0")


def _decode(value: bytes, character_set: str) -> str:
    """Decode as pydicom does, which would write a warning with the peer's words to stderr."""
    if not character_set or (value.isascii() and b"\x1b" not in value):
        return value.decode("latin-1")
    from pydicom.charset import CODES_TO_ENCODINGS, default_encoding

    encodings = _encodings(character_set)
    first, text = encodings[0], ""
    for part in _PARTS.findall(value):
        size = 4 if part.startswith((b"\x1b$(", b"\x1b$)")) else 3
        encoding = CODES_TO_ENCODINGS.get(part[:size], "")
        if encoding not in (*encodings, default_encoding):
            text += part.decode(first, "replace")
        elif encoding.startswith("iso2022"):
            # these codecs take the escape sequence themselves
            text += part.decode(encoding, "replace")
        else:
            found = _DELIMITER.search(part, size)
            end = found.start() if found else len(part)
            text += part[size:end].decode(encoding, "replace")
            text += part[end:].decode(first, "replace")
    return text


@lru_cache(maxsize=64)
def _encodings(character_set: str) -> tuple[str, ...]:
    """Return the codecs of a Specific Character Set (PS3.3 table C.12-2 to C.12-5).

    Only of the terms that the standard defines: a peer must not choose a codec such as
    unicode_escape. Any other is the default repertoire.
    """
    from pydicom.charset import STAND_ALONE_ENCODINGS, default_encoding, python_encoding

    terms = [term.strip(" ") for term in character_set.split("\\")]
    for position, term in enumerate(terms):
        if found := _TERM.fullmatch(term):
            terms[position] = ("ISO 2022 IR " if found[1] else "ISO_IR ") + found[2]
    if terms[0] in STAND_ALONE_ENCODINGS:
        terms = terms[:1]
    return tuple(python_encoding.get(term, default_encoding) for term in terms)
