"""Syslog messages and frames, from RFC 5424 and RFC 5425."""

from __future__ import annotations

import pytest

from pacs_cli.wire.syslog import Origin, Severity, framed, message

TIME = "2026-11-25T12:00:00.000Z"


def test_message_has_the_header_of_ps3_15():
    origin = Origin("archive.example", "pacs-storescp", "4711")
    found = message(origin, TIME, Severity.NOTICE, "<AuditMessage/>")
    head = f"<85>1 {TIME} archive.example pacs-storescp 4711 DICOM+RFC3881 - ".encode()
    assert found == head + b"\xef\xbb\xbf<AuditMessage/>"


def test_failure_is_a_warning():
    assert message(Origin("a", "b", "c"), TIME, Severity.WARNING, "").startswith(b"<84>1 ")


def test_text_is_utf_8():
    assert message(Origin("a", "b", "c"), TIME, Severity.NOTICE, "Mü").endswith(b"M\xc3\xbc")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("", b"-"), ("a b\n", b"ab"), ("ü", b"-"), ("a" * 300, b"a" * 255)],
)
def test_what_a_field_may_not_have_is_left_out(host, expected):
    found = message(Origin(host, "app", "1"), TIME, Severity.NOTICE, "")
    assert found.split(b" ")[2] == expected


def test_frame_counts_octets():
    assert framed("Mü".encode()) == b"3 M\xc3\xbc"
