"""An index that answers queries as a peer does, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.query import Abilities, QueryEngine, read_question
from pacs_cli.dicom.identifier import decode_identifier
from pacs_cli.dicom.query import Model
from pacs_cli.errors import UsageError
from pacs_cli.services.results import FindResponse
from pacs_cli.services.serving import QueryRefused

_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_PENDING, _PENDING_UNSUPPORTED, _CANCELLED = 0xFF00, 0xFF01, 0xFE00


@dataclass(frozen=True, slots=True)
class Place:
    """The index as the one that is asked; shown as its path."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OfflineContext:
    """In what the index is asked and answers."""

    id: int = 1
    transfer_syntax: str = _EXPLICIT_VR_LITTLE_ENDIAN
    result: int = 0


class OfflineSession:
    """What `pipelines.find.Search` needs of a session, answered by an index.

    is_cancelled  looked at every few milliseconds: ends a query as C-CANCEL would
    """

    def __init__(
        self,
        catalog: Catalog,
        model: Model,
        abilities: Abilities,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.target = Place(str(catalog.path))
        self.contexts = {1: OfflineContext()}
        self._model = model
        self._abilities = abilities
        self._is_cancelled = is_cancelled
        self._engine = QueryEngine(catalog.connect, Path(catalog.root))

    def context_for(self, abstract_syntax: str) -> OfflineContext | None:  # noqa: ARG002
        """Return the one context there is."""
        return self.contexts[1]

    def find(
        self, context_id: int, identifier: bytes, limit: int | None = None
    ) -> Iterator[FindResponse]:
        """Yield each match, and last how it ended.

        raises  UsageError when the query is none that the model allows, OutputError when the index
                cannot be read
        """
        syntax = self.contexts[context_id].transfer_syntax
        asked = decode_identifier(identifier, syntax)
        try:
            question = read_question(self._model, asked, self._abilities)
            status = _PENDING_UNSUPPORTED if question.has_unsupported_keys else _PENDING
            answers = self._engine.find(question, self._is_cancelled)
            for number, answer in enumerate(answers, 1):
                yield FindResponse(status, answer.encode(syntax))
                if number == limit:
                    yield FindResponse(_CANCELLED, is_cancelled=True)
                    return
        except QueryRefused as error:
            raise UsageError(f"cannot ask {self.target}: {error.comment}") from None
        is_cancelled = self._is_cancelled()
        yield FindResponse(_CANCELLED if is_cancelled else 0, is_cancelled=is_cancelled)
