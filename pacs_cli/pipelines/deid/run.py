"""Many files de-identified, in one process or several, and what the last of them told of the first.

Everything is derived from one key, so it does not matter which process does which file. What does
is that a name is known only once a file with it has been read: outputs that were searched before
that are searched again in the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pacs_cli.pipelines.crew import Crew
from pacs_cli.pipelines.deid.verify import Class, Needle, search
from pacs_cli.pipelines.deid.work import Outcome, Settings, Worker
from pacs_cli.pipelines.files import Found, Passed

#: Files in one message to another process, and bytes of their names: two of them fit into a pipe.
_BATCH, _BATCH_BYTES = 32, 16 * 1024

#: Batches before others are started: about what starting them costs.
_ALONE = 1


class Run:
    """De-identifies files.

    jobs  processes
    """

    def __init__(self, settings: Settings, jobs: int = 1) -> None:
        self._settings = settings
        self._jobs = jobs
        self._needles: dict[bytes, dict[Needle, None]] = {}
        # patient -> outputs, each with how much of the patient was known when it was searched
        self._released: dict[bytes, list[tuple[str, int]]] = {}

    def run(self, found: Iterable[Found | Passed]) -> Iterator[Outcome]:
        """Yield what becomes of each file, in their order, and in the end what is withdrawn."""
        worker = Worker(self._settings)
        crew: Crew[list[str], list[Outcome]] = Crew(worker.batch, self._jobs, _ALONE)
        passed: list[Outcome] = []
        with closing(worker):
            for _, outcomes in crew.run(_batches(self._files(found, passed)), list):
                yield from self._taken(passed)
                for outcome in outcomes:
                    self._keep(outcome)
                    yield outcome
        yield from self._taken(passed)
        if self._settings.verify and not self._settings.dry_run:
            yield from self._again()

    def _files(self, found: Iterable[Found | Passed], passed: list[Outcome]) -> Iterator[str]:
        for each in found:
            if isinstance(each, Found):
                yield each.path
            elif each.is_failure:
                passed.append(Outcome(each.path, code="unreadable", message=each.reason))

    def _taken(self, passed: list[Outcome]) -> list[Outcome]:
        taken = passed[:]
        passed.clear()
        return taken

    def _keep(self, outcome: Outcome) -> None:
        if outcome.lasting or outcome.output is not None:
            mine = self._needles.setdefault(outcome.patient, {})
            mine.update(dict.fromkeys(outcome.lasting))
        if outcome.output is not None:
            self._released.setdefault(outcome.patient, []).append((outcome.output, outcome.known))

    def _again(self) -> Iterator[Outcome]:
        """Search outputs for what was not known of their patient when they were written."""
        for patient, outputs in self._released.items():
            mine = self._needles[patient]
            for output, known in outputs:
                if known < len(mine):
                    yield from self._searched(output, list(mine))

    def _searched(self, output: str, wanted: Sequence[Needle]) -> Iterator[Outcome]:
        """Withdraw an output in which something of the patient stands after all."""
        try:
            content = Path(output).read_bytes()
        except OSError as error:
            yield Outcome(output, code="output", message=(error.strerror or "").lower())
            return
        names = [needle for needle in wanted if needle.kind is Class.IDENTITY]
        for _ in search(header_bytes(content).lower(), names):
            os.unlink(output)  # noqa: PTH108 - names are what the system gave
            message = "withdrawn: what another file tells of the patient stands in it"
            yield Outcome(output, code="residual", message=message)
            return


def header_bytes(content: bytes) -> bytes:
    """Return what stands before the pixel data of a file that this package wrote, inflated."""
    from pacs_cli.dicom.elements import inflate
    from pacs_cli.dicom.encoding import DEFAULT_BOUNDS, encoding_of
    from pacs_cli.dicom.part10 import header_of

    header = header_of(content, True, len(content))
    encoding = encoding_of(header.transfer_syntax_uid)
    if encoding.deflated:
        return inflate(memoryview(content)[header.dataset_offset :], DEFAULT_BOUNDS.inflate)
    pixels = b"\xe0\x7f\x10\x00" if encoding.little else b"\x7f\xe0\x00\x10"
    at = content.find(pixels, header.dataset_offset)
    return content if at < 0 else content[:at]


def _batches(paths: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for path in paths:
        batch.append(path)
        size += len(os.fsencode(path))
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
