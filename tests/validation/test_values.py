"""Values against PS3.5 table 6.2-1, and text against its character sets."""

from __future__ import annotations

import pytest

from pacs_cli.pipelines.validation.charsets import decode, unknown_terms
from pacs_cli.pipelines.validation.dictionary import known
from pacs_cli.pipelines.validation.values import problems_of
from tests.samples import FOLDERS, every_file

GOOD = [
    ("DA", b"19000228"),
    ("DA", b"20000229\\20240229"),
    ("TM", b"07"),
    ("TM", b"0709"),
    ("TM", b"070907.0705 "),
    ("DT", b"2026"),
    ("DT", b"202601311259+0130 "),
    ("DS", b"-1.5e-05\\ 3 \\.5"),
    ("DS", b"\\1"),
    ("IS", b"-2147483648 "),
    ("AS", b"012M"),
    ("CS", b"A_1 \\B "),
    ("UI", b"1.2.840.0"),
    ("UI", b"1.2.3\0"),
    ("PN", b"A^B^C^D^E=I=P"),
    ("LO", b"x" * 64 + b"\\" + b"y" * 64),
    ("LT", b"line\r\nline\tand\fpage"),
    ("UR", b"http://a.invalid/b "),
    ("US", b"\0\1\0\1"),
]
BAD = [
    ("DA", b"1900.02.28", "value-date"),
    ("DA", b"19000229", "value-date"),
    ("DA", b"20261301", "value-date"),
    ("TM", b"24", "value-time"),
    ("TM", b"12:30", "value-time"),
    ("TM", b"0709.5", "value-time"),
    ("DT", b"20260231", "value-datetime"),
    ("DT", b"2026-01-01", "value-datetime"),
    ("DS", b"1,5 ", "value-number"),
    ("DS", b"1 5 ", "value-number"),
    ("DS", b"12345678901234567 ", "value-length"),
    ("IS", b"2147483648", "value-number"),
    ("IS", b"1.0 ", "value-number"),
    ("AS", b"12M ", "value-age"),
    ("CS", b"a", "value-characters"),
    ("CS", b"A-B ", "value-characters"),
    ("CS", b"A" * 17, "value-length"),
    ("UI", b"1.02", "value-uid"),
    ("UI", b"3.1 ", "value-uid"),
    ("UI", b"1..2", "value-uid"),
    ("UI", b"1.2 ", "value-padding"),
    ("UI", b"1.2.3\0\0\0", "value-padding"),
    ("UI", b"1." + b"2" * 64, "value-length"),
    ("PN", b"A=B=C=D", "value-name"),
    ("PN", b"x" * 65, "value-name"),
    ("LO", b"a\nb ", "value-characters"),
    ("SH", b"a\0", "value-padding"),
    ("ST", b"x" * 1025, "value-length"),
    ("UR", b"http://a b", "value-characters"),
    ("FD", bytes(12), "value-size"),
]


@pytest.mark.parametrize(("vr", "value"), GOOD)
def test_value_that_the_standard_allows_has_no_problem(vr, value):
    assert list(problems_of(vr, value)) == []


@pytest.mark.parametrize(("vr", "value", "rule"), BAD)
def test_value_that_the_standard_forbids_has_one(vr, value, rule):
    assert rule in {rule for rule, _ in problems_of(vr, value)}


@pytest.mark.parametrize(
    ("terms", "value", "text"),
    [
        (("ISO_IR 100",), b"J\xe4ger", "J\u00e4ger"),
        (("ISO_IR 192",), "\u5c71\u7530".encode(), "\u5c71\u7530"),
        (("ISO_IR 192",), b"J\xe4ger", None),
        (("", "ISO 2022 IR 87"), b"A=\x1b$B;3ED\x1b(B", "A=\u5c71\u7530"),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), b"\xd4=\x1b$B;3ED\x1b(J", "\uff94=\u5c71\u7530"),
        (("", "ISO 2022 IR 149"), b"A=\x1b$)C\xb1\xe8", "A=\uae40"),
        (("",), b"A=\x1b$B;3ED\x1b(B", None),
        (("GB18030",), "\u738b".encode("gb18030"), "\u738b"),
        ((), b"\xe4", None),
    ],
)
def test_text_is_decoded_by_what_is_declared(terms, value, text):
    assert decode(value, terms) == text


def test_text_of_every_character_set_sample_can_be_decoded():
    """pydicom's samples are right, but for the one whose name says so."""
    from pacs_cli.pipelines.validation.check import FileCheck

    wrong = {
        path.name
        for path in every_file()
        if FOLDERS[1] in path.parts
        for finding in FileCheck().check(str(path)).findings
        if finding.rule.startswith("charset")
    }
    assert wrong == set()


def test_terms_that_are_not_defined_are_found():
    assert unknown_terms(("ISO_IR 192",)) == []
    assert unknown_terms(("", "ISO 2022 IR 87")) == []
    assert unknown_terms(("ISO_IR100", "ISO_IR 6", "utf8")) == [1, 2, 3]


@pytest.mark.parametrize(
    ("tag", "vr", "counts"),
    [
        (0x00200032, "DS", {1: False, 3: True, 6: False}),
        (0x00280006, "US", {1: True, 2: False}),
        (0x30060050, "DS", {3: True, 4: False, 300: True}),
        (0x00080008, "CS", {1: False, 2: True, 9: True}),
    ],
)
def test_number_of_values_is_that_of_the_dictionary(tag, vr, counts):
    about = known(tag, vr)
    assert {count: about.allows(count) for count in counts} == counts
