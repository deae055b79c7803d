"""The data dictionary of PS3.6: keywords, tags and VRs; and private elements, by their creator.

The tables are pydicom's. They are read without the rest of pydicom, whose import takes 0.1 s of CPU
and each of these 4 ms.
"""

from __future__ import annotations

import sys
from functools import cache, lru_cache
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


def name_at(tag: int) -> str:
    """Return the name of a public tag, "" when there is none."""
    row = _row(tag)
    return row[2] if row else ""


@lru_cache(maxsize=8192)
def private_entry(tag: int, creator: str) -> tuple[str, str]:
    """Return VR and name of a private element, "" for both when the table does not have it.

    creator  the private creator of its block (PS3.5 7.8.1)
    """
    known = _load("_private_dict", "private_dictionaries").get(creator)
    if known is None:
        return "", ""
    group, element = f"{tag >> 16:04X}", f"{tag & 0xFFFF:04X}"
    # a block's elements wherever the block is, and those of a creator in any group, as pydicom does
    for key in (group + element, f"{group}xx{element[2:]}", f"{group[:2]}xxxx{element[2:]}"):
        if key in known:
            vr, _, name, _ = known[key]
            return vr, name
    return "", ""


def uid_table() -> dict[str, tuple[str, str, str, str, str]]:
    """Return uid -> name, kind, remark, retired, keyword (PS3.6 Annex A)."""
    table: dict[str, tuple[str, str, str, str, str]] = _load("_uid_dict", "UID_dictionary")
    return table


@cache
def _table() -> dict[int, _Row]:
    table: dict[int, _Row] = _load("_dicom_dict", "DicomDictionary")
    return table


@cache
def _load(module_name: str, table_name: str) -> dict[Any, Any]:
    """Return a table of one of pydicom's modules, without the package around it."""
    module = sys.modules.get(f"pydicom.{module_name}")
    if module is None:
        package = PathFinder.find_spec("pydicom")
        folder = Path((package and package.origin) or "").parent
        spec = spec_from_file_location(module_name, folder / f"{module_name}.py")
        if spec is None or spec.loader is None or not Path(spec.origin or "").is_file():
            # a pydicom that keeps it elsewhere
            from pydicom import datadict, uid

            elsewhere: dict[Any, Any] = {**vars(datadict), **vars(uid)}[table_name]
            return elsewhere
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    table: dict[Any, Any] = getattr(module, table_name)
    return table
