"""One data set or item while it is open: what later checks ask about it."""

from __future__ import annotations

import struct

from pacs_cli.dicom.encoding import Encoding

#: What is in a data set with more elements is not kept; real ones have a few hundred.
MOST_KEPT = 65536


class Level:
    """The elements of one data set or item, with their values as views.

    elements  tag -> value, of a sequence the number of its items
    path      the tags of the sequences above; items: the number of the item under each
    explicit, little  how it is written
    """

    __slots__ = (
        "creators",
        "elements",
        "empty",
        "explicit",
        "items",
        "last",
        "little",
        "path",
        "vrs",
    )

    def __init__(self, path: tuple[int, ...], items: tuple[int, ...], encoding: Encoding) -> None:
        self.path = path
        self.items = items
        self.little = encoding.little
        self.explicit = encoding.explicit
        self.elements: dict[int, memoryview | int] = {}
        self.vrs: dict[int, str] = {}
        self.empty: list[int] = []
        self.last = -1
        self.creators: set[int] = set()

    def keep(self, tag: int, vr: str, value: memoryview | int) -> None:
        """Remember an element."""
        if len(self.elements) < MOST_KEPT:
            self.elements[tag] = value
            self.vrs[tag] = vr

    def __contains__(self, tag: int) -> bool:
        return tag in self.elements

    def has_value(self, tag: int) -> bool:
        """Whether the element is there and not empty."""
        value = self.elements.get(tag)
        return bool(value) if value is None or isinstance(value, int) else len(value) > 0

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a value, none when it is absent or a sequence; at most 64 KiB."""
        value = self.elements.get(tag)
        return b"" if value is None or isinstance(value, int) else bytes(value[:65536])

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return the values of an element of text without padding, none when it is absent."""
        raw = self.raw(tag)
        if not raw:
            return ()
        return tuple(part.strip(" \0") for part in raw.decode("latin-1").split("\\"))

    def text(self, tag: int) -> str:
        """Return the first value of an element of text, "" when there is none."""
        return next(iter(self.texts(tag)), "")

    def numbers(self, tag: int) -> list[float]:
        """Return the values of DS or IS, those that are numbers."""
        found = []
        for text in self.texts(tag):
            try:
                found.append(float(text))
            except ValueError:
                # told already as value-number
                continue
        return found

    def shorts(self, tag: int) -> tuple[int, ...]:
        """Return the values of US, SS read as unsigned."""
        raw = self.raw(tag)
        order = "<" if self.little else ">"
        return struct.unpack(f"{order}{len(raw) // 2}H", raw[: len(raw) // 2 * 2])

    def short(self, tag: int) -> int | None:
        """Return the first value of US, None when there is none."""
        return next(iter(self.shorts(tag)), None)

    def longs(self, tag: int) -> tuple[int, ...]:
        """Return the values of UL."""
        raw = self.raw(tag)
        order = "<" if self.little else ">"
        return struct.unpack(f"{order}{len(raw) // 4}L", raw[: len(raw) // 4 * 4])
