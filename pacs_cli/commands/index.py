"""`pacs index`: an index of files wherever they lie, and of the archive of a storescp."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("add", "pacs_cli.commands.index_add", "Index files and folders where they lie."),
    ("find", "pacs_cli.commands.index_find", "Ask an index as findscu asks a peer."),
    ("stats", "pacs_cli.commands.index_stats", "Count what an index has."),
    ("verify", "pacs_cli.commands.index_verify", "Compare an index with its files."),
    ("prune", "pacs_cli.commands.index_prune", "Remove the rows of files that are gone."),
    ("rebuild", "pacs_cli.commands.index_rebuild", "Make an index again from its files."),
    ("export", "pacs_cli.commands.index_export", "Write an index as CSV or JSON lines."),
    ("dicomdir", "pacs_cli.commands.index_dicomdir", "Read, check or write a DICOMDIR."),
)

EXAMPLES = (
    ("pacs index add scans/", "index a folder, in scans/index.db"),
    ("pacs index find scans/ -k 'PatientName=DOE*'", "ask it"),
    ("pacs index verify scans/", "compare it with the files"),
)
CONFORMANCE = "That of its commands."


def index() -> None:
    """Index files where they lie, and ask, check and export the index.

    An index is one SQLite file. That of the archive of `pacs storescp` is one too: it can be read
    while it receives, and changed while it does not.
    """
