"""What a provider answers query/retrieve with: the engine behind services.serving.Library."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.archive.answers import Answer, Encoder, failed_list
from pacs_cli.archive.index import Index
from pacs_cli.archive.outgoing import Outgoing
from pacs_cli.archive.query import (
    Abilities,
    QueryEngine,
    Selection,
    read_question,
    read_selection,
)
from pacs_cli.dicom.identifier import decode_identifier
from pacs_cli.dicom.json_model import text_at
from pacs_cli.dicom.query import Model
from pacs_cli.errors import MalformedDataset
from pacs_cli.services.serving import FindAnswers, QueryRefused, QueryRequest

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PENDING, _PENDING_WITH_WARNING = 0xFF00, 0xFF01
_UNABLE_TO_PROCESS = 0xC000
_LEVEL = 0x00080052

_MODELS = {
    model.sop_class_uid[:-1]: model
    for model in (Model.PATIENT_ROOT, Model.STUDY_ROOT, Model.PATIENT_STUDY_ONLY)
}

#: The bytes of the application information (PS3.4 C.5.1.1.1): relational queries, combined
#: date-time, fuzzy names. What comes after them (time zones, frames) is not done.
_RELATIONAL, _DATE_TIME, _FUZZY = range(3)


class ArchiveLibrary:
    """Implements services.serving.Library.

    ae_title  ours, in answers: from which objects can be retrieved
    is_fuzzy  names are compared without marks on letters, and where it is negotiated by the
              beginnings of their words
    """

    def __init__(self, index: Index, root: Path, ae_title: str, is_fuzzy: bool = False) -> None:
        self._index = index
        self._root = root
        self._ae_title = ae_title
        self._is_fuzzy = is_fuzzy
        self._engine = QueryEngine(index.connect, root)

    def negotiate(self, sop_class_uid: str, asked: bytes) -> bytes:
        """Say of each byte that is asked for whether we do it."""
        known = [_RELATIONAL]
        if sop_class_uid.endswith(".1"):
            known = [_RELATIONAL, _DATE_TIME, *([_FUZZY] if self._is_fuzzy else [])]
        return bytes(byte == 1 and position in known for position, byte in enumerate(asked))

    def find(self, request: QueryRequest, is_cancelled: Callable[[], bool]) -> FindAnswers:
        """Return the matches; every object acknowledged before is among them."""
        identifier = _decoded(request)
        question = read_question(
            _MODELS[request.sop_class_uid[:-1]],
            identifier,
            self._abilities(request.negotiated),
            self._ae_title,
        )
        self._index.flush()
        answers = self._engine.find(question, is_cancelled)
        return FindAnswers(
            str(question.level),
            _PENDING_WITH_WARNING if question.has_unsupported_keys else _PENDING,
            _encoded(answers, Encoder(question.outputs, request.transfer_syntax_uid)),
        )

    def retrieve(self, request: QueryRequest, is_cancelled: Callable[[], bool]) -> ArchiveRetrieval:
        """Return what is to be sent."""
        identifier = _decoded(request)
        question = read_selection(
            _MODELS[request.sop_class_uid[:-1]], identifier, self._abilities(request.negotiated)
        )
        self._index.flush()
        selection = self._engine.select(question, is_cancelled)
        level = text_at(identifier, [_LEVEL]).strip(" \0").upper()
        return ArchiveRetrieval(
            self._engine, selection, self._root, level, request.transfer_syntax_uid
        )

    def _abilities(self, negotiated: bytes) -> Abilities:
        flags = [position < len(negotiated) and negotiated[position] == 1 for position in range(3)]
        return Abilities(flags[0], flags[1], flags[2], no_accents=self._is_fuzzy)


class ArchiveRetrieval:
    """Implements services.serving.Retrieval."""

    def __init__(
        self, engine: QueryEngine, selection: Selection, root: Path, level: str, syntax: str
    ) -> None:
        self.level = level
        self.count = len(selection.ids)
        self.contexts = selection.contexts
        self._engine = engine
        self._selection = selection
        self._root = root
        self._syntax = syntax

    def studies(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield study, patient ID, SOP class and how many."""
        return self._engine.studies(self._selection)

    def objects(self) -> Iterator[Outgoing | None]:
        """Yield each object, None for one that is gone."""
        from pacs_cli.pixels.workers import Workers

        # no process is started before something has to be decoded
        with Workers(1) as workers:
            for held in self._engine.held(self._selection):
                yield Outgoing(held, self._root / held.path, workers) if held else None

    def failed_list(self, sop_instance_uids: Sequence[str]) -> bytes:
        """Return the identifier with FailedSOPInstanceUIDList."""
        return failed_list(sop_instance_uids, self._syntax)


def _encoded(answers: Generator[Answer], encoder: Encoder) -> Generator[bytes]:
    with closing(answers):
        for answer in answers:
            yield encoder.encode(answer)


def _decoded(request: QueryRequest) -> Dataset:
    """Return the identifier; raises QueryRefused."""
    try:
        return decode_identifier(request.identifier, request.transfer_syntax_uid)
    except MalformedDataset:
        raise QueryRefused(_UNABLE_TO_PROCESS, "the identifier is no data set") from None
