"""How paths stand in an index: below its root relative, others absolute, and always as text.

The system knows a path as bytes, which need not be UTF-8; SQLite's text is. A byte that cannot be
decoded becomes one of 128 characters that are for private use (U+EF80 to U+EFFF), and such a
character of a real name the bytes it is made of: so each path has one text, and each text one path.
"""

from __future__ import annotations

import os
import re

_ESCAPED = re.compile("[\udc80-\udcff\uef80-\uefff]")
_ESCAPES = re.compile("[\uef80-\uefff]")
_BASE = 0xEF00


def stored_path(path: str, root: str) -> str:
    """Return how an absolute path stands in an index whose relative paths lie below `root`."""
    prefix = root if root.endswith("/") else f"{root}/"
    if path == root:
        return "."
    if path.startswith(prefix):
        path = path[len(prefix) :]
    return as_text(path)


def real_path(stored: str, root: str) -> str:
    """Return the absolute path of a stored one, as `os.fsdecode` would give it."""
    stored = from_text(stored)
    if stored == ".":
        return root
    return os.path.join(root, stored)  # noqa: PTH118 - a Path would cost more than all the rest


def as_text(path: str) -> str:
    """Return a path as text that SQLite can hold."""
    return path if path.isascii() else _ESCAPED.sub(_escape, path)


def from_text(text: str) -> str:
    """Return the path of such a text."""
    if text.isascii():
        return text
    return os.fsdecode(_ESCAPES.sub(_surrogate, text).encode("utf-8", "surrogateescape"))


def _escape(found: re.Match[str]) -> str:
    raw = found[0].encode("utf-8", "surrogateescape")
    return "".join(chr(_BASE + byte) for byte in raw)


def _surrogate(found: re.Match[str]) -> str:
    return chr(ord(found[0]) - _BASE + 0xDC00)
