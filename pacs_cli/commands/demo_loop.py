"""The way round of `pacs demo`: find what an archive holds, move it to another, get it into one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.errors import InputError, PeerFailure
from pacs_cli.net.target import Target

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.find import Problem, Remark
    from pacs_cli.pipelines.planning import Planner
    from pacs_cli.pipelines.retrieve import Progress, Result

#: Of the archive that objects are moved to.
SECOND = "SECOND"


class Step(NamedTuple):
    """What one step brought.

    objects  or studies, of a query, objects of a retrieval
    """

    name: str
    objects: int
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

    raises  PeerFailure or InputError for what was not done
    """
    from pacs_cli.dicom.query import Model
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.get import GetRun, rounds_for
    from pacs_cli.pipelines.operations import Move
    from pacs_cli.pipelines.receiver import Arrivals
    from pacs_cli.pipelines.retrieve import Retrieval, Settings

    model, wakeup = Model.STUDY_ROOT, Wakeup()
    began = time.monotonic()
    planner = _found(target, wakeup)
    studies = {uid for request in planner.requests for uid in request.values}
    yield Step("find", len(studies), time.monotonic() - began)
    began = time.monotonic()
    move = Retrieval(target, model, Move(SECOND, ""), Settings(), wakeup, ignore)
    moved = _sum(move.run(planner.requests))
    yield Step("move", moved, time.monotonic() - began)
    began = time.monotonic()
    arrivals = Arrivals(ignore)
    get = GetRun(target, model, third.handler, arrivals, None, wakeup, ignore)
    _sum(get.run(*rounds_for(model, planner.requests, planner.instances)))
    yield Step("get", len(arrivals.kept), time.monotonic() - began)


def _found(target: Target, wakeup: Wakeup) -> Planner:
    """Ask for every study and its instances."""
    from pydicom.dataset import Dataset

    from pacs_cli.dicom.query import Model, make_query
    from pacs_cli.pipelines.planning import Planner

    query = make_query(Model.STUDY_ROOT, Dataset(), None, "")
    planner = Planner(target, Model.STUDY_ROOT, query, None, wakeup, ignore)
    for said in planner.run(has_instances=True, must_tell=True):
        raise InputError(said.text)
    return planner


def _sum(events: Iterable[Progress | Result | Remark | Problem]) -> int:
    """Return how many objects were sent; raises PeerFailure when not all were."""
    from pacs_cli.pipelines.retrieve import Result

    stored = 0
    for event in events:
        if not isinstance(event, Result):
            continue
        if event.error is not None:
            raise event.error
        if event.failed:
            raise PeerFailure(f"{event.failed} objects were not sent", event.status or 0)
        stored += event.stored
    return stored
