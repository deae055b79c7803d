"""Writes files that are made, or says which of them are not what a fresh run gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def write(files: Mapping[str, str], is_check: bool) -> int:
    """Write what differs, or with `is_check` only name it; return the exit code.

    files  path below the project's root -> contents
    """
    different = 0
    for name, text in files.items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        different += 1
        sys.stdout.write(f"{'differs' if is_check else 'written'}: {name}\n")
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(is_check and different > 0)
