"""Which attributes a query finds in the index: the SQL for each, the levels, how they are joined.

All tables of a level and of those above it are joined, so that an attribute of any of them can be
asked for and matched; only the text here and numbers ever become part of a statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacs_cli.dicom.query import UNIQUE_KEYS, Level

#: The topmost first.
LEVELS = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)

FROM = {
    Level.PATIENT: "patient",
    Level.STUDY: "study JOIN patient ON patient.id = study.patient",
    Level.SERIES: "series JOIN study ON study.id = series.study"
    " JOIN patient ON patient.id = study.patient",
    Level.IMAGE: "instance JOIN series ON series.id = instance.series"
    " JOIN study ON study.id = series.study JOIN patient ON patient.id = study.patient",
}
TABLE = {
    Level.PATIENT: "patient",
    Level.STUDY: "study",
    Level.SERIES: "series",
    Level.IMAGE: "instance",
}

#: The file that stands for an entity: that of the first object of it that came.
PATH = {
    Level.PATIENT: "(SELECT i.path FROM study st JOIN series se ON se.study = st.id"
    " JOIN instance i ON i.series = se.id WHERE st.patient = patient.id LIMIT 1)",
    Level.STUDY: "(SELECT i.path FROM series se JOIN instance i ON i.series = se.id"
    " WHERE se.study = study.id LIMIT 1)",
    Level.SERIES: "(SELECT i.path FROM instance i WHERE i.series = series.id LIMIT 1)",
    Level.IMAGE: "instance.path",
}

_OF_STUDY = "FROM series se WHERE se.study = study.id"
_INSTANCES_OF_STUDY = "FROM series se JOIN instance i ON i.series = se.id WHERE se.study = study.id"
_OF_PATIENT = "FROM study st JOIN series se ON se.study = st.id"


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of the index.

    expression  SQL of its value
    related     of an attribute that is made of many rows: SQL that is true when {} is of one
    inner       and the column of theirs that is matched
    """

    level: Level
    vr: str
    expression: str
    related: str = ""
    inner: str = ""


def _distinct(column: str, rows: str) -> str:
    return (
        f"(SELECT group_concat(v, '\\') FROM (SELECT DISTINCT {column} AS v {rows}"
        f" AND {column} <> '' ORDER BY 1))"
    )


def _column(level: Level, vr: str, name: str) -> Column:
    return Column(level, vr, f"{TABLE[level]}.{name}")


_MODALITIES = Column(
    Level.STUDY,
    "CS",
    _distinct("se.modality", _OF_STUDY),
    f"EXISTS (SELECT 1 {_OF_STUDY} AND {{}})",
    "se.modality",
)
_CLASSES = Column(
    Level.STUDY,
    "UI",
    _distinct("i.sop_class_uid", _INSTANCES_OF_STUDY),
    f"EXISTS (SELECT 1 {_INSTANCES_OF_STUDY} AND {{}})",
    "i.sop_class_uid",
)


def _count(level: Level, rows: str) -> Column:
    return Column(level, "IS", f"(SELECT count(*) {rows})")


#: tag -> where its value is.
COLUMNS: dict[int, Column] = {
    0x00080016: _column(Level.IMAGE, "UI", "sop_class_uid"),
    0x00080018: _column(Level.IMAGE, "UI", "sop_instance_uid"),
    0x00080020: _column(Level.STUDY, "DA", "study_date"),
    0x00080030: _column(Level.STUDY, "TM", "study_time"),
    0x00080050: _column(Level.STUDY, "SH", "accession_number"),
    0x00080060: _column(Level.SERIES, "CS", "modality"),
    0x00080061: _MODALITIES,
    0x00080062: _CLASSES,
    0x00080090: _column(Level.STUDY, "PN", "referring_physician_name"),
    0x00081030: _column(Level.STUDY, "LO", "study_description"),
    0x0008103E: _column(Level.SERIES, "LO", "series_description"),
    0x00100010: _column(Level.PATIENT, "PN", "patient_name"),
    0x00100020: _column(Level.PATIENT, "LO", "patient_id"),
    0x00100021: _column(Level.PATIENT, "LO", "issuer_of_patient_id"),
    0x00100030: _column(Level.PATIENT, "DA", "patient_birth_date"),
    0x00100040: _column(Level.PATIENT, "CS", "patient_sex"),
    0x00180015: _column(Level.SERIES, "CS", "body_part_examined"),
    0x0020000D: _column(Level.STUDY, "UI", "study_instance_uid"),
    0x0020000E: _column(Level.SERIES, "UI", "series_instance_uid"),
    0x00200010: _column(Level.STUDY, "SH", "study_id"),
    0x00200011: _column(Level.SERIES, "IS", "series_number"),
    0x00200013: _column(Level.IMAGE, "IS", "instance_number"),
    0x00201200: _count(Level.PATIENT, "FROM study st WHERE st.patient = patient.id"),
    0x00201202: _count(Level.PATIENT, f"{_OF_PATIENT} WHERE st.patient = patient.id"),
    0x00201204: _count(
        Level.PATIENT,
        f"{_OF_PATIENT} JOIN instance i ON i.series = se.id WHERE st.patient = patient.id",
    ),
    0x00201206: _count(Level.STUDY, _OF_STUDY),
    0x00201208: _count(Level.STUDY, _INSTANCES_OF_STUDY),
    0x00201209: _count(Level.SERIES, "FROM instance i WHERE i.series = series.id"),
}

#: The unique key of each level, as SQL.
UNIQUE = {level: COLUMNS[UNIQUE_KEYS[level]].expression for level in LEVELS}


def is_at_or_above(level: Level, queried: Level) -> bool:
    """Whether an attribute of a level is known of what is queried."""
    return LEVELS.index(level) <= LEVELS.index(queried)
