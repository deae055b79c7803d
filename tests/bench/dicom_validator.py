"""dicom-validator (PyPI) on the tables of this project, as it cannot have its own offline.

It downloads the DocBook of the standard before it validates anything. Here its engine is given the
tables that `tools/make_iods.py` reads, which are PS3.3's as highdicom has them: modules and their
usage, attributes and their types, without the words of conditions. So its verdicts on types 1 and
2, mandatory modules, values and unexpected attributes are its own; it knows no conditional
requirement, no enumerated value and no functional group macro.
"""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dicom_validator.validator.dicom_file_validator import DicomFileValidator
from dicom_validator.validator.dicom_info import DicomInfo
from dicom_validator.validator.error_handler import NullValidationResultHandler
from dicom_validator.validator.validation_result import DicomTag, Status
from pydicom import config
from pydicom.datadict import keyword_for_tag, tag_for_keyword

DATA = Path(__file__).parents[2] / "tools" / "data"


def make_validator() -> DicomFileValidator:
    """Return the validator with the project's tables."""
    modules = json.loads(gzip.decompress((DATA / "module_attributes.json.gz").read_bytes()))
    iods = json.loads((DATA / "iod_module_map.json").read_text())
    classes = json.loads((DATA / "sop_class_iod_map.json").read_text())
    info = DicomInfo(
        {},
        {uid: _iod(iods[name]) for uid, name in classes.items() if name in iods},
        {name: _module(rows) for name, rows in modules.items()},
    )
    return DicomFileValidator(info, error_handler=NullValidationResultHandler())


def messages(validator: DicomFileValidator, path: Path) -> list[str] | None:
    """Return what it finds in a file, a line each; None when it fails on the file."""
    # it sets this for the whole process
    mode = config.settings.reading_validation_mode
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (result,) = validator.validate(path).values()
    except Exception:  # whatever it fails with is its failure
        return None
    finally:
        config.settings.reading_validation_mode = mode
    if result.status in (Status.Passed, Status.Failed):
        return [
            f"{error.code.name} type {getattr(error.type, 'value', error.type)} "
            f"Element=<{_keyword(tag)}> Module=<{module.replace('-', '')}>"
            for module, errors in result.module_errors.items()
            for tag, error in errors.items()
        ]
    return [result.status.name]


def _keyword(tag: DicomTag) -> str:
    return keyword_for_tag(tag.tag) or str(tag.tag)


def _iod(modules: Iterable[dict[str, str]]) -> dict[str, Any]:
    each = {module["key"]: {"ref": module["key"], "use": module["usage"]} for module in modules}
    return {"modules": each, "group_macros": {}}


def _module(rows: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the attributes of a module by tag, those of sequences in `items`."""
    attributes: dict[str, Any] = {}
    for path, kind in rows:
        *above, keyword = path.split("/")
        level: dict[str, Any] | None = attributes
        for sequence in above:
            found = None if level is None else level.get(_tag(sequence))
            level = None if found is None else found.setdefault("items", {})
        # repeating groups (overlays) have no tag of their own
        if level is not None and (tag := _tag(keyword)):
            level[tag] = {"name": keyword, "type": kind}
    return attributes


def _tag(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return "" if tag is None else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
