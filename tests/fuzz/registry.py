"""What can be fuzzed: each module of tests/fuzz/targets is one target.

seeds() -> bytes that are valid, made in code
check(data) -> None, or raises what is a bug: anything but the errors that a bad input may be
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


class Target(NamedTuple):
    """What is fuzzed, with what."""

    name: str
    seeds: list[bytes]
    check: Callable[[bytes], None]


#: Every target by name.
NAMES = tuple(sorted(path.stem for path in (Path(__file__).parent / "targets").glob("*.py")))


def load(name: str) -> Target:
    """Return a target, its seeds made and each checked once."""
    module = import_module(f"tests.fuzz.targets.{name}")
    made: Iterable[bytes] = module.seeds()
    target = Target(name, list(made), module.check)
    for each in target.seeds:
        target.check(each)
    return target
