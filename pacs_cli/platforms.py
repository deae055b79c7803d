"""What a system has to have; docs/platforms.md says what else differs between systems."""

from __future__ import annotations

import os

from pacs_cli.errors import UsageError

#: Reading at a place and writing many pieces without a copy: Linux and macOS 11 have them, Windows
#: none. Files and connections are built on them.
_NEEDED = ("pread", "preadv", "writev", "pwritev", "O_NONBLOCK", "O_CLOEXEC")


def check() -> None:
    """Raise UsageError, which says what is missing and what to do, where nothing can work."""
    missing = [name for name in _NEEDED if not hasattr(os, name)]
    if missing:
        raise UsageError(
            f"pacs runs on Linux and on macOS 11 or newer; this system has no os.{missing[0]}; on "
            "Windows run it in WSL"
        )
