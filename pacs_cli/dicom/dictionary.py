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


def vm_at(tag: int) -> str:
    """Return the value multiplicity of a public tag, as "1", "1-n" or "2-2n"; "" when unknown."""
    row = _row(tag)
    return row[1] if row else ""


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
    module = sys.modules.get("pydicom._dicom_dict")
    if module is None:
        package = PathFinder.find_spec("pydicom")
        folder = Path((package and package.origin) or "").parent
        spec = spec_from_file_location("_dicom_dict", folder / "_dicom_dict.py")
        if spec is None or spec.loader is None or not Path(spec.origin or "").is_file():
            # a pydicom that keeps it elsewhere
            from pydicom import datadict

            return datadict.__dict__["DicomDictionary"]  # type: ignore[no-any-return]
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    table: dict[int, _Row] = module.DicomDictionary
    return table
