"""Identifiers of peers: queries of users, answers of providers, reports of commitment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

from pydicom.dataset import Dataset

from pacs_cli.archive.query import Abilities, read_question, read_selection
from pacs_cli.dicom.commitment import (
    Reference,
    Report,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)
from pacs_cli.dicom.identifier import decode_identifier, encode_identifier, read_answer
from pacs_cli.dicom.json_model import dicom_json, flat
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.dicom.query import Model
from pacs_cli.dicom.retrieval import failed_instances
from pacs_cli.errors import InputError
from pacs_cli.services.serving import QueryRefused
from tests.support import CT, EXPLICIT, IMPLICIT

SYNTAXES = (EXPLICIT, IMPLICIT)
ABILITIES = Abilities(True, True, True, no_accents=True)


def made(*keys: str) -> Dataset:
    return assemble([parse_key(key) for key in keys], Dataset())


def seeds() -> Iterator[bytes]:
    query = made(
        *("QueryRetrieveLevel=STUDY", "PatientName=Made*", "StudyDate=20260101-20261231"),
        *("StudyTime=1000-", "ModalitiesInStudy=CT\\MR", "StudyInstanceUID=1.2.3\\1.2.4"),
        *("SpecificCharacterSet=ISO_IR 192", "NumberOfStudyRelatedInstances"),
    )
    report = Report("1.2.9", (Reference(CT, "1.2.3"),), ((Reference(CT, "1.2.4"), 0x0112),))
    for number, syntax in enumerate(SYNTAXES):
        yield bytes((number,)) + encode_identifier(query, syntax)
        yield bytes((2 + number,)) + encode_identifier(query, syntax)
        yield bytes((4 + number,)) + encode_request("1.2.9", [Reference(CT, "1.2.3")], syntax)
        yield bytes((6 + number,)) + encode_report(report, syntax)
        failed = made("FailedSOPInstanceUIDList=1.2.3\\1.2.4")
        yield bytes((8 + number,)) + encode_identifier(failed, syntax)


def check(data: bytes) -> None:
    if not data:
        return
    syntax, body = SYNTAXES[data[0] % 2], data[1:]
    with suppress(InputError, QueryRefused):
        (_asked, _answered, decode_request, decode_report, failed_instances)[data[0] // 2 % 5](
            body, syntax
        )


def _asked(body: bytes, syntax: str) -> None:
    identifier = decode_identifier(body, syntax)
    with suppress(QueryRefused):
        read_selection(Model.STUDY_ROOT, identifier, ABILITIES)
    for model in (Model.STUDY_ROOT, Model.PATIENT_ROOT):
        with suppress(QueryRefused):
            question = read_question(model, identifier, ABILITIES, "MADE_UP")
            assert isinstance(question.where(), str)


def _answered(body: bytes, syntax: str) -> None:
    answer = read_answer(body, syntax)
    json.dumps(flat(answer))
    json.dumps(dicom_json(answer))
