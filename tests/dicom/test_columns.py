"""A few attributes of a file are what the whole file says, also where little of it is read."""

from __future__ import annotations

import pytest

from pacs_cli.dicom.columns import plain_value, read_row, value_text
from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.json_dump import Model, read_model
from pacs_cli.dicom.part10 import NotDicom
from pacs_cli.dicom.selectors import parse_keys
from pacs_cli.errors import MalformedDataset
from tests.samples import every_file


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_column_is_what_the_whole_file_says(path):
    try:
        document, model = open_document(path), Model()
        read_model(document, model, 1000, has_meta=True)
    except (NotDicom, MalformedDataset):
        pytest.skip("not DICOM, or broken")
    members = model.members
    assert members
    for tag, attribute in members.items():
        (value,) = read_row(document, parse_keys([tag], "-k"), 1000)
        assert value == plain_value(attribute), tag
    together = read_row(document, parse_keys([*members], "-k"), 1000)
    assert together == [plain_value(attribute) for attribute in members.values()]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, ""), ("text", "text"), (1.5, "1.5"), ([1, None, 2], "1\\\\2"), ([], "")),
        *(([{}], "1 item"), ([{}, {"Rows": 1}], "2 items")),
    ],
)
def test_value_is_one_text(value, text):
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({"vr": "PN", "Value": [{"Alphabetic": "A^B", "Phonetic": "C"}]}, "A^B==C"),
        ({"vr": "PN", "Value": [None, {"Ideographic": "山"}]}, [None, "=山"]),
        ({"vr": "UN", "InlineBinary": "dGV4dCA="}, "text"),
        ({"vr": "OB", "InlineBinary": "AAE="}, "AAE="),
        ({"vr": "OW", "BulkDataURI": "file:///a?offset=1&length=2"}, "file:///a?offset=1&length=2"),
        ({"vr": "SQ", "Value": [{"00280010": {"vr": "US", "Value": [2]}}]}, [{"Rows": 2}]),
        ({"vr": "SQ"}, []),
        ({"vr": "US", "Value": [1, 2]}, [1, 2]),
    ],
)
def test_plain_value_of_an_attribute(attribute, value):
    assert plain_value(attribute) == value
