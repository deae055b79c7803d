"""A DICOMDIR: what its module and each of its records have to say (PS3.3 Annex F).

Where the records lead, and whether their files are there, is what `pacs index dicomdir` looks at.
"""

from __future__ import annotations

from typing import NamedTuple

from pacs_cli.dicom.dictionary import tags_of_keywords
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.levels import Level

SOP_CLASS = "1.2.840.10008.1.3.10"

_RECORDS, _IN_USE, _TYPE = 0x00041220, 0x00041410, 0x00041430
_FILE_ID, _INSTANCE_IN_FILE, _STUDY_INSTANCE = 0x00041500, 0x00041511, 0x0020000D
_VERIFICATION_FLAG, _VERIFICATION_TIME = 0x0040A493, 0x0040A030

#: File-set ID and the sequence may be empty, the others not (table F.3-3).
_MODULE = {
    0x00041130: False,
    0x00041200: True,
    0x00041202: True,
    0x00041212: True,
    _RECORDS: False,
}
#: Of every record that has not gone; and of one that refers to a file.
_EVERY = (0x00041400, _IN_USE, 0x00041420, _TYPE)
_OF_FILES = (0x00041510, _INSTANCE_IN_FILE, 0x00041512)


class _Keys(NamedTuple):
    """The keys of a record: those of type 1, and those of type 2."""

    section: str
    valued: tuple[int, ...]
    present: tuple[int, ...]


def _keys(section: str, valued: str, present: str = "") -> _Keys:
    tags = tags_of_keywords()
    first, second = (tuple(tags[word] for word in words.split()) for words in (valued, present))
    return _Keys(section, first, second)


_DATED = "InstanceNumber ContentDate ContentTime"
_IDENTIFIED = f"{_DATED} ContentLabel"
_DESCRIBED = "ContentDescription ContentCreatorName"

#: By the type of the record (PS3.3 F.5).
KEYS = {
    "PATIENT": _keys("F.5.1", "PatientID", "PatientName"),
    "STUDY": _keys("F.5.2", "StudyDate StudyTime StudyID", "StudyDescription AccessionNumber"),
    "SERIES": _keys("F.5.3", "Modality SeriesInstanceUID SeriesNumber"),
    "IMAGE": _keys("F.5.4", "InstanceNumber"),
    "RT DOSE": _keys("F.5.19", "InstanceNumber DoseSummationType"),
    "RT STRUCTURE SET": _keys(
        "F.5.20", "InstanceNumber StructureSetLabel", "StructureSetDate StructureSetTime"
    ),
    "RT PLAN": _keys("F.5.21", "InstanceNumber RTPlanLabel", "RTPlanDate RTPlanTime"),
    "RT TREAT RECORD": _keys("F.5.22", "InstanceNumber", "TreatmentDate TreatmentTime"),
    "PRESENTATION": _keys(
        "F.5.23",
        "PresentationCreationDate PresentationCreationTime InstanceNumber ContentLabel",
        _DESCRIBED,
    ),
    "WAVEFORM": _keys("F.5.24", _DATED),
    "SR DOCUMENT": _keys(
        "F.5.25", f"{_DATED} CompletionFlag VerificationFlag ConceptNameCodeSequence"
    ),
    "KEY OBJECT DOC": _keys("F.5.26", f"{_DATED} ConceptNameCodeSequence"),
    "SPECTROSCOPY": _keys(
        "F.5.27", f"{_DATED} ImageType NumberOfFrames Rows Columns DataPointRows DataPointColumns"
    ),
    "RAW DATA": _keys("F.5.28", "ContentDate ContentTime", "InstanceNumber"),
    "REGISTRATION": _keys("F.5.29", _IDENTIFIED, _DESCRIBED),
    "FIDUCIAL": _keys("F.5.30", _IDENTIFIED, _DESCRIBED),
    "HANGING PROTOCOL": _keys(
        "F.5.31",
        "HangingProtocolName HangingProtocolDescription HangingProtocolLevel "
        "HangingProtocolCreator HangingProtocolCreationDateTime "
        "HangingProtocolDefinitionSequence NumberOfPriorsReferenced",
        "HangingProtocolUserIdentificationCodeSequence",
    ),
    "ENCAP DOC": _keys(
        "F.5.32",
        "InstanceNumber MIMETypeOfEncapsulatedDocument",
        "ContentDate ContentTime DocumentTitle ConceptNameCodeSequence",
    ),
    "VALUE MAP": _keys("F.5.34", _IDENTIFIED, _DESCRIBED),
    "PALETTE": _keys("F.5.36", "ContentLabel", "ContentDescription"),
    "IMPLANT": _keys("F.5.37", "Manufacturer ImplantName ImplantPartNumber"),
    "IMPLANT ASSY": _keys(
        "F.5.38", "ImplantAssemblyTemplateName Manufacturer ProcedureTypeCodeSequence"
    ),
    "IMPLANT GROUP": _keys("F.5.39", "ImplantTemplateGroupName ImplantTemplateGroupIssuer"),
    "MEASUREMENT": _keys("F.5.41", _IDENTIFIED, _DESCRIBED),
    "SURFACE": _keys("F.5.42", _IDENTIFIED, _DESCRIBED),
    "SURFACE SCAN": _keys("F.5.43", "ContentDate ContentTime"),
}

#: Those of which no key is demanded, or which came after the edition that the table is of.
_OTHERS = frozenset(
    (
        *("STEREOMETRIC", "PLAN", "PRIVATE"),
        *("TRACT", "ASSESSMENT", "RADIOTHERAPY", "ANNOTATION", "INVENTORY"),
    )
)


class Directory:
    """Looks at the records of a DICOMDIR as they go by."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def check(self, level: Level) -> None:
        """Check a record, or the whole data set."""
        if not level.path:
            self._demand("directory-module", level, _MODULE, "F.3.2.2")
        elif level.path == (_RECORDS,) and level.short(_IN_USE) != 0:
            self._record(level)

    def _record(self, level: Level) -> None:
        self._demand("directory-record", level, dict.fromkeys(_EVERY, True), "F.3.2.2")
        if _FILE_ID in level:
            self._demand("directory-record", level, dict.fromkeys(_OF_FILES, True), "F.3.2.2")
        kind = level.text(_TYPE)
        keys = KEYS.get(kind)
        if keys is None:
            if kind and kind not in _OTHERS:
                place = Place((*level.path, _TYPE), level.items)
                self._findings.add("directory-record-type", place, "no type of PS3.3 F.5")
            return
        wanted = dict.fromkeys(keys.valued, True) | dict.fromkeys(keys.present, False)
        if kind == "STUDY" and _INSTANCE_IN_FILE not in level:
            wanted[_STUDY_INSTANCE] = True
        if kind == "SR DOCUMENT" and level.text(_VERIFICATION_FLAG) == "VERIFIED":
            wanted[_VERIFICATION_TIME] = True
        self._demand("directory-record-key", level, wanted, keys.section, f" of a {kind} record")

    def _demand(
        self, rule: str, level: Level, wanted: dict[int, bool], section: str, what: str = ""
    ) -> None:
        for tag, has_value in wanted.items():
            if tag not in level:
                problem = "missing"
            elif has_value and not level.has_value(tag):
                problem = "empty"
            else:
                continue
            place = Place((*level.path, tag), level.items)
            self._findings.add(rule, place, f"{problem}{what} (PS3.3 {section})")
