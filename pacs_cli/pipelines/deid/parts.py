"""The top level of an object in parts, each compared with that of the file before.

In a series most elements are the same in every file. One costs a microsecond or two to rewrite and
as much to search; comparing a part costs a third of one, however long it is. So what changes from
file to file is parted from what does not, and what does not becomes one part with all that is known
of it: what is written, what is searched, and what is searched for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pacs_cli.dicom.encoding import UNDEFINED, Encoding, encoding_within, header_at, skip
from pacs_cli.pipelines.deid.subject import Rewritten

#: Elements of a part at first, and how many parts there are.
_IN_PART, _MOST_PARTS = 8, 256
_FIRST_PIXELS = 0x7FE00000

#: Bytes of a part that is compared as a whole.
_MOST_COMPARED = 64 * 1024

#: Files after which what has changed is parted from what has not; later after each of the last.
_SETTLED_AFTER = (3, 6, 12, 64)

#: How many additions are to be made, and which character set counts.
State = tuple[int, bytes]


@dataclass
class Part:
    """Some elements of the top level that follow each other, as they were in the last file.

    until    the tag at which they end
    raw      their bytes, `size` of them, and `done` what became of these
    before   the state before it, and after it
    changes  how often they were others since it was looked at
    inner    the parts that it was made of
    """

    until: int
    raw: bytes = b""
    size: int = 0
    done: Rewritten = field(default_factory=lambda: Rewritten([]))
    before: State = (-1, b"")
    after: State = (-1, b"")
    changes: int = 0
    inner: list[Part] = field(default_factory=list)

    def keep(self, raw: memoryview, done: Rewritten, before: State, after: State) -> None:
        """Remember what became of it, unless it is too long."""
        self.changes += 1
        if len(raw) > _MOST_COMPARED:
            return
        self.raw, self.size = bytes(raw), len(raw)
        self.before, self.after = before, after
        # of the file nothing may be held
        done.pieces = [
            piece if isinstance(piece, bytes) else memoryview(bytes(piece)) for piece in done.pieces
        ]
        self.done = done


class Parts:
    """The parts of the top level of the objects of a kind, in order."""

    def __init__(self, view: memoryview, encoding: Encoding) -> None:
        self._encoding = encoding
        self._files = 0
        self.all = [Part(tag) for tag in [*_bounds(view, encoding, _IN_PART), _FIRST_PIXELS]]

    def open(self, number: int) -> bool:
        """Put the parts that a part was made of in its place; False when it was made of none."""
        inner = self.all[number].inner
        if inner:
            self.all[number : number + 1] = inner
        return bool(inner)

    def settle(self) -> None:
        """Take in that a file is done, and part what changes from what stays now and then."""
        self._files += 1
        every = _SETTLED_AFTER[-1]
        if self._files not in _SETTLED_AFTER and self._files % every:
            return
        settled: list[Part] = []
        run: list[Part] = []
        for part in self.all:
            is_fit = sum(each.size for each in run) + part.size <= _MOST_COMPARED
            if not part.changes and part.before[0] >= 0 and is_fit:
                run.append(part)
                continue
            settled += _merged(run)
            run = []
            settled += self._split(part) if part.changes > 1 else [part]
        self.all = [*settled, *_merged(run)]
        for part in self.all:
            part.changes = 0

    def _split(self, part: Part) -> list[Part]:
        """Return a part for each element of one; a private group stays together."""
        if len(self.all) > _MOST_PARTS:
            return [part]
        tags = [tag for tag in _bounds(memoryview(part.raw), self._encoding, 1) if tag < part.until]
        return [*map(Part, tags), Part(part.until)] if tags else [part]


def _merged(run: list[Part]) -> list[Part]:
    """Return one part for some that stay."""
    if len(run) < 2:
        return run
    inner = [each for part in run for each in part.inner or [part]]
    done = Rewritten([])
    for part in run:
        done.add(part.done)
    done.kept += [bytes(piece) for piece in done.pieces if isinstance(piece, memoryview)]
    done.pieces = [b"".join(done.pieces)]
    done.is_lasting = True
    raw = b"".join(part.raw for part in run)
    first, last = run[0], run[-1]
    return [Part(last.until, raw, len(raw), done, first.before, last.after, 0, inner)]


def _bounds(view: memoryview, encoding: Encoding, in_part: int) -> list[int]:
    """Return tags that part the top level: each private group, and some elements of others."""
    offset = 0
    found: list[int] = []
    last, count = -1, 0
    while offset < len(view):
        tag, vr, length, start = header_at(view, offset, encoding.explicit, encoding.little)
        if tag >= _FIRST_PIXELS or len(found) > _MOST_PARTS:
            break
        group = tag >> 16
        if group != last and (group & 1 or last & 1):
            found.append(group << 16)
            last, count = group, 0
        count += 1
        if not group & 1 and count > in_part:
            found.append(tag)
            count = 1
        last = group
        if length == UNDEFINED:
            offset = skip(view, start, encoding_within(vr, view, start, encoding))
        else:
            offset = start + length
    return [tag for number, tag in enumerate(found) if tag > max(found[:number] or [8])]
