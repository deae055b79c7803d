"""The keys of directory records, against those that pydicom writes and demands."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import DIRECTORY_RECORDERS

from pacs_cli.dicom.dictionary import keyword_at, vr_at
from pacs_cli.pipelines.validation.directories import _OTHERS, KEYS

#: Where pydicom 3.0 is not as PS3.3 F.5.28 and F.5.31 are: an instance number is of type 2 there,
#: and a hanging protocol has a name, a description and a level.
OTHERWISE = {
    ("RAW DATA", "InstanceNumber"),
    ("HANGING PROTOCOL", "HangingProtocolName"),
    ("HANGING PROTOCOL", "HangingProtocolDescription"),
    ("HANGING PROTOCOL", "HangingProtocolLevel"),
}
VALUES = {"DA": "20260102", "TM": "101500", "DT": "20260102101500", "IS": "1", "US": 1, "UL": 1}


def whole(kind):
    """A data set with every key of a type of record."""
    dataset = Dataset()
    for tag in (*KEYS[kind].valued, *KEYS[kind].present):
        vr = vr_at(tag)
        value = [Dataset()] if vr == "SQ" else VALUES.get(vr, "1.2" if vr == "UI" else "A")
        dataset.add_new(tag, vr, value)
    return dataset


def test_every_type_of_pydicom_is_known():
    assert set(DIRECTORY_RECORDERS) <= set(KEYS) | _OTHERS
    assert not set(KEYS) & _OTHERS


@pytest.mark.parametrize("kind", KEYS)
def test_keys_are_those_that_pydicom_writes_and_demands(kind):
    define = DIRECTORY_RECORDERS[kind]
    written = {element.keyword for element in define(whole(kind))}
    for tag in KEYS[kind].valued:
        dataset = whole(kind)
        del dataset[tag]
        if (kind, keyword_at(tag)) in OTHERWISE:
            continue
        with pytest.raises(ValueError, match=rf"{tag >> 16:04X},{tag & 0xFFFF:04X}"):
            define(dataset)
    ours = {keyword_at(tag) for tag in (*KEYS[kind].valued, *KEYS[kind].present)}
    left = {key for name, key in OTHERWISE if name == kind}
    assert ours - left <= written
    assert written - ours - {"StudyInstanceUID"} == set()
    for tag in KEYS[kind].present:
        dataset = whole(kind)
        del dataset[tag]
        if (kind, keyword_at(tag)) not in OTHERWISE:
            assert keyword_at(tag) in define(dataset)
