"""What becomes of a job's objects on their way: fixed, de-identified, transcoded, in this order.

Everything is derived from the file, the table of fixes and the key, so an object is the same each
time that it is sent.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.part10 import Header, file_meta
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.jobs.states import Planned, State
from pacs_cli.pipelines.fixes import TAGS, Fixes
from pacs_cli.pipelines.items import ChangedItem, Item, NotSendable
from pacs_cli.pipelines.loading import Loader
from pacs_cli.wire.message import Buffer

if TYPE_CHECKING:
    from pacs_cli.dicom.edit import Editor
    from pacs_cli.pipelines.deid.work import Made, Worker
    from pacs_cli.pixels.transcoding import Options
    from pacs_cli.pixels.workers import Workers

_SOP_CLASS, _SOP_INSTANCE, _STUDY = 0x00080016, 0x00080018, 0x0020000D

#: What is read of a file to see which fixes count for it: first what is enough for most.
_HEADS = (16 * 1024, 1024 * 1024, 64 * 1024 * 1024)


class Release:
    """De-identifies objects in memory, each of them proven. Any thread may ask.

    What one file tells of a patient is looked for in all that come later, so there is one worker
    for all associations.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._mutex = threading.Lock()

    def made(self, path: str, content: memoryview | None = None) -> Made:
        """Return an object de-identified; raises NotSendable when it is withheld."""
        with self._mutex:
            outcome = self._worker.one(path, content)
            made = self._worker.made
        if made is None:
            raise NotSendable("withheld", f"{outcome.code}: {outcome.message}")
        return made

    def learn(self, path: str) -> None:
        """Take in what a file tells of its patient."""
        with self._mutex:
            self._worker.one(path)


class Conversion(NamedTuple):
    """Into which transfer syntax objects are brought, and how."""

    transfer_syntax_uid: str
    is_lossy: bool
    options: Options

    def instance(self, source: Header) -> str:
        """Return the UID of what becomes of an object: of another one, when something is lost."""
        if not self.is_lossy or source.transfer_syntax_uid == self.transfer_syntax_uid:
            return source.sop_instance_uid
        text = f"{source.sop_instance_uid} {self.transfer_syntax_uid} {self.options.quality}"
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        return f"2.25.{number}"


@dataclass(frozen=True)
class Changes:
    """The changes of a job; any thread may ask."""

    fixes: Fixes | None = None
    release: Release | None = None
    conversion: Conversion | None = None

    def planned(self, planned: Planned) -> Planned:
        """Return what a job is to know of a file: as what it will be sent."""
        if planned.state is not State.QUEUED or planned.sop_instance_uid is None:
            return planned
        try:
            return self._planned(planned)
        except NotSendable as error:
            failure, words = error.failure, str(error)
        except InputError as error:
            failure, words = "input", str(error)
        # nothing but the path: never to be queued again as the file is
        return Planned(planned.path, state=State.FAILED, failure=failure, words=words)

    def learn(self, paths: Iterable[str]) -> None:
        """Take in what files tell of their patients, before any of them is sent."""
        for path in paths if self.release else ():
            assert self.release is not None
            self.release.learn(path)

    def loader(self) -> Loader:
        """Return what gives the bytes of ChangedItems to one association."""
        return ChangingLoader(self)

    def _planned(self, planned: Planned) -> Planned:
        source = _source(planned)
        lines: tuple[int, ...] = ()
        header, study = source, planned.study_instance_uid
        if self.fixes is not None:
            lines = self._lines(self.fixes, planned.path, source)
            if editor := self.fixes.editor(lines):
                header = _edited(editor, source)
                study = _assigned(self.fixes, lines, _STUDY) or study
        if self.release is not None:
            content = _fixed(self, planned.path, source, header, lines)
            made = self.release.made(planned.path, content)
            header, study = _as_made(header, made), made.identity[_STUDY]
        if self.conversion is not None:
            header = header._replace(
                sop_instance_uid=self.conversion.instance(header),
                transfer_syntax_uid=self.conversion.transfer_syntax_uid,
            )
        return planned._replace(
            sop_instance_uid=header.sop_instance_uid,
            study_instance_uid=study,
            kind=(header.sop_class_uid, header.transfer_syntax_uid),
            source_sop_instance_uid=source.sop_instance_uid,
            fixes=lines,
        )

    def _lines(self, fixes: Fixes, path: str, source: Header) -> tuple[int, ...]:
        encoding = encoding_of(source.transfer_syntax_uid)
        whole = source.file_size - source.dataset_offset
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                for size in _HEADS:
                    head = os.pread(descriptor, size, source.dataset_offset)
                    try:
                        picked = pick(head, encoding, TAGS, complete=len(head) >= whole)
                    except MalformedDataset:
                        if len(head) >= whole:
                            raise
                        continue
                    return fixes.lines_for(picked, encoding)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise InputError((error.strerror or str(error)).lower()) from None
        raise InputError(f"what fixes match by is not in its first {_HEADS[-1]} bytes")


class ChangingLoader(Loader):
    """Gives the bytes of objects as they are sent. One thread uses it."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self._changes = changes
        self._workers: Workers | None = None

    def load(self, item: Item) -> list[Buffer]:
        """Return the data set as it is sent; raises as Loader, and NotSendable."""
        assert isinstance(item, ChangedItem)
        changes = self._changes
        self._editor = changes.fixes.editor(item.lines) if changes.fixes else None
        source = Item(item.path, item.source)
        header = _edited(self._editor, item.source)
        made: Made | None = None
        if changes.release is not None:
            content = _fixed(changes, item.path, item.source, header, item.lines)
            made = changes.release.made(item.path, content)
            header = _as_made(header, made)
        conversion = changes.conversion
        if conversion and header.transfer_syntax_uid != conversion.transfer_syntax_uid:
            return self._converted(conversion, item, made, source, header)
        if (header.sop_class_uid, header.sop_instance_uid) != _identity(item.header):
            raise InputError("it would be sent as another object than was planned")
        return list(made.content[1:]) if made else super().load(source)

    def close(self) -> None:
        """End the process that transcodes, if there is one."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def _converted(
        self,
        conversion: Conversion,
        item: ChangedItem,
        made: Made | None,
        source: Item,
        header: Header,
    ) -> list[Buffer]:
        """Transcode in another process: what is given to codecs may crash them."""
        from pacs_cli.pixels.files import Task
        from pacs_cli.pixels.workers import Workers

        if self._workers is None:
            self._workers = Workers(1)
        with tempfile.TemporaryDirectory(prefix="pacs-") as folder:
            path = item.path
            if made is not None or self._editor is not None:
                path = os.path.join(folder, "changed")  # noqa: PTH118 a path as the others are
                pieces = made.content if made else [_meta(header), *super().load(source)]
                with open(path, "xb") as file:  # noqa: PTH123 as above
                    file.writelines(pieces)
            part = os.path.join(folder, "dataset")  # noqa: PTH118 as above
            planned = item.header.sop_instance_uid
            options = replace(conversion.options, new_uid=planned)
            done = self._workers.one(
                Task(path, part, conversion.transfer_syntax_uid, options, is_bare=True)
            )
            if done.error is not None:
                raise InputError(done.error)
            if (done.new_uid or done.sop_instance_uid) != planned:
                raise InputError("it would be sent as another object than was planned")
            self._editor = None
            converted = header._replace(
                transfer_syntax_uid=conversion.transfer_syntax_uid,
                dataset_offset=0,
                file_size=done.written,
            )
            return super().load(Item(part, converted))


def _source(planned: Planned) -> Header:
    sop_class, syntax = planned.kind
    assert planned.sop_instance_uid is not None
    return Header(
        *("", "", syntax, sop_class, planned.sop_instance_uid),
        planned.dataset_offset,
        planned.file_size,
    )


def _identity(header: Header) -> tuple[str, str]:
    return header.sop_class_uid, header.sop_instance_uid


def _edited(editor: Editor | None, source: Header) -> Header:
    if editor is None:
        return source
    identity = editor.identity(source.sop_class_uid, source.sop_instance_uid)
    return source._replace(sop_class_uid=identity[0], sop_instance_uid=identity[1])


def _as_made(header: Header, made: Made) -> Header:
    return header._replace(
        sop_class_uid=made.identity[_SOP_CLASS],
        sop_instance_uid=made.identity[_SOP_INSTANCE],
        transfer_syntax_uid=made.transfer_syntax_uid,
    )


def _assigned(fixes: Fixes, lines: tuple[int, ...], tag: int) -> str:
    values = [
        each.value for line in lines for each in fixes.rows[line].assignments if each.tag == tag
    ]
    return values[-1].strip() if values else ""


def _meta(header: Header) -> bytes:
    return file_meta(header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid)


def _fixed(
    changes: Changes, path: str, source: Header, header: Header, lines: tuple[int, ...]
) -> memoryview | None:
    """Return the file with its fixes, None without any."""
    editor = changes.fixes.editor(lines) if changes.fixes else None
    if editor is None:
        return None
    loaded = Loader(editor).load(Item(path, source))
    return memoryview(b"".join((_meta(header), *loaded)))
