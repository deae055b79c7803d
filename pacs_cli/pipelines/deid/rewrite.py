"""One pass over the bytes of a data set that carries out a policy.

What stays is passed on as views of what was read, in runs as long as they come; only what changes
is written anew, and the lengths of the items and sequences around it. The encoding stays.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pacs_cli.dicom.elements import Element, walk
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
from pacs_cli.pipelines.deid.changing import LONG_VRS, Context, Found, changed, element, header
from pacs_cli.pipelines.deid.creators import Creators
from pacs_cli.pipelines.deid.parts import Parts
from pacs_cli.pipelines.deid.policy import Decision, Kind, Level, Mode
from pacs_cli.pipelines.deid.subject import (
    MOST_REMEMBERED,
    MOST_SEARCHED,
    Additions,
    Change,
    ContentCleaner,
    Piece,
    Removed,
    Rewritten,
    Subject,
)

_CHARACTER_SET = 0x00080005
_PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

#: ContentSequence, and the content items of a step of a specimen's preparation.
_CONTENT_SEQUENCES = frozenset({0x0040A730, 0x00400612})
#: Bytes of an element of which it is remembered what becomes of it.
_MOST_MEMORABLE = 1024


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
        stop = rewriting.whole(place)
    except struct.error:
        raise MalformedDataset("the data set ends inside an element") from None
    if stop != len(view):
        raise MalformedDataset(f"the data set ends at byte {stop}, and something follows", stop)
    rewriting.done.pieces += [added for _, added in reversed(rewriting.pending)]
    return rewriting.done


class _Place(NamedTuple):
    """Where in the object a data set stands."""

    encoding: Encoding
    level: Level
    depth: int
    charset: bytes


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

    def whole(self, place: _Place) -> int:
        """Rewrite the whole data set, part by part; return the offset past it.

        A part that is the same as in the file before becomes the same.
        """
        total, offset, end = self.done, 0, len(self.view)
        key = (place.level, place.encoding)
        parts = self._subject.parts.get(key)
        if parts is None:
            parts = self._subject.parts[key] = Parts(self.view, place.encoding)
        number = 0
        while number < len(parts.all):
            part, state = parts.all[number], (len(self.pending), place.charset)
            if part.before == state and bytes(self.view[offset : offset + part.size]) == part.raw:
                total.add(part.done)
                offset += part.size
                del self.pending[part.after[0] :]
                if part.after[1] != place.charset:
                    place = place._replace(charset=part.after[1])
            elif parts.open(number):
                continue
            else:
                self.done, began = Rewritten([]), offset
                pieces, _, offset, place = self._elements(offset, end, place, part.until)
                self.done.pieces = pieces
                after = (len(self.pending), place.charset)
                part.keep(self.view[began:offset], self.done, state, after)
                total.add(self.done)
            number += 1
        parts.settle()
        self.done = Rewritten([])
        pieces, _, offset, place = self._elements(offset, end, place, ITEM)
        if self.done.pixels is not None:
            self.done.pixels += len(total.pieces)
        self.done.pieces, _, offset = self._closed(pieces, True, offset, end, True, place)
        total.add(self.done)
        self.done = total
        return offset

    def dataset(
        self, offset: int, end: int, is_bounded: bool, place: _Place
    ) -> tuple[list[Piece], bool, int]:
        """Return the pieces of a data set, whether anything changed, and the offset past it.

        is_bounded  whether `end` is its own, and not that of what it is in
        """
        pieces, is_changed, offset, place = self._elements(offset, end, place, ITEM)
        return self._closed(pieces, is_changed, offset, end, is_bounded, place)

    def _elements(
        self, offset: int, end: int, place: _Place, until: int
    ) -> tuple[list[Piece], bool, int, _Place]:
        """Return the pieces of elements up to a tag or the end, and whether anything changed."""
        view, encoding, table = self.view, place.encoding, place.level.table
        explicit, little = encoding.explicit, encoding.little
        unpack, keeps_private = EXPLICIT_HEADER[little], place.level.keeps_private
        first, pending, memo = place.depth == 0, self.pending, self._memo(place)
        pieces: list[Piece] = []
        creators = Creators()
        run, began, count = offset, offset, 0
        while offset < end:
            count += 1
            start = offset + 8
            if explicit and start <= end:
                group, number, code, length = unpack(view, offset)
                tag, vr = group << 16 | number, SHORT_VRS.get(code, "")
                if not vr:
                    tag, vr, length, start = header_at(view, offset, True, little)
            else:
                tag, vr, length, start = header_at(view, offset, False, little)
            if tag >= until:
                break
            new: Sequence[Piece] | None
            entry = table.get(tag)
            if tag & 0x10000 and not keeps_private:
                stop, new = self._private_run(offset, end, place), ()
            elif first and pending and tag >= pending[-1][0]:
                found = Found(tag, vr, length, offset, start)
                stop, new = self._add(found, end, place, pieces, run)
                run = offset
                if new is None:
                    # others stand before it; now for itself
                    continue
            elif entry is None or entry[0] != vr or length == UNDEFINED:
                found = Found(tag, vr or creators.vr(tag), length, offset, start)
                decision = self._decided(found, end, place, creators)
                new, stop = self._apply(found, decision, end, place)
                if first:
                    new = self._noted(found, new, stop, len(pieces) + (run < offset))
                if tag == _CHARACTER_SET and new is None:
                    place = place._replace(charset=bytes(view[start:stop]))
                    memo = self._memo(place)
            else:
                stop = start + length
                if stop > end:
                    raise past_end(tag, offset)
                if first and tag in self._facts:
                    self.done.facts[tag] = bytes(view[start:stop])
                if entry[2]:
                    offset = stop
                    continue
                raw = bytes(view[offset:stop])
                change = memo.get(raw) or self._change(
                    Found(tag, vr, length, offset, start), entry[1], place, memo, raw
                )
                new = self._carry_out(tag, change, first)
            if new is not None:
                if run < offset:
                    pieces.append(view[run:offset])
                pieces += new
                run = stop
            offset = stop
        if run < offset:
            pieces.append(view[run:offset])
        self._left -= count
        return pieces, run != began, offset, place

    def _noted(
        self, found: Found, new: Sequence[Piece] | None, stop: int, number: int
    ) -> Sequence[Piece] | None:
        """Note an element of the top level that is looked at; pixel data is a piece of its own.

        number  of the piece that it would be
        """
        if found.tag in self._facts and found.length != UNDEFINED:
            self.done.facts[found.tag] = bytes(self.view[found.start : stop])
        if found.tag in _PIXEL_DATA and new is None:
            self.done.pixels = number
            return (self.view[found.offset : stop],)
        return new

    def _memo(self, place: _Place) -> dict[bytes, Change]:
        key = (place.level, place.charset)
        memo = self._subject.memo.get(key)
        if memo is None or len(memo) > MOST_REMEMBERED:
            if len(self._subject.memo) > MOST_REMEMBERED:
                self._subject.memo.clear()
            memo = self._subject.memo[key] = {}
        return memo

    def _private_run(self, offset: int, end: int, place: _Place) -> int:
        """Leave out the private elements of a group that follow each other; return their end."""
        view, (explicit, little) = self.view, (place.encoding.explicit, place.encoding.little)
        unpack, began, this, count = EXPLICIT_HEADER[little], offset, -1, 0
        while offset < end:
            start = offset + 8
            vr = ""
            if explicit and start <= end:
                group, _, code, length = unpack(view, offset)
                vr = SHORT_VRS.get(code, "")
            if not vr:
                tag, vr, length, start = header_at(view, offset, explicit, little)
                group = tag >> 16
            if group != this:
                if this >= 0:
                    break
                this = group
            count += 1
            if length == UNDEFINED:
                within = encoding_within(vr or "UN", view, start, place.encoding)
                offset = skip(view, start, within)
            else:
                offset = start + length
        if offset > end:
            raise past_end(this << 16, began)
        self._left -= count
        if self._left < 0:
            raise MalformedDataset(f"more than {DEFAULT_BOUNDS.elements} elements", offset)
        self.done.private.append((bytes(view[began:offset]), place.encoding, place.charset))
        return offset

    def _decided(self, found: Found, end: int, place: _Place, creators: Creators) -> Decision:
        """Return the decision for an element that is not in the table of its level yet."""
        tag, level = found.tag, place.level
        if not tag & 0x10000:
            decision = level.decide(tag, found.vr)
            is_plain = found.vr not in ("SQ", "UN") and decision.vr != "SQ"
            is_special = tag == _CHARACTER_SET or tag in _PIXEL_DATA
            if is_plain and not is_special:
                written = found.vr if place.encoding.explicit else ""
                level.learn(tag, (written, decision, decision.kind is Kind.KEEP))
            return decision
        if not creators.is_one(tag):
            return level.decide(tag, found.vr, creators.of(tag))
        if found.length <= end - found.start:
            creators.add(tag, bytes(self.view[found.start : found.start + min(found.length, 64)]))
        if tag >> 16 not in creators.looked_at:
            creators.looked_at = {tag >> 16}
            creators.kept = self._kept_blocks(found.offset, end, place)
        return _CREATOR_KEPT if tag in creators.kept else _CREATOR_REMOVED

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
        if self._left < 0:
            raise MalformedDataset(f"more than {DEFAULT_BOUNDS.elements} elements", offset)
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

    def _add(
        self, found: Found, end: int, place: _Place, pieces: list[Piece], run: int
    ) -> tuple[int, Sequence[Piece] | None]:
        """Write what stays before an element from `run` on, and ours before or instead of it.

        Returns its end and nothing where ours stands instead of it, else None.
        """
        written = -1
        if run < found.offset:
            pieces.append(self.view[run : found.offset])
        while self.pending and found.tag >= self.pending[-1][0]:
            written, added = self.pending.pop()
            pieces.append(added)
        if written != found.tag:
            return found.offset, None
        items = None
        if found.vr in ("", "SQ", "UN") or found.length == UNDEFINED:
            items = self._items_of(found, end, place)
        if items is None:
            stop = self._end_of(found, end, place)
            value = bytes(self.view[found.start : min(stop, found.start + MOST_SEARCHED)])
            if value:
                removed = Removed(found.tag, found.vr or "UN", value, place.charset)
                self.done.removed.append(removed)
            return stop, ()
        encoding, inside, is_defined = items
        stop = inside if is_defined else skip(self.view, found.start, encoding)
        self._collect(found, stop, encoding, place)
        return stop, ()

    def _kept_blocks(self, offset: int, end: int, place: _Place) -> set[int]:
        """Return the creators in a private group of whose blocks anything stays."""
        view, encoding = self.view, place.encoding
        group, creators, kept = -1, Creators(), set[int]()
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
            if creators.is_one(tag):
                creators.add(tag, bytes(view[start : min(offset, start + 64)]))
                continue
            creator = creators.of(tag)
            vr = vr or creators.vr(tag)
            if creator and place.level.decide(tag, vr, creator).kind is not Kind.REMOVE:
                kept.add(creators.block(tag))
        return kept

    def _apply(
        self, found: Found, decision: Decision, end: int, place: _Place
    ) -> tuple[Sequence[Piece] | None, int]:
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
            decision = decision._replace(kind=Kind.REMOVE)
        change = self._change(found._replace(length=stop - found.start), decision, place)
        return self._carry_out(found.tag, change, place.depth == 0), stop

    def _end_of(self, found: Found, end: int, place: _Place) -> int:
        if found.length == UNDEFINED:
            within = encoding_within(found.vr, self.view, found.start, place.encoding)
            stop = skip(self.view, found.start, within)
        else:
            stop = found.start + found.length
        if stop > end:
            raise past_end(found.tag, found.offset)
        return stop

    def _items_of(self, found: Found, end: int, place: _Place) -> tuple[Encoding, int, bool] | None:
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
        found: Found,
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
        is_content = place.level.mode is Mode.CONTENT and found.tag in _CONTENT_SEQUENCES
        is_cleaned = kind is Kind.CONTENT and not is_content and place.encoding == encoding
        if is_cleaned and self._content is not None:
            stop = end if is_bounded else skip(self.view, found.start, encoding)
            return self._cleaned(found, stop, place), stop
        if place.depth >= DEFAULT_BOUNDS.depth:
            raise too_deep(DEFAULT_BOUNDS.depth, found.offset)
        mode = place.level.mode
        if mode is Mode.CONTENT:
            mode = Mode.CONTENT if is_content else Mode.NORMAL
        elif kind in (Kind.DUMMY, Kind.CONTENT):
            mode = Mode.DUMMY
        elif kind is Kind.CLEAN:
            mode = Mode.CLEAN
        inner = _Place(encoding, place.level.child(found.tag, mode), place.depth + 1, place.charset)
        pieces, is_changed, stop = self._items(found.start, end, is_bounded, inner)
        if not is_changed:
            return None, stop
        length = UNDEFINED if found.length == UNDEFINED else sum(map(len, pieces))
        written = found.vr if found.vr in LONG_VRS else "UN"
        return [header(place.encoding, found.tag, written, length), *pieces], stop

    def _cleaned(self, found: Found, stop: int, place: _Place) -> list[Piece]:
        """Return a sequence of content items: cleaned by concept, then like any other."""
        assert self._content is not None
        whole, done = bytes(self.view[found.offset : stop]), self.done
        new = memoryview(
            self._content(whole, place.encoding, self._subject, place.charset, done.removed)
        )
        if not new:
            self._note(found, place, done.dropped)
            return []
        inner = _Rewriting(new, self._subject, self._facts, self._content)
        inner.done, inner._left = done, self._left
        tag, vr, length, start = header_at(new, 0, place.encoding.explicit, place.encoding.little)
        level = place.level.child(tag, Mode.CONTENT)
        within = _Place(place.encoding, level, place.depth + 1, place.charset)
        pieces, is_changed, _ = inner._items(start, len(new), length != UNDEFINED, within)
        self._left = inner._left
        if not is_changed:
            return [new]
        size = UNDEFINED if length == UNDEFINED else sum(map(len, pieces))
        return [header(place.encoding, tag, vr or "SQ", size), *pieces]

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

    def _change(
        self,
        found: Found,
        decision: Decision,
        place: _Place,
        memo: dict[bytes, Change] | None = None,
        raw: bytes = b"",
    ) -> Change:
        context = Context(place.encoding, place.charset, place.depth == 0)
        change = changed(self.view, found, decision, self._subject, context)
        if memo is not None and len(raw) <= _MOST_MEMORABLE:
            memo[raw] = change
        return change

    def _carry_out(self, tag: int, change: Change, is_first: bool) -> Sequence[Piece] | None:
        """Note what was changed; return the pieces."""
        done = self.done
        if change.removed is not None:
            done.removed.append(change.removed)
        if change.uids:
            done.uids.update(change.uids)
        if is_first:
            if change.kind is Kind.REMOVE:
                done.dropped.add(tag)
            elif change.kind is Kind.EMPTY:
                done.emptied.add(tag)
        return change.pieces

    def _note(self, found: Found, place: _Place, tags: set[int]) -> None:
        if place.depth == 0 and not found.tag & 0x10000:
            tags.add(found.tag)

    def _collect(self, found: Found, stop: int, encoding: Encoding, place: _Place) -> None:
        """Note every value in a sequence that goes.

        What cannot be read in it is gone all the same.
        """
        value = self.view[found.start : stop]
        wrapped = header(encoding, 0x00081111, "SQ", min(len(value), UNDEFINED - 1)) + bytes(value)
        charset = place.charset
        try:
            for event in walk(wrapped, encoding):
                if isinstance(event, Element) and event.value:
                    kept = bytes(event.value[:MOST_SEARCHED])
                    if event.tag == _CHARACTER_SET:
                        charset = kept
                    else:
                        self.done.removed.append(Removed(event.tag, event.vr, kept, charset))
        except MalformedDataset:
            self.done.removed.append(
                Removed(found.tag, "UN", bytes(value[:MOST_SEARCHED]), charset)
            )


_CREATOR_REMOVED = Decision(Kind.REMOVE, "LO", "private")
_CREATOR_KEPT = Decision(Kind.KEEP, "LO", "private, of a block that stays")
