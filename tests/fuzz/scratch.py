"""Files for targets that read paths, in memory where the system has such a folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


@cache
def folder() -> Path:
    """Return a folder of this process, which goes with it."""
    fast = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="pacs-fuzz-", dir=fast if fast.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def written(data: bytes, name: str = "input") -> Path:
    """Write a file and return its path; the next one of that name replaces it."""
    path = folder() / name
    path.write_bytes(data)
    return path
