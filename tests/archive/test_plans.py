"""A file read by the plan of others is what it is when read alone."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from pacs_cli.archive.contents import HEAD, held_row, read_row, row_of_open
from pacs_cli.archive.plans import DataSetPlans, Plans
from pacs_cli.archive.reading import FileReader
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError, MalformedDataset
from tests import samples
from tests.archive.filing import object_bytes

CT = Path(str(get_testdata_file("CT_small.dcm")))


def outcome(read):
    """What a way of reading gives: everything of the row, or its error."""
    try:
        row = read()
    except InputError as error:
        return type(error), str(error)
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    return {**values, "attributes": dict(row.attributes)}


def read_with(plans: Plans, path: Path):
    with path.open("rb") as file:
        return outcome(lambda: row_of_open(file.fileno(), plans))


def taught(path: Path) -> Plans:
    """Plans that know a file."""
    plans = Plans()
    for _ in range(2):
        read_with(plans, path)
    return plans


def test_plan_is_used_for_the_third_file_that_is_built_alike(tmp_path, monkeypatch):
    names = [tmp_path / str(number) for number in range(4)]
    for number, path in enumerate(names):
        path.write_bytes(object_bytes(1, 1, 1, number + 1))
    plans = taught(names[0])
    expected = outcome(lambda: held_row(str(names[3])))
    monkeypatch.setattr("pacs_cli.archive.contents.probe_open", None)
    assert read_with(plans, names[3]) == expected
    assert expected["sop_instance_uid"].endswith(".1.1.1.4")


@pytest.mark.parametrize("path", samples.every_file(), ids=lambda path: path.name)
def test_every_sample_is_the_same_by_its_own_plan(path):
    assert read_with(taught(path), path) == outcome(lambda: held_row(str(path)))


def test_samples_in_one_reader_are_what_they_are_alone():
    names = [str(path) for path in samples.every_file()] * 3
    reader = FileReader()
    random.Random(4).shuffle(names)
    for name, reading in zip(names, reader(names), strict=True):
        if reading.row is None:
            with pytest.raises(InputError) as caught:
                held_row(name)
            assert reading.reason == str(caught.value)
        else:
            assert outcome(lambda row=reading.row: row) == outcome(lambda name=name: held_row(name))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_file_that_differs_anywhere_is_read_as_it_is(tmp_path_factory, data):
    """Of the same size and nearly the same: what a plan must not take for its own."""
    whole = bytearray(CT.read_bytes())
    end = data.draw(st.sampled_from([400, 2000, 7000]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, end))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("mutated") / "a"
    path.write_bytes(whole)
    assert read_with(taught(CT), path) == outcome(lambda: held_row(str(path)))


@pytest.mark.parametrize("cut", [1, 2, 100, 30_000])
def test_truncated_file_is_refused_by_a_plan_too(tmp_path, cut):
    path = tmp_path / "a"
    path.write_bytes(CT.read_bytes()[:-cut])
    kind, message = read_with(taught(CT), path)
    assert issubclass(kind, InputError)
    assert "ends early" in message or "ends inside" in message


# -- data sets as they arrive --------------------------------------------------------------------


def arrived(data, syntax: str, plans: DataSetPlans | None):
    """What an archive would keep of a data set that arrives, or why it refuses it."""
    head = bytearray(data[:HEAD])
    try:
        row = read_row(
            head,
            len(data),
            lambda offset, count: bytes(data[offset : offset + count]),
            syntax,
            "SENDER",
            plans,
        )
    except MalformedDataset as error:
        return str(error)
    values = {each.name: getattr(row, each.name) for each in fields(row)}
    return {**values, "received": 0, "attributes": dict(row.attributes)}


@pytest.mark.parametrize("path", samples.every_file(), ids=lambda path: path.name)
def test_every_data_set_is_the_same_by_its_own_plan(path):
    try:
        header = probe(path)
    except InputError:
        pytest.skip("not DICOM")
    data = path.read_bytes()[header.dataset_offset :]
    plans = DataSetPlans()
    alone = arrived(data, header.transfer_syntax_uid, None)
    for _ in range(4):
        assert arrived(data, header.transfer_syntax_uid, plans) == alone


def test_plan_is_used_for_the_third_data_set_that_is_built_alike(monkeypatch):
    sets = [object_bytes(1, 1, 1, number + 1) for number in range(4)]
    offset, syntax = len(sets[0]) - len(data_set(sets[0])), "1.2.840.10008.1.2.1"
    sets = [each[offset:] for each in sets]
    plans, expected = DataSetPlans(), arrived(sets[3], syntax, None)
    for each in sets[:2]:
        arrived(each, syntax, plans)
    monkeypatch.setattr("pacs_cli.archive.contents.survey", None)
    assert arrived(sets[3], syntax, plans) == expected
    with pytest.raises(TypeError):
        arrived(sets[3], "1.2.840.10008.1.2", plans)


def data_set(file: bytes) -> bytes:
    """The data set of a file whose meta says how long it is."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_data_set_that_differs_anywhere_is_read_as_it_is(data):
    """Of the same size and nearly the same: what a plan must not take for its own."""
    syntax = probe(CT).transfer_syntax_uid
    whole = bytearray(data_set(CT.read_bytes()))
    plans = DataSetPlans()
    for _ in range(2):
        arrived(whole, syntax, plans)
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, min(len(whole), 6000) - 1))
        whole[position] = data.draw(st.integers(0, 255))
    assert arrived(whole, syntax, plans) == arrived(whole, syntax, None)
