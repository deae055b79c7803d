"""Commands over changed files, in short: `python -m tests.fuzz.commands` is the long form."""

from __future__ import annotations

import sys
from random import Random

import pytest

from tests.fuzz import commands

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
pytest.importorskip("imagecodecs")


@pytest.mark.parametrize("seed", range(2))
def test_no_command_ends_badly_on_changed_files(seed, tmp_path):
    assert [str(each) for each in commands.one_round(tmp_path, seed)] == []


@pytest.mark.slow
def test_no_command_ends_badly_on_changed_files_for_long(tmp_path):
    counts, troubles = commands.fuzz(tmp_path, 300, Random().randrange(1 << 30))
    assert (troubles, counts["files"] > 0) == ([], True)


def test_command_that_ends_badly_is_told(tmp_path, monkeypatch):
    def fail(path: str) -> None:
        raise ZeroDivisionError

    (tmp_path / "a.dcm").write_bytes(commands.originals()[0])
    monkeypatch.setattr("pacs_cli.pipelines.documents.open_document", fail)
    assert "ZeroDivisionError" in commands.trouble(["dump", str(tmp_path)])
    assert commands.trouble(["dump", "--no-such-option"]).startswith("exit 2")
