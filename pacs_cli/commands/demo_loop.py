"""The way round of `pacs demo`: find, move and get what an archive holds, and compare it all."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.errors import InputError
from pacs_cli.net.target import Target
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.pipelines.calling import Calling
    from pacs_cli.pipelines.find import Problem, Remark
    from pacs_cli.pipelines.planning import Planner
    from pacs_cli.pipelines.retrieve import Progress, Result
    from pacs_cli.pipelines.send import Item

#: Of the archive that objects are moved to.
SECOND = "SECOND"


class Step(NamedTuple):
    """What one step brought: so many studies or objects."""

    name: str
    words: str
    number: int
    unit: str
    seconds: float


def ignore(_: object) -> None:
    """Nothing to show of an association or an event."""


@contextmanager
def running(folder: Path, second: Target | None = None) -> Iterator[tuple[Archive, Target]]:
    """Serve an archive in `folder` on a free port of this machine.

    second  where it may move objects to, by the name SECOND
    """
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.archive.library import ArchiveLibrary
    from pacs_cli.dicom.registry import storage_sop_classes, transfer_syntaxes
    from pacs_cli.net.listener import Listener
    from pacs_cli.pipelines.receiver import serving
    from pacs_cli.services.admission import accept_policy
    from pacs_cli.services.query_scp import QueryRetrieve
    from pacs_cli.services.scp import Provider, Settings

    policy = accept_policy(storage_sop_classes(), transfer_syntaxes())
    with open_archive(folder) as archive:
        listener = Listener("127.0.0.1", 0)
        library = ArchiveLibrary(archive.index, folder, "DEMO")
        queries = QueryRetrieve(library, {} if second is None else {SECOND: second})
        provider = Provider(Settings(policy), archive.handler, ignore, queries)
        with serving(listener, provider, ignore):
            yield archive, Target("demo", "127.0.0.1", listener.port, called_ae_title="DEMO")


def go_round(target: Target, third: Archive) -> Iterator[Step]:
    """Find every study of `target`, have it move them to SECOND, get them into `third`.

    raises  PacsError for what was not done
    """
    from pacs_cli.dicom.query import Model
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.calling import Calling
    from pacs_cli.pipelines.get import GetRun, rounds_for
    from pacs_cli.pipelines.operations import Move
    from pacs_cli.pipelines.receiver import Arrivals
    from pacs_cli.pipelines.retrieve import Retrieval, Settings

    calling = Calling(target, Model.STUDY_ROOT, Wakeup(), ignore)
    began = time.monotonic()
    planner = _found(calling)
    studies = {uid for request in planner.requests for uid in request.values}
    yield Step("find", "C-FIND", len(studies), "studies", time.monotonic() - began)
    began = time.monotonic()
    move = Retrieval(calling, Move(SECOND, ""), Settings())
    moved = _sum(move.run(planner.requests))
    words = "C-MOVE to a second archive"
    yield Step("move", words, moved, "objects", time.monotonic() - began)
    began = time.monotonic()
    arrivals = Arrivals(ignore)
    get = GetRun(calling, third.handler, arrivals)
    _sum(get.run(*rounds_for(calling.model, planner.requests, planner.instances)))
    words = "C-GET into a third one"
    yield Step("get", words, len(arrivals.kept), "objects", time.monotonic() - began)


def _found(calling: Calling) -> Planner:
    """Ask for every study and its instances."""
    from pacs_cli.dicom.dataset import Dataset
    from pacs_cli.dicom.query import make_query
    from pacs_cli.pipelines.planning import Planner

    planner = Planner(calling, make_query(calling.model, Dataset()))
    for said in planner.run(has_instances=True, must_tell=True):
        raise InputError(said.text)
    return planner


def _sum(events: Iterable[Progress | Result | Remark | Problem]) -> int:
    """Return how many objects were sent; raises PacsError when not all were."""
    from pacs_cli.pipelines.retrieve import Result

    results = [event for event in events if isinstance(event, Result)]
    for result in results:
        if result.error is not None:
            raise result.error
    return sum(result.stored for result in results)


def compare(
    report: Report, archive: Archive, items: Iterable[Item], first: Archive
) -> tuple[int, int]:
    """Read every object of an archive back and compare its data set with the file it came from.

    first  the archive that was sent to: what it holds every other one has to hold
    """
    from pacs_cli.dicom.part10 import probe

    equal = different = 0
    for item in items:
        relative = archive.index.find_path(item.header.sop_instance_uid)
        if relative is None:
            if first.index.find_path(item.header.sop_instance_uid) is not None:
                different += 1
                report.error(f"{item.path} did not come to the archive in {archive.blobs.root}")
            # else it was not stored, and that was said
            continue
        stored = archive.blobs.path(relative)
        theirs = stored.read_bytes()[probe(stored).dataset_offset :]
        if theirs == Path(item.path).read_bytes()[item.header.dataset_offset :]:
            equal += 1
        else:
            different += 1
            report.error(f"{item.path} differs from what the archive holds under its UID")
    return equal, different
