"""A few attributes of a file, as columns have them: plain values, and their texts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.document import Document
from pacs_cli.dicom.elements import pick_elements
from pacs_cli.dicom.identifier import CHARACTER_SET
from pacs_cli.dicom.json_dump import Members, Model, attribute, bulk_of, read_model
from pacs_cli.dicom.selectors import Selector
from pacs_cli.dicom.values import Scope


def read_row(document: Document, keys: Sequence[Selector], limit: int) -> list[Any]:
    """Return the value of each key: one as it is, several as a list, none as None, the items of a
    sequence as objects by keyword.

    keys    exact, from the top; a sequence in it without an item means all of them
    limit   bytes; what is longer is told as where it stands, 0 for none
    raises  MalformedDataset when the file is broken before the last of them
    """
    members = _top_level(document, keys, limit)
    if members is not None:
        return [_value_at(members, key) for key in keys]
    model = Model()
    last = max(key.tags[0] for key in keys)
    has_meta = any(key.tags[0] >> 16 == 2 for key in keys)
    read_model(document, model, limit, keys, has_meta, last)
    members = model.members
    return [_value_at(members, key) for key in keys]


def value_text(value: Any) -> str:
    """Return what `read_row` gives as one text, several with backslashes between them."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return str(value)
    if value and isinstance(value[0], dict):
        return f"{len(value)} item{'s' * (len(value) != 1)}"
    return "\\".join("" if each is None else str(each) for each in value)


def plain_value(attribute: Members) -> Any:
    """Return the value of an attribute of the DICOM JSON model as people and scripts want it."""
    if "BulkDataURI" in attribute:
        return attribute["BulkDataURI"]
    if "InlineBinary" in attribute:
        return _bytes_text(attribute["InlineBinary"])
    values = attribute.get("Value", [])
    if attribute["vr"] == "SQ":
        return [_flat(item) for item in values]
    if attribute["vr"] == "PN":
        values = [name and _name_text(name) for name in values]
    return values if len(values) > 1 else values[0] if values else None


def _top_level(document: Document, keys: Sequence[Selector], limit: int) -> Members | None:
    """Return the members of keys that are plain, without looking at other elements; None when one
    is no public element of the data set with a VR and a value of its own.
    """
    tags = {key.tags[0] for key in keys}
    is_plain = all(len(key.steps) == 1 for key in keys) and not document.encoding.deflated
    if not is_plain or any(tag & 0x10000 or tag >> 16 <= 2 for tag in tags):
        return None
    elements = pick_elements(document.dataset, document.encoding, tags | {CHARACTER_SET})
    if any(each.vr in ("SQ", "UN") or " " in each.vr for each in elements):
        return None
    scope, bulk = Scope(document.encoding), bulk_of(document, limit, False)
    for each in elements:
        scope.note(each)
    return {f"{each.tag:08X}": attribute(each, scope, bulk) for each in elements}


def _value_at(members: Members, key: Selector) -> Any:
    found = [members]
    *sequences, last = key.steps
    for step in sequences:
        items = [each.get(f"{step.pattern:08X}", {}).get("Value", []) for each in found]
        if step.item is None:
            found = [item for each in items for item in each if isinstance(item, dict)]
        else:
            found = [each[step.item] for each in items if step.item < len(each)]
    name = f"{last.pattern:08X}"
    values = [plain_value(each[name]) for each in found if name in each]
    if len(values) <= 1:
        return values[0] if values else None
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _flat(members: Members) -> Members:
    return {keyword_at(int(tag, 16)) or tag: plain_value(each) for tag, each in members.items()}


def _name_text(name: dict[str, str]) -> str:
    groups = [name.get(each, "") for each in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")


def _bytes_text(encoded: str) -> str:
    """Return bytes as text where they are some, else in base64."""
    text = base64.b64decode(encoded).rstrip(b"\0 ")
    if text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    return encoded
