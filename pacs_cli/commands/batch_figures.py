"""The figures of a job, which balance: found = sent + skipped + failed + what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pacs_cli.commands.batching import EXIT_OF
from pacs_cli.errors import Exit

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.jobs.states import Count


@dataclass(slots=True)
class Figures:
    """How many objects of a job stand how; an object counts once for each destination.

    sent     those that the peer acknowledged, the committed ones among them
    left     those that are still to be sent
    classes  class of failure -> objects
    """

    found: int = 0
    sent: int = 0
    committed: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0
    bytes: int = 0
    left_bytes: int = 0
    classes: dict[str, int] = field(default_factory=dict)

    def add(self, count: Count) -> None:
        """Add the objects of one state."""
        from pacs_cli.jobs.states import State

        self.found += count.objects
        if count.state in (State.SENT, State.COMMITTED):
            self.sent += count.objects
            self.bytes += count.bytes
            self.committed += count.objects * (count.state is State.COMMITTED)
        elif count.state is State.SKIPPED:
            self.skipped += count.objects
        elif count.state is State.FAILED:
            self.failed += count.objects
            self.classes[count.failure] = self.classes.get(count.failure, 0) + count.objects
        else:
            self.left += count.objects
            self.left_bytes += count.bytes

    def text(self) -> str:
        """Return the figures on one line."""
        text = f"found {self.found} = sent {self.sent} + skipped {self.skipped}"
        text += f" + failed {self.failed}"
        text += f" + left {self.left}" if self.left else ""
        if self.classes:
            words = ", ".join(f"{name} {count}" for name, count in self.classes.items())
            text += f" ({words})"
        return f"{text}; {self.committed} committed" if self.committed else text

    def fields(self) -> dict[str, Any]:
        """Return the figures as fields of a record."""
        return {
            "found": self.found,
            "sent": self.sent,
            "committed": self.committed,
            "skipped": self.skipped,
            "failed": self.failed,
            "left": self.left,
            "bytes": self.bytes,
            "classes": self.classes,
        }


def figures_of(job: JobFile, destination: str | None = None) -> Figures:
    """Return the figures of a job, or of one of its destinations."""
    figures = Figures()
    for count in job.counts():
        if destination in (None, count.destination):
            figures.add(count)
    return figures


def exit_of(figures: Figures, reasons: Mapping[str, tuple[str, Exit]]) -> Exit:
    """Return the exit code of a run: 0 only when nothing failed and nothing is left.

    reasons  why destinations, or the source, were given up
    """
    if not figures.failed and not figures.left and not reasons:
        return Exit.OK
    if figures.sent:
        return Exit.SOME_FAILED
    if reasons:
        return next(iter(reasons.values()))[1]
    return EXIT_OF.get(next(iter(figures.classes), ""), Exit.PEER_FAILED)
