"""Planning a job: what files say of themselves becomes rows, in many small transactions."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.part10 import IsDirectory, probe_open
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Planned, State
from pacs_cli.pipelines.files import Found, Passed

#: Rows of one transaction: a tenth of a second of files, and an fsync is lost among them.
_BATCH = 2000

_STUDY = 0x0020000D
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
    for each in found:
        # from another folder and on another day the same file
        path = os.path.abspath(each.path) if "\0" not in each.path else each.path  # noqa: PTH100
        if isinstance(each, Passed):
            state = State.FAILED if each.is_failure else State.SKIPPED
            yield Planned(path, state=state, failure="input", words=each.reason)
        elif not job.knows(path, each.modified_ns, each.size):
            yield examine(path, each.is_named, each.modified_ns)


def examine(path: str, is_named: bool, modified_ns: int) -> Planned:
    """Return what a job is to know of one file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            header = probe_open(descriptor)
            study = _study(descriptor, header.dataset_offset, header.transfer_syntax_uid)
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


def _study(descriptor: int, offset: int, syntax: str) -> str:
    """Return the Study Instance UID, "" when it cannot be found: the peer may take the object."""
    for size in _HEADS:
        head = os.pread(descriptor, size, offset)
        try:
            found = pick(head, encoding_of(syntax), {_STUDY}, complete=len(head) < size)
        except MalformedDataset:
            continue
        return found.get(_STUDY, b"").decode("latin-1").strip(" \0")[:64]
    return ""


def digest(path: str, offset: int) -> str:
    """Return the SHA-256 of the data set of a file; of none that can be read, its path's."""
    whole = hashlib.sha256()
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path would not hold every name
            file.seek(offset)
            while block := file.read(1024 * 1024):
                whole.update(block)
    except OSError:
        return f"unreadable {hashlib.sha256(os.fsencode(path)).hexdigest()}"
    return whole.hexdigest()
