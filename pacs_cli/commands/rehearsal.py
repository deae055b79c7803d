"""What `storescu --dry-run` shows: every file that would be sent, every context, the totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pacs_cli.commands.totals import Totals
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.pipelines.items import Item
    from pacs_cli.pipelines.loading import Loader
    from pacs_cli.pipelines.rehearsal import Round
    from pacs_cli.pipelines.supply import Supply

_COLUMNS = ("id", "abstract syntax", "transfer syntax")


class Rehearsal(Totals):
    """The totals of what would be sent; what would be counts here as stored does there."""

    _rounds = 0

    def show(self, supply: Supply, loader: Loader | None) -> None:
        """Show what would be sent, in order, and before it what would be proposed for it.

        loader  loads every object, to see whether it can be edited; None does not
        """
        from pacs_cli.pipelines.items import Item
        from pacs_cli.pipelines.rehearsal import Round, rehearse

        with self.shown():
            for entry in rehearse(supply, loader):
                if isinstance(entry, Round):
                    self._propose(entry)
                elif isinstance(entry, Item):
                    self._would_send(entry)
                else:
                    self.add(entry)

    def text(self) -> str:
        """Return the totals on one line."""
        text = f"would send {self._stored}, failed {self._failed}"
        text += f", skipped {self._skipped}" if self._skipped else ""
        return f"{text}; {shown_size(self._size)}"

    def fields(self) -> dict[str, object]:
        """Return the totals for the summary record."""
        return {
            "would_send": self._stored,
            "failed": self._failed,
            "skipped": self._skipped,
            "bytes": self._size,
        }

    def _propose(self, entry: Round) -> None:
        from pacs_cli.dicom.registry import uid_name

        rows = []
        for position, proposal in enumerate(entry.proposals):
            (syntax,) = proposal.transfer_syntaxes
            fields = {
                "association": entry.number,
                "id": 2 * position + 1,
                "abstract_syntax": proposal.abstract_syntax,
                "transfer_syntax": syntax,
            }
            self._report.record("context", fields)
            rows.append((fields["id"], uid_name(proposal.abstract_syntax), uid_name(syntax)))
        self._report.table(f"association {entry.number} would propose", _COLUMNS, rows)

    def _would_send(self, item: Item) -> None:
        from pacs_cli.pipelines.items import Sent

        self._stored += 1
        self._size += item.size
        self._report.line(f"would send {item.path}, {item.size} bytes")
        if self._table is not None or not self._report.is_text:
            fields = Sent(item.path, item, None).fields()
            self._record({**fields, "outcome": "would be sent"})
