"""Programs of the field that tests run as real peers."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str, *elsewhere: str) -> str:
    """Return the path of a program; without it the test skips and says so, but fails in CI."""
    for candidate in (program, *elsewhere):
        if (path := shutil.which(candidate)) is not None:
            return path
    reason = f"{program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
