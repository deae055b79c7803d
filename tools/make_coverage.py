"""Make docs/cli-coverage.md: every option, a test that uses it, and where it is documented.

    python -m tools.make_coverage [--check]

A test is found in the source of tests/: an option in the arguments of a call, and the command in
the same arguments, in what the test refers to, or in the name of its file. What a test only looks
for in a message does not count. tools/data/promised.toml has what was promised of each command.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pacs_cli.cli import COMMANDS
from pacs_cli.generate import Option, Page, pages
from tools.writing import ROOT, write

PAGE = "docs/cli-coverage.md"
TESTS = ROOT / "tests"
PROMISED = Path(__file__).parent / "data" / "promised.toml"

#: A tuple of this name has options with which a module's tests run every command that has them.
SWEEP = "EVERY_COMMAND_WITH"

#: Helpers of the tests that run one command.
_HELPERS = {"pacs_storescp": "storescp"}

#: Group of commands -> the one that is meant when none is typed, and all.
_GROUPS = {
    row.name: (getattr(module, "DEFAULT", ""), [name for name, *_ in module.COMMANDS])
    for row in COMMANDS
    if hasattr(module := import_module(row.module), "COMMANDS")
}


@dataclass(frozen=True, slots=True)
class Use:
    """A test that uses options: `file` below tests/, `name` of the function."""

    file: str
    name: str


@dataclass(slots=True)
class Piece:
    """What stands in a function or behind a name of a module.

    words   every word of it
    lists   the words of each list of arguments, as option and command stand in one
    names   what it refers to
    """

    words: set[str] = field(default_factory=set)
    lists: list[set[str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class _Reader(ast.NodeVisitor):
    """Takes the words of a piece of source."""

    def __init__(self) -> None:
        self.piece = Piece()

    def visit_Compare(self, node: ast.Compare) -> None:
        # `"--x" in result.stderr` looks for a word and does not use it
        parts: Sequence[ast.AST] = node.comparators
        is_sought = any(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
        for part in parts if is_sought else (node.left, *parts):
            self.visit(part)

    def visit_Name(self, node: ast.Name) -> None:
        self.piece.names.add(node.id)
        if node.id in _HELPERS:
            self.piece.words.add(_HELPERS[node.id])

    def visit_arg(self, node: ast.arg) -> None:
        self.piece.names.add(node.arg)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.piece.words |= _words(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        # a docstring uses nothing
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        self._list(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        self._list(node)

    def visit_List(self, node: ast.List) -> None:
        self._list(node)

    def _list(self, node: ast.AST) -> None:
        inside = _Reader()
        inside.generic_visit(node)
        self.piece.words |= inside.piece.words
        self.piece.names |= inside.piece.names
        self.piece.lists += [inside.piece.words, *inside.piece.lists]


def _words(text: str) -> set[str]:
    """Return the words of a command line, or the whole of another text."""
    parts = text.split() if text.startswith("-") or re.match(r"[a-z-]+ ", text) else [text]
    return {part.partition("=")[0] if part.startswith("--") else part for part in parts}


def _read(node: ast.AST) -> Piece:
    reader = _Reader()
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        for each in (*node.decorator_list, *node.body):
            reader.visit(each)
        if isinstance(node, ast.FunctionDef):
            reader.visit(node.args)
    else:
        reader.generic_visit(node)
    return reader.piece


def _pieces(tree: ast.Module) -> dict[str, Piece]:
    """Return what stands behind each name at the top of a module."""
    found: dict[str, Piece] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = _read(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = _read(node)
    return found


def _whole(name: str, pieces: dict[str, Piece]) -> Piece:
    """Return a piece with all that it refers to."""
    whole, waiting, seen = Piece(), [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen or current not in pieces:
            continue
        seen.add(current)
        piece = pieces[current]
        whole.words |= piece.words
        whole.lists += piece.lists
        waiting += sorted(piece.names)
    whole.names = seen
    return whole


@cache
def _leaves() -> tuple[str, ...]:
    """Return every command that is no group."""
    return tuple(page.name for page in pages() if not page.commands)


def _commands_in(words: set[str]) -> set[str]:
    """Return the commands of which all words are there; of a group without one its default."""
    found = {name for name in _leaves() if words.issuperset(name.split())}
    for group, (default, _) in _GROUPS.items():
        if default and group in words and not any(f.startswith(f"{group} ") for f in found):
            found.add(f"{group} {default}")
    return found


def _command_of_file(path: Path) -> set[str]:
    """Return the commands that the tests of a file are of, by its name."""
    name = path.stem.removeprefix("test_")
    found = set()
    for row in COMMANDS:
        if name.startswith(row.name.replace("-", "_")):
            found |= {name for name in _leaves() if name.split()[0] == row.name}
    return found


@cache
def uses() -> dict[tuple[str, str], list[Use]]:
    """Return command and option -> the tests that use it, those of the command's file first."""
    known = {page.name: {name for o in page.options for name in o.names} for page in pages()}
    found: dict[tuple[str, str], list[Use]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        pieces = _pieces(ast.parse(path.read_text(encoding="utf-8")))
        swept = pieces[SWEEP].words if SWEEP in pieces else set()
        for name in pieces:
            if not name.startswith("test_"):
                continue
            use = Use(str(path.relative_to(TESTS)), name)
            whole = _whole(name, pieces)
            keys = set(_used(whole, path, known))
            for command, options in known.items():
                keys |= {(command, option) for option in options & swept & whole.words}
            for key in keys:
                found.setdefault(key, []).append(use)
    for (command, _), tests in found.items():
        tests.sort(key=lambda use: (command not in _command_of_file(Path(use.file)), use.file))
    return found


def _used(whole: Piece, path: Path, known: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of command and option that a test uses."""
    placed: set[str] = set()
    for words in whole.lists:
        for command in _commands_in(words):
            options = known[command] & words
            placed |= options
            yield from ((command, option) for option in options)
    for command in _commands_in(whole.words) or _command_of_file(path):
        yield from ((command, option) for option in (known[command] & whole.words) - placed)


# -- what was promised ---------------------------------------------------------------------------


def promised() -> dict[str, dict[str, str]]:
    """Return command -> option that was promised of it -> "", or why it is not there."""
    table: dict[str, Any] = tomllib.loads(PROMISED.read_text(encoding="utf-8"))
    sets: dict[str, list[str]] = table["sets"]
    wanted: dict[str, dict[str, str]] = {}
    for command, about in table["commands"].items():
        chosen = [option for name in about.get("sets", ()) for option in sets[name]]
        options = [*about.get("options", ()), *chosen]
        wanted[command] = {**dict.fromkeys(options, ""), **about.get("missing", {})}
    return wanted


def test_of(page: Page, option: Option) -> Use | None:
    """Return the first test that uses an option, by any of its names."""
    for name in option.names:
        if found := uses().get((page.name, name)):
            return found[0]
    return None


def untested() -> list[str]:
    """Return every option that no test uses, as `echoscu --repeat`; help is tested as such."""
    return [
        f"{page.name} {option.names[-1]}"
        for page in pages()
        for option in page.options
        if option.names and option.panel != "Help" and test_of(page, option) is None
    ]


# -- the page ------------------------------------------------------------------------------------

_HEAD = """# Coverage of the command line

Written by `python -m tools.make_docs` from the commands, the source of the tests and the documents.
Every option has a test that uses it: the first one found is named. [Commands](cli.md) documents
them all; the last column has the other documents that name one. `promised` is what was asked for
before it was written; what of that is not there stands below each table, with the reason.
"""


@cache
def _documents() -> dict[Path, set[str]]:
    """Return the documents that say more of options, with the options that they name."""
    folder = ROOT / "docs"
    made = {"cli.md", "cli-coverage.md", "coming-from.md"}
    paths = [path for path in sorted(folder.rglob("*.md")) if path.parent.name != "rules"]
    found = [ROOT / "README.md", *(path for path in paths if path.name not in made)]
    option = re.compile(r"(?<![\w-])--?[A-Za-z0-9][\w-]*")
    return {path: set(option.findall(path.read_text(encoding="utf-8"))) for path in found}


def _documented(option: Option) -> str:
    """Return links to the documents that name an option."""
    return ", ".join(
        f"[{path.stem}]({os.path.relpath(path, ROOT / 'docs')})"
        for path, named in _documents().items()
        if named & set(option.names)
    )


def _row(page: Page, option: Option, wanted: dict[str, str]) -> str:
    use = test_of(page, option)
    test = f"[{use.name}](../tests/{use.file})" if use else "none"
    is_promised = "yes" if set(option.names) & set(wanted) else ""
    names = ", ".join(f"`{name}`" for name in option.names)
    return f"| {names} | {is_promised} | {test} | {_documented(option)} |\n"


def _section(page: Page, wanted: dict[str, str]) -> str:
    options = [o for o in page.options if o.names and o.panel != "Help"]
    known = {name for option in options for name in option.names}
    text = f"## pacs {page.name}\n\n| option | promised | test | also in |\n|---|---|---|---|\n"
    text += "".join(_row(page, option, wanted) for option in options)
    missing = {name: why for name, why in wanted.items() if name not in known}
    if missing:
        text += "\nNot there:\n\n"
        text += "".join(f"- `{name}`: {why}\n" for name, why in missing.items())
    return text


def files() -> dict[str, str]:
    """Return path below the project's root -> contents."""
    wanted = promised()
    described = [page for page in pages() if not page.commands]
    sections = [_section(page, wanted.pop(page.name, {})) for page in described]
    for command, options in wanted.items():
        lines = "".join(f"- `{name}`: {why}\n" for name, why in options.items())
        sections.append(f"## pacs {command}\n\nNot there:\n\n{lines}")
    return {PAGE: "\n".join([_HEAD, *sections])}


if __name__ == "__main__":
    sys.exit(write(files(), "--check" in sys.argv[1:]))
