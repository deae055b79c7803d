"""Make `pacs_cli/pipelines/deid/profile.py`: the tables of PS3.15 Annex E and CID 7050, compact.

python tools/make_deid_profile.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
TARGET = Path(__file__).parent.parent / "pacs_cli" / "pipelines" / "deid" / "profile.py"

HEAD = '''"""PS3.15 tables E.1-1, E.3.4-1 and E.3.10-1, and CID 7050 of PS3.16.

Written by tools/make_deid_profile.py from tools/data, which says where the data is from.
"""

from __future__ import annotations

from typing import NamedTuple

#: The edition of table E.1-1, as it goes into DeidentificationMethod and reports.
EDITION = "2024e+2026c"

#: Of each table.
SOURCES = {
{sources}}


class Row(NamedTuple):
    """A row of table E.1-1: the code of the Basic Profile, and those of the options that have one.

    options  of uids, device, institution, patient, full_dates, modified_dates, clean_desc,
             clean_struct, clean_graph; K (keep) or C (clean)
    """

    basic: str
    options: dict[str, str]


class Concept(NamedTuple):
    """A row of table E.3.4-1: a concept of structured content by scheme, value and value type."""

    scheme: str
    value: str
    value_type: str
    basic: str
    options: dict[str, str]


def _pairs(words: list[str]) -> dict[str, str]:
    return dict(word.split("=") for word in words)


def _rows(text: str) -> dict[str, Row]:
    rows = (line.split() for line in text.split("\\n") if line)
    return {tag: Row(basic, _pairs(options)) for tag, basic, *options in rows}


def _by_tag(text: str) -> dict[int, Row]:
    return {int(tag, 16): row for tag, row in _rows(text).items()}


def _concepts(text: str) -> tuple[Concept, ...]:
    rows = (line.split("|") for line in text.split("\\n") if line)
    return tuple(Concept(a, b, c, d, _pairs(rest.split())) for a, b, c, d, rest in rows)


def _safe(text: str) -> dict[tuple[int, int, str], str]:
    """Group, the lower half of the element, creator -> VR ("" where the table has none)."""
    rows = (line.split(" ", 3) for line in text.split("\\n") if line)
    return {
        (int(group, 16), int(offset, 16), creator): vr.strip("-")
        for group, offset, vr, creator in rows
    }


'''


def load(name: str) -> Any:
    """Return one of the files of data."""
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def options_text(options: dict[str, str]) -> str:
    """Return the options that have a code, as words."""
    return " ".join(f"{name}={code}" for name, code in options.items() if code)


def table_text(rows: list[dict[str, Any]]) -> str:
    """Return table E.1-1 as lines of tag, Basic code and options."""
    return "\n".join(
        f"{row['tag']} {row['basic']} {options_text(row['opts'])}".rstrip() for row in rows
    )


def concept_text(rows: list[dict[str, Any]]) -> str:
    """Return table E.3.4-1 as lines of scheme, value, value type, Basic code and options."""
    names = ("uids", "device", "institution", "patient", "full_dates", "modified_dates")
    lines = []
    for row in rows:
        options = {name: row[name] for name in (*names, "clean_desc")}
        head = "|".join(row[name].strip() for name in ("scheme", "value", "vt", "basic"))
        lines.append(f"{head}|{options_text(options)}")
    return "\n".join(lines)


def safe_text(rows: list[dict[str, Any]]) -> str:
    """Return table E.3.10-1 as lines of group, offset, VR and creator."""
    return "\n".join(
        sorted({f"{r['group']} {r['offset']} {r['vr'] or '-'} {r['creator']}" for r in rows})
    )


def generate() -> str:
    """Return the whole module."""
    table, safe = load("e1_1_2024e_plus_2026c.json"), load("safe_private_e3_10_1_2023b.json")
    concepts, methods = load("sr_content_e3_4_1_2023b.json"), load("cid7050.json")
    repeating = [row for row in table["rows"] if "X" in row["tag"]]
    single = [row for row in table["rows"] if "X" not in row["tag"]]
    sources = {
        "E.1-1": "PS3.15 2024e; 35 rows of 2026c with their Basic code only",
        "E.3.4-1": concepts["source"],
        "E.3.10-1": safe["source"],
        "CID 7050": "PS3.16 " + methods["source"],
    }
    text = HEAD.replace(
        "{sources}", "".join(f'    "{name}": "{source}",\n' for name, source in sources.items())
    )
    text += "#: Code value -> meaning, scheme DCM.\nMETHODS = {\n"
    text += "".join(f'    "{row["code"]}": "{row["meaning"]}",\n' for row in methods["rows"])
    text += "}\n\n#: Tag -> row of table E.1-1.\n"
    text += f'TABLE = _by_tag("""\n{table_text(single)}\n""")\n'
    text += "\n#: Those of repeating groups (PS3.5 7.6), X for any digit.\n"
    text += f'REPEATING = _rows("""\n{table_text(repeating)}\n""")\n'
    text += "\n#: Table E.3.4-1.\n"
    text += f'CONCEPTS = _concepts("""\n{concept_text(concepts["rows"])}\n""")\n'
    text += "\n#: Table E.3.10-1.\n"
    text += f'SAFE_PRIVATE = _safe("""\n{safe_text(safe["rows"])}\n""")\n'
    return text


def main() -> int:
    """Write the module, or with --check say whether it is current."""
    content = generate()
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.read_text(encoding="utf-8") == content else 1
    TARGET.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
