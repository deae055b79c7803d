"""Whether an archive can keep objects now, and how many it has; asked from time to time."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from pacs_cli.archive.blobs import Blobs
from pacs_cli.archive.index import Index
from pacs_cli.errors import OutputError

#: Bytes that are written to try it out: a block, which a full disk has not.
_TRIED = 4096

#: Seconds for the lock of the index, which nobody holds for longer than some milliseconds.
_PATIENCE = 2.0


def why_not_writable(blobs: Blobs, index: Index) -> str:
    """Return why no object could be kept now, in one line; "" when one could."""
    try:
        blobs.try_out(_TRIED)
    except OSError as error:
        return f"cannot write below {blobs.root}: {(error.strerror or str(error)).lower()}"
    if index.has_failed:
        return f"cannot write the index {index.path}: rows of objects wait to be committed"
    try:
        with closing(sqlite3.connect(index.path, _PATIENCE, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        return f"cannot write the index {index.path}: {error}"
    return ""


def counts(index: Index) -> dict[str, int]:
    """Return how many patients, studies, series and instances there are; raises OutputError."""
    tables = ("patient", "study", "series", "instance")
    columns = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    try:
        # its own connection: nobody who stores waits for this
        with closing(index.connect()) as connection:
            row = connection.execute(f"SELECT {columns}").fetchone()
    except sqlite3.Error as error:
        raise OutputError(f"cannot read the index {index.path}: {error}") from None
    return dict(zip(("patients", "studies", "series", "instances"), row, strict=True))
