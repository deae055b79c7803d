"""Every rule of validation by its id."""

from __future__ import annotations

from pacs_cli.errors import LocalProtocolError, UsageError, nearest
from pacs_cli.pipelines.validation.content_rules import CONTENT_RULES
from pacs_cli.pipelines.validation.encoding_rules import ENCODING_RULES
from pacs_cli.pipelines.validation.rule import Rule

_ALL = ENCODING_RULES + CONTENT_RULES

#: Every rule by its id, in the order of the documentation.
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}

if len(RULES) != len(_ALL):
    raise LocalProtocolError("two rules have the same id")


def check_ids(ids: list[str], option: str) -> frozenset[str]:
    """Return rule ids as a set; UsageError, with the nearest, when one is none."""
    for each in ids:
        if each not in RULES:
            raise UsageError(f"{option} {each}: no such rule{nearest(each, RULES)}")
    return frozenset(ids)
