"""Whose object it is that is rewritten, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pacs_cli.dicom.encoding import Encoding
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import Kind, Level

if TYPE_CHECKING:
    from pacs_cli.pipelines.deid.parts import Parts

#: Bytes of a value that is removed which are kept to be searched for.
MOST_SEARCHED = 4096

#: Of elements and places, before what is remembered of a patient is forgotten.
MOST_REMEMBERED = 4096

Piece = bytes | memoryview


class Removed(NamedTuple):
    """A value that is gone: what has to be searched for in the end.

    charset  SpecificCharacterSet where it stood, as bytes
    """

    tag: int
    vr: str
    value: bytes
    charset: bytes


class Change(NamedTuple):
    """What becomes of an element with a value.

    pieces   that stand for it, None when it stays as it is
    kind     REMOVE when it is gone, EMPTY when it has no value any more, else anything
    removed  None when there was no value
    """

    pieces: tuple[Piece, ...] | None
    kind: Kind = Kind.KEEP
    removed: Removed | None = None
    uids: tuple[tuple[bytes, bytes], ...] = ()


STAYS = Change(None)


@dataclass(frozen=True)
class Subject:
    """Whose object it is: what the key makes of the patient.

    words  in lower case, what is taken out of texts that are cleaned
    memo   what became of elements of the patient, by place and character set, then by their bytes:
           in a series most are the same in every file
    parts  what became of parts of the top level in the last file, by kind and encoding
    """

    keys: Keys
    patient: str
    pseudonym: str
    days: int
    words: Collection[bytes] = ()
    memo: dict[tuple[Level, bytes], dict[bytes, Change]] = field(
        default_factory=dict, repr=False, compare=False
    )
    parts: dict[tuple[Level, Encoding], Parts] = field(
        default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def opaque(self) -> bytes:
        """What tells the patient from others, and not who it is."""
        return self.keys.hash(b"patient\0" + self.patient.encode("latin-1", "replace"))


#: Cleans a sequence of structured content: from its header on, in an encoding and character set, to
#: what becomes of it, b"" for nothing. What is gone is added to the list.
ContentCleaner = Callable[[bytes, Encoding, Subject, bytes, list[Removed]], bytes]


#: Tags and elements, as they are written in an encoding.
Additions = Callable[[Encoding], Sequence[tuple[int, bytes]]]


@dataclass
class Rewritten:
    """What became of a data set.

    pieces   in order; views are of what was given, bytes are new
    removed  every value that is not in it any more, but those of
    private  runs of private elements of a group that are gone, how they are written, and their
             character set
    uids     old -> new of all that were replaced
    dropped  tags of the top level that are gone, `emptied` those that have no value any more
    facts    values of the top level that were asked for
    pixels   which of the pieces is the pixel data of the top level, None without
    kept     what stays that is not a piece of its own
    lasting  what became of parts that are the same in many files: `removed` and `private` are
             theirs too
    needles  of such a part, once it is known
    """

    pieces: list[Piece]
    removed: list[Removed] = field(default_factory=list)
    private: list[tuple[bytes, Encoding, bytes]] = field(default_factory=list)
    uids: dict[bytes, bytes] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    emptied: set[int] = field(default_factory=set)
    facts: dict[int, bytes] = field(default_factory=dict)
    pixels: int | None = None
    kept: list[bytes] = field(default_factory=list)
    is_lasting: bool = False
    lasting: list[Rewritten] = field(default_factory=list)
    needles: frozenset[Any] | None = None

    def all_removed(self) -> list[Removed]:
        """Return every value that is gone, but those of private runs."""
        return [*self.removed, *(each for part in self.lasting for each in part.removed)]

    def all_private(self) -> list[tuple[bytes, Encoding, bytes]]:
        """Return every run of private elements that is gone."""
        return [*self.private, *(each for part in self.lasting for each in part.private)]

    def add(self, other: Rewritten) -> None:
        """Take in what became of the part that follows."""
        self.pieces += other.pieces
        if other.kept:
            self.kept += other.kept
        if other.is_lasting:
            self.lasting.append(other)
        else:
            if other.removed:
                self.removed += other.removed
            if other.private:
                self.private += other.private
        if other.uids:
            self.uids.update(other.uids)
        if other.dropped:
            self.dropped |= other.dropped
        if other.emptied:
            self.emptied |= other.emptied
        if other.facts:
            self.facts.update(other.facts)
        if other.pixels is not None:
            self.pixels = other.pixels
