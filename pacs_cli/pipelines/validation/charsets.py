"""Whether text is in the character set that its data set declares (PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import re
from functools import lru_cache

#: Defined terms of PS3.3 tables C.12-2 to C.12-5 -> Python's codec. Those with ISO 2022 switch.
_SINGLE = {
    "": "ascii",
    "ISO_IR 6": "ascii",  # not a term, but what the default is called
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 203": "iso8859-15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis-620",
}
_WHOLE = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}

#: Escape sequence -> the term that declares it, and the codec of what follows (tables C.12-3, -4).
_ESCAPES = {
    b"\x1b(B": ("ISO 2022 IR 6", "ascii"),
    b"\x1b-A": ("ISO 2022 IR 100", "latin-1"),
    b"\x1b-B": ("ISO 2022 IR 101", "iso8859-2"),
    b"\x1b-C": ("ISO 2022 IR 109", "iso8859-3"),
    b"\x1b-D": ("ISO 2022 IR 110", "iso8859-4"),
    b"\x1b-L": ("ISO 2022 IR 144", "iso8859-5"),
    b"\x1b-G": ("ISO 2022 IR 127", "iso8859-6"),
    b"\x1b-F": ("ISO 2022 IR 126", "iso8859-7"),
    b"\x1b-H": ("ISO 2022 IR 138", "iso8859-8"),
    b"\x1b-M": ("ISO 2022 IR 148", "iso8859-9"),
    b"\x1b-b": ("ISO 2022 IR 203", "iso8859-15"),
    b"\x1b-T": ("ISO 2022 IR 166", "tis-620"),
    b"\x1b)I": ("ISO 2022 IR 13", "shift_jis"),
    b"\x1b(J": ("ISO 2022 IR 13", "shift_jis"),
    b"\x1b$B": ("ISO 2022 IR 87", "iso2022_jp"),
    b"\x1b$(D": ("ISO 2022 IR 159", "iso2022_jp_2"),
    b"\x1b$)C": ("ISO 2022 IR 149", "euc_kr"),
    b"\x1b$)A": ("ISO 2022 IR 58", "gb2312"),
}
_ESCAPE = re.compile(rb"\x1b(?:\$[()]?|[(\-)]).", re.DOTALL)
_SEVEN_BIT = frozenset(("iso2022_jp", "iso2022_jp_2"))

_TERMS = frozenset(term for term, _ in _ESCAPES.values())


def unknown_terms(terms: tuple[str, ...]) -> list[int]:
    """Return which values of Specific Character Set, from 1, are no defined terms."""
    return [
        number
        for number, term in enumerate(terms, 1)
        if term not in _TERMS
        and (term not in _SINGLE or term == "ISO_IR 6" or (not term and number > 1))
        and term not in _WHOLE
    ]


def decode(value: bytes, terms: tuple[str, ...]) -> str | None:
    """Return text of the declared character sets, None when it is none of them.

    source  PS3.5 6.1.2.5: escape sequences end with the value, and the first term begins it
    """
    first = terms[0] if terms else ""
    if first in _WHOLE:
        return _decoded(value, _WHOLE[first])
    start = _SINGLE.get(first) or _SINGLE.get(first.replace("ISO 2022 IR", "ISO_IR"))
    if start is None:
        # begins with a set of two bytes, or is unknown, which is another finding
        start = "ascii" if first in _TERMS else "latin-1"
    if b"\x1b" not in value:
        return _decoded(value, start)
    return _switching(value, terms, start)


def _switching(value: bytes, terms: tuple[str, ...], codec: str) -> str | None:
    declared = frozenset(terms) | {"ISO 2022 IR 6"}
    if codec == "shift_jis" or any("IR 13" in term for term in terms):
        declared |= {"ISO 2022 IR 13"}
    parts: list[str | None] = []
    place = 0
    escape = b""
    for match in _ESCAPE.finditer(value):
        parts.append(_decoded(escape + value[place : match.start()], codec))
        code = match.group()
        if code == b"\x1b$(":
            code += value[match.end() : match.end() + 1]
        term, codec = _ESCAPES.get(code, ("", ""))
        if not term or term not in declared:
            return None
        place, escape = match.start() + len(code), code if codec in _SEVEN_BIT else b""
    parts.append(_decoded(escape + value[place:], codec))
    return None if None in parts else "".join(part or "" for part in parts)


@lru_cache(maxsize=4096)
def _decoded(value: bytes, codec: str) -> str | None:
    # what stands in seven-bit sets between bytes of the other half is ASCII to these codecs
    try:
        return value.decode(codec)
    except UnicodeDecodeError:
        return None
