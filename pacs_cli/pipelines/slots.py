"""At most so many associations to one peer at a time, of all processes of a user together.

A slot is a lock on a file, which ends with the process, however that ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pacs_cli.errors import OutputError
from pacs_cli.net.target import Target

try:
    import fcntl
except ImportError:  # Windows, where the peer's own limit has to do
    fcntl = None  # type: ignore[assignment]

#: Seconds between two looks for a free slot: nothing tells when one of several locks is let go.
_LOOK = 0.2


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """Return where slots are kept, by the XDG specification; None without a home."""
    folder = Path(environ.get("XDG_STATE_HOME", ""))
    if folder.is_absolute():
        return folder / "pacs"
    home = environ.get("HOME")
    return Path(home, ".local", "state", "pacs") if home else None


class Slots:
    """The slots of one peer; any thread may ask."""

    def __init__(self, folder: Path, target: Target) -> None:
        self._folder = folder
        self._count = target.max_associations
        self._name = re.sub(r"[^A-Za-z0-9.-]", "_", f"{target.host}-{target.port}")

    def take(self, wait: Callable[[float], None], is_over: Callable[[], bool]) -> int | None:
        """Return the descriptor that is the slot, once one is free: closing it lets it go.

        returns  None when it is over before that
        raises   OutputError when the folder cannot be used
        """
        while not is_over():
            for number in range(self._count):
                if (descriptor := self._locked(number)) is not None:
                    return descriptor
            wait(_LOOK)
        return None

    def _locked(self, number: int) -> int | None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{self._name}.{number}.slot"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise OutputError(f"cannot use {self._folder}: {words}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor


def slots_for(folder: Path | None, target: Target) -> Slots | None:
    """Return the slots of a peer, None of one without a limit."""
    if not target.max_associations or folder is None or fcntl is None:
        return None
    return Slots(folder, target)
