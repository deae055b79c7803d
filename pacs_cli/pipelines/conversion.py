"""Data sets brought into a native transfer syntax because a peer takes them in no other."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from pacs_cli.errors import InputError
from pacs_cli.pipelines.items import Item
from pacs_cli.pipelines.loading import Loader
from pacs_cli.wire.message import Buffer
from pacs_cli.wire.negotiation import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

if TYPE_CHECKING:
    from pacs_cli.pixels.workers import Workers

#: Tried in this order: the second every peer has to accept (PS3.5 10.1), but it has no VRs.
FALLBACKS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class Converter:
    """Gives data sets in another transfer syntax than they are stored in. One thread uses it."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._workers: Workers | None = None

    def load(self, item: Item, transfer_syntax_uid: str) -> list[Buffer]:
        """Return the data set converted, with the edits of the loader, valid until its next load.

        raises  InputError without the path when it cannot be converted
        """
        # the codecs are imported by the process that needs them
        from pacs_cli.pixels.files import Task
        from pacs_cli.pixels.workers import Workers

        if self._workers is None:
            self._workers = Workers(1)
        with tempfile.TemporaryDirectory(prefix="pacs-") as folder:
            part = os.path.join(folder, "dataset")  # noqa: PTH118 a path as the others are
            done = self._workers.one(Task(item.path, part, transfer_syntax_uid, is_bare=True))
            if done.error is not None:
                raise InputError(done.error)
            header = replace(
                item.header,
                transfer_syntax_uid=transfer_syntax_uid,
                dataset_offset=0,
                file_size=done.written,
            )
            return self._loader.load(Item(part, header))

    def close(self) -> None:
        """End the process, if there is one."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
