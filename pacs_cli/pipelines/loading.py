"""The bytes of the data sets that are sent: read or mapped, edited on the way, never whole."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from pacs_cli.dicom.encoding import TruncatedDataset, encoding_of
from pacs_cli.dicom.mapping import FILL, POPULATE, mapped
from pacs_cli.errors import InputError
from pacs_cli.pipelines.items import Item
from pacs_cli.wire.message import Buffer

if TYPE_CHECKING:
    from pacs_cli.dicom.edit import Editor

#: Up to here a file is read into one buffer: mapping costs 15 us whatever the size.
_READ = 96 * 1024
#: How much of a mapped file is read to edit it, the next when one was not enough. The elements
#: that people set stand in the first kilobytes.
_HEADS = (64 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)


class Loader:
    """Gives the bytes of one data set after the other. One thread uses it.

    editor  changes the data sets on their way, None to leave them as they are
    """

    def __init__(self, editor: Editor | None = None) -> None:
        self._editor = editor
        self._buffer = bytearray()

    def load(self, item: Item) -> list[Buffer]:
        """Return the data set as buffers, valid until the next call.

        raises  InputError without the path when it cannot be read, has changed since it was
                looked at, or cannot take the edits
        """
        try:
            # not blocking: a FIFO may stand there by now
            descriptor = os.open(item.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return self._loaded(descriptor, item)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            # ValueError: it became shorter between the look at it and its mapping
            raise InputError(str(getattr(error, "strerror", None) or error).lower()) from None

    def close(self) -> None:
        """Let go of what loading needed."""

    def _loaded(self, descriptor: int, item: Item) -> list[Buffer]:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file")
        if status.st_size < item.header.file_size:
            raise InputError("it became shorter while it was being sent")
        size = item.size
        if size <= (_READ if POPULATE else FILL):
            view = self._read(descriptor, item, size)
            return [view] if self._editor is None else _edited(self._editor, item, view)
        whole = mapped(descriptor, item.header.file_size)[item.header.dataset_offset :]
        if self._editor is None:
            return [whole]
        return self._edited_in_part(self._editor, descriptor, item, whole)

    def _read(self, descriptor: int, item: Item, size: int) -> memoryview:
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        view = memoryview(self._buffer)[:size]
        if os.preadv(descriptor, [view], item.header.dataset_offset) != size:
            raise InputError("it became shorter while it was being sent")
        return view

    def _edited_in_part(
        self, editor: Editor, descriptor: int, item: Item, whole: memoryview
    ) -> list[Buffer]:
        """Edit the beginning, let the mapping follow. The mapping is never looked into: were the
        file cut off meanwhile, this process would end by a signal.
        """
        encoding = encoding_of(item.header.transfer_syntax_uid)
        for limit in (item.size,) if encoding.deflated else _HEADS:
            size = min(limit, item.size)
            head = os.pread(descriptor, size, item.header.dataset_offset)
            if len(head) != size:
                raise InputError("it became shorter while it was being sent")
            try:
                buffers, rest = editor.edit(head, encoding, complete=size == item.size)
            except TruncatedDataset:
                if size == item.size:
                    raise
                continue
            return [*buffers, whole[rest:]]
        raise InputError(f"what is to be edited is not in its first {_HEADS[-1]} bytes")


def _edited(editor: Editor, item: Item, view: memoryview) -> list[Buffer]:
    buffers, rest = editor.edit(view, encoding_of(item.header.transfer_syntax_uid))
    return [*buffers, view[rest:]]
