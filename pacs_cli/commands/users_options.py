"""What the commands of `pacs users` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

UserFile = Annotated[
    Path,
    typer.Option("--file", metavar="FILE", help="The file of users.", rich_help_panel="Users"),
]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user.", show_default=False)]
