"""Paths in an index: each has one text, and each text one path."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_cli.archive.filenames import as_text, from_text, real_path, stored_path

NAMES = st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name)
#: Most random bytes are no UTF-8; these are, and among them what escapes are made of.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).map(str.encode)
ODD = st.lists(st.sampled_from([b"\xee\xbe\x80", b"\xee\xbf\xbf", b"\x80", b"\xee", b"a"])).map(
    b"".join
)


@given(NAMES | TEXTS | ODD)
def test_every_name_comes_back_from_its_text(name):
    path = os.fsdecode(name)
    text = as_text(path)
    text.encode("utf-8")
    assert os.fsencode(from_text(text)) == name


@given(NAMES | ODD, NAMES | ODD)
def test_different_names_have_different_texts(one, other):
    is_same = as_text(os.fsdecode(one)) == as_text(os.fsdecode(other))
    assert is_same == (one == other)


@pytest.mark.parametrize(
    ("path", "root", "stored"),
    [
        ("/data/a/b", "/data", "a/b"),
        ("/data", "/data", "."),
        ("/database/a", "/data", "/database/a"),
        ("/other/a", "/data", "/other/a"),
        ("/a", "/", "a"),
        ("/", "/", "."),
    ],
)
def test_path_below_the_root_is_relative(path, root, stored):
    assert stored_path(path, root) == stored
    assert real_path(stored, root) == path
