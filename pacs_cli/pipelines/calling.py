"""Whom to query or retrieve from, and who is told on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pacs_cli.dicom.query import Model
from pacs_cli.net.channel import Wakeup
from pacs_cli.net.target import Target
from pacs_cli.services.scu import Session, Trace


class Calling(NamedTuple):
    """What every association of one retrieval has in common.

    wakeup  ends it
    opened  told of each association once it stands
    """

    target: Target
    model: Model
    wakeup: Wakeup
    opened: Callable[[Session], None]
    trace: Trace | None = None
