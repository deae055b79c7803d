"""The search of outputs for what was removed, made once for what is the same in many files.

A patient's files have most values in common, those that go and those that stay. What stays comes in
pieces between what changes; a piece that has been searched for a value needs not be again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.elements import Element, SequenceEnd, SequenceStart, walk
from pacs_cli.dicom.encoding import Encoding, tag_text
from pacs_cli.errors import MalformedDataset
from pacs_cli.pipelines.deid.bookkeeping import OURS
from pacs_cli.pipelines.deid.policy import Kind, Level, Mode
from pacs_cli.pipelines.deid.subject import Rewritten
from pacs_cli.pipelines.deid.verify import (
    Needle,
    Residual,
    is_excused,
    is_for_pixels,
    is_lasting,
    is_standard_code,
    items_in,
    may_be_wide,
    may_have_text,
    needles,
    search,
    search_whole,
)

#: Of values and of pieces, before those of them that need not be kept are forgotten.
_MOST = 4096

#: Between pieces that do not touch: of no character of any set.
_GAP = b"\xff\0\xff"


_CODE_VALUE, _SCHEME, _SCHEME_VERSION, _MEANING = 0x00080100, 0x00080102, 0x00080103, 0x00080104

#: What lets an option or a rule keep a value.
_MEANT = frozenset({Kind.KEEP, Kind.CHECK_DATE, Kind.AGE, Kind.CLEAN})


class Watch:
    """What one patient's outputs are searched for, in one process.

    known   every value of which it is remembered which pieces were searched for it: what is the
            patient's, and what came in more than one file
    """

    def __init__(self) -> None:
        self.lasting: dict[Needle, None] = {}
        self._log: list[Needle] = []
        self._known: set[Needle] = set()
        self._once: set[Needle] = set()
        self._searched: dict[bytes, tuple[int, bool]] = {}
        self._is_ascii = True

    def learn(self, done: Rewritten) -> tuple[set[Needle], tuple[Needle, ...]]:
        """Take in what was removed from an object.

        returns  what came for the first time, or the first time since it was forgotten; and what of
                 it is the patient's and was not known before
        """
        new = needles(done) - self._known
        lasting = []
        for needle in new:
            if is_lasting(needle) and len(self.lasting) < _MOST:
                lasting.append(needle)
            if is_lasting(needle) or needle in self._once:
                self._log.append(needle)
                self._known.add(needle)
        self.lasting.update(dict.fromkeys(lasting))
        if len(self._once) > _MOST:
            self._once.clear()
        self._once |= new
        if len(self._log) > _MOST:
            self._forget()
        self._is_ascii = self._is_ascii and all(
            needle.text.isascii() for needle in new if is_for_pixels(needle)
        )
        return new, tuple(lasting)

    def _forget(self) -> None:
        self._log = list(self.lasting)
        self._known = set(self._log)
        self._searched.clear()

    def wanted(self, done: Rewritten) -> set[Needle]:
        """Return all that an object is to be searched for."""
        return needles(done) | self.lasting.keys()

    def residual(
        self,
        done: Rewritten,
        written: bytes | memoryview,
        offset: int,
        new: set[Needle],
        encoding: Encoding,
        level: Level,
    ) -> str | None:
        """Return where a removed value still stands in an output, None when it stands nowhere.

        written  the file, with the data set from `offset` on; or, inflated, the data set alone.
                 Before and after the pixel data it is known to be what was meant
        new      of `learn`

        What was written anew is not searched: a dummy, a UID or a date that happens to be like one
        that is gone tells nothing. Texts that were cleaned are.
        """
        kept = [*done.kept]
        pixels = None
        for number, piece in enumerate(done.pieces):
            end = offset + len(piece)
            if number == done.pixels:
                # behind its header
                pixels = (offset + 12, end)
            elif isinstance(piece, memoryview):
                whole = piece.obj
                is_whole = isinstance(whole, bytes) and len(whole) == len(piece)
                kept.append(whole if is_whole else bytes(piece))  # type: ignore[arg-type]
            offset = end
        looked_at: set[tuple[Residual, int]] = set()
        for residual, pieces in self._found(kept, new):
            # a number stands in many places, and all of them are looked at the first time
            if (residual, id(pieces)) in looked_at:
                continue
            looked_at.add((residual, id(pieces)))
            if all(
                _may_stay(residual, piece, encoding)
                for piece in pieces
                if residual.text in _narrow(piece)
            ):
                continue
            where = _where(residual, done, encoding, level)
            if where is not None:
                return where
        if len(self._searched) > _MOST:
            self._searched.clear()
        self._remember(kept)
        if pixels is not None and may_have_text(written, *pixels, self._is_ascii):
            wanted = filter(is_for_pixels, self.wanted(done))
            for _ in search_whole(bytes(written[slice(*pixels)]).lower(), wanted):
                return "the pixel data"
        return None

    def _found(self, kept: list[bytes], new: set[Needle]) -> Iterator[tuple[Residual, list[bytes]]]:
        """Yield what is found, and in which pieces it is: of what is new in all of them, of the
        rest where it was not looked for before."""
        for residual in search_whole(_GAP.join(kept).lower(), new):
            yield residual, kept
        unknown = (0, True)
        wide = [piece for piece in kept if self._searched.get(piece, unknown)[1]]
        if wide:
            for residual in search(_GAP.join(wide).lower(), new):
                yield residual, wide
        behind: dict[int, list[bytes]] = {}
        count = len(self._log)
        for piece in kept:
            at = self._searched.get(piece, unknown)[0]
            if at < count:
                behind.setdefault(at, []).append(piece)
        for at, pieces in behind.items():
            for residual in search(_GAP.join(pieces).lower(), self._log[at:]):
                yield residual, pieces

    def _remember(self, kept: list[bytes]) -> None:
        """Note that pieces were searched for all that is known, and whether UTF-16 is in them."""
        count = len(self._log)
        for piece in kept:
            was = self._searched.get(piece)
            if was is None or was[0] < count:
                is_wide = may_be_wide(piece) if was is None else was[1]
                self._searched[piece] = (count, is_wide)


def _narrow(piece: bytes) -> bytes:
    """Return a piece in lower case, and once more without zeros, for what stands in UTF-16."""
    lowered = piece.lower()
    return lowered + _GAP + lowered.replace(b"\0", b"")


def _may_stay(residual: Residual, piece: bytes, encoding: Encoding) -> bool:
    """Whether a removed value stands in a run of elements, and only where it may by chance.

    A first look, and a cheap one: what is no run of whole elements is told by `_where`.
    """
    wanted = (Needle(residual.text, residual.kind),)
    is_found = False
    try:
        for event in walk(piece, encoding):
            if isinstance(event, Element):
                value = bytes(event.value).lower()
                if any(search(value, wanted)):
                    if not is_excused(residual, event.tag, event.vr, value):
                        return False
                    is_found = True
    except MalformedDataset:
        return False
    return is_found


def _where(residual: Residual, done: Rewritten, encoding: Encoding, level: Level) -> str | None:
    """Return the element a removed value stands in, None when it may stand there.

    It may where an option or a rule keeps just this value, whatever else it stood in.
    """
    wanted = (Needle(residual.text, residual.kind),)
    header = b"".join(done.pieces[: done.pixels])
    rest = b"" if done.pixels is None else b"".join(done.pieces[done.pixels + 1 :])
    code: dict[int, bytes] = {}
    for found, where in _elements(header + rest, encoding, level):
        value = bytes(found.value).lower()
        if found.tag == _CODE_VALUE:
            code = {_CODE_VALUE: bytes(found.value)}
        elif found.tag == _SCHEME and _SCHEME not in code:
            code[_SCHEME] = bytes(found.value)
        elif found.tag not in (_SCHEME_VERSION, _MEANING):
            code = {}
        if not any(search(value, wanted)) or is_excused(residual, found.tag, found.vr, value):
            continue
        if found.tag == _MEANING and is_standard_code(*code.values(), bytes(found.value)):
            continue
        decision = where.decide(found.tag, found.vr)
        is_meant = decision.is_listed and decision.kind in _MEANT
        if is_meant and residual.text in [part.strip(b" \0") for part in value.split(b"\\")]:
            continue
        return keyword_at(found.tag) or tag_text(found.tag)
    return None


def _elements(data: bytes, encoding: Encoding, level: Level) -> Iterator[tuple[Element, Level]]:
    """Yield what has a value and is not ours, also in a sequence that is written as UN."""
    levels = [level]
    for event in walk(data, encoding):
        if isinstance(event, SequenceStart):
            levels.append(levels[-1].child(event.tag, Mode.NORMAL))
        elif isinstance(event, SequenceEnd):
            levels.pop()
        elif isinstance(event, Element) and event.tag not in OURS:
            items = items_in(event)
            if items is None:
                yield event, levels[-1]
            else:
                inner = levels[-1].child(event.tag, Mode.NORMAL)
                yield from ((found, inner) for found, _ in _elements(*items, inner))
