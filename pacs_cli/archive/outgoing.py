"""A stored object on its way out: its bytes as they are, or brought into a native syntax.

Only what needs no codec of others is decoded: RLE (PS3.5 Annex G) and deflate. A change of the
encoding of elements takes the whole object into memory, so it has a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.archive.contents import held_header
from pacs_cli.archive.query import Held
from pacs_cli.dicom.elements import inflate
from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.mapping import mapped
from pacs_cli.dicom.part10 import Header
from pacs_cli.errors import InputError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_IMPLICIT_LITTLE, _EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_DEFLATED, _RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
_CONVERTED = (_EXPLICIT_LITTLE, _IMPLICIT_LITTLE)
_CONVERTIBLE = frozenset({_IMPLICIT_LITTLE, _EXPLICIT_LITTLE, _DEFLATED, _RLE})

#: Bytes of an object that is converted: three times as much is in memory then.
_MAX_CONVERTED = 512 * 1024 * 1024


class Outgoing:
    """Implements services.serving.StoredObject; `path` is the file's."""

    def __init__(self, held: Held, path: Path) -> None:
        self.sop_class_uid = held.sop_class_uid
        self.sop_instance_uid = held.sop_instance_uid
        self.transfer_syntax_uid = held.transfer_syntax_uid
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
            if target is None or stored not in _CONVERTIBLE:
                raise InputError(f"its transfer syntax {stored} is not accepted")
            yield target, (_converted(self._path, header, target),)
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


def _converted(path: Path, header: Header, transfer_syntax_uid: str) -> bytes:
    """Return the data set of a file in Implicit or Explicit VR Little Endian."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    if header.file_size > _MAX_CONVERTED:
        raise InputError("it is too large to be converted")
    encoding = encoding_of(transfer_syntax_uid)
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not encoding.explicit, encoding.little
    try:
        with quietly():
            write_dataset(file, _native(path, header))
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 pydicom raises whatever a damaged file leads to
        raise InputError(f"it cannot be converted: {type(error).__name__}") from None
    return bytes(file.getvalue())


def _native(path: Path, header: Header) -> FileDataset:
    """Return a data set without compression."""
    from io import BytesIO

    from pydicom import dcmread
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.filereader import read_dataset

    if header.transfer_syntax_uid == _DEFLATED:
        inflated = inflate(path.read_bytes()[header.dataset_offset :], _MAX_CONVERTED)
        dataset = read_dataset(BytesIO(inflated), False, True)
        return FileDataset(BytesIO(), dataset, file_meta=FileMetaDataset())
    dataset = dcmread(path, force=True)
    if header.transfer_syntax_uid == _RLE:
        _check_size(dataset)
        _decode_rle(dataset)
    return dataset


def _decode_rle(dataset: FileDataset) -> None:
    """Put the samples as RLE has them, plane by plane, in the place of the frames (PS3.5 G.2).

    `Dataset.decompress` would need numpy for it.
    """
    from pydicom.pixels.decoders.base import RLELosslessDecoder

    frames = [bytes(frame) for frame, _ in RLELosslessDecoder.iter_buffer(dataset)]
    pixels = b"".join(frames)
    dataset.PixelData = pixels + bytes(len(pixels) % 2)
    dataset["PixelData"].is_undefined_length = False
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 1


def _check_size(dataset: FileDataset) -> None:
    """Refuse what would become too large, before a byte of it is decoded."""
    factors = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    size = int(dataset.get("NumberOfFrames") or 1)
    for keyword in factors:
        size *= int(dataset.get(keyword) or 1)
    if size // 8 > _MAX_CONVERTED:
        raise InputError("it is too large to be decompressed")
