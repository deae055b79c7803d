"""What the statuses of queries mean, in plain words, and what to try.

Table from PS3.4 C.4.1.1.4 (query) and K.4.1.1.4 (worklist); what they leave to PS3.7 Annex C is
in `services.diagnosis`.
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


def explain_find_status(status: int) -> str:
    """Say what a status of C-FIND means and what to try, as `A900H the query ...; check ...`."""
    for first, last, meaning, advice in _STATUSES:
        if first <= status <= last:
            return f"{status:04X}H {meaning}" + (f"; {advice}" if advice else "")
    return explain_status(status)
