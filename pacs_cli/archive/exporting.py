"""The rows of an index with chosen attributes, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.columns import COLUMNS, FROM, LEVELS, TABLE, is_at_or_above
from pacs_cli.dicom.keys import keyword_of, parse_key
from pacs_cli.dicom.query import Level
from pacs_cli.errors import UsageError, nearest

#: Rows that are in memory at a time; nobody is kept from writing between two pages.
_PAGE = 2000

#: What an index knows of an instance that is no attribute of the object.
_OWN = {
    "TransferSyntaxUID": "instance.transfer_syntax_uid",
    "Path": "instance.path",
    "Size": "instance.size",
    "Version": "instance.version",
    "SourceApplicationEntityTitle": "instance.source_ae_title",
    "SHA256": "(SELECT sha256 FROM file WHERE file.path = instance.path)",
}


def names_at(level: Level) -> list[str]:
    """Return everything that can be exported at a level, in the order of the levels."""
    return [keyword_of(tag) for tag in _tags(level)] + (list(_OWN) if level is Level.IMAGE else [])


def usual_names(level: Level) -> list[str]:
    """Return what is exported unless it is said: all but what is counted for the levels above.

    That would count again for every row.
    """
    skipped = {
        keyword_of(tag)
        for tag in _tags(level)
        if COLUMNS[tag].level is not level and COLUMNS[tag].expression.startswith("(")
    }
    return [name for name in names_at(level) if name not in skipped]


def export(catalog: Catalog, level: Level, names: Sequence[str]) -> Iterator[list[object]]:
    """Yield the values of every row of a level, in the order in which they came.

    names   keywords or tags, or one of TransferSyntaxUID, Path, Size and the like
    raises  OutputError
    """
    expressions = [_expression(name, level) for name in names]
    places = [number for number, name in enumerate(names) if name == "Path"]
    table = TABLE[level]
    query = (
        f"SELECT {table}.id, {', '.join(expressions)} FROM {FROM[level]} WHERE {table}.id > ?"
        f" ORDER BY {table}.id LIMIT {_PAGE}"
    )
    last = 0
    while rows := catalog.rows(query, (last,)):
        for _, *values in rows:
            for place in places:
                values[place] = catalog.real(values[place])
            yield values
        last = rows[-1][0]


def resolve_names(level: Level, typed: Sequence[str]) -> list[str]:
    """Return the keywords of what was typed; raises UsageError on what is not to be had."""
    known = names_at(level)
    names = []
    for text in typed:
        name = text if text in known else _keyword(text)
        if name not in known:
            hint = nearest(text, known) or f"; there are {', '.join(known)}"
            raise UsageError(f"cannot export {text} at {level} level{hint}")
        names.append(name)
    return names


def _tags(level: Level) -> list[int]:
    return [
        tag
        for above in LEVELS
        for tag, column in COLUMNS.items()
        if column.level is above and is_at_or_above(above, level)
    ]


def _keyword(text: str) -> str:
    """Return the keyword of a tag, or of a keyword in another case."""
    try:
        key = parse_key(text)
    except UsageError:
        return text
    return text if key.path else keyword_of(key.tag)


def _expression(name: str, level: Level) -> str:
    if level is Level.IMAGE and name in _OWN:
        return _OWN[name]
    return next(column.expression for tag, column in COLUMNS.items() if keyword_of(tag) == name)
