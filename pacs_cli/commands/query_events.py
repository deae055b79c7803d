"""How `storescp --qr` shows what it was asked: counts and status, never a key or an answer."""

from __future__ import annotations

from pacs_cli.services.serving import Found, Retrieved


def describe_query(event: Found | Retrieved) -> tuple[str, dict[str, object], str]:
    """Return the type, the fields and the line of an event."""
    fields: dict[str, object] = {
        "level": event.level or None,
        "status": f"{event.status:04X}",
        "comment": event.comment or None,
        "seconds": round(event.seconds, 6),
    }
    if isinstance(event, Found):
        kind, text = "find", f"C-FIND answered with {event.matches} matches"
        fields["matches"] = event.matches
    else:
        kind = event.kind
        where = f" to {event.destination}" if event.destination else ""
        text = f"C-{kind.upper()}{where}: {event.completed} sent, {event.failed} failed"
        fields |= {
            "destination": event.destination or None,
            "completed": event.completed,
            "failed": event.failed,
            "warning": event.warning,
            "remaining": event.remaining,
            "reason": event.reason or None,
        }
        if event.reason:
            text += f", {event.reason}"
    if event.status:
        text += f", status {event.status:04X}"
    return kind, fields, f"{text}: {event.comment}".rstrip(": ")
