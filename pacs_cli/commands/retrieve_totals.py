"""The last line of a retrieval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.receiver import Arrivals


def arrival_fields(arrivals: Arrivals | None, numbers: Mapping[str, int]) -> dict[str, object]:
    """Return what is told of what came here; nulls when it went elsewhere.

    numbers  of the differences of each kind
    """
    names = ("arrived", "already_held", "refused", "missing", "unexpected", "bytes")
    if arrivals is None:
        return dict.fromkeys(names)
    return {
        "arrived": len(arrivals.kept),
        "already_held": arrivals.already_held,
        "refused": numbers["refused"],
        "missing": numbers["missing"],
        "unexpected": numbers["unexpected"],
        "bytes": arrivals.size,
    }


def totals_text(fields: Mapping[str, object], done: int, target: Target, seconds: float) -> str:
    """Return the totals for people."""
    if not fields["requests"]:
        is_cut = fields["cancelled"]
        return "nothing was asked for" if is_cut else f"nothing to retrieve from {target}"
    expected = "" if fields["expected"] is None else f" of {fields['expected']} expected"
    verb = "moved" if fields["arrived"] is None else "arrived"
    counted = f"{done} object{'s' * (done != 1)}{expected} {verb}"
    text = f"{counted} from {target} to {fields['destination']}"
    for name in ("failed", "refused", "missing", "unexpected"):
        if fields[name]:
            text += f", {fields[name]} {name}"
    return f"{text}, {seconds:.2f} s" + ("; cancelled" if fields["cancelled"] else "")
