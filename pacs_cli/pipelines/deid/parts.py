"""Where a data set is parted, to compare parts with those of the file before."""

from __future__ import annotations

from pacs_cli.dicom.encoding import UNDEFINED, Encoding, encoding_within, header_at, skip

#: Elements of a part that is compared as a whole, and how many there are.
_IN_PART, _MOST_PARTS = 8, 256
_FIRST_PIXELS = 0x7FE00000


def bounds(view: memoryview, encoding: Encoding) -> list[int]:
    """Return tags that part the top level: each private group, and some elements of others."""
    offset = 0
    found: list[int] = []
    last, count = -1, 0
    while offset < len(view):
        tag, vr, length, start = header_at(view, offset, encoding.explicit, encoding.little)
        if tag >= _FIRST_PIXELS or len(found) > _MOST_PARTS:
            break
        group = tag >> 16
        if group != last and (group & 1 or last & 1):
            found.append(group << 16)
            last, count = group, 0
        count += 1
        if not group & 1 and count > _IN_PART:
            found.append(tag)
            count = 1
        last = group
        if length == UNDEFINED:
            offset = skip(view, start, encoding_within(vr, view, start, encoding))
        else:
            offset = start + length
    ascending = [tag for number, tag in enumerate(found) if tag > max(found[:number] or [8])]
    return [*ascending, _FIRST_PIXELS]
