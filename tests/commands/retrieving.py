"""What the tests of movescu and getscu share: objects, and the answers to a C-FIND before."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable

from pydicom.dataset import Dataset

from pacs_cli.wire.pdu import RELEASE_RP
from tests.dicom.datasets import LITTLE, written
from tests.services.finding import match, read_command, response
from tests.services.misbehaviour import read_message
from tests.services.retrieving import Act, accept
from tests.support import CT
from tests.writing import SERIES, STUDY, dataset

UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")
OBJECTS = [(uid, dataset(CT, uid)) for uid in UIDS]


def identifier(**values: object) -> bytes:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return written(made, LITTLE)


def failed_list(*uids: str) -> bytes:
    return identifier(FailedSOPInstanceUIDList=list(uids))


def parsed(query: bytes) -> Dataset:
    from io import BytesIO

    from pydicom.filereader import read_dataset

    return read_dataset(BytesIO(query), False, True)


#: What a peer says that it has: one study, one series, these images.
def holds(uids: Iterable[str] = UIDS, sop_class: str = CT) -> Callable[[Dataset], list[bytes]]:
    """Answer queries of every level as an archive does that holds these images of one series."""
    images = list(uids)

    def answer(query: Dataset) -> list[bytes]:
        common = {"StudyInstanceUID": STUDY, "PatientID": "TEST-1"}
        if query.QueryRetrieveLevel == "STUDY":
            return [identifier(**common)] if images else []
        common["SeriesInstanceUID"] = SERIES
        if query.QueryRetrieveLevel == "SERIES":
            return [identifier(**common)]
        found = [{**common, "SOPInstanceUID": uid} for uid in images]
        return [identifier(**each, **({"SOPClassUID": sop_class} if sop_class else {}))
                for each in found]  # fmt: skip

    return answer


def finds(
    answer: Callable[[Dataset], list[bytes]], asked: list[Dataset] | None = None, status: int = 0
) -> Act:
    """Serve one association of queries."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        while (request := read_command(sock)) is not None:
            query = parsed(b"".join(pdu[12:] for pdu in read_message(sock)))
            if asked is not None:
                asked.append(query)
            number = request.message_id
            matches = b"".join(match(each, number) for each in answer(query))
            sock.sendall(matches + response(status, number))
        sock.sendall(RELEASE_RP)

    return act
