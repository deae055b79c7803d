"""Programs of the field that tests run as real peers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def find(program: str) -> str | None:
    """Return the path of a program of the field, None without it.

    Scripts of Python are passed over: pynetdicom installs a storescu of its own beside every
    python, and ours is run as a module.
    """
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = shutil.which(program, path=folder) if folder else None
        if path is not None and not _is_script_of_python(path):
            return path
    return None


def _is_script_of_python(path: str) -> bool:
    with Path(path).open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


def require(program: str, *elsewhere: str) -> str:
    """Return the path of a program; without it the test skips and says so, but fails in CI."""
    for candidate in (program, *elsewhere):
        path = shutil.which(candidate) if os.sep in candidate else find(candidate)
        if path is not None:
            return path
    reason = f"{program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
