"""A data set as JSON: by keyword for people and scripts, and in the DICOM JSON model.

What `identifier.convert` has gone over comes in; then nothing in here fails.

source  PS3.18 Annex F
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.encoding import tag_text
from pacs_cli.dicom.identifier import CHARACTER_SET, UTF_8, convert, quietly
from pacs_cli.errors import InputError

if TYPE_CHECKING:
    import pydicom.dataset
    from pydicom.dataelem import DataElement

    from pacs_cli.dicom.dataset import AnyDataset, Element

_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_NUMBERS = _INTEGERS | {"DS", "FD", "FL"}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def flat(dataset: AnyDataset) -> dict[str, Any]:
    """Return keyword -> value: one as it is, several as a list, none as null, items as objects.

    What has no keyword goes by its tag, as `00091001`. Bytes are base64 unless they are text.
    """
    members: dict[str, Any] = {}
    for element in dataset:
        name = keyword_at(element.tag) or f"{element.tag:08X}"
        if element.VR == "SQ":
            members[name] = [flat(item) for item in element.value]
        elif element.VR in _BYTES:
            members[name] = _bytes_as_text(element)
        else:
            values = [_plain(value, element.VR) for value in _values(element)]
            members[name] = values if len(values) > 1 else values[0] if values else None
    return members


def dicom_json(dataset: AnyDataset) -> dict[str, Any]:
    """Return a data set in the DICOM JSON model, whose text is UTF-8 (PS3.18 F.2)."""
    members = {
        f"{element.tag:08X}": _attribute(element) for element in dataset if element.tag & 0xFFFF
    }
    label = f"{CHARACTER_SET:08X}"
    if label in members:
        members[label] = {"vr": "CS", "Value": [UTF_8]}
    return members


def from_dicom_json(members: object) -> pydicom.dataset.Dataset:
    """Return the data set of an object in the DICOM JSON model.

    raises  InputError when it is none
    """
    from pydicom.dataset import Dataset

    if not isinstance(members, dict):
        raise InputError("a DICOM JSON object is expected, as PS3.18 Annex F has it")
    try:
        with quietly():
            dataset = Dataset.from_json(members)
    except Exception as error:  # noqa: BLE001 pydicom raises whatever a wrong object leads to
        raise InputError(f"not the DICOM JSON model: {type(error).__name__}") from None
    convert(dataset)
    return dataset


def text_at(dataset: AnyDataset, path: Sequence[int]) -> str:
    """Return the values of an attribute as one text, with backslashes between them.

    path    tags of sequences and, last, of the attribute; it is looked for in every item
    """
    *sequences, tag = path
    if not sequences:
        return _text(dataset[tag]) if tag in dataset else ""
    found = [dataset]
    for sequence in sequences:
        found = [
            item
            for each in found
            if sequence in each and each[sequence].VR == "SQ"
            for item in each[sequence].value
        ]
    return "\\".join(_text(each[tag]) for each in found if tag in each)


def _text(element: DataElement | Element) -> str:
    if element.VR == "SQ":
        count = len(element.value)
        return f"{count} item{'s' * (count != 1)}" if count else ""
    if element.VR in _BYTES:
        return _bytes_as_text(element) or ""
    return "\\".join(str(_plain(value, element.VR)) for value in _values(element))


def _attribute(element: DataElement | Element) -> dict[str, Any]:
    vr = element.VR
    if vr == "SQ":
        values: list[Any] = [dicom_json(item) for item in element.value]
    elif vr in _BYTES:
        inline = base64.b64encode(_bytes_of(element)).decode("ascii")
        return {"vr": vr, "InlineBinary": inline} if inline else {"vr": vr}
    elif vr == "PN":
        values = [_name(str(value)) for value in _values(element)]
    else:
        # an empty value among others is null (F.2.5)
        values = [_plain(value, vr) if value != "" else None for value in _values(element)]
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _name(text: str) -> dict[str, str] | None:
    groups = zip(_GROUPS, text.split("="), strict=False)
    return {name: group for name, group in groups if group} or None


def _values(element: DataElement | Element) -> list[Any]:
    value = element.value
    if type(value) is str and value:
        return [value]
    if element.is_empty:
        return []
    return list(value) if element.VM > 1 else [value]


def _plain(value: Any, vr: str) -> Any:
    """Return a value as JSON has it; a number that is none of JSON's is text."""
    if value is None or value == "":
        return ""
    if vr == "AT":
        return f"{value:08X}"
    if vr not in _NUMBERS:
        return str(value)
    try:
        # an IS may have a fraction, which no IS should
        is_whole = vr in _INTEGERS and value == int(value)
        number = int(value) if is_whole else float(value)
    except ValueError:
        # text that is no number, in IS or DS
        return str(value)
    return number if math.isfinite(number) else str(number)


def _bytes_as_text(element: DataElement | Element) -> str | None:
    data = _bytes_of(element)
    text = data.rstrip(b"\0 ")
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii") or None
    return base64.b64encode(data).decode("ascii")


def _bytes_of(element: DataElement | Element) -> bytes:
    value = element.value
    if isinstance(value, bytes):
        return value
    # bytes with a backslash among them are a list to pydicom in some VRs
    parts = value if isinstance(value, list | tuple) else []
    return b"\\".join(part for part in parts if isinstance(part, bytes))


def name_at(path: Sequence[int]) -> str:
    """Return what a path is called: the keyword of the attribute, or its tag."""
    return keyword_at(path[-1]) or tag_text(path[-1])
