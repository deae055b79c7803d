"""Sending in the tests of the sender: files that are small, results in a list, waits that are not
waited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pacs_cli.errors import Exit
from pacs_cli.net.target import Target
from pacs_cli.pipelines.files import Passed, find_files
from pacs_cli.pipelines.items import Sent, examiner
from pacs_cli.pipelines.retry import Retry
from pacs_cli.pipelines.send import Observer, Sending, Settings
from pacs_cli.pipelines.supply import Supply
from tests.support import CT
from tests.writing import write_object


def write(folder: Path, count: int, *sop_classes: str, size: int = 64) -> list[Path]:
    """Files whose SOP instance UIDs end with their number, counted from 0, of the classes in turns;
    the first has so many bytes of pixels.
    """
    classes = sop_classes or (CT,)
    return [
        write_object(
            folder / f"{n:04}.dcm",
            classes[n % len(classes)],
            f"1.2.3.{n}",
            bytes(64 if n else size),
        )
        for n in range(count)
    ]


@dataclass
class Run:
    """One run of the sender, and what it told."""

    target: Target
    retries: int = 0
    is_asked: bool = False
    jobs: int = 1
    stops_at_failure: bool = False
    waited: Callable[[], None] = lambda: None
    waits: list[float] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    opened: int = 0

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.waited()

    def sending(self, *paths: Path) -> Sending:
        def stood(session: object) -> None:
            self.opened += 1

        return Sending(
            self.target,
            Supply(find_files(map(str, paths)), examiner()),
            Settings(
                jobs=self.jobs,
                retry=Retry(self.retries, self.is_asked, chance=lambda: 1.0),
                stops_at_failure=self.stops_at_failure,
                wait=self.wait,
            ),
            Observer(stood, None, self.warnings.append, self.notes.append),
        )

    def send(self, *paths: Path) -> list[Sent]:
        """Send everything; every path has one result, and each is coherent."""
        results: list[Sent | Passed] = []
        self.sending(*paths).run(results.append)
        assert all(isinstance(result, Sent) for result in results)
        for result in results:
            assert (result.error is None) == (result.exit is Exit.OK)
            assert "\n" not in (result.error or "")
        return results


def exits(results: list[Sent]) -> list[Exit]:
    return [result.exit for result in results]
