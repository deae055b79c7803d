"""Planning a job: what files say of themselves becomes rows, in many small transactions."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import TruncatedDataset, encoding_of
from pacs_cli.dicom.part10 import Header, IsDirectory, header_of, probe_open
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Planned, State
from pacs_cli.pipelines.files import Found, Passed

#: Rows of one transaction: a tenth of a second of files, and an fsync is lost among them.
_BATCH = 2000

_STUDY = 0x0020000D
_STUDIES = frozenset({_STUDY})
#: Study Instance UID comes before everything large, but for what private elements hold.
_HEADS = (16 * 1024, 1024 * 1024)


def plan(
    job: JobFile,
    found: Iterable[Found | Passed],
    told: Callable[[Planned], None],
    changed: Callable[[Planned], Planned] | None = None,
) -> None:
    """Put files into a job; what it knows already, as it is, is not read again.

    told     of each that cannot be sent
    changed  says as what each is sent, None as it is
    raises   OutputError
    """
    examined = _examined(job, found)
    fill(job, map(changed, examined) if changed else examined, told)


def fill(job: JobFile, planned: Iterable[Planned], told: Callable[[Planned], None]) -> None:
    """Put what is known already into a job; `told` and raises as `plan`."""
    rows = iter(planned)
    while batch := list(islice(rows, _BATCH)):
        job.add(batch, digest)
        for each in batch:
            if each.state is not State.QUEUED:
                told(each)


def _examined(job: JobFile, found: Iterable[Found | Passed]) -> Iterator[Planned]:
    is_new = job.is_empty
    for each in found:
        path = _absolute(each.path)
        if isinstance(each, Passed):
            state = State.FAILED if each.is_failure else State.SKIPPED
            yield Planned(path, state=state, failure="input", words=each.reason)
        elif is_new or not job.knows(path, each.modified_ns, each.size):
            yield examine(path, each.is_named, each.modified_ns)


def _absolute(path: str) -> str:
    """Return a path that is the same file from another folder and on another day."""
    is_plain = path.startswith("/") and "/." not in path and "//" not in path
    if is_plain or "\0" in path:
        return path
    return os.path.abspath(path)  # noqa: PTH100 - a Path would not hold every name


def examine(path: str, is_named: bool, modified_ns: int) -> Planned:
    """Return what a job is to know of one file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            head = os.pread(descriptor, _HEADS[0], 0)
            header = _header(descriptor, head)
            study = _study(descriptor, head, header)
        finally:
            os.close(descriptor)
    except IsDirectory:
        words = "a DICOMDIR is not sent"
        state = State.FAILED if is_named else State.SKIPPED
        return Planned(path, state=state, failure="input", words=words)
    except InputError as error:
        return Planned(path, state=State.FAILED, failure="input", words=str(error))
    except (OSError, ValueError) as error:
        words = str(getattr(error, "strerror", None) or error).lower()
        return Planned(path, state=State.FAILED, failure="input", words=words)
    return Planned(
        path,
        header.sop_instance_uid,
        study,
        (header.sop_class_uid, header.transfer_syntax_uid),
        header.dataset_offset,
        header.file_size,
        modified_ns,
    )


def _header(descriptor: int, head: bytes) -> Header:
    """Return what a file says of itself; of what is odd, or no regular file, as `probe` does."""
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size > len(head):
        try:
            return header_of(head, False, status.st_size)
        except TruncatedDataset:
            # more of it is needed
            pass
    return probe_open(descriptor)


def _study(descriptor: int, head: bytes, header: Header) -> str:
    """Return the Study Instance UID, "" when it cannot be found: the peer may take the object."""
    offset, encoding = header.dataset_offset, encoding_of(header.transfer_syntax_uid)
    for size in _HEADS:
        if size > len(head):
            head = os.pread(descriptor, size, 0)
        try:
            is_whole = len(head) >= header.file_size
            found = pick(memoryview(head)[offset:], encoding, _STUDIES, complete=is_whole)
        except MalformedDataset:
            continue
        return found.get(_STUDY, b"").decode("latin-1").strip(" \0")[:64]
    return ""


def digest(path: str, offset: int) -> str:
    """Return the SHA-256 of the data set of a file; of none that can be read, its path's."""
    import hashlib

    whole = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path would not hold every name
            file.seek(offset)
            while block := file.read(1024 * 1024):
                whole.update(block)
    except OSError:
        return f"unreadable {hashlib.sha256(os.fsencode(path)).hexdigest()}"
    return whole.hexdigest()
