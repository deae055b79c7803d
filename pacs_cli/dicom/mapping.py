"""The bytes of a file without a copy: mapped, and filled at once where that is cheaper.

When a file becomes shorter, what lies behind its new end can no longer be read: the system answers
with SIGBUS, whose default ends the process. It is sent to the thread that reads, inside of the
instruction that does, so a handler of Python's, which runs later, would never have its turn. Ours
is called by the system itself, puts zeros where the file was, and notes it; who maps a file asks
`check_whole` before it believes what it has read. Reading files instead costs the same time up to
a few megabytes, but memory for those of gigabytes, of which often only the header is looked at.
"""

from __future__ import annotations

import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import ref

from pacs_cli.errors import MalformedDataset, PacsError

#: Up to here a mapping is filled at once, which costs a quarter of a page fault for each page;
#: a larger one comes as it is read, so that it never stands whole in memory.
FILL = 4 * 1024 * 1024
#: Linux only.
POPULATE = getattr(mmap, "MAP_POPULATE", 0)

#: Mappings remembered, with those that are gone.
_MOST_GONE = 1024

#: Signals that no mapping explains, one after the other, before they have their way: a file that
#: is as long as it was again by the time it is looked at explains one.
_MOST_UNEXPLAINED = 100


class CutOff(MalformedDataset):
    """A file has become shorter while it was read."""


class _Mapping(mmap.mmap):
    """A mapping, and how much of it is the file's."""

    covered: int
    is_cut: bool


class _Guard:
    """What answers SIGBUS. There is one for the process, as a signal is the process's."""

    def __init__(self) -> None:
        # by their address; of those that are gone some stay until there are many. A dictionary
        # that lets them go by itself costs as much as the mapping
        self._mappings: dict[int, ref[_Mapping]] = {}
        self._handler: object = None
        self._unexplained = 0

    def watch(self, mapping: _Mapping) -> None:
        """Let a mapping be read although its file may become shorter."""
        if self._handler is None:
            try:
                self._install()
            except (ImportError, OSError, AttributeError):
                # a Python without ctypes: files are mapped all the same, and only the size tells
                self._handler = False
        if len(self._mappings) >= _MOST_GONE:
            self._mappings = {each: known for each, known in self._mappings.items() if known()}
        self._mappings[id(mapping)] = ref(mapping)

    def _alive(self) -> list[_Mapping]:
        """Return all that are there. The list is made at once, whatever other threads do."""
        return [mapping for known in list(self._mappings.values()) if (mapping := known())]

    def _install(self) -> None:
        import ctypes

        self._system = ctypes.CDLL(None)
        self._system.mmap.restype = ctypes.c_void_p
        self._system.signal.restype = ctypes.c_void_p
        # kept, as the system has nothing but its address
        self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._answer)
        self._system.signal(signal.SIGBUS, self._handler)

    def _answer(self, number: int) -> None:
        """Put zeros where files were; without any, let the signal end the process."""
        is_explained = False
        try:
            for mapping in self._alive():
                if mapping.size() < mapping.covered:
                    self._cover(mapping)
                    is_explained = True
            self._unexplained = 0 if is_explained else self._unexplained + 1
            if not is_explained:
                self._doubt_all()
        except (OSError, ValueError, BufferError, MemoryError):
            # whatever it is, the same instruction would be tried for ever
            self._unexplained = _MOST_UNEXPLAINED
        if self._unexplained >= _MOST_UNEXPLAINED:
            self._system.signal(number, None)

    def _doubt_all(self) -> None:
        """Some file was shorter and is not any more: nobody knows which."""
        for mapping in self._alive():
            mapping.is_cut = True

    def _cover(self, mapping: _Mapping) -> None:
        """Put pages of zeros behind the end of a file. Its last page is filled by the system."""
        import ctypes

        mapping.is_cut = True
        mapping.covered = mapping.size()
        start = -(-mapping.covered // mmap.PAGESIZE) * mmap.PAGESIZE
        if start < len(mapping):
            self._system.mmap(
                ctypes.c_void_p(_address(mapping) + start),
                ctypes.c_size_t(len(mapping) - start),
                mmap.PROT_READ,
                mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED,
                -1,
                ctypes.c_size_t(0),
            )


#: Not in Python's mmap; the same on Linux, macOS and the BSDs.
_MAP_FIXED = 0x10

_GUARD = _Guard()


def mapped(descriptor: int, size: int, is_read_whole: bool = True) -> memoryview:
    """Return the first bytes of a file that is open, until the last view of them is gone.

    Where the file becomes shorter meanwhile there are zeros: see `check_whole`.

    is_read_whole  False when little of it will be looked at: it is not filled then
    raises         ValueError when the file is shorter, OSError
    """
    flags = mmap.MAP_SHARED | (POPULATE if is_read_whole and size <= FILL else 0)
    mapping = _Mapping(descriptor, size, flags=flags, prot=mmap.PROT_READ)
    mapping.covered, mapping.is_cut = size, False
    _GUARD.watch(mapping)
    return memoryview(mapping)


def check_whole(view: memoryview) -> None:
    """Raise CutOff when `view` is of a file that has become shorter since it was mapped."""
    mapping = view.obj
    if isinstance(mapping, _Mapping) and (mapping.is_cut or mapping.size() < len(mapping)):
        raise CutOff("it became shorter while it was read")


@contextmanager
def kept_whole(view: memoryview) -> Iterator[None]:
    """Raise CutOff in the end, and instead of what was found wrong, when a file was cut off.

    To write what is not there any more is an OSError, EFAULT.
    """
    try:
        yield
    except (PacsError, OSError):
        check_whole(view)
        raise
    check_whole(view)


def _address(mapping: _Mapping) -> int:
    """Return where in memory a mapping begins."""
    import ctypes

    buffer = (ctypes.c_char * 128)()  # a Py_buffer, whose first field is the address
    get, release = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
    if get(ctypes.py_object(mapping), buffer, 0):
        raise BufferError
    try:
        return int(ctypes.c_void_p.from_buffer(buffer).value or 0)
    finally:
        release(buffer)
