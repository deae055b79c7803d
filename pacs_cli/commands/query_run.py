"""One search run to its end: every answer shown and saved, the totals, the exit code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.query_output import Matches
from pacs_cli.errors import Exit

if TYPE_CHECKING:
    from pacs_cli.pipelines.find import Problem, Search
    from pacs_cli.pipelines.saving import Saver

#: One and several matches of a level.
_WORDS = {
    "PATIENT": ("patient", "patients"),
    "STUDY": ("study", "studies"),
    "SERIES": ("series", "series"),
    "IMAGE": ("image", "images"),
    "WORKLIST": ("worklist item", "worklist items"),
}


class Run:
    """Shows and saves what a search yields.

    saver    None when nothing is to be saved
    is_done  whether it came to its end
    """

    def __init__(
        self, report: MatchReport, matches: Matches, search: Search, saver: Saver | None
    ) -> None:
        self._report = report
        self._matches = matches
        self._search = search
        self._saver = saver
        self._began = time.monotonic()
        self._first_problem: Problem | None = None
        self.is_done = False

    def to_its_end(self) -> None:
        """Run it, and show the totals however it ends; raises what the search and the saver do."""
        from pacs_cli.pipelines.find import Match, Remark

        try:
            for found in self._search.run():
                if isinstance(found, Match):
                    if self._saver is not None:
                        self._saver.save(found)
                    self._matches.show(found)
                elif isinstance(found, Remark):
                    self._report.warning(found.text)
                else:
                    self._first_problem = self._first_problem or found
                    self._report.error(found.text)
            if self._saver is not None:
                self._saver.finish()
            self.is_done = True
        finally:
            self._matches.finish()
            self._close()

    def exit(self, must_match: bool) -> Exit:
        """Return the exit code of a search that came to its end."""
        if self._first_problem is not None:
            return Exit.SOME_FAILED if self._search.matches else self._first_problem.exit
        return Exit.SOME_FAILED if must_match and not self._search.matches else Exit.OK

    def _close(self) -> None:
        search, query = self._search, self._search.query
        seconds = time.monotonic() - self._began
        fields = {
            "peer": search.target.name,
            "model": query.model.value,
            "level": str(query.level),
            "matches": search.matches.total(),
            "by_level": {str(level): count for level, count in search.matches.items()},
            "requests": search.requests,
            "failed": search.problems,
            "cancelled": search.is_cancelled,
            "status": None if search.status is None else f"{search.status:04X}",
            "seconds": round(seconds, 6),
        }
        found = ", ".join(
            f"{count} {_WORDS[level][count != 1]}" for level, count in search.matches.items()
        )
        text = (
            f"{found or 'nothing'} found in the {query.model.value} model of {search.target}, "
            f"{seconds:.2f} s{'; cancelled' if search.is_cancelled else ''}"
        )
        # nothing to add to what the error says
        says_enough = not self.is_done and not search.matches and not search.is_interrupted
        self._report.close(fields, "" if says_enough else text, self._matches.is_data)
