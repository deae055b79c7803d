"""Completion scripts for bash, zsh and fish: static, they never start Python.

Peer names come from the `[peers.NAME]` lines of the configuration file, and the keywords of DICOM
from `pacs.keywords`, both read by sed: a list of 5,000 in each script would cost every new shell
5 ms. That file is looked for where `_pacs_packaged` says (`pacs completion show` fills it), beside
the script, in `../../pacs` as seen from it (share/pacs of an installation), and in the user's own
data folder.
"""

from __future__ import annotations

from collections.abc import Iterable

from pacs_cli.completions.bash import bash
from pacs_cli.completions.fish import fish
from pacs_cli.completions.values import Page, Words
from pacs_cli.completions.zsh import zsh

__all__ = ["Page", "Words", "bash", "fish", "keywords", "zsh"]


def keywords(rows: Iterable[tuple[str, int, str]]) -> str:
    """Return the file of keywords, a line for each: keyword, tag, VR."""
    return "".join(
        f"{keyword} {tag >> 16:04x},{tag & 0xFFFF:04x} {vr}\n" for keyword, tag, vr in sorted(rows)
    )
