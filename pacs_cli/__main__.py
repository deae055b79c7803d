"""The process: `pacs`, and `python -m pacs_cli`."""

from __future__ import annotations

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    try:
        from pacs_cli.cli import main

        code = main()
    except KeyboardInterrupt:  # while Python was still importing, before main could take charge
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
