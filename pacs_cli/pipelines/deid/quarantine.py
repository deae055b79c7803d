"""Where what is withheld is copied to, so that it can be looked at."""

from __future__ import annotations

import os
from pathlib import Path


def set_aside(path: str, folder: Path) -> str:
    """Copy a file into a folder that only its owner reads; return why not, or nothing.

    One of that name stays: the copy gets a number.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = Path(path).read_bytes()
        with os.fdopen(_created(folder, Path(path).name), "wb") as file:
            file.write(content)
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or "no such name").lower()
    return ""


def _created(folder: Path, name: str) -> int:
    number = 0
    while True:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(folder / (name + (f".{number}" if number else "")), flags, 0o600)
        except FileExistsError:
            number += 1
