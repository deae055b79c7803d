"""Where the objects of a job come from, beside files: an index, or another PACS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.commands.batching import target_of
from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import InputError
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Query
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.calling import Calling
    from pacs_cli.pipelines.changes import Changes
    from pacs_cli.pipelines.fetching import Fetcher
    from pacs_cli.pipelines.files import Found, Passed
    from pacs_cli.pipelines.retry import Retry
    from pacs_cli.pipelines.spool import Spool


def indexed(report: Report, db: Path, query: Query) -> Iterator[Found | Passed]:
    """Yield the files of what matches in the index."""
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.offline import OfflineSession
    from pacs_cli.archive.query import Abilities
    from pacs_cli.archive.selecting import files_below
    from pacs_cli.dicom.json_model import text_at
    from pacs_cli.dicom.query import UNIQUE_KEYS
    from pacs_cli.pipelines.files import find_files
    from pacs_cli.pipelines.find import Match, Search

    with open_for_reading(db) as catalog:
        session = OfflineSession(catalog, query.model, Abilities(True), lambda: False)
        for found in Search(session, query, None).run():
            if not isinstance(found, Match):
                report.warning(found.text)
                continue
            level = found.request.level
            unique = text_at(found.dataset, [UNIQUE_KEYS[level]])
            yield from find_files(files_below(catalog, level, unique), enters_dicomdir=False)


def announce(report: Report, job: JobFile, query: Query) -> None:
    """Plan what another PACS has of a query; raises InputError when that is nothing."""
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.fetching import announce as planned
    from pacs_cli.pipelines.find import waking

    kept, wakeup = job.get("source"), Wakeup()
    job.put({"planned": False})
    with waking(wakeup):
        planned(job, _spool(job, kept), _calling(report, kept, wakeup), query, report.warning)
    if wakeup.is_set:
        raise KeyboardInterrupt
    job.put({"planned": True})
    if not job.counts():
        raise InputError("nothing to send: nothing matches there; check the keys")


@contextmanager
def fetching(
    report: Report, job: JobFile, changes: Changes | None, retry: Retry
) -> Iterator[Fetcher | None]:
    """Give what fetches the objects of a job inside the block, None when they are files."""
    kept = job.get("source")
    if kept is None:
        yield None
        return
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.fetching import Fetcher

    spool, wakeup = _spool(job, kept), Wakeup()
    calling = _calling(report, kept, wakeup)
    fetcher = Fetcher(job, spool, calling, changes, retry, report.warning)
    fetcher.recover()
    try:
        with _receiving(report, kept, calling.target, fetcher):
            yield fetcher
    finally:
        fetcher.clear()
        spool.remove()


@contextmanager
def _receiving(
    report: Report, kept: dict[str, Any], target: Target, fetcher: Fetcher
) -> Iterator[None]:
    """Take the objects of C-MOVEs inside the block, if it is to be by C-MOVE."""
    if kept["receive"] is None:
        yield
        return
    from pacs_cli.net.channel import local_address
    from pacs_cli.net.listener import Listener
    from pacs_cli.options import ListenOptions, resolve_listen
    from pacs_cli.pipelines.operations import Move
    from pacs_cli.pipelines.receiver import serving
    from pacs_cli.receiving import AdmissionOptions
    from pacs_cli.services.scp import Provider

    ours = local_address(target)
    where = resolve_listen(
        ListenOptions(
            port=kept["receive"],
            ae_title=target.calling_ae_title,
            bind=kept["bind"] or ours,
            is_called_checked=True,
        )
    )
    listener = Listener(where.bind, where.port)
    settings = AdmissionOptions().provider(where)
    provider = Provider(settings, fetcher.handler, fetcher.observe)
    with serving(listener, provider, report.warning):
        fetcher.move = Move(target.calling_ae_title, f"host {ours}, port {listener.port}")
        yield


def _calling(report: Report, kept: dict[str, Any], wakeup: Wakeup) -> Calling:
    from pacs_cli.dicom.query import Model
    from pacs_cli.pipelines.calling import Calling

    display = Display(report)
    target = target_of(kept["address"])
    return Calling(target, Model.STUDY_ROOT, wakeup, display.opened, display.trace)


def _spool(job: JobFile, kept: dict[str, Any]) -> Spool:
    from pacs_cli.pipelines.spool import Spool

    folder = Path(f"{job.path.resolve()}-spool")
    return Spool(folder, int(kept["spool_mb"] * 1e6))
