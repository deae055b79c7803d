"""A table of fixes: new values for objects that are named by old ones, as CSV.

    PatientID,new:PatientID,new:PatientName
    OLD-17,17,Doe^Jane

Columns that are keywords say which objects are meant, those with `new:` before a keyword what they
get. An empty cell says nothing; `(empty)` as a new value empties the element.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pacs_cli.dicom.edit import Assignment, Editor, parse_assignment
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.dicom.values import Scope
from pacs_cli.errors import InputError, UsageError, nearest

_CHARACTER_SET = 0x00080005
_SOP_INSTANCE = 0x00080018

#: What objects can be named by: element and VR.
MATCHES: dict[str, tuple[int, str]] = {
    "PatientID": (0x00100020, "LO"),
    "IssuerOfPatientID": (0x00100021, "LO"),
    "AccessionNumber": (0x00080050, "SH"),
    "StudyID": (0x00200010, "SH"),
    "StudyInstanceUID": (0x0020000D, "UI"),
    "SeriesInstanceUID": (0x0020000E, "UI"),
    "SOPInstanceUID": (_SOP_INSTANCE, "UI"),
}

#: Elements that have to be known to see which rows count.
TAGS = frozenset({_CHARACTER_SET, *(tag for tag, _ in MATCHES.values())})

_NEW = "new:"
_EMPTY = "(empty)"


class Fix(NamedTuple):
    """One row: `line` is where it ends in the file, the heading being the first."""

    line: int
    names: tuple[str, ...]
    values: tuple[str, ...]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True)
class Fixes:
    """The rows of a table. Any thread may ask them.

    path    absolute
    digest  SHA-256 of the file
    """

    path: str
    digest: str
    rows: Mapping[int, Fix]
    _by_names: dict[tuple[str, ...], dict[tuple[str, ...], Fix]] = field(
        init=False, repr=False, default_factory=dict
    )
    _editors: dict[tuple[int, ...], Editor] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for fix in self.rows.values():
            self._by_names.setdefault(fix.names, {})[fix.values] = fix

    def lines_for(self, picked: Mapping[int, bytes], encoding: Encoding) -> tuple[int, ...]:
        """Return the lines that count for an object of which the elements `TAGS` are known.

        raises  InputError when two of them disagree
        """
        texts = _texts(picked, encoding)
        found = [
            fix
            for names, rows in self._by_names.items()
            if (fix := rows.get(tuple(texts[name] for name in names)))
        ]
        found.sort()
        given: dict[int, tuple[str, int]] = {}
        for fix in found:
            for each in fix.assignments:
                value, line = given.setdefault(each.tag, (each.value, fix.line))
                if value != each.value:
                    raise InputError(
                        f"lines {line} and {fix.line} of {self.path} give it another {each.name}"
                    )
        return tuple(fix.line for fix in found)

    def editor(self, lines: tuple[int, ...]) -> Editor | None:
        """Return what makes the changes of these lines, None of none."""
        if not lines:
            return None
        editor = self._editors.get(lines)
        if editor is None:
            assignments = [each for line in lines for each in self.rows[line].assignments]
            editor = Editor(assignments, is_widening=True)
            if len(self._editors) >= 1024:
                self._editors.clear()
            self._editors[lines] = editor
        return editor


def _texts(picked: Mapping[int, bytes], encoding: Encoding) -> dict[str, str]:
    scope = Scope(encoding)
    scope.character_set = picked.get(_CHARACTER_SET, b"")
    return {
        name: scope.text_of(vr, picked.get(tag, b"")).strip(" \0")
        for name, (tag, vr) in MATCHES.items()
    }


def read_fixes(path: Path) -> Fixes:
    """Read a table.

    raises  InputError when it cannot be read, UsageError when anything in it is wrong
    """
    import csv

    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    try:
        # spreadsheets write a byte order mark
        reader = csv.reader(content.decode("utf-8-sig").splitlines(keepends=True), strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (ValueError, csv.Error) as error:
        reason = "it is not UTF-8" if isinstance(error, ValueError) else error
        raise UsageError(f"{path} is no table of fixes: {reason}") from None
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if len(rows) < 2:
        raise UsageError(f"{path} is no table of fixes: it has no rows below a heading")
    heading = _heading(path, rows[0][1])
    fixes: dict[int, Fix] = {}
    known: dict[tuple[tuple[str, ...], tuple[str, ...]], int] = {}
    for line, cells in rows[1:]:
        fix = _fix(f"{path}, line {line}", line, heading, cells)
        other = known.setdefault((fix.names, fix.values), line)
        if other != line:
            raise UsageError(f"{path}, line {line}: line {other} is of the same objects")
        fixes[line] = fix
    digest = hashlib.sha256(content).hexdigest()
    return Fixes(str(path.absolute()), digest, fixes)


def _heading(path: Path, cells: Sequence[str]) -> list[str]:
    for name in cells:
        if cells.count(name) > 1:
            raise UsageError(f"{path}: two columns are called {name or 'nothing'}")
        if not name.startswith(_NEW) and name not in MATCHES:
            known = ", ".join(MATCHES)
            raise UsageError(
                f"{path}: column {name!r}: match by {known}, or write {_NEW}KEYWORD for new values"
                f"{nearest(name, MATCHES)}"
            )
        if name.startswith(_NEW):
            _assignment(str(path), name, "", is_heading=True)
    is_new = [name.startswith(_NEW) for name in cells]
    if all(is_new) or not any(is_new):
        raise UsageError(f"{path}: columns to match by and columns {_NEW}KEYWORD are needed")
    return list(cells)


def _fix(where: str, line: int, heading: list[str], cells: list[str]) -> Fix:
    if len(cells) != len(heading):
        raise UsageError(f"{where}: {len(cells)} cells under {len(heading)} columns")
    row = dict(zip(heading, cells, strict=True))
    wanted = {name: value for name, value in row.items() if value and not name.startswith(_NEW)}
    new = {name: value for name, value in row.items() if value and name.startswith(_NEW)}
    if not wanted or not new:
        raise UsageError(f"{where}: it says {'which objects' if new else 'nothing new'} not at all")
    assignments = tuple(_assignment(where, name, value) for name, value in new.items())
    is_named = "SOPInstanceUID" in wanted
    if not is_named and any(each.tag == _SOP_INSTANCE for each in assignments):
        raise UsageError(f"{where}: one SOPInstanceUID is of one object; match by SOPInstanceUID")
    return Fix(line, tuple(wanted), tuple(wanted.values()), assignments)


def _assignment(where: str, column: str, value: str, is_heading: bool = False) -> Assignment:
    keyword = column.removeprefix(_NEW)
    try:
        if is_heading:
            # any value of its VR does: UIDs of an object cannot be without one
            value = "1.2" if keyword.endswith("UID") else ""
        return parse_assignment(f"{keyword}={'' if value == _EMPTY else value}")
    except UsageError as error:
        raise UsageError(f"{where}: {str(error).removeprefix('--set ')}") from None
