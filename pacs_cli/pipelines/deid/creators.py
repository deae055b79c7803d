"""The private creators of a data set, and whose blocks are whose (PS3.5 7.8.1)."""

from __future__ import annotations

from pacs_cli.dicom.elements import vr_without

#: An odd group and an element of at most 00FF.
_MASK, _PATTERN = 0x0001FF00, 0x00010000

#: Real data sets have a handful; a file of nothing else must not fill the memory.
_MOST = 4096


class Creators:
    """The private creators of one data set (PS3.5 7.8.1).

    kept       of whose blocks anything stays, in the groups that were `looked_at`
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self.kept: set[int] = set()
        self.looked_at: set[int] = set()

    def is_one(self, tag: int) -> bool:
        """Whether a tag is that of a creator."""
        return tag & _MASK == _PATTERN and tag & 0xFFFF >= 0x10

    def add(self, tag: int, name: bytes) -> None:
        """Note a creator."""
        if len(self._names) < _MOST:
            self._names[tag] = name.decode("latin-1").rstrip("\0 ")

    def block(self, tag: int) -> int:
        """Return the tag of the creator of an element."""
        return tag & 0xFFFF0000 | (tag & 0xFF00) >> 8

    def of(self, tag: int) -> str:
        """Return the creator of an element, "" when it has none."""
        return self._names.get(self.block(tag), "") if tag & 0x10000 else ""

    def vr(self, tag: int) -> str:
        """Return the VR of an element that is written without one."""
        return vr_without(tag, self._names)
