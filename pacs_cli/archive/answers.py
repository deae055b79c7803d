"""The identifiers of answers: values of the index and of files, as bytes in a transfer syntax.

source  PS3.4 C.4.1.1.3.2, PS3.5 7.1
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.identifier import CHARACTER_SET, UTF_8, quietly
from pacs_cli.dicom.keys import CHARACTER_SET_VRS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Two bytes of length.
_MAX_LENGTH = 0xFFFE
_LATIN_1 = "ISO_IR 100"
_CODECS = {"": "ascii", _LATIN_1: "latin-1", UTF_8: "utf-8"}


@dataclass(frozen=True, slots=True)
class Output:
    """One attribute of every answer of a query.

    position  of its value in a row of the index; None for what is `constant`
    """

    tag: int
    vr: str
    position: int | None = None
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One match: the row of the index, and what a file had of what the index has not.

    outputs  what of the row belongs to the answer, in the order of their tags
    extras   data sets of at most one element, each with the tag and VR of its key
    """

    outputs: Sequence[Output]
    row: Sequence[str | int | None]
    extras: Sequence[tuple[int, str, Dataset]] = ()

    def text(self, output: Output) -> str:
        """Return the value of one attribute."""
        if output.position is None:
            return output.constant
        value = self.row[output.position]
        return "" if value is None else str(value)

    def encode(self, transfer_syntax_uid: str) -> bytes:
        """Return the identifier, labelled with the smallest character set that holds it.

        transfer_syntax_uid  Implicit or Explicit VR, not deflated
        source  PS3.5 6.1.2.3; PS3.3 C.12.1.1.2
        """
        return Encoder(self.outputs, transfer_syntax_uid).encode(self)


class Encoder:
    """Encodes the answers of one query, which all have the same outputs."""

    def __init__(self, outputs: Sequence[Output], transfer_syntax_uid: str) -> None:
        encoding = encoding_of(transfer_syntax_uid)
        self._outputs = outputs
        self._writer = _Writer(encoding.explicit, encoding.little)
        self._is_plain = all(output.constant.isascii() for output in outputs)
        # of each element all that does not change: the whole, or what is before its length
        self._steps = [
            (
                output.position,
                self._writer.element(
                    output.tag, output.vr, output.constant.encode("ascii", "replace")
                )
                if output.position is None
                else self._writer.prefix(output.tag, output.vr),
                b"\0" if output.vr == "UI" else b" ",
            )
            for output in sorted(outputs, key=lambda output: output.tag)
        ]

    def encode(self, answer: Answer) -> bytes:
        """Return the identifier of an answer; see Answer.encode."""
        if answer.extras or not self._is_plain:
            return self._labelled(answer)
        row, length = answer.row, self._writer.length
        parts = []
        for position, prefix, padding in self._steps:
            if position is None:
                parts.append(prefix)
                continue
            value = row[position]
            text = "" if value is None else str(value)
            size = len(text)
            if not text.isascii() or size > _MAX_LENGTH:
                return self._labelled(answer)
            data = text.encode("ascii")
            if size % 2:
                data += padding
                size += 1
            parts.append(prefix + length(size) + data)
        return b"".join(parts)

    def _labelled(self, answer: Answer) -> bytes:
        """Return it with its character set, should it need one, and with what files had."""
        writer = self._writer
        texts = [(output, answer.text(output)) for output in self._outputs]
        term = _character_set(
            "".join(
                [text for output, text in texts if output.vr in CHARACTER_SET_VRS]
                + [_all_text(dataset) for _, _, dataset in answer.extras]
            )
        )
        codec = _CODECS[term]
        elements = [
            (
                output.tag,
                writer.element(
                    output.tag,
                    output.vr,
                    text.encode(codec if output.vr in CHARACTER_SET_VRS else "ascii", "replace"),
                ),
            )
            for output, text in texts
        ]
        if term:
            elements.append((CHARACTER_SET, writer.element(CHARACTER_SET, "CS", term.encode())))
        for tag, vr, dataset in answer.extras:
            elements.append((tag, _extra(dataset, tag, vr, writer, term)))
        return b"".join(element for _, element in sorted(elements))


class _Writer:
    """Writes elements whose values are bytes."""

    def __init__(self, explicit: bool, little: bool) -> None:
        order = "<" if little else ">"
        self.explicit, self.little = explicit, little
        self._short = struct.Struct(f"{order}HH2sH").pack
        self._long = struct.Struct(f"{order}HH2sHL").pack
        self._implicit = struct.Struct(f"{order}HHL").pack
        self._tag = struct.Struct(f"{order}HH").pack
        self.length = struct.Struct(f"{order}{'H' if explicit else 'L'}").pack

    def prefix(self, tag: int, vr: str) -> bytes:
        """Return what is before the length of an element, the VR being one of two bytes of it."""
        return self._tag(tag >> 16, tag & 0xFFFF) + (vr.encode() if self.explicit else b"")

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """Return one element, its value padded; one that is too long is left empty."""
        if len(value) > _MAX_LENGTH:
            value = b""
        if len(value) % 2:
            value += b"\0" if vr in ("UI", "OB", "UN") else b" "
        group, element, size = tag >> 16, tag & 0xFFFF, len(value)
        if not self.explicit:
            return self._implicit(group, element, size) + value
        if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"):
            return self._long(group, element, vr.encode(), 0, size) + value
        return self._short(group, element, vr.encode(), size) + value


def _character_set(text: str) -> str:
    if text.isascii():
        return ""
    # the control characters between are none of ISO 8859-1
    is_latin = all(each < "\x80" or "\xa0" <= each <= "\xff" for each in text)
    return _LATIN_1 if is_latin else UTF_8


def _all_text(dataset: Dataset) -> str:
    from pydicom.multival import MultiValue

    parts = []
    for element in dataset:
        if element.VR == "SQ":
            parts += [_all_text(item) for item in element.value]
        elif element.VR in CHARACTER_SET_VRS:
            values = element.value if isinstance(element.value, MultiValue) else [element.value]
            parts += [str(value or "") for value in values]
    return "".join(parts)


def _extra(dataset: Dataset, tag: int, vr: str, writer: _Writer, term: str) -> bytes:
    """Return the element of a file, or an empty one where it has none or none that can be written.

    The VR is the file's, which is the one that the value has.
    """
    from pydicom.charset import convert_encodings
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_data_element

    if tag not in dataset:
        return writer.element(tag, vr, b"")
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not writer.explicit, writer.little
    with quietly():
        _unlabel(dataset)
        try:
            write_data_element(file, dataset[tag], convert_encodings(term or "ISO_IR 6"))
        except Exception:  # noqa: BLE001 pydicom raises whatever a hostile value leads to
            return writer.element(tag, vr, b"")
    return bytes(file.getvalue())


def _unlabel(dataset: Dataset) -> None:
    """Take the character sets out of items: all is written in that of the whole."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                if CHARACTER_SET in item:
                    del item[CHARACTER_SET]
                _unlabel(item)


def failed_list(sop_instance_uids: Sequence[str], transfer_syntax_uid: str) -> bytes:
    """Return an identifier with FailedSOPInstanceUIDList, as much of it as fits.

    source  PS3.4 C.4.2.1.4.2 and C.4.3.1.3.2
    """
    encoding = encoding_of(transfer_syntax_uid)
    value, size = [], 0
    for uid in sop_instance_uids:
        size += len(uid) + 1
        if size > _MAX_LENGTH:
            break
        value.append(uid)
    data = "\\".join(value).encode("ascii", "replace")
    return _Writer(encoding.explicit, encoding.little).element(0x00080058, "UI", data)
