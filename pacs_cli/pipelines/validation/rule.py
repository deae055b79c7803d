"""What a rule of validation is."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a finding matters; `error` is what the standard forbids."""

    ERROR = "error"
    WARNING = "warning"


class Rule(NamedTuple):
    """One rule; its id never changes its meaning.

    source  the section of the standard that it comes from
    """

    id: str
    severity: Severity
    source: str
    title: str
    explanation: str
