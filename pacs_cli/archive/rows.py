"""What the index keeps of an object, and what it tells of a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class InstanceRow:
    """What the index keeps of one stored object; not changed once it is placed.

    size        bytes of the data set
    path        below the archive's root, given by `Layout.place`
    received    seconds since the epoch
    attributes  column -> text of the columns of all four levels, absent ones left out
    version     counts the objects of one SOP instance UID that are kept, from 1
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int
    path: str
    source_ae_title: str
    received: float
    attributes: Mapping[str, str]
    version: int = 1


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One line of the listing: a series with the study and patient it belongs to."""

    patient_id: str
    patient_name: str | None
    study_instance_uid: str
    study_date: str | None
    study_description: str | None
    series_instance_uid: str
    modality: str | None
    series_description: str | None
    instances: int
    size: int
