"""Broken files are shown and compared as far as they go: nothing is raised but InputError.

Every test runs short and the same in each run, and long and different with `-m slow`.
"""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings

from pacs_cli.dicom.columns import read_row, value_text
from pacs_cli.dicom.compare import Comparison, differences, read_trees
from pacs_cli.dicom.difference_text import difference_fields, difference_lines
from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.dicom.json_dump import Bulk, Model, read_model
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.dicom.selectors import parse_keys, parse_selectors
from pacs_cli.dicom.text_dump import View, dump_lines
from pacs_cli.errors import InputError
from pacs_cli.pipelines.pixel_compare import compare_pixels
from tests.dicom.datasets import ENCODINGS
from tests.dicom.test_elements_fuzz import BREAKS, broken, files, runs, seeds
from tests.support import CT

SYNTAXES = {
    "little": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
VIEWS = (
    View(),
    View(depth=1, max_length=0),
    View(only=parse_selectors(["0008,xxxx", "ContentSequence"], "--only"), max_length=3),
)
KEYS = parse_keys(["PatientName,PixelData,ReferencedImageSequence.CodeValue"], "-k")
TOP_KEYS = parse_keys(["PatientName,Rows,PixelData,SmallestImagePixelValue"], "-k")


def check_shown(path) -> None:
    """Every view of a file ends, with an error of the input or without."""
    try:
        document = open_document(path)
    except InputError:
        return
    for view in VIEWS:
        with suppress(InputError):
            for line in dump_lines(document, view):
                assert all(isinstance(text, str) for _, text in line)
    for limit in (0, 10):
        model = Model()
        with suppress(InputError):
            read_model(document, model, limit, has_meta=True)
        json.dumps(model.json, allow_nan=False)
    for keys in (KEYS, TOP_KEYS):
        with suppress(InputError):
            assert all(isinstance(value_text(each), str) for each in read_row(document, keys, 10))


def check_compared(path, other) -> None:
    """Comparing with another file ends, and with itself finds nothing."""
    try:
        documents = [open_document(each) for each in (path, other)]
        left, right = (read_trees(each, True) for each in documents)
    except InputError:
        return
    comparison = Comparison(has_meta=True)
    assert [*differences(left, left, comparison)] == []
    bulk = Bulk(10, "file:///made/up", 0)
    for each in differences(left, right, comparison):
        assert all(isinstance(text, str) for line in difference_lines(each, 9) for _, text in line)
        json.dumps(difference_fields(each, bulk, bulk), allow_nan=False)
    native = [tree.dataset for tree in (left, right)]
    if all(node.fragments is None for tree in native for node in tree.values()):
        with suppress(InputError):
            compare_pixels((documents[0], native[0]), (documents[1], native[1]), 0)


@runs(250, 20_000)
@pytest.mark.parametrize("name", ENCODINGS)
def test_broken_data_sets_are_shown_and_compared(
    name: str, run: settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    encoding: Encoding = ENCODINGS[name]
    meta = file_meta(CT, "1.2", SYNTAXES[name])
    for number, (data, _) in enumerate(seeds(encoding)):
        (folder / f"whole-{number}").write_bytes(meta + data)

    @run
    @given(BREAKS)
    def check(changes):
        path = folder / "file"
        path.write_bytes(meta + broken(seeds(encoding), changes))
        check_shown(path)
        check_compared(path, folder / f"whole-{changes[0] % len(seeds(encoding))}")

    check()


@runs(250, 20_000)
def test_broken_files_are_shown(run: settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("broken")

    @run
    @given(BREAKS)
    def check(changes):
        (folder / "file").write_bytes(broken(files(), changes))
        check_shown(folder / "file")

    check()
