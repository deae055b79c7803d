"""Writes what is derived from the code: man pages, completions, docs/cli.md, docs/rules.

    python -m pacs_cli.generate [--check]

`--check` writes nothing and exits 1 when a file differs from a fresh generation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pacs_cli.cli import COMMANDS, Command, application
from pacs_cli.completions import bash, fish, keywords, zsh
from pacs_cli.dicom import registry
from pacs_cli.dicom.dictionary import tags_of_keywords, vr_at
from pacs_cli.errors import Exit, UsageError
from pacs_cli.helping import Option, Page, options_of
from pacs_cli.jobs.states import State
from pacs_cli.manual import man, man_of_all
from pacs_cli.net.tls import SUITES
from pacs_cli.options import OutputOptions
from pacs_cli.pipelines.deid import policy
from pacs_cli.pipelines.validation.pages import rule_pages
from pacs_cli.pipelines.validation.rules import RULES
from pacs_cli.report import Report

ROOT = Path(__file__).parent.parent

#: Inside the package, for `pacs completion install` copies them from there.
SCRIPTS = "pacs_cli/completions/scripts"


def _attributes() -> Iterator[tuple[str, int, str]]:
    """Yield every attribute that a data set can have."""
    for keyword, tag in tags_of_keywords().items():
        if tag >> 16 >= 8:
            yield keyword, tag, vr_at(tag)


def words() -> dict[str, tuple[str, ...]]:
    """Return what completes the values of options, from the tables that check them."""
    return {
        "SYNTAX": registry.short_syntaxes(),
        "CLASS": registry.modalities(),
        "SUITE": SUITES,
        "RULE": tuple(RULES),
        "STATE": tuple(State),
        "PROFILE": policy.PROFILES,
        "--retain": policy.RETAIN,
        "--clean": policy.CLEAN,
        "--burned-in": policy.BURNED_IN,
        "--documents": policy.DOCUMENTS,
    }


def pages() -> list[Page]:
    """Return every command of the table as its own declaration describes it.

    raises  UsageError when a command lacks EXAMPLES or CONFORMANCE
    """
    return list(_pages(application(), COMMANDS, ""))


def _pages(group: Any, table: Sequence[Command], above: str) -> Iterator[Page]:
    """Yield the pages of a table's commands, those of a group after its own."""
    for name, module_name, summary in table:
        module = import_module(module_name)
        for constant in ("EXAMPLES", "CONFORMANCE"):
            if not hasattr(module, constant):
                raise UsageError(f"{module_name} has no {constant}; every command needs them")
        command: Any = group.get_command(None, name)
        context = command.make_context(name, [], resilient_parsing=True)
        rows = tuple(Command(*row) for row in getattr(module, "COMMANDS", ()))
        yield Page(
            name=f"{above}{name}",
            summary=summary,
            usage=" ".join([f"pacs {above}{name}", *command.collect_usage_pieces(context)]),
            description="\n".join(map(str.strip, (command.help or "").splitlines())).strip(),
            options=options_of(command, context),
            examples=tuple(module.EXAMPLES),
            conformance=module.CONFORMANCE,
            commands=tuple((each.name, each.summary) for each in rows),
            default=getattr(module, "DEFAULT", ""),
        )
        if rows:
            yield from _pages(command, rows, f"{above}{name} ")


def _of_all() -> list[tuple[str, str]]:
    """Return the options of the program itself."""
    root: Any = application()
    context = root.make_context("pacs", [], resilient_parsing=True)
    return [(option.label, option.help) for option in options_of(root, context)]


def files() -> dict[str, str]:
    """Return path below the project's root -> contents of every generated file."""
    all_pages = pages()
    made = {
        "docs/cli.md": _markdown(all_pages),
        "man/pacs.1": man_of_all(all_pages, _of_all()),
        f"{SCRIPTS}/pacs.bash": bash(all_pages, words()),
        f"{SCRIPTS}/_pacs": zsh(all_pages, words()),
        f"{SCRIPTS}/pacs.fish": fish(all_pages, words()),
        f"{SCRIPTS}/pacs.keywords": keywords(_attributes()),
        **rule_pages(),
    }
    for page in all_pages:
        made[f"man/{page.file}.1"] = man(page, all_pages)
    return made


def main(arguments: Sequence[str]) -> Exit:
    """Write the files, or with --check name those that differ."""
    report = Report.for_output(OutputOptions())
    is_check = "--check" in arguments
    different = 0
    for name, text in files().items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        different += 1
        report.line(f"{'differs' if is_check else 'written'}: {name}")
        if not is_check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return Exit.SOME_FAILED if is_check and different else Exit.OK


# -- docs/cli.md -----------------------------------------------------------------------------


def _markdown(all_pages: list[Page]) -> str:
    parts = [
        "# Commands\n\nWritten by `python -m pacs_cli.generate` from the commands themselves.\n"
    ]
    for page in all_pages:
        parts.append(f"## pacs {page.name}\n\n    {page.usage}\n\n{page.description}\n")
        if page.commands:
            rows_of = "".join(f"| `{name}` | {text} |\n" for name, text in page.commands)
            parts.append(f"| commands | |\n|---|---|\n{rows_of}")
        for panel in dict.fromkeys(option.panel for option in page.options):
            rows = [o for o in page.options if o.panel == panel]
            parts.append(f"| {panel.lower()} | |\n|---|---|\n" + "".join(map(_table_row, rows)))
        examples = "".join(f"    {line}\n        {what}\n" for line, what in page.examples)
        parts.append(f"Examples:\n\n{examples}")
        parts.append(f"Conformance: {page.conformance}\n")
    return "\n".join(parts)


def _table_row(option: Option) -> str:
    label, text = (cell.replace("|", "\\|") for cell in (option.label, option.help))
    return f"| `{label}` | {text} |\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
