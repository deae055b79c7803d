"""Bytes changed at random, from a seed: what runs where no coverage is measured."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

#: Numbers at which lengths and counts go wrong, in both byte orders, and what begins something.
_TELLING = (
    *(
        number.to_bytes(size, order)
        for size in (2, 4)
        for order in ("little", "big")
        for number in (0, 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1)
    ),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"SQ\0\0\xff\xff\xff\xff"),
    *(b"SQ", b"UN", b"OB", b"UI", b"\xff\xd8", b"\xff\xc0", b"\xff\x4f\xff\x51", b"\\", b"\x1b$B"),
    *(b'"', b"{", b"[", b",", b"\n", b"=", b"\xff", b"\0"),
)


def mutated(data: bytes, random: Random, donors: Sequence[bytes] = (), most: int = 6) -> bytes:
    """Return the bytes with one to `most` changes; parts of `donors` may come in."""
    changed = bytearray(data)
    for _ in range(random.randint(1, most)):
        at = random.randrange(len(changed) + 1)
        kind = random.randrange(7)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << random.randrange(8)
        elif kind == 1 and at < len(changed):
            changed[at] = random.randrange(256)
        elif kind == 2:
            telling = random.choice(_TELLING)
            changed[at : at + random.choice((0, len(telling)))] = telling
        elif kind == 3:
            del changed[at : at + random.choice((1, 2, 4, 8, 64))]
        elif kind == 4:
            changed[at:at] = changed[at : at + random.choice((1, 8, 64, 1024))]
        elif kind == 5 and donors:
            donor = random.choice(donors)
            start = random.randrange(len(donor) + 1)
            changed[at:at] = donor[start : start + random.choice((4, 32, 256))]
        elif kind == 6 and random.random() < 0.3:
            del changed[at:]
    return bytes(changed)
