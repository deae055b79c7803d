"""How `storescp` shows that a peer may not do something, and how its association ended."""

from __future__ import annotations

from pacs_cli.services.serving import AssociationEnded, Denied


def describe_denial(event: Denied) -> tuple[str, dict[str, object], str]:
    """Return the type of the record, its fields, and the line."""
    fields: dict[str, object] = {
        "service": event.service,
        "status": f"{event.status:04X}" if event.status else None,
        "reason": event.reason,
    }
    return "denied", fields, f"denied {event.service}: {event.reason}"


def describe_end(event: AssociationEnded) -> tuple[str, dict[str, object], str]:
    """Return the type of the record, its fields, and the line."""
    fields: dict[str, object] = {
        "how": event.how,
        "error": event.error or None,
        "stored": event.stored,
        "failed": event.failed,
        "bytes": event.size,
        "seconds": round(event.seconds, 6),
    }
    text = f"{event.how}, stored {event.stored}, failed {event.failed}"
    if event.error:
        text += f": {event.error}"
    return "association_ended", fields, text
