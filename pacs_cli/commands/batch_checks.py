"""What the options of a job may say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pacs_cli.config import seconds
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.commands.batch_options import BatchOptions


def check(options: BatchOptions) -> None:
    """Raise UsageError when a window, a rate or a time of a job is none."""
    from pacs_cli.pipelines.limits import Window

    for text in options.window or ():
        Window.parse(text)
    for name in ("rate", "max_mb"):
        value = getattr(options, name)
        if value is not None and not (0 < value < math.inf):
            raise UsageError(f"--{name.replace('_', '-')} {value:g}: write a number over 0")
    for name in ("retry_wait", "commit_timeout"):
        try:
            seconds(getattr(options, name) or 1.0)
        except ValueError as error:
            raise UsageError(f"--{name.replace('_', '-')}: {error}") from None
