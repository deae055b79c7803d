"""The packaged tables are those of their script, and their codes are all understood."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pacs_cli.pipelines.deid.profile import (
    CONCEPTS,
    EDITION,
    METHODS,
    REPEATING,
    SAFE_PRIVATE,
    SOURCES,
    TABLE,
)

ROOT = Path(__file__).parent.parent.parent.parent


def test_tables_are_what_their_script_makes():
    check = [sys.executable, ROOT / "tools" / "make_deid_profile.py", "--check"]
    assert subprocess.run(check, check=False).returncode == 0


def test_every_row_is_there_with_codes_that_are_known():
    assert len(TABLE) + len(REPEATING) == 655
    codes = {"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"}
    assert {row.basic for row in (*TABLE.values(), *REPEATING.values())} == codes
    assert {code for row in TABLE.values() for code in row.options.values()} == {"K", "C"}
    assert (len(SAFE_PRIVATE), len(CONCEPTS), len(METHODS)) == (479, 209, 13)


def test_edition_and_sources_are_told():
    assert EDITION == "2024e+2026c"
    assert set(SOURCES) == {"E.1-1", "E.3.4-1", "E.3.10-1", "CID 7050"}
