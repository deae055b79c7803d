"""Every code a peer can send has its words, on one line."""

from __future__ import annotations

import pytest
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS, VERIFICATION_SERVICE_CLASS_STATUS

from pacs_cli.services.diagnosis import (
    explain_abort,
    explain_context,
    explain_rejection,
    explain_status,
)
from pacs_cli.services.results import StoreResult

EVERY_STATUS = range(0x10000)


def test_every_status_has_its_code_and_words_on_one_line():
    told = [explain_status(status) for status in EVERY_STATUS]
    assert all(text.startswith(f"{status:04X}H") for status, text in enumerate(told))
    assert all(text.isprintable() and len(text) > 7 for text in told)


def test_a_status_is_called_a_warning_exactly_when_it_counts_as_one():
    for status in EVERY_STATUS:
        is_warning = StoreResult(status, "", 0.0).is_warning
        assert explain_status(status)[5:].strip().startswith("warning") == is_warning, f"{status:X}"


def test_every_status_of_the_services_in_the_field_is_named():
    known = {**STORAGE_SERVICE_CLASS_STATUS, **VERIFICATION_SERVICE_CLASS_STATUS}
    unnamed = [status for status in known if "does not name" in explain_status(status)]
    assert unnamed == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x0000, "0000H success"),
        (0x0111, "0111H duplicate SOP instance; another object with this UID is held already"),
        (0xA702, "A702H out of resources; the peer's disk or database is full or fails"),
        (0xB006, "B006H warning, data elements were discarded"),
        (0xB123, "B123H warning"),
        (0xCFFF, "CFFFH the peer cannot understand the object; validate it; see the peer's log"),
        (0x1234, "1234H, a status the standard does not name; ask what the peer's log says"),
    ],
)
def test_status_says_what_it_means_and_what_to_try(status, words):
    assert explain_status(status) == words


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((1, 1, 1), "no reason given; ask"),
        ((1, 1, 2), "application context name not supported"),
        ((1, 1, 3), "calling AE title not recognised: ours has to be configured there"),
        ((1, 1, 7), "called AE title not recognised: it is not called that there; give its"),
        ((1, 2, 1), "no reason given by its association service"),
        ((1, 2, 2), "protocol version not supported"),
        ((2, 3, 1), "for now, temporary congestion; try again later"),
        ((2, 3, 2), "for now, local limit exceeded"),
        # PS3.8 table 9-21 reserves these
        ((1, 1, 4), "source 1, reason 4; ask"),
        ((2, 9, 0), "for now, source 9, reason 0; ask"),
    ],
)
def test_rejection_says_what_it_means(codes, words):
    assert explain_rejection(*codes).startswith(words)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((0, 0), "its application ended it without a reason"),
        ((0, 6), "its application ended it without a reason"),
        ((2, 0), "its association service says no reason given"),
        ((2, 1), "its association service says it did not recognise a PDU;"),
        ((2, 2), "its association service says it did not expect a PDU at this point"),
        ((2, 4), "its association service says it did not recognise a PDU parameter"),
        ((2, 5), "its association service says it did not expect a PDU parameter"),
        ((2, 6), "its association service says it found an invalid PDU parameter value"),
        ((2, 3), "its association service says reason 3"),
        ((1, 255), "its association service says reason 255"),
    ],
)
def test_abort_says_what_it_means(codes, words):
    assert explain_abort(*codes).startswith(words)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (0, "accepted"),
        (1, "refused by the user"),
        (2, "refused, no reason given"),
        (3, "abstract syntax not supported"),
        (4, "transfer syntaxes not supported"),
        (5, "refused, result 5"),
    ],
)
def test_context_says_what_became_of_it(result, words):
    assert explain_context(result) == words
