"""What the statuses of queries and retrievals mean, in plain words, and what to try.

Tables from PS3.4 C.4.1.1.4 (query), K.4.1.1.4 (worklist), C.4.2.1.5 and C.4.3.1.4 (retrieval); what
they leave to PS3.7 Annex C is in `services.diagnosis`.
"""

from __future__ import annotations

from pacs_cli.services.diagnosis import explain_status

#: (first status, last status) -> (meaning, what to try)
_STATUSES: tuple[tuple[int, int, str, str], ...] = (
    (0xA700, 0xA7FF, "out of resources", "the peer cannot serve it now; ask for less, or later"),
    (
        0xA900,
        0xA9FF,
        "the query does not match the SOP class",
        "check the level, its unique keys and the model",
    ),
    (
        0xC000,
        0xCFFF,
        "the peer cannot process the query",
        "ask for fewer keys; see the peer's log",
    ),
    (0xFE00, 0xFE00, "cancelled, though nobody asked for that", "ask what the peer's log says"),
    (0xFF01, 0xFF01, "pending, some optional keys are not supported for matching", ""),
)
_RETRIEVE_STATUSES: tuple[tuple[int, int, str, str], ...] = (
    (
        0xA701,
        0xA701,
        "out of resources, the matches cannot be counted",
        "ask for less, or later; see the peer's log",
    ),
    (
        0xA702,
        0xA702,
        "out of resources, the sub-operations cannot be performed",
        "does it reach the destination, and does that accept the objects? see both logs",
    ),
    (0xA700, 0xA7FF, "out of resources", "the peer cannot serve it now; ask for less, or later"),
    (0xA801, 0xA801, "move destination unknown", ""),
    (
        0xA900,
        0xA9FF,
        "the identifier does not match the SOP class",
        "check the level, its unique keys and the model",
    ),
    (0xB000, 0xB000, "sub-operations ended, with failures or warnings", ""),
    (
        0xC000,
        0xCFFF,
        "the peer cannot process it",
        "does it hold that, and know the destination? see the peer's log",
    ),
    (0xFE00, 0xFE00, "cancelled, though nobody asked for that", "ask what the peer's log says"),
)


def explain_find_status(status: int) -> str:
    """Say what a status of C-FIND means and what to try, as `A900H the query ...; check ...`."""
    return _explained(_STATUSES, status)


def explain_retrieve_status(status: int) -> str:
    """Say the same of a status of C-MOVE or C-GET."""
    return _explained(_RETRIEVE_STATUSES, status)


def _explained(table: tuple[tuple[int, int, str, str], ...], status: int) -> str:
    for first, last, meaning, advice in table:
        if first <= status <= last:
            return f"{status:04X}H {meaning}" + (f"; {advice}" if advice else "")
    return explain_status(status)
