"""Extended negotiation of queries: what can be proposed, and what a peer grants.

source  PS3.4 C.5.1.1 (query/retrieve) and K.5.1 (worklist)
"""

from __future__ import annotations

from enum import Enum

from pacs_cli.dicom.query import Model
from pacs_cli.errors import UsageError


class Extension(Enum):
    """What extended negotiation offers; the value is its place in the field (PS3.4 table C.5-1)."""

    RELATIONAL = 0
    DATE_TIME = 1
    FUZZY = 2
    TIME_ZONE = 3

    @property
    def words(self) -> str:
        """What it is called."""
        return _WORDS[self]


_WORDS = {
    Extension.RELATIONAL: "relational queries",
    Extension.DATE_TIME: "combined date and time matching",
    Extension.FUZZY: "fuzzy matching of names",
    Extension.TIME_ZONE: "time zone adjustment",
}


def application_information(model: Model, wanted: frozenset[Extension]) -> bytes:
    """Return what is proposed for the SOP class of a model, empty for nothing.

    raises  UsageError when the model has no such thing
    """
    if not wanted:
        return b""
    size = max(each.value for each in wanted) + 1
    if model is not Model.WORKLIST:
        return bytes(each in wanted for each in list(Extension)[:size])
    if missing := wanted & {Extension.RELATIONAL, Extension.DATE_TIME}:
        words = " and ".join(sorted(each.words for each in missing))
        raise UsageError(f"a worklist has no {words}")
    # K.5.1: the first two are reserved and 1, and three are the least
    rest = [each in wanted for each in (Extension.FUZZY, Extension.TIME_ZONE)]
    return bytes((1, 1, *rest[: size - 2]))


def granted(wanted: frozenset[Extension], answer: bytes | None) -> dict[Extension, bool]:
    """Return which of the wanted the peer grants; without an answer, or in a short one, none."""
    field = (answer or b"").ljust(len(Extension), b"\0")
    return {each: field[each.value] == 1 for each in Extension if each in wanted}
