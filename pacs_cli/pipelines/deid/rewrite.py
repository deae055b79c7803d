"""One pass over the bytes of a data set that carries out a policy.

What stays is passed on as views of what was read, in runs as long as they come; only what changes
is written anew, and the lengths of the items and sequences around it. The encoding stays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pacs_cli.dicom.dictionary import registered_uids
from pacs_cli.dicom.elements import Element, vr_without, walk
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    EXPLICIT_HEADER,
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    encoding_at,
    encoding_within,
    header_at,
    not_an_element,
    past_end,
    skip,
    tag_text,
    too_deep,
)
from pacs_cli.errors import MalformedDataset
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import Decision, Kind, Level, Mode
from pacs_cli.pipelines.deid.values import (
    cleaned,
    dummy,
    is_age_told,
    is_of_vr,
    padded,
    shifted,
)

_CHARACTER_SET = 0x00080005
_PATIENT_NAME = 0x00100010
_CODING_SCHEME_UID = 0x0008010C
_PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

_CREATOR_MASK, _CREATOR_PATTERN = 0x0001FF00, 0x00010000
_LONG_VRS = frozenset(
    ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
)

#: Bytes of a value that is removed which are kept to be searched for.
_MOST_SEARCHED = 4096

Piece = bytes | memoryview


class Removed(NamedTuple):
    """A value that is gone: what has to be searched for in the end.

    charset  SpecificCharacterSet where it stood, as bytes
    """

    tag: int
    vr: str
    value: bytes
    charset: bytes


@dataclass(frozen=True)
class Subject:
    """Whose object it is: what the key makes of the patient.

    words  in lower case, what is taken out of texts that are cleaned
    """

    keys: Keys
    patient: str
    pseudonym: str
    days: int
    words: Collection[bytes] = ()


#: Cleans a sequence of structured content: the elements from its header on, in an encoding, to what
#: they become; None where the module is not there.
ContentCleaner = Callable[[bytes, Encoding, Subject, list[Removed]], bytes]


#: Tags and elements, as they are written in an encoding.
Additions = Callable[[Encoding], Sequence[tuple[int, bytes]]]


@dataclass
class Rewritten:
    """What became of a data set.

    pieces   in order; views are of what was given, bytes are new
    removed  every value that is not in it any more
    uids     old -> new of all that were replaced
    dropped  tags of the top level that are gone, `emptied` those that have no value any more
    facts    values of the top level that were asked for
    pixels   which of the pieces is the pixel data of the top level, None without
    """

    pieces: list[Piece]
    removed: list[Removed] = field(default_factory=list)
    uids: dict[bytes, bytes] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    emptied: set[int] = field(default_factory=set)
    facts: dict[int, bytes] = field(default_factory=dict)
    pixels: int | None = None


def rewrite(
    data: bytes | bytearray | memoryview,
    encoding: Encoding,
    level: Level,
    subject: Subject,
    additions: Additions | None = None,
    facts: frozenset[int] = frozenset(),
    content: ContentCleaner | None = None,
) -> Rewritten:
    """Carry out a policy on a data set that is not deflated.

    additions  gives the elements that are written whatever was there, by tag and ascending
    facts      tags of the top level whose values are wanted, as they were
    raises     MalformedDataset or TruncatedDataset when it cannot be understood to its end
    """
    view = memoryview(data)
    encoding = encoding_at(view, 0, len(view), encoding)
    rewriting = _Rewriting(view, subject, facts, content)
    if additions is not None:
        rewriting.pending = list(reversed(additions(encoding)))
    place = _Place(encoding, level, 0, b"")
    try:
        pieces, _, stop = rewriting.dataset(0, len(view), True, place)
    except struct.error:
        raise MalformedDataset("the data set ends inside an element") from None
    if stop != len(view):
        raise MalformedDataset(f"the data set ends at byte {stop}, and something follows", stop)
    pieces += [added for _, added in reversed(rewriting.pending)]
    rewriting.done.pieces = pieces
    return rewriting.done


def element(encoding: Encoding, tag: int, vr: str, value: Piece) -> bytes:
    """Return an element, written as a data set is."""
    return header(encoding, tag, vr, len(value)) + value


def header(encoding: Encoding, tag: int, vr: str, length: int) -> bytes:
    """Return tag, VR and length (PS3.5 7.1.2 and 7.1.3)."""
    order = "<" if encoding.little else ">"
    group, number = tag >> 16, tag & 0xFFFF
    if not encoding.explicit:
        return struct.pack(order + "HHL", group, number, length)
    if vr in _LONG_VRS:
        return struct.pack(order + "HH2sxxL", group, number, vr.encode(), length)
    return struct.pack(order + "HH2sH", group, number, vr.encode(), length)


class _Place(NamedTuple):
    """Where in the object a data set stands."""

    encoding: Encoding
    level: Level
    depth: int
    charset: bytes


class _Found(NamedTuple):
    """The header of an element, and where its value is; `stop` is 0 for an undefined length."""

    tag: int
    vr: str
    length: int
    offset: int
    start: int


class _Rewriting:
    """The state of one `rewrite`."""

    def __init__(
        self,
        view: memoryview,
        subject: Subject,
        facts: frozenset[int],
        content: ContentCleaner | None,
    ) -> None:
        self.view = view
        self.done = Rewritten([])
        self.pending: list[tuple[int, bytes]] = []
        self._subject = subject
        self._facts = facts
        self._content = content
        self._left = DEFAULT_BOUNDS.elements

    def dataset(
        self, offset: int, end: int, is_bounded: bool, place: _Place
    ) -> tuple[list[Piece], bool, int]:
        """Return the pieces of a data set, whether anything changed, and the offset past it.

        is_bounded  whether `end` is its own, and not that of what it is in
        """
        view, (encoding, level, depth, charset) = self.view, place
        explicit, little = encoding.explicit, encoding.little
        unpack, table = EXPLICIT_HEADER[little], level.table
        pieces: list[Piece] = []
        creators: dict[int, str] = {}
        kept_blocks: set[int] = set()
        run, began, first = offset, offset, depth == 0
        count = 0
        while offset < end:
            count += 1
            start = offset + 8
            if explicit and start <= end:
                group, number, code, length = unpack(view, offset)
                tag = group << 16 | number
                vr = SHORT_VRS.get(code, "")
                if not vr:
                    tag, vr, length, start = header_at(view, offset, True, little)
            else:
                tag, vr, length, start = header_at(view, offset, False, little)
            if tag >= ITEM:
                break
            if first and self.pending and tag >= self.pending[-1][0]:
                if run < offset:
                    pieces.append(view[run:offset])
                run = offset
                if self._add(tag, pieces):
                    # ours stands instead of it
                    run = offset = self._drop(
                        _Found(tag, vr or vr_without(tag, creators), length, offset, start),
                        end,
                        place._replace(charset=charset),
                    )
                    continue
            entry = table.get(tag)
            if entry is not None and entry[0] == vr:
                decision = entry[1]
                if entry[2] and length != UNDEFINED:
                    offset = start + length
                    if offset > end:
                        raise past_end(tag, offset)
                    continue
            else:
                decision = None
            found = _Found(tag, vr or vr_without(tag, creators), length, offset, start)
            here = place if charset is place.charset else place._replace(charset=charset)
            if tag & 0x10000:
                if tag & _CREATOR_MASK == _CREATOR_PATTERN and length <= end - start:
                    name = bytes(view[start : start + min(length, 64)])
                    if len(creators) < 4096:
                        creators[tag] = name.decode("latin-1").rstrip("\0 ")
                decision = self._private(found, end, here, creators, kept_blocks)
            elif decision is None:
                decision = self._learn(level, found, vr, first)
            new, stop = self._apply(found, decision, end, here)
            if tag == _CHARACTER_SET and new is None:
                charset = bytes(view[start:stop])
            if first and tag in self._facts and length != UNDEFINED:
                self.done.facts[tag] = bytes(view[start:stop])
            if new is not None:
                if run < offset:
                    pieces.append(view[run:offset])
                pieces += new
                run = stop
            elif first and tag in _PIXEL_DATA:
                # a piece of its own
                if run < offset:
                    pieces.append(view[run:offset])
                self.done.pixels = len(pieces)
                pieces.append(view[offset:stop])
                run = stop
            offset = stop
        self._left -= count
        if self._left < 0:
            raise MalformedDataset(f"more than {DEFAULT_BOUNDS.elements} elements", offset)
        if run < offset:
            pieces.append(view[run:offset])
        is_changed = run != began
        return self._closed(pieces, is_changed, offset, end, is_bounded, place)

    def _closed(
        self,
        pieces: list[Piece],
        is_changed: bool,
        offset: int,
        end: int,
        is_bounded: bool,
        place: _Place,
    ) -> tuple[list[Piece], bool, int]:
        """End a data set, at its length or with an item delimiter, which stays as it is."""
        if offset < end or not is_bounded:
            tag, _, _, start = header_at(self.view, offset, False, place.encoding.little)
            if start > end:
                raise past_end(tag, offset)
            is_end = not is_bounded or (start == end and place.depth > 0)
            if tag != ITEM_DELIMITER or not is_end:
                raise not_an_element(tag, offset)
            pieces.append(self.view[offset:start])
            offset = start
        return pieces, is_changed, offset

    def _add(self, tag: int, pieces: list[Piece]) -> bool:
        """Write what comes before a tag; whether it has been written itself."""
        written = -1
        while self.pending and tag >= self.pending[-1][0]:
            written, added = self.pending.pop()
            pieces.append(added)
        return written == tag

    def _learn(self, level: Level, found: _Found, written: str, first: bool) -> Decision:
        """Return the decision for a public element, and remember it."""
        decision = level.decide(found.tag, found.vr)
        is_plain = decision.kind is Kind.KEEP and found.vr not in ("SQ", "UN")
        is_wanted = found.tag == _CHARACTER_SET or (
            first and (found.tag in self._facts or found.tag in _PIXEL_DATA)
        )
        level.learn(found.tag, (written, decision, is_plain and not is_wanted))
        return decision

    def _private(
        self,
        found: _Found,
        end: int,
        place: _Place,
        creators: dict[int, str],
        kept: set[int],
    ) -> Decision:
        """Return the decision for a private element; a creator stays with what stays of its block.

        source  PS3.5 7.8.1
        """
        level, tag = place.level, found.tag
        if tag & _CREATOR_MASK == _CREATOR_PATTERN and tag & 0xFFFF >= 0x10:
            if not level.keeps_private:
                return _CREATOR_REMOVED
            if not kept or max(kept) >> 16 != tag >> 16:
                kept.clear()
                kept.add(tag & 0xFFFF0000)
                kept |= self._kept_blocks(found.offset, end, place)
            return _CREATOR_KEPT if tag in kept else _CREATOR_REMOVED
        creator = creators.get(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8, "")
        return level.decide(tag, found.vr, creator)

    def _kept_blocks(self, offset: int, end: int, place: _Place) -> set[int]:
        """Return the creators in a private group of whose blocks anything stays."""
        view, encoding = self.view, place.encoding
        group, creators, kept = -1, dict[int, str](), set[int]()
        while offset < end:
            tag, vr, length, start = header_at(view, offset, encoding.explicit, encoding.little)
            if tag >= ITEM or (group >= 0 and tag >> 16 != group):
                break
            group = tag >> 16
            self._left -= 1
            if length == UNDEFINED:
                offset = skip(view, start, encoding_within(vr, view, start, encoding))
            else:
                offset = start + length
            if tag & _CREATOR_MASK == _CREATOR_PATTERN:
                name = bytes(view[start : min(offset, start + 64)])
                creators[tag] = name.decode("latin-1").rstrip("\0 ")
                continue
            block = tag & 0xFFFF0000 | (tag & 0xFF00) >> 8
            creator = creators.get(block, "")
            vr = vr or vr_without(tag, creators)
            if creator and place.level.decide(tag, vr, creator).kind is not Kind.REMOVE:
                kept.add(block)
        return kept

    def _apply(
        self, found: _Found, decision: Decision, end: int, place: _Place
    ) -> tuple[list[Piece] | None, int]:
        """Return the pieces that stand for an element, None when it stays, and its end."""
        if found.vr in ("SQ", "UN") or found.length == UNDEFINED or decision.vr == "SQ":
            items = self._items_of(found, end, place)
            if items is not None:
                return self._sequence(found, decision, items, place)
        stop = self._end_of(found, end, place)
        kind = decision.kind
        if kind is Kind.KEEP:
            return None, stop
        if found.length == UNDEFINED:
            # pixel data and what looks like it: there is no value to be made of it
            if found.tag in _PIXEL_DATA and kind is not Kind.REMOVE:
                return None, stop
            return self._gone(found, stop, place), stop
        return self._value(found, decision, stop, place), stop

    def _end_of(self, found: _Found, end: int, place: _Place) -> int:
        if found.length == UNDEFINED:
            within = encoding_within(found.vr, self.view, found.start, place.encoding)
            stop = skip(self.view, found.start, within)
        else:
            stop = found.start + found.length
        if stop > end:
            raise past_end(found.tag, found.offset)
        return stop

    def _items_of(
        self, found: _Found, end: int, place: _Place
    ) -> tuple[Encoding, int, bool] | None:
        """Return the encoding, the end and whether that is known of the items, None for no items.

        A UN of the standard's that is a sequence is one (PS3.5 6.2.2 note 2), and a private one
        that begins as one may be.
        """
        view, encoding = self.view, place.encoding
        if found.length == UNDEFINED:
            encoding = encoding_within(found.vr, view, found.start, encoding)
            if found.vr != "SQ":
                first = header_at(view, found.start, False, encoding.little)[0]
                is_pixels = found.vr in ("OB", "OW") or found.tag in _PIXEL_DATA
                if is_pixels or first not in (ITEM, SEQUENCE_DELIMITER):
                    return None
            return encoding, end, False
        stop = found.start + found.length
        if stop > end:
            raise past_end(found.tag, found.offset)
        if found.vr == "SQ":
            return encoding, stop, True
        if found.length < 8:
            return None
        for little in (True, False):
            if header_at(view, found.start, False, little)[0] == ITEM:
                # each item tells whether it has VRs
                return Encoding(True, little), stop, True
        return None

    def _sequence(
        self,
        found: _Found,
        decision: Decision,
        items: tuple[Encoding, int, bool],
        place: _Place,
    ) -> tuple[list[Piece] | None, int]:
        kind = decision.kind
        encoding, end, is_bounded = items
        if kind in (Kind.REMOVE, Kind.EMPTY, Kind.REPLACE, Kind.HASH, Kind.PSEUDONYM):
            stop = end if is_bounded else skip(self.view, found.start, encoding)
            self._collect(found, stop, encoding, place)
            if kind is Kind.REMOVE:
                self._note(found, place, self.done.dropped)
                return [], stop
            self._note(found, place, self.done.emptied)
            return [element(place.encoding, found.tag, decision.vr, b"")], stop
        if kind is Kind.CONTENT and self._content is not None and place.encoding == encoding:
            stop = end if is_bounded else skip(self.view, found.start, encoding)
            whole = bytes(self.view[found.offset : stop])
            new = self._content(whole, encoding, self._subject, self.done.removed)
            return [memoryview(new)], stop
        if place.depth >= DEFAULT_BOUNDS.depth:
            raise too_deep(DEFAULT_BOUNDS.depth, found.offset)
        mode = place.level.mode
        if kind in (Kind.DUMMY, Kind.CONTENT):
            mode = Mode.DUMMY
        elif kind is Kind.CLEAN:
            mode = Mode.CLEAN
        inner = _Place(encoding, place.level.child(found.tag, mode), place.depth + 1, place.charset)
        pieces, is_changed, stop = self._items(found.start, end, is_bounded, inner)
        if not is_changed:
            return None, stop
        length = UNDEFINED if found.length == UNDEFINED else sum(map(len, pieces))
        written = found.vr if found.vr in _LONG_VRS else "UN"
        return [header(place.encoding, found.tag, written, length), *pieces], stop

    def _items(
        self, offset: int, end: int, is_bounded: bool, place: _Place
    ) -> tuple[list[Piece], bool, int]:
        """Return the pieces of the items of a sequence, as `dataset` does."""
        view, little = self.view, place.encoding.little
        pieces: list[Piece] = []
        any_changed = False
        while not (is_bounded and offset == end):
            tag, _, length, start = header_at(view, offset, False, little)
            self._left -= 1
            if start > end:
                raise past_end(tag, offset)
            if tag == SEQUENCE_DELIMITER and (start == end or not is_bounded):
                pieces.append(view[offset:start])
                offset = start
                break
            if tag != ITEM:
                raise MalformedDataset(f"{tag_text(tag)} at byte {offset} is not an item", offset)
            stop = end if length == UNDEFINED else start + length
            if stop > end:
                raise past_end(tag, offset)
            within = encoding_at(view, start, stop, place.encoding, is_item=True)
            inner, is_changed, after = self.dataset(
                start, stop, length != UNDEFINED, place._replace(encoding=within)
            )
            if is_changed:
                any_changed = True
                size = UNDEFINED if length == UNDEFINED else sum(map(len, inner))
                pieces += [struct.pack("<HHL" if little else ">HHL", 0xFFFE, 0xE000, size), *inner]
            else:
                pieces.append(view[offset:after])
            offset = after
        return pieces, any_changed, offset

    def _value(
        self, found: _Found, decision: Decision, stop: int, place: _Place
    ) -> list[Piece] | None:
        """Return the pieces that stand for an element with a value, None when it stays."""
        value = bytes(self.view[found.start : stop])
        kind, new = decision.kind, None
        vr = decision.vr
        match kind:
            case Kind.UID:
                new = self._uids(value, found.tag)
            case Kind.SHIFT:
                new = shifted(value, vr, self._subject.days)
            case Kind.CHECK_DATE if is_of_vr(value, vr):
                return None
            case Kind.AGE if is_age_told(value):
                return None
            case Kind.CLEAN:
                new = self._text(value, vr)
            case Kind.HASH:
                text = value.strip(b" \0")
                new = padded(self._subject.keys.hash(text), vr) if text else value
            case Kind.REPLACE:
                new = padded(decision.value, vr)
            case Kind.PSEUDONYM:
                new = self._pseudonym(value, found.tag, place)
        if new is not None:
            if new == value:
                return None
            self._removed(found, value, place)
            if not new:
                self._note(found, place, self.done.emptied)
            made = element(place.encoding, found.tag, vr, new)
            return [memoryview(made) if kind is Kind.CLEAN else made]
        if kind in (Kind.SHIFT, Kind.CHECK_DATE, Kind.AGE, Kind.CLEAN):
            kind = decision.fallback
        if kind is Kind.REMOVE:
            return self._gone(found, stop, place)
        self._removed(found, value, place)
        if kind is Kind.EMPTY:
            self._note(found, place, self.done.emptied)
            return [element(place.encoding, found.tag, vr, b"")]
        if vr == "SQ":
            # no items where a sequence should be
            return [element(place.encoding, found.tag, vr, b"")]
        return [element(place.encoding, found.tag, vr, dummy(vr, len(value)))]

    def _gone(self, found: _Found, stop: int, place: _Place) -> list[Piece]:
        self._removed(found, bytes(self.view[found.start : stop][:_MOST_SEARCHED]), place)
        self._note(found, place, self.done.dropped)
        return []

    def _drop(self, found: _Found, end: int, place: _Place) -> int:
        """Leave an element out that is written anew; return its end."""
        items = None
        if found.vr in ("SQ", "UN") or found.length == UNDEFINED:
            items = self._items_of(found, end, place)
        if items is None:
            stop = self._end_of(found, end, place)
            self._removed(found, bytes(self.view[found.start : stop][:_MOST_SEARCHED]), place)
            return stop
        encoding, inside, is_bounded = items
        stop = inside if is_bounded else skip(self.view, found.start, encoding)
        self._collect(found, stop, encoding, place)
        return stop

    def _note(self, found: _Found, place: _Place, tags: set[int]) -> None:
        if place.depth == 0 and not found.tag & 0x10000:
            tags.add(found.tag)

    def _removed(self, found: _Found, value: bytes, place: _Place) -> None:
        if value:
            self.done.removed.append(
                Removed(found.tag, found.vr, value[:_MOST_SEARCHED], place.charset)
            )

    def _collect(self, found: _Found, stop: int, encoding: Encoding, place: _Place) -> None:
        """Note every value in a sequence that goes.

        What cannot be read in it is gone all the same.
        """
        value = self.view[found.start : stop]
        wrapped = header(encoding, 0x00081111, "SQ", len(value) & UNDEFINED - 1) + bytes(value)
        charset = place.charset
        try:
            for event in walk(wrapped, encoding):
                if isinstance(event, Element) and event.value:
                    kept = bytes(event.value[:_MOST_SEARCHED])
                    if event.tag == _CHARACTER_SET:
                        charset = kept
                    else:
                        self.done.removed.append(Removed(event.tag, event.vr, kept, charset))
        except MalformedDataset:
            self.done.removed.append(
                Removed(found.tag, "UN", bytes(value[:_MOST_SEARCHED]), charset)
            )

    def _uids(self, value: bytes, tag: int) -> bytes:
        """Return a value of UIDs with others in their place; well-known ones stay.

        source  PS3.15 E.1, code U
        """
        parts = []
        for part in value.split(b"\\"):
            old = part.strip(b" \0")
            if old and not is_well_known(old, tag):
                part = self._subject.keys.uid(old)
                self.done.uids[old] = part
            parts.append(part)
        new = b"\\".join(parts)
        return new if len(new) % 2 == 0 else new + b"\0"

    def _text(self, value: bytes, vr: str) -> bytes | None:
        """Return text cleaned; None when nothing of it is left."""
        new = cleaned(value, self._subject.words)
        if new == value.strip(b" \0"):
            return value
        return padded(new, vr) if new else None

    def _pseudonym(self, value: bytes, tag: int, place: _Place) -> bytes:
        """Return what the patient is called; another one in a sequence is another one."""
        text = value.strip(b" \0")
        name = self._subject.pseudonym
        if place.depth and text and tag != _PATIENT_NAME:
            other = text.decode("latin-1")
            if other != self._subject.patient:
                name = self._subject.keys.pseudonym(other)
        return padded(name.encode("ascii"), "LO")


_CREATOR_REMOVED = Decision(Kind.REMOVE, "LO", "private")
_CREATOR_KEPT = Decision(Kind.KEEP, "LO", "private, of a block that stays")


def is_well_known(uid: bytes, tag: int = 0) -> bool:
    """Whether a UID is one of the standard's, which tells nothing of anybody (PS3.6 Annex A).

    Those of coding schemes that HL7 has registered count too, where such a one belongs.
    """
    if uid.startswith(b"1.2.840.10008."):
        return uid.decode("latin-1") in registered_uids()
    return tag == _CODING_SCHEME_UID and uid.startswith(b"2.16.840.1.113883.6.")
