"""How `storescp` shows that a peer may not do something."""

from __future__ import annotations

from pacs_cli.services.serving import Denied


def describe_denial(event: Denied) -> tuple[str, dict[str, object], str]:
    """Return the type of the record, its fields, and the line."""
    fields: dict[str, object] = {
        "service": event.service,
        "status": f"{event.status:04X}" if event.status else None,
        "reason": event.reason,
    }
    return "denied", fields, f"denied {event.service}: {event.reason}"
