"""Make every document that is derived: docs/json, docs/conformance.md and docs/cli-coverage.md.

    python -m tools.make_docs [--check]

What is derived from the commands alone, `python -m pacs_cli.generate` makes.
"""

from __future__ import annotations

import sys

from tools import make_conformance, make_coverage, make_schemas
from tools.writing import write


def files() -> dict[str, str]:
    """Return path below the project's root -> contents."""
    return {**make_schemas.files(), **make_conformance.files(), **make_coverage.files()}


if __name__ == "__main__":
    sys.exit(write(files(), "--check" in sys.argv[1:]))
