"""Sending files: contexts from the files, as many associations as they need, one result each."""

from __future__ import annotations

import mmap
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pacs_cli.dicom.part10 import Header, IsDirectory, probe
from pacs_cli.errors import Exit, InputError, NoAcceptedContext, PacsError
from pacs_cli.net.target import Target
from pacs_cli.pipelines.files import Found, Passed, find_files
from pacs_cli.services.diagnosis import explain_context, explain_status
from pacs_cli.services.results import StoreResult
from pacs_cli.services.scu import Session, Trace
from pacs_cli.wire.message import Buffer
from pacs_cli.wire.negotiation import Proposal, batches

#: Up to here a file is read in one call; a larger one is mapped, so that it never stands whole in
#: memory of ours. Mapping costs more than reading below some 4 MiB (page faults).
_READ_WHOLE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """One file to send and what its header says."""

    path: str
    header: Header

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return self.header.file_size - self.header.dataset_offset


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file.

    status  the peer's, None when it was never asked
    error   None when the peer keeps the object; else why not, on one line
    exit    the class of the failure, OK without one
    """

    path: str
    item: Item | None
    status: int | None
    error: str | None = None
    seconds: float = 0.0
    exit: Exit = Exit.OK

    @property
    def is_warning(self) -> bool:
        """Whether the peer keeps the object with a remark."""
        return self.error is None and self.status != 0


def collect(paths: Iterable[str]) -> tuple[list[Item], list[Sent], list[Passed]]:
    """Read the header of every file that `paths` mean.

    returns  what can be sent, what cannot with its reason, and what is left out by nature
    """
    items: list[Item] = []
    failures: list[Sent] = []
    passed: list[Passed] = []
    for found in find_files(paths):
        if isinstance(found, Found):
            try:
                items.append(Item(found.path, probe(found.path)))
            except IsDirectory:
                # it lists objects and is none: a folder from a disc is sent whole without it
                passed.append(Passed(found.path, "a DICOMDIR is not sent"))
            except InputError as error:
                failures.append(Sent(found.path, None, None, str(error), exit=error.exit))
        else:
            reason = f"cannot read {found.path}: {found.reason}"
            failures.append(Sent(found.path, None, None, reason, exit=Exit.BAD_INPUT))
    return items, failures, passed


def send(
    target: Target,
    items: Sequence[Item],
    opened: Callable[[Session], None],
    trace: Trace | None = None,
) -> Iterator[Sent]:
    """Send every item, in order within each association, and yield its result as it is known.

    opened  told of each association once it stands
    What ends an association ends the items that were left for it, each with the same reason.
    """
    for group in batches(_proposals(items)):
        kinds = {(p.abstract_syntax, p.transfer_syntaxes[0]) for p in group}
        yield from _send_group(
            target, group, [i for i in items if _kind(i) in kinds], opened, trace
        )


def _kind(item: Item) -> tuple[str, str]:
    return item.header.sop_class_uid, item.header.transfer_syntax_uid


def _proposals(items: Iterable[Item]) -> list[Proposal]:
    """One context for each pair of SOP class and stored transfer syntax, in order of appearance.

    A context of its own for each syntax lets the peer accept some and refuse others; the bytes
    go out as they are stored, so nothing else could be used.
    """
    kinds = dict.fromkeys(map(_kind, items))
    return [Proposal(sop_class, (syntax,)) for sop_class, syntax in kinds]


def _send_group(
    target: Target,
    proposals: Sequence[Proposal],
    items: Sequence[Item],
    opened: Callable[[Session], None],
    trace: Trace | None,
) -> Iterator[Sent]:
    """Send what one association can carry; results come in the order of `items`."""
    remaining = deque(items)
    while remaining:
        try:
            with Session(target, proposals, trace=trace) as session:
                opened(session)
                for sent in _send_all(session, list(remaining)):
                    remaining.popleft()
                    yield sent
        except InputError as error:
            # a message was left half sent, which ends the association; the others get a new one
            yield _unreadable(remaining.popleft(), str(error))
        except PacsError as error:
            # after the last answer a failing release changes nothing: all is acknowledged
            while remaining:
                item = remaining.popleft()
                yield Sent(item.path, item, None, str(error), exit=error.exit)


def _send_all(session: Session, items: Iterable[Item]) -> Iterator[Sent]:
    reader = _Reader()
    pending: Item | None = None
    for item in items:
        context = session.context_for(*_kind(item))
        # read while the peer answers the one before
        data = reader.load(item) if context else None
        if pending is not None:
            yield _judged(pending, session.finish_store())
            pending = None
        if context is None:
            yield _refused(session, item)
        elif isinstance(data, Sent):
            yield data
        else:
            assert data is not None
            header = item.header
            session.begin_store(context.id, header.sop_class_uid, header.sop_instance_uid, (data,))
            pending = item
    if pending is not None:
        yield _judged(pending, session.finish_store())


class _Reader:
    """Reads data sets into one buffer: `begin_store` has handed the last to the kernel by then."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def load(self, item: Item) -> Buffer | Sent:
        """Return the bytes of the data set, valid until the next call, or why there are none."""
        try:
            # not blocking: a FIFO may stand there by now
            descriptor = os.open(item.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._read(descriptor, item)
            finally:
                os.close(descriptor)
        except InputError as error:
            return _unreadable(item, str(error))
        except (OSError, ValueError) as error:
            # ValueError: it became shorter between the look at it and its mapping
            return _unreadable(item, str(getattr(error, "strerror", None) or error).lower())

    def _read(self, descriptor: int, item: Item) -> Buffer:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if status.st_size < item.header.file_size:
            raise InputError("it became shorter while it was being sent")
        if item.size > _READ_WHOLE:
            whole = mmap.mmap(descriptor, item.header.file_size, access=mmap.ACCESS_READ)
            return memoryview(whole)[item.header.dataset_offset :]
        if len(self._buffer) < item.size:
            self._buffer = bytearray(item.size)
        view = memoryview(self._buffer)[: item.size]
        if os.preadv(descriptor, [view], item.header.dataset_offset) != item.size:
            raise InputError("it became shorter while it was being sent")
        return view


def _unreadable(item: Item, reason: str) -> Sent:
    message = f"cannot read {item.path}: {reason}"
    return Sent(item.path, item, None, message, exit=Exit.BAD_INPUT)


def _refused(session: Session, item: Item) -> Sent:
    results = [
        context.result
        for context in session.contexts.values()
        if (context.abstract_syntax, context.proposed[0]) == _kind(item)
    ]
    sop_class, syntax = _kind(item)
    error = NoAcceptedContext(
        f"cannot send {item.path}: {session.target} did not accept SOP class {sop_class} in "
        f"transfer syntax {syntax}, {explain_context(results[0])}; -v shows what it accepts"
    )
    return Sent(item.path, item, None, str(error), exit=error.exit)


def _judged(item: Item, result: StoreResult) -> Sent:
    if result.is_stored:
        return Sent(item.path, item, result.status, seconds=result.seconds)
    remark = f" ({result.comment})" if result.comment else ""
    reason = f"{item.path} was not stored: {explain_status(result.status)}{remark}"
    return Sent(item.path, item, result.status, reason, result.seconds, Exit.PEER_FAILED)
