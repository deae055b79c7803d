"""What was expected, what came, and what the peer says: where they differ, object by object."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pacs_cli.errors import OutputError, PacsError, PeerFailure
from pacs_cli.pipelines.receiver import Arrivals
from pacs_cli.services.diagnosis import explain_status


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not where it should be, or came without being expected.

    kind    failed (the peer says so), refused (here), missing or unexpected
    """

    sop_instance_uid: str
    kind: str
    reason: str


def differences(
    expected: Collection[str] | None, arrivals: Arrivals | None, failed_uids: Iterable[str]
) -> list[Difference]:
    """Return every object that is not as it should be.

    expected  UIDs, None when they are not known
    arrivals  None when the objects go elsewhere, where nobody sees which they are
    """
    kept: Collection[str] = arrivals.kept if arrivals else ()
    refused = arrivals.refused if arrivals else {}
    found = {
        uid: Difference(uid, "refused", f"{outcome.status:04X}H {outcome.comment}".rstrip())
        for uid, outcome in refused.items()
    }
    for uid in failed_uids:
        if uid not in kept:
            found.setdefault(uid, Difference(uid, "failed", "the peer says that it failed"))
    if arrivals is not None and expected is not None:
        for uid in expected:
            if uid not in kept:
                found.setdefault(uid, Difference(uid, "missing", "expected, and did not come"))
        for uid in kept:
            if uid not in expected:
                found[uid] = Difference(uid, "unexpected", "came without being expected")
    return list(found.values())


def refusal(arrivals: Arrivals | None) -> PacsError | None:
    """Return what stands for the objects that were not kept here; None without any."""
    if arrivals is None or not arrivals.refused:
        return None
    first = next(iter(arrivals.refused.values()))
    meaning = explain_status(first.status).partition(";")[0]
    comment = f", {first.comment}" if first.comment else ""
    text = f"{len(arrivals.refused)} objects were not kept here: {meaning}{comment}"
    if first.status & 0xFF00 == 0xA700:
        return OutputError(text)
    return PeerFailure(text, first.status)


def shortfall(
    expected: Collection[str] | None, arrivals: Arrivals | None, stored: int, failed: int
) -> PacsError | None:
    """Return what stands for expected objects of which nobody has said anything."""
    if expected is None:
        return None
    if arrivals is None:
        if stored + failed < len(expected):
            return PeerFailure(
                f"{len(expected)} objects were expected, the peer says that it stored {stored}", 0
            )
        return None
    told = len(arrivals.refused) + failed
    missing = sum(uid not in arrivals.kept for uid in expected)
    if missing > told:
        return PeerFailure(f"{missing} of {len(expected)} expected objects did not come", 0)
    return None
