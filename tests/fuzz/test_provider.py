"""The real provider under changed PDUs, in short; `python -m tests.fuzz.provider` is long."""

from __future__ import annotations

import sys
from random import Random

import pytest

from tests.fuzz.provider import MESSAGES, REQUEST, Outcome, partial, run, talk
from tests.interop.peers import pacs_storescp
from tests.wire.test_fuzz import pdu_starts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def test_provider_stays_what_it_is(tmp_path):
    outcome = run(tmp_path / "archive", 2, 5)
    assert outcome.wrong == []
    assert outcome.connections >= 200
    # changes go deep enough to be answered, and are not taken for what was meant
    assert min(outcome.answers[how] for how in ("aborted", "released")) > 10


@pytest.mark.slow
def test_provider_stays_what_it_is_for_long(tmp_path):
    outcome = run(tmp_path / "archive", 300, Random().randrange(1 << 30))
    assert outcome.wrong == []


def test_messages_are_valid_before_they_are_changed(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        for said in MESSAGES:
            assert talk(archive.port, REQUEST + said + MESSAGES[-1]) == "released", said
        assert archive.stop() == 0
    assert len(archive.files()) == 1
    assert len(pdu_starts(REQUEST)) == 1


def test_what_is_partial_in_an_archive_is_found(tmp_path):
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging" / "part").touch()
    (tmp_path / "half.dcm").write_bytes(bytes(200))
    assert len(partial(tmp_path)) == 2
    assert Outcome(0, {}, [], partial(tmp_path)).wrong
