"""Lists: the CSV of patients, what to retrieve, a query in a file of each kind."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.dicom.query import Model
from pacs_cli.dicom.query_file import read_query
from pacs_cli.dicom.retrieval import parse_wanted
from pacs_cli.errors import InputError, UsageError
from pacs_cli.pipelines.deid.keys import read_patient_map
from tests.dicom.datasets import LITTLE, of_everything
from tests.fuzz.scratch import written
from tests.support import EXPLICIT

MODELS = (Model.STUDY_ROOT, Model.PATIENT_ROOT, Model.WORKLIST)


def seeds() -> Iterator[bytes]:
    yield b'\0old,new,shift\nTEST-1,X-1,-7\n"a,b",X-2,\n'
    yield b"\x011.2.3\n1.2.3 1.2.4 1.2.5\n# nothing\n"
    yield b'\x01{"type": "match", "StudyInstanceUID": "1.2.3", "level": "STUDY"}\n'
    yield b'\x01{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}\n'
    yield b"\x02PatientName=Made*\nStudyDate\n"
    yield b'\x02{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Made^Up"}]}}'
    yield b"\x02" + of_everything(LITTLE)


def check(data: bytes) -> None:
    if not data:
        return
    path = written(data[1:], "list")
    try:
        if data[0] % 3 == 0:
            read_patient_map(path)
        elif data[0] % 3 == 1:
            lines = data[1:].decode("utf-8", "replace").splitlines()
            for _ in parse_wanted(lines, MODELS[data[0] // 3 % 2]):
                pass
        else:
            encode_identifier(read_query(path), EXPLICIT)
    except (UsageError, InputError):
        return
