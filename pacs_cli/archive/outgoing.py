"""A stored object on its way out: its bytes as they are, or brought into a native syntax.

What is compressed is decoded by another process. A change of the encoding of elements takes the
object into memory, so it has a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pacs_cli.archive.contents import held_header
from pacs_cli.archive.query import Held
from pacs_cli.dicom.mapping import mapped
from pacs_cli.dicom.part10 import Header
from pacs_cli.errors import InputError

if TYPE_CHECKING:
    from pacs_cli.pixels.transcoding import Options
    from pacs_cli.pixels.workers import Workers

_IMPLICIT_LITTLE, _EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_CONVERTED = (_EXPLICIT_LITTLE, _IMPLICIT_LITTLE)

#: Bytes of an object that is converted, or inflated: twice as much may be in memory then.
_MAX_CONVERTED = 512 * 1024 * 1024


class Outgoing:
    """Implements services.serving.StoredObject; `path` is the file's.

    workers  decode what is compressed; None starts a process for this object
    """

    def __init__(self, held: Held, path: Path, workers: Workers | None = None) -> None:
        self._workers = workers
        self.sop_class_uid = held.sop_class_uid
        self.sop_instance_uid = held.sop_instance_uid
        self.transfer_syntax_uid = held.transfer_syntax_uid
        self.study_instance_uid = held.study_instance_uid
        self.patient_id = held.patient_id
        self._path = path

    @contextmanager
    def open(self, accepted: Sequence[str]) -> Iterator[tuple[str, Iterable[bytes | memoryview]]]:
        """Give a transfer syntax of those accepted, the stored one if it is, and the data set.

        raises  InputError when the file is gone, is another object's, or cannot be brought into
                one of them
        """
        header = self._header()
        stored = header.transfer_syntax_uid
        if stored not in accepted:
            target = next((each for each in _CONVERTED if each in accepted), None)
            if target is None:
                raise InputError(f"its transfer syntax {stored} is not accepted")
            with _converted(self._path, header, target, self._workers) as buffers:
                yield target, buffers
            return
        # not copied: the system reads while it sends. Unmapped with its last view and not here: an
        # exception that comes by holds the views that could not be written
        try:
            with self._path.open("rb") as file:
                whole = mapped(file.fileno(), header.file_size)
        except (OSError, ValueError):
            raise InputError("its file cannot be read") from None
        yield stored, (whole[header.dataset_offset :],)

    def _header(self) -> Header:
        try:
            header = held_header(str(self._path))
        except OSError:
            raise InputError("its file cannot be read") from None
        except InputError:
            raise InputError("its file is damaged") from None
        found = header.sop_class_uid, header.sop_instance_uid
        if found != (self.sop_class_uid, self.sop_instance_uid):
            raise InputError("its file has another object")
        return header


@contextmanager
def _converted(
    path: Path, header: Header, target: str, workers: Workers | None
) -> Iterator[list[memoryview]]:
    """Give the data set of a file in Implicit or Explicit VR Little Endian."""
    from pacs_cli.pixels.syntaxes import syntax_of
    from pacs_cli.pixels.transcoding import Options, transcode

    if header.file_size > _MAX_CONVERTED:
        raise InputError("it is too large to be converted")
    options = Options(max_inflated=_MAX_CONVERTED)
    if not syntax_of(header.transfer_syntax_uid).is_native:
        with _decoded(path, target, options, workers) as data:
            yield [data]
        return
    data = memoryview(path.read_bytes())[header.dataset_offset :]
    buffers = transcode(data, header.transfer_syntax_uid, target, options).buffers
    yield [memoryview(each) for each in buffers]


@contextmanager
def _decoded(
    path: Path, target: str, options: Options, workers: Workers | None
) -> Iterator[memoryview]:
    """Have a process decode a file, which a damaged one may crash, and give the result."""
    from pacs_cli.pixels.files import Task
    from pacs_cli.pixels.workers import Workers

    with ExitStack() as stack:
        if workers is None:
            workers = stack.enter_context(Workers(1))
        folder = stack.enter_context(TemporaryDirectory(prefix="pacs-"))
        part = Path(folder) / "dataset"
        done = workers.one(Task(str(path), str(part), target, options, is_bare=True))
        if done.error is not None:
            raise InputError(f"it cannot be converted: {done.error}")
        with part.open("rb") as file:
            whole = mapped(file.fileno(), done.written)
        yield whole
