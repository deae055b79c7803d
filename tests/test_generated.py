"""Man pages, completions and docs/cli.md are what a fresh generation gives, and they work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import import_module

import pytest

from pacs_cli.cli import COMMANDS
from pacs_cli.errors import Exit
from pacs_cli.generate import ROOT, SCRIPTS, files, main, pages
from pacs_cli.manual import CODES, ENVIRONMENT
from tests.peers import require

GENERATED = files()


@pytest.mark.parametrize("name", GENERATED)
def test_file_is_what_a_fresh_generation_gives(name):
    assert (ROOT / name).read_text() == GENERATED[name], "run python -m pacs_cli.generate"


def test_nothing_else_stands_among_them():
    for folder in ("man", SCRIPTS, "docs/rules"):
        kept = {f"{folder}/{path.name}" for path in (ROOT / folder).iterdir()}
        assert kept == {name for name in GENERATED if name.startswith(folder)}


def test_check_names_what_differs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "man", tmp_path / "man")
    (tmp_path / "man" / "pacs.1").write_text("changed")
    (tmp_path / SCRIPTS).mkdir(parents=True)
    monkeypatch.setattr("pacs_cli.generate.ROOT", tmp_path)
    assert main(["--check"]) == Exit.SOME_FAILED
    assert "differs: man/pacs.1" in capsys.readouterr().out
    assert (tmp_path / "man" / "pacs.1").read_text() == "changed"
    assert main([]) == Exit.OK
    assert main(["--check"]) == Exit.OK


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_all_that_belongs_to_it(command):
    module = import_module(command.module)
    assert module.EXAMPLES
    assert module.CONFORMANCE
    assert f"man/pacs-{command.name}.1" in GENERATED
    assert f"## pacs {command.name}\n" in GENERATED["docs/cli.md"]
    assert (ROOT / "tests" / "commands" / f"test_{command.name.replace('-', '_')}.py").is_file()
    for words, part in parts_of(command.name, module):
        assert part.EXAMPLES
        assert part.CONFORMANCE
        assert f"man/pacs-{words.replace(' ', '-')}.1" in GENERATED
        assert f"## pacs {words}\n" in GENERATED["docs/cli.md"]


def parts_of(words, module):
    for name, module_name, _ in getattr(module, "COMMANDS", ()):
        part = import_module(module_name)
        yield f"{words} {name}", part
        yield from parts_of(f"{words} {name}", part)


def test_every_option_is_explained():
    for page in pages():
        for option in page.options:
            assert option.help, (page.name, option.names)


def test_every_exit_code_is_explained():
    assert set(CODES) == set(Exit)


MAN_PAGES = [name for name in GENERATED if name.startswith("man/")]

#: How each lint of man pages is called; what it has to say is on stdout or stderr.
_LINTS = {
    "groff": ["-man", "-Tutf8", "-ww", "-z"],
    "mandoc": ["-Tlint", "-Wwarning"],
    "man": ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"],
}


@pytest.mark.parametrize("program", _LINTS)
def test_man_pages_are_clean(program):
    require(program)
    done = subprocess.run(
        [program, *_LINTS[program], *(str(ROOT / name) for name in MAN_PAGES)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MANROFFSEQ": "", "LC_ALL": "C.UTF-8"},
    )
    said = "" if program == "man" else done.stdout
    assert (done.returncode, said, done.stderr) == (0, "", "")


def test_lint_of_man_pages_finds_what_is_wrong(tmp_path):
    """A page with a macro that is none is reported by each of them."""
    page = tmp_path / "broken.1"
    page.write_text((ROOT / "man" / "pacs.1").read_text() + ".ZZ none\n.SH\n")
    for program, options in _LINTS.items():
        require(program)
        done = subprocess.run(
            [program, *options, str(page)], capture_output=True, text=True, check=False
        )
        assert done.stderr + ("" if program == "man" else done.stdout), program


@pytest.mark.parametrize("name", MAN_PAGES)
def test_man_page_has_its_sections_in_order(name):
    found = [line[4:] for line in GENERATED[name].splitlines() if line.startswith(".SH ")]
    wanted = [
        *("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXAMPLES", "EXIT STATUS"),
        *("ENVIRONMENT", "FILES", "CONFORMANCE", "SEE ALSO"),
    ]
    assert found == [title for title in wanted if title in found]
    assert {*wanted} - {*found} <= {"COMMANDS", "FILES"}


def test_every_variable_that_is_read_is_in_a_man_page():
    read = {
        name
        for path in (ROOT / "pacs_cli").rglob("*.py")
        for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', path.read_text())
    }
    told = {name for row in ENVIRONMENT for name in row[0].split(", ")}
    assert "PACS_DEBUG" in read
    # the system's own, and what is told with the file it leads to
    of_shells = {"HOME", "SHELL", "ZDOTDIR", "BASH_COMPLETION_USER_DIR"}
    assert read - told <= {"XDG_CONFIG_HOME", *of_shells}
