"""What the dictionary says of an element with the VR it is written with, worked out once."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pacs_cli.dicom.dictionary import vm_at, vr_at
from pacs_cli.pipelines.validation.values import COUNTED, SIZES, SPLIT, STRINGS, TEXT, Problem

#: Every VR of PS3.5 6.2.
VRS = STRINGS | set(SIZES) | {"OB", "SQ", "UN"}

#: A DICOMDIR alone has group 0004; 0006 was of directories too.
_FORBIDDEN = frozenset((0x0000, 0x0002, 0x0006))
_FORBIDDEN_PRIVATE = frozenset((0x0001, 0x0003, 0x0005, 0x0007, 0xFFFF))


class Known(NamedTuple):
    """What is known of a tag written with a VR.

    problems  that the tag and the VR alone have
    vr        by which the value is checked; of a choice the first
    least     number of values, with `most` (0 for any) and `step`; `least` 0 when it is not known
    size      bytes of one value where the length says how many there are, else 0
    splits    whether a backslash parts values
    is_text   whether the character set applies
    """

    problems: tuple[Problem, ...]
    vr: str
    least: int
    most: int
    step: int
    size: int
    splits: bool
    is_text: bool

    def allows(self, count: int) -> bool:
        """Whether PS3.6 allows that many values."""
        if count < self.least or (self.most and count > self.most):
            return False
        return self.step <= 1 or count % self.step == 0


@lru_cache(maxsize=16384)
def known(tag: int, vr: str) -> Known:
    """Return what is known; of private elements only what their VR says."""
    problems: list[Problem] = []
    group, is_private = tag >> 16, bool(tag & 0x10000)
    choice = vr.split(" or ")
    if vr not in VRS and len(choice) == 1:
        problems.append(("element-vr-unknown", "no such VR"))
    expected = "" if is_private else vr_at(tag)
    if is_private:
        if group in _FORBIDDEN_PRIVATE:
            problems.append(("private-group", f"group {group:04X} cannot have private elements"))
    elif group in _FORBIDDEN:
        problems.append(("element-group", f"group {group:04X} is not of a data set"))
    elif not tag & 0xFFFF:
        problems.append(("element-group-length", "group length, which is retired"))
        expected = "UL"
    elif not expected:
        problems.append(("element-unknown", "not in PS3.6"))
    problems += _of_vr(vr, expected)
    kind = choice[0]
    # what is written as UN has values of another VR
    vm = "" if is_private or not tag & 0xFFFF or vr == "UN" else vm_at(tag)
    least, most, step = _range(vm)
    return Known(
        tuple(problems),
        kind,
        least,
        most,
        step,
        SIZES[kind] if kind in COUNTED else 0,
        kind in SPLIT,
        kind in TEXT,
    )


def _of_vr(vr: str, expected: str) -> list[Problem]:
    allowed = expected.split(" or ")
    # a retired row of the dictionary has no VR
    if expected in ("", "NONE") or vr == expected or vr in allowed or vr not in VRS:
        return []
    if vr == "UN":
        rule = "sequence-vr" if expected == "SQ" else "element-vr-un"
        return [(rule, f"written as UN, and is {expected}")]
    return [("element-vr", f"written as {vr}, and is {expected}")]


def _range(vm: str) -> tuple[int, int, int]:
    """Return the least and most values (0 for any), and what their number is a multiple of."""
    low, dash, high = vm.split(" or ")[0].partition("-")
    if not low.isdigit() or " or " in vm:
        return 0, 0, 1
    if not dash:
        return int(low), int(low), 1
    if high.endswith("n"):
        return int(low), 0, int(high[:-1] or 1)
    return int(low), int(high), 1
