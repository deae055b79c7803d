"""Tables for a terminal: columns by display width, and what is too wide on lines below its row.

A table that does not fit must not be folded into columns of a few characters, where a UID of 64
takes a dozen lines. Headings are broken into words first, then text at its blanks, and then the
widest column goes below: each row has it on a line of its own, where it can be read and copied.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: Text is not made narrower than this: a name or a few words.
_NARROW = 16

_GAP = "  "

#: Counts, seconds and sizes stand at the right of their column.
_NUMBER = re.compile(r"-?[0-9]{1,15}([.,][0-9]+)?( [kMGT]?B| s| ms|%)?")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a pipe and a terminal get, where that is not the same."""

    plain: str
    drawn: str

    def __str__(self) -> str:
        return self.plain


def drawn_text(cell: object) -> str:
    """Return what a terminal gets of a cell."""
    return cell.drawn if isinstance(cell, Cell) else str(cell)


def date(text: str) -> Cell:
    """Return a date of DICOM, YYYYMMDD, which a terminal shows with dashes."""
    is_date = len(text) == 8 and text.isdigit()
    return Cell(text, f"{text[:4]}-{text[4:6]}-{text[6:]}" if is_date else text)


def time(text: str) -> Cell:
    """Return a time of DICOM, HHMMSS and perhaps a fraction, shown with colons and without it."""
    is_time = re.fullmatch(r"[0-9]{6}(\.[0-9]+)?", text)
    return Cell(text, f"{text[:2]}:{text[2:4]}:{text[4:6]}" if is_time else text)


def size(count: int) -> Cell:
    """Return a number of bytes, which a terminal shows in the unit that is read most easily."""
    return Cell(str(count), shown_size(count))


def shown_size(count: float) -> str:
    """Return a number of bytes for people, three digits and a unit of 1000: `1.23 GB`."""
    number, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 999.5:
            break
        number, unit = number / 1000, larger
    digits = 0 if unit == "B" or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f} {unit}"


def width_of(text: str) -> int:
    """Return how many columns a terminal takes for a text (Unicode TR 11)."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.category(each) in ("Mn", "Me") for each in text)


def draw(
    title: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    is_styled: bool = False,
) -> list[str]:
    """Return the lines of a table, each at most `width` columns, but for a word that is longer.

    is_styled  with the sequences that make the headings bold
    """
    columns = [_Column(name, [row[at] for row in rows]) for at, name in enumerate(headings)]
    beside, below = list(columns), []
    while (widths := _fitted(beside, width)) is None and len(beside) > 1:
        # the first one tells which row it is
        widest = max(beside[1:], key=lambda column: column.widest)
        beside.remove(widest)
        below.append(widest)
    below.sort(key=columns.index)
    widths = widths or [width]
    head = _lines([column.heading for column in beside], beside, widths, is_heading=True)
    head += [f"{_GAP}{column.heading}" for column in below]
    bold = [f"\x1b[1m{line}\x1b[0m" for line in head] if is_styled else head
    lines = [title] * bool(title) + bold + [_GAP.join("─" * each for each in widths)]
    for number in range(len(rows)):
        lines += _lines([column.cells[number] for column in beside], beside, widths)
        for column in below:
            value = column.cells[number] or "-"
            lines += [f"{_GAP}{part}" for part in _broken(value, width - len(_GAP))]
    return lines


class _Column:
    """One column, and how narrow it can be."""

    def __init__(self, heading: str, cells: list[str]) -> None:
        self.heading = heading
        self.cells = cells
        self.widest = max(map(width_of, cells), default=0)
        # a heading is broken into its words
        self.word = max(map(width_of, heading.split()), default=0)
        self.is_number = bool(cells) and all(not c or _NUMBER.fullmatch(c) for c in cells)
        # a UID or a path is read and copied as a whole
        is_text = any(len(_parts(cell)) > 1 for cell in cells)
        self.narrowest = max(self.word, min(self.widest, _NARROW) if is_text else self.widest)


def _fitted(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Return the widths of columns that stand beside each other; None when there is no room."""
    room = width - len(_GAP) * (len(columns) - 1)
    for widths in (
        [max(column.widest, width_of(column.heading)) for column in columns],
        [max(column.widest, column.word) for column in columns],
    ):
        if sum(widths) <= room:
            return widths
    least = [column.narrowest for column in columns]
    if sum(least) > room:
        return None
    # the widest gives first
    while sum(widths) > room:
        at = max((at for at, each in enumerate(widths) if each > least[at]), key=widths.__getitem__)
        widths[at] -= 1
    return widths


def _lines(
    cells: Sequence[str],
    columns: Sequence[_Column],
    widths: Sequence[int],
    is_heading: bool = False,
) -> list[str]:
    """Return the lines of one row, as many as its longest cell has."""
    parts = [_broken(cell, room) for cell, room in zip(cells, widths, strict=True)]
    height = max(map(len, parts))
    lines = []
    for number in range(height):
        line = []
        for column, part, room in zip(columns, parts, widths, strict=True):
            # of headings the last line stands above the rule
            at = number - (height - len(part)) if is_heading else number
            text = part[at] if 0 <= at < len(part) else ""
            fill = " " * (room - width_of(text))
            line.append(fill + text if column.is_number else text + fill)
        lines.append(_GAP.join(line).rstrip())
    return lines


def _parts(text: str) -> list[str]:
    """Return the pieces between which a line may end: behind a blank, a comma, the ^ of a name."""
    return re.findall(r"[^ ^,]*[ ^,]|[^ ^,]+", text)


def _broken(text: str, room: int) -> list[str]:
    """Return a text in lines of that width; of several parts one that is longer is cut."""
    parts = _parts(text)
    if len(parts) > 1:
        parts = [piece for part in parts for piece in _cut(part, room)]
    lines, line = [], ""
    for part in parts:
        if line and width_of((line + part).rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += part
    return [*lines, line.rstrip()]


def _cut(part: str, room: int) -> list[str]:
    if width_of(part.rstrip()) <= room:
        return [part]
    pieces = [""]
    for character in part:
        if width_of(pieces[-1] + character) > room:
            pieces.append("")
        pieces[-1] += character
    return pieces
