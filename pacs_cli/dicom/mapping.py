"""The bytes of a file without a copy: mapped, and filled at once where that is cheaper."""

from __future__ import annotations

import mmap

#: Up to here a mapping is filled at once, which costs a quarter of a page fault for each page;
#: a larger one comes as it is read, so that it never stands whole in memory.
FILL = 4 * 1024 * 1024
#: Linux only.
POPULATE = getattr(mmap, "MAP_POPULATE", 0)


def mapped(descriptor: int, size: int, is_read_whole: bool = True) -> memoryview:
    """Return the first bytes of a file that is open, until the last view of them is gone.

    is_read_whole  False when little of it will be looked at: it is not filled then
    raises         ValueError when the file is shorter, OSError
    """
    flags = mmap.MAP_SHARED | (POPULATE if is_read_whole and size <= FILL else 0)
    return memoryview(mmap.mmap(descriptor, size, flags=flags, prot=mmap.PROT_READ))
