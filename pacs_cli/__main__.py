"""The process: `pacs`, and `python -m pacs_cli`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    try:
        # what is imported stays: to look through it for garbage, again and again and at the end,
        # took a sixth of the CPU of an echo
        gc.disable()
        from pacs_cli.cli import main

        gc.freeze()
        gc.enable()
        code = main()
    except KeyboardInterrupt:  # while Python was still importing, before main could take charge
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
