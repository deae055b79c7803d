"""The data dictionary of PS3.6: keywords, tags and VRs.

The table is pydicom's. It is read without the rest of pydicom, whose import takes 0.1 s of CPU and
this 5 ms.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

#: VR, VM, name, whether it is retired, keyword.
_Row = tuple[str, str, str, str, str]


def tag_of(keyword: str) -> int | None:
    """Return the tag of a keyword, None when there is none."""
    return tags_of_keywords().get(keyword)


def keyword_at(tag: int) -> str:
    """Return the keyword of a tag, "" when there is none."""
    row = _row(tag)
    return row[4] if row else ""


def vr_at(tag: int) -> str:
    """Return the VR of a public tag, which can be a choice ("US or SS"); "" when there is none."""
    row = _row(tag)
    return row[0] if row else ""


@cache
def tags_of_keywords() -> dict[str, int]:
    """Return keyword -> tag, of every attribute that has a keyword and one tag."""
    return {row[4]: tag for tag, row in _table().items() if row[4]}


def _row(tag: int) -> _Row | None:
    row = _table().get(tag)
    if row is None and not tag & 0x10000:
        # perhaps of a repeating group (PS3.5 7.6), for which pydicom has the masks
        from pydicom.datadict import get_entry

        try:
            return get_entry(tag)
        except KeyError:
            return None
    return row


@cache
def _table() -> dict[int, _Row]:
    table: dict[int, _Row] | None = _pydicom("_dicom_dict", "DicomDictionary")
    if table is None:
        # a pydicom that keeps it elsewhere
        from pydicom import datadict

        return datadict.__dict__["DicomDictionary"]  # type: ignore[no-any-return]
    return table


@cache
def registered_uids() -> frozenset[str]:
    """Return every UID of PS3.6 Annex A that pydicom knows."""
    table: dict[str, object] | None = _pydicom("_uid_dict", "UID_dictionary")
    if table is None:
        from pydicom import uid

        return frozenset(uid.__dict__["UID_dictionary"])
    return frozenset(table)


def _pydicom(name: str, table: str) -> Any:
    """Return a table of a module of pydicom without the rest of it, None when it is not there."""
    module = sys.modules.get(f"pydicom.{name}")
    if module is None:
        package = PathFinder.find_spec("pydicom")
        folder = Path((package and package.origin) or "").parent
        spec = spec_from_file_location(name, folder / f"{name}.py")
        if spec is None or spec.loader is None or not Path(spec.origin or "").is_file():
            return None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return getattr(module, table, None)
