"""Rows of patient, study, series and instance, put in and taken out within a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from pacs_cli.archive.rows import InstanceRow

#: Studies and series whose keys are remembered; far more than are received at the same time.
_CACHED_KEYS = 10_000

_PATIENT = ("patient_name", "patient_birth_date", "patient_sex")
_STUDY = (
    "study_date",
    "study_time",
    "accession_number",
    "study_id",
    "study_description",
    "referring_physician_name",
)
_SERIES = ("modality", "series_number", "series_description", "body_part_examined")

#: What is found on conflict stays: the caller says what is to become of it.
_INSERT = (
    "INSERT INTO instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid, size,"
    " path, source_ae_title, received, version, instance_number, specific_character_set)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_VERSION = (
    "INSERT INTO version (sop_instance_uid, number, study_instance_uid, series_instance_uid,"
    " sop_class_uid, transfer_syntax_uid, size, path, source_ae_title, received)"
)


class Hierarchy:
    """The tables of one connection. The caller has the transaction, and the connection alone.

    Keys of recent studies and series are remembered: `forget` them after a roll-back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._patients: dict[tuple[str, str], int] = {}
        self._studies: dict[str, int] = {}
        self._series: dict[tuple[str, str], int] = {}

    def insert(self, row: InstanceRow) -> bool:
        """Put in a row; return False when there is one of that SOP instance UID already."""
        series = self._series.get((row.study_instance_uid, row.series_instance_uid))
        if series is None:
            series = self._series_key(row)
        attributes = row.attributes
        cursor = self._cursor.execute(
            _INSERT,
            (
                series,
                row.sop_instance_uid,
                row.sop_class_uid,
                row.transfer_syntax_uid,
                row.size,
                row.path,
                row.source_ae_title,
                row.received,
                row.version,
                attributes.get("instance_number"),
                attributes.get("specific_character_set"),
            ),
        )
        if cursor.rowcount:
            return True
        self._drop_empty(series)
        return False

    def remove(self, sop_instance_uid: str) -> None:
        """Take out the row of an object, and what of the levels above it has become empty."""
        deleted = self._connection.execute(
            "DELETE FROM instance WHERE sop_instance_uid = ? RETURNING series", (sop_instance_uid,)
        ).fetchall()
        for (series,) in deleted:
            self._drop_empty(series)

    def insert_version(self, row: InstanceRow) -> bool:
        """Put in an object that is not the newest of its UID; False when its number is taken."""
        cursor = self._connection.execute(
            _INSERT_VERSION + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                row.sop_instance_uid,
                row.version,
                row.study_instance_uid,
                row.series_instance_uid,
                row.sop_class_uid,
                row.transfer_syntax_uid,
                row.size,
                row.path,
                row.source_ae_title,
                row.received,
            ),
        )
        return cursor.rowcount == 1

    def supersede(self, row: InstanceRow) -> None:
        """Put in a row as the newest version; what was it until now becomes an older one."""
        self._connection.execute(
            _INSERT_VERSION + " SELECT sop_instance_uid, version, study_instance_uid,"
            " series_instance_uid, sop_class_uid, transfer_syntax_uid, size, path,"
            " source_ae_title, received FROM instance JOIN series ON series.id = instance.series"
            " JOIN study ON study.id = series.study WHERE sop_instance_uid = ?",
            (row.sop_instance_uid,),
        )
        self.remove(row.sop_instance_uid)
        self.insert(row)

    def forget(self) -> None:
        """Drop the remembered keys."""
        self._patients.clear()
        self._studies.clear()
        self._series.clear()

    def _series_key(self, row: InstanceRow) -> int:
        """Return the key of the row's series, made with its study and patient when new."""
        if len(self._series) >= _CACHED_KEYS:
            self.forget()
        study = self._study_key(row)
        names = {"study": study, "series_instance_uid": row.series_instance_uid}
        key = self._find("series", names) or self._make("series", names, _SERIES, row.attributes)
        self._series[row.study_instance_uid, row.series_instance_uid] = key
        return key

    def _study_key(self, row: InstanceRow) -> int:
        """Return the key of the row's study, which stays with the patient of its first object."""
        key = self._studies.get(row.study_instance_uid)
        if key is None:
            names = {"study_instance_uid": row.study_instance_uid}
            key = self._find("study", names)
            if key is None:
                values = {**names, "patient": self._patient_key(row.attributes)}
                key = self._make("study", values, _STUDY, row.attributes)
            self._studies[row.study_instance_uid] = key
        return key

    def _patient_key(self, attributes: Mapping[str, str]) -> int:
        identity = (attributes.get("patient_id", ""), attributes.get("issuer_of_patient_id", ""))
        key = self._patients.get(identity)
        if key is None:
            names = dict(zip(("patient_id", "issuer_of_patient_id"), identity, strict=True))
            key = self._find("patient", names) or self._make("patient", names, _PATIENT, attributes)
            self._patients[identity] = key
        return key

    def _find(self, table: str, unique: Mapping[str, object]) -> int | None:
        where = " AND ".join(f"{name} = ?" for name in unique)
        found = self._connection.execute(
            f"SELECT id FROM {table} WHERE {where}", tuple(unique.values())
        ).fetchone()
        return int(found[0]) if found else None

    def _make(
        self,
        table: str,
        values: Mapping[str, object],
        columns: tuple[str, ...],
        attributes: Mapping[str, str],
    ) -> int:
        values = {**values, **{name: attributes.get(name) for name in columns}}
        marks = ", ".join("?" * len(values))
        cursor = self._connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid or 0)

    def _drop_empty(self, series: int) -> None:
        """Delete a series without objects, and its study and patient when they have no other."""
        (keys,) = self._connection.execute(
            "SELECT series.id, study.id, patient FROM series JOIN study ON study.id = study"
            " WHERE series.id = ?",
            (series,),
        )
        levels = (("series", "instance"), ("study", "series"), ("patient", "study"))
        for key, (table, below) in zip(keys, levels, strict=True):
            cursor = self._connection.execute(
                f"DELETE FROM {table} WHERE id = ?"
                f" AND NOT EXISTS (SELECT 1 FROM {below} WHERE {table} = ?)",
                (key, key),
            )
            if cursor.rowcount == 0:
                return
            self.forget()
