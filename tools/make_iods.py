"""Make `pacs_cli/dicom/iods.bin`: what PS3.3 asks of the attributes of each IOD, compact.

    python tools/make_iods.py [--check]

The file: a header, deflated JSON behind its length (4 bytes, big endian), then the modules, each
deflated on its own, so that reading one IOD does not read the other 174.
"""

from __future__ import annotations

import gzip
import json
import struct
import sys
import zlib
from pathlib import Path

from pydicom.datadict import RepeatersDictionary, tag_for_keyword

DATA = Path(__file__).parent / "data"
TARGET = Path(__file__).parent.parent / "pacs_cli" / "dicom" / "iods.bin"
SOURCE = "PS3.3, by highdicom 0.28.2"

#: Keyword of an attribute of a repeating group (PS3.5 7.6) -> its tag in the first of the groups.
REPEATING = {row[4]: int(mask.replace("x", "0"), 16) for mask, row in RepeatersDictionary.items()}


def tag_of(keyword: str) -> int:
    """Return the tag of a keyword; KeyError when pydicom's dictionary does not have it."""
    tag = tag_for_keyword(keyword)
    return REPEATING[keyword] if tag is None else int(tag)


def module_text(rows: list[list[str | None]]) -> str:
    """Return a module as lines of depth, tag and type, an attribute before what is in its items."""
    tree: dict[str, tuple[str, dict]] = {}  # type: ignore[type-arg]
    for path, kind in rows:
        *above, keyword = str(path).split("/")
        level = tree
        for name in above:
            level = level.setdefault(name, ("", {}))[1]
        items = level[keyword][1] if keyword in level else {}
        level[keyword] = ("" if kind in (None, "None") else str(kind), items)

    def lines(level: dict, depth: int):  # type: ignore[type-arg,no-untyped-def]
        for keyword, (kind, items) in sorted(level.items(), key=lambda item: tag_of(item[0])):
            yield f"{depth}{tag_of(keyword):08X}{kind}"
            yield from lines(items, depth + 1)

    return "\n".join(lines(tree, 0))


def generate() -> bytes:
    """Return the whole file."""
    attributes = json.loads(gzip.decompress((DATA / "module_attributes.json.gz").read_bytes()))
    modules = json.loads((DATA / "iod_module_map.json").read_text())
    sop_classes = json.loads((DATA / "sop_class_iod_map.json").read_text())
    body = bytearray()
    places = {}
    for name, rows in sorted(attributes.items()):
        packed = zlib.compress(module_text(rows).encode("ascii"), 9)
        places[name] = [len(body), len(packed)]
        body += packed
    head = {
        "source": SOURCE,
        "sop_classes": sop_classes,
        "iods": {
            iod: [[row["key"], row["ie"], row["usage"]] for row in rows]
            for iod, rows in modules.items()
        },
        "modules": places,
    }
    packed = zlib.compress(json.dumps(head, separators=(",", ":")).encode("ascii"), 9)
    return struct.pack(">I", len(packed)) + packed + bytes(body)


def main() -> int:
    """Write the file, or with --check say whether it is current."""
    content = generate()
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.read_bytes() == content else 1
    TARGET.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
