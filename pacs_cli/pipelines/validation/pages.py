"""The documentation of the rules: a page for each, and the list of all."""

from __future__ import annotations

from pacs_cli.pipelines.validation.conditions import CONDITIONS
from pacs_cli.pipelines.validation.enumerated import ENUMERATED
from pacs_cli.pipelines.validation.rule import Rule
from pacs_cli.pipelines.validation.rules import RULES

_FOLDER = "docs/rules"
_CONDITIONAL = ("iod-type-1c-missing", "iod-type-2c-missing")


def rule_pages() -> dict[str, str]:
    """Return path -> contents of every page."""
    made = {f"{_FOLDER}/README.md": _list()}
    for rule in RULES.values():
        made[f"{_FOLDER}/{rule.id}.md"] = _page(rule)
    return made


def _list() -> str:
    rows = "".join(
        f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.source} | {rule.title} |\n"
        for rule in RULES.values()
    )
    return (
        "# Rules of `pacs validate`\n\nWritten by `python -m pacs_cli.generate` from the rules "
        f"themselves.\n\n| rule | severity | source | |\n|---|---|---|---|\n{rows}"
    )


def _page(rule: Rule) -> str:
    return (
        f"# {rule.id}\n\n{rule.title}.\n\n| severity | source |\n|---|---|\n"
        f"| {rule.severity} | DICOM {rule.source} |\n\n{rule.explanation}\n{_tables(rule)}\n"
        f"Leave it out with `--ignore {rule.id}`, look at nothing else with `--rule {rule.id}`. "
        "[All rules](README.md)\n"
    )


def _tables(rule: Rule) -> str:
    from pacs_cli.dicom.dictionary import keyword_at

    if rule.id in _CONDITIONAL:
        rows = "".join(
            f"| {keyword_at(row.tag)} | {row.when} | PS3.3 {row.source} |\n" for row in CONDITIONS
        )
        return (
            f"\nThe conditions that are evaluated:\n\n| attribute | when | |\n|---|---|---|\n{rows}"
        )
    if rule.id == "iod-enumerated-value":
        rows = "".join(
            f"| {keyword_at(tag)} | {', '.join(sorted(row.values))} | {row.iod} | "
            f"PS3.3 {row.source} |\n"
            for tag, several in ENUMERATED.items()
            for row in several
        )
        head = "| attribute | values | IOD | |\n|---|---|---|---|"
        return f"\nThe values that are known:\n\n{head}\n{rows}"
    return ""
