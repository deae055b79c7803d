"""Make every document that is derived: docs/json, docs/conformance.md and docs/cli-coverage.md.

    python -m tools.make_docs [--check]

What is derived from the commands alone, `python -m pacs_cli.generate` makes.
"""

from __future__ import annotations

import sys

from tools import make_conformance, make_coverage, make_schemas
from tools.writing import write


def main(arguments: list[str]) -> int:
    """Write them; the coverage last, as it names documents that are made here."""
    is_check = "--check" in arguments
    code = write({**make_schemas.files(), **make_conformance.files()}, is_check)
    return write(make_coverage.files(), is_check) or code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
