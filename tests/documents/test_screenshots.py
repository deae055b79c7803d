"""The pictures of the README show what the commands show."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tools.make_screenshots import FOLDER, pictures, svg

ROOT = Path(__file__).parents[2]


def words(picture: str) -> list[str]:
    """Return the text of a picture: how it is drawn is a matter of rich's version."""
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture)]


def test_pictures_are_what_a_fresh_run_shows(monkeypatch: pytest.MonkeyPatch):
    # what the script sets goes again after the test
    for name in ("COLUMNS", "TERM", "NO_COLOR"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("NO_COLOR")
    shown = {f"{name}.svg": svg(name, text) for name, text in pictures().items()}
    assert {path.name for path in (ROOT / FOLDER).iterdir()} == set(shown)
    for name, picture in shown.items():
        kept = (ROOT / FOLDER / name).read_text()
        assert words(kept) == words(picture), "run python -m tools.make_screenshots"
        assert f"]({FOLDER}/{name})" in (ROOT / "README.md").read_text()
