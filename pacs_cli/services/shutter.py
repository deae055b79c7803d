"""Whether new associations are let in, known to all processes of one provider."""

from __future__ import annotations

import mmap


class Shutter:
    """Open at first. Made before the process is divided; whoever holds it shuts and opens it."""

    def __init__(self) -> None:
        self._state = mmap.mmap(-1, mmap.PAGESIZE)

    @property
    def is_shut(self) -> bool:
        """Whether new associations are to be rejected; any process may ask."""
        return self._state[0] != 0

    def set(self, is_shut: bool) -> None:
        """Shut it, or open it."""
        self._state[0] = is_shut
