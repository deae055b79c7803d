"""Programs of the field that tests run as real peers."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def find(program: str) -> str | None:
    """Return the path of a program of the field, None without it.

    The folder of this Python is left out: pynetdicom installs a storescu of its own there, and
    ours is run as a module.
    """
    ours = Path(sys.executable).parent
    folders = [each for each in os.environ.get("PATH", "").split(os.pathsep) if each]
    return shutil.which(program, path=os.pathsep.join(f for f in folders if Path(f) != ours))


def require(program: str, *elsewhere: str) -> str:
    """Return the path of a program; without it the test skips and says so, but fails in CI."""
    for candidate in (program, *elsewhere):
        if (path := find(candidate)) is not None:
            return path
    reason = f"{program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
