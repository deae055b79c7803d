"""One object on its way into the archive, from its first bytes to its outcome.

source  PS3.4 B.2.3 (statuses)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pacs_cli.archive.blobs import Replaced, Staging
from pacs_cli.archive.contents import HEAD, held_header, held_row, read_row
from pacs_cli.archive.layout import MAX_VERSIONS
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.archive.settings import Duplicates
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError, MalformedDataset, OutputError
from pacs_cli.services.serving import Displaced, StoreOutcome, StoreRequest

if TYPE_CHECKING:
    from pacs_cli.archive.handler import ArchiveHandler

#: PS3.4 B.2.3 and PS3.7 C: what an archive answers besides success.
DUPLICATE_SOP_INSTANCE = 0x0111
OUT_OF_RESOURCES = 0xA700
INDEX_FAILED = 0xA701
DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000


class ArchiveSink:
    """Implements services.serving.Sink: keeps the beginning in memory and the rest in a file.

    An object that fits the memory has a file only when it is whole and understood.
    """

    __slots__ = ("_handler", "_head", "_header", "_refusal", "_request", "_size", "_staging")

    def __init__(self, handler: ArchiveHandler, request: StoreRequest) -> None:
        self._handler = handler
        self._request = request
        self._head = bytearray()
        self._size = 0
        self._staging: Staging | None = None
        self._refusal: StoreOutcome | None = None
        try:
            self._header = file_meta(
                request.affected_sop_class_uid,
                request.affected_sop_instance_uid,
                request.transfer_syntax_uid,
                request.association.calling_ae_title,
            )
        except MalformedDataset as error:
            self._refuse(error)

    def write(self, views: Sequence[memoryview]) -> None:
        """Take the next bytes; a failure is remembered and answered by `finish`."""
        if self._refusal is not None:
            return
        size = sum(map(len, views))
        self._size += size
        try:
            if self._staging is not None:
                self._handler.blobs.take(size)
                self._staging.write(views)
            elif self._size <= HEAD:
                for view in views:
                    self._head += view
            else:
                self._overflow(views)
        except OSError as error:
            self._refuse(error)

    def finish(self) -> StoreOutcome:
        """Put the object in place and into the index; the outcome says what became of it."""
        if self._refusal is not None:
            return self._refusal
        try:
            return self._keep()
        except (OSError, MalformedDataset, OutputError) as error:
            return self._refuse(error)
        finally:
            self.discard()

    def discard(self) -> None:
        """Leave nothing of an object that did not arrive whole."""
        if self._staging is not None:
            self._staging.discard()

    def _overflow(self, views: Sequence[memoryview]) -> None:
        """Begin the file: with these bytes there are more than are kept in memory."""
        held = len(self._head)
        for view in views:
            if (room := HEAD - len(self._head)) <= 0:
                break
            self._head += view[:room]
        # a view, so that nothing is written twice; gone before the head could grow
        with memoryview(self._head) as head, head[:held] as before:
            self._stage([before, *views])

    def _stage(self, buffers: Sequence[bytearray | memoryview]) -> Staging:
        self._handler.blobs.take(len(self._header) + self._size)
        self._staging = self._handler.blobs.stage()
        self._staging.write([self._header, *buffers])
        return self._staging

    def _refuse(self, error: OSError | MalformedDataset | OutputError) -> StoreOutcome:
        self.discard()
        if isinstance(error, MalformedDataset):
            self._refusal = StoreOutcome(CANNOT_UNDERSTAND, str(error))
        elif isinstance(error, OutputError):
            self._refusal = StoreOutcome(INDEX_FAILED, "the index cannot be written")
        else:
            reason = (error.strerror or "write error").lower()
            self._refusal = StoreOutcome(OUT_OF_RESOURCES, f"cannot write: {reason}")
        return self._refusal

    def _read(self, offset: int, count: int) -> bytes:
        """Read back from the file what the head has not."""
        if self._staging is None:
            return bytes(self._head[offset : offset + count])
        return os.pread(self._staging.descriptor, count, len(self._header) + offset)

    def _keep(self) -> StoreOutcome:
        request, handler = self._request, self._handler
        row = read_row(
            self._head,
            self._size,
            self._read,
            request.transfer_syntax_uid,
            request.association.calling_ae_title,
            handler.plans,
        )
        row.path = handler.settings.layout.place(row)
        uid = row.sop_instance_uid
        if (
            uid != request.affected_sop_instance_uid
            or row.sop_class_uid != request.affected_sop_class_uid
        ):
            reason = "SOP class or instance UID differs between command and data set"
            return _refused(DOES_NOT_MATCH_SOP_CLASS, reason, row)
        with handler.stripe(uid):
            staging = self._staging or self._stage([self._head])
            if self._is_new(staging, row):
                return _stored(row)
            return self._again(staging, row)

    def _is_new(self, staging: Staging, row: InstanceRow) -> bool:
        """Name, then index, then success; False when its UID is held, and nothing is changed."""
        blobs, index = self._handler.blobs, self._handler.index
        if not staging.place_at(row.path):
            return False
        try:
            if index.add(row):
                return True
            held = index.find_path(row.sop_instance_uid)
            if held in (None, row.path) or blobs.is_gone(held):
                # the file was removed from under the archive
                index.replace(row)
                return True
        except OutputError:
            blobs.remove(row.path)
            raise
        # it is filed elsewhere already
        blobs.remove(row.path)
        return False

    # -- what is held already ----------------------------------------------------------------

    def _again(self, staging: Staging, row: InstanceRow) -> StoreOutcome:
        """Answer an object whose UID is held: the same bytes are success."""
        handler = self._handler
        blobs, index, uid = handler.blobs, handler.index, row.sop_instance_uid
        held = self._held(row)
        for version, path in held:
            if self._is_same(staging, row, path):
                row.path, row.version = path, version
                # a row that a crash has kept from being written is written now
                index.add(row)
                return _stored(row, is_duplicate=True)
        version, path = held[0]
        row.version = version
        try:
            newest = held_row(blobs.name(path))
        except InputError:
            return self._replace(staging, row, path, is_damaged=True)
        if newest.sop_instance_uid != uid:
            raise OSError(0, "another object's file has its name")
        if handler.settings.duplicates is Duplicates.REPLACE:
            return self._replace(staging, row, path)
        if handler.settings.duplicates is Duplicates.VERSION and version < MAX_VERSIONS:
            newest.path, newest.version = path, version
            index.add(newest)
            return self._supersede(staging, row, newest)
        reason = "another object with this SOP instance UID is held"
        return _refused(DUPLICATE_SOP_INSTANCE, reason, row)

    def _held(self, row: InstanceRow) -> list[tuple[int, str]]:
        """Return version and path of every file of its UID, at least one, the newest first."""
        blobs, index, uid = self._handler.blobs, self._handler.index, row.sop_instance_uid
        rows = index.versions(uid)
        held = [(version, path) for version, path in rows if not blobs.is_gone(path)]
        if held:
            if held[0] != rows[0]:
                # removed from under the archive: a start serves what is left
                index.distrust()
            return held
        if rows:
            index.remove(uid)
        # what has the name is a file without a row
        return [(1, row.path)]

    def _is_same(self, staging: Staging, row: InstanceRow, path: str) -> bool:
        """Return whether a held file has the same bytes, and in the same transfer syntax.

        In another one they mean other pixels. raises OSError when the file cannot be read, which
        may pass: it is not the same as a damaged one, which is none of the same bytes
        """
        try:
            header = held_header(self._handler.blobs.name(path))
        except InputError:
            return False
        offset = header.dataset_offset
        return (
            header.transfer_syntax_uid == row.transfer_syntax_uid
            and header.file_size - offset == row.size
            and staging.equals(path, offset, len(self._header))
        )

    def _supersede(self, staging: Staging, row: InstanceRow, newest: InstanceRow) -> StoreOutcome:
        """Keep both: the new object gets a name of its own and becomes what is served."""
        handler = self._handler
        for version in range(newest.version + 1, MAX_VERSIONS + 1):
            row.path, row.version = handler.settings.layout.place(row, version), version
            if staging.place_at(row.path):
                break
        else:
            reason = f"more than {MAX_VERSIONS} objects with this SOP instance UID"
            return _refused(DUPLICATE_SOP_INSTANCE, reason, row)
        try:
            handler.index.supersede(row)
        except OutputError:
            handler.blobs.remove(row.path)
            raise
        size = handler.blobs.size(newest.path)
        return _stored(row, displaced=Displaced("version", newest.path, size))

    def _replace(
        self, staging: Staging, row: InstanceRow, held: str, is_damaged: bool = False
    ) -> StoreOutcome:
        """Let the new object take the place of the held one, whose file is set aside if damaged.

        What is about to happen is in the index before the first file changes, and the row after
        the last: whatever happens in between, a start finds which of the two is there.
        """
        handler = self._handler
        blobs, index, uid = handler.blobs, handler.index, row.sop_instance_uid
        row.path = handler.settings.layout.place(row, row.version)
        size, digest = blobs.digest(held)
        index.announce(uid, row.path, held)
        aside = ""
        try:
            if is_damaged:
                aside = blobs.set_aside(held)
            replaced = self._put(staging, row.path, held)
            try:
                index.replace(row)
            except OutputError:
                self._put_back(row.path, replaced)
                raise
        except (OSError, OutputError):
            if aside and not blobs.is_gone(held):
                blobs.remove(aside)
            if not blobs.is_untidy:
                self._retract(uid)
            # else a start is to find out which of the two is there
            raise
        if replaced is not None:
            replaced.drop()
        if row.path != held:
            blobs.clear_away(held)
        self._retract(uid)
        displaced = Displaced("replaced", held, size, digest)
        if is_damaged:
            displaced = Displaced("damaged", aside, size)
        return _stored(row, displaced=displaced)

    def _retract(self, uid: str) -> None:
        """End what was announced, now or at the next start."""
        try:
            self._handler.index.retract(uid)
        except OutputError:
            self._handler.index.distrust()

    def _put(self, staging: Staging, path: str, held: str) -> Replaced | None:
        """Put the file in its place; return what had that place, if anything had."""
        if path != held:
            if staging.place_at(path):
                return None
            # a file of this UID that is in no index: nobody asked for its end
            self._handler.blobs.set_aside(path)
        return staging.take_place_of(path)

    def _put_back(self, path: str, replaced: Replaced | None) -> None:
        if replaced is None:
            self._handler.blobs.remove(path)
        else:
            replaced.restore()


def _stored(
    row: InstanceRow, is_duplicate: bool = False, displaced: Displaced | None = None
) -> StoreOutcome:
    return StoreOutcome(
        0,
        "",
        row.size,
        row.path,
        row.study_instance_uid,
        row.series_instance_uid,
        is_duplicate,
        displaced,
        row.attributes.get("patient_id", ""),
    )


def _refused(status: int, reason: str, row: InstanceRow) -> StoreOutcome:
    return StoreOutcome(
        status,
        reason,
        row.size,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        patient_id=row.attributes.get("patient_id", ""),
    )
