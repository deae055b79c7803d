"""Man pages, completions and docs/cli.md are what a fresh generation gives, and they work."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module

import pytest

from pacs_cli.cli import COMMANDS
from pacs_cli.errors import Exit
from pacs_cli.generate import _CODES, ROOT, SCRIPTS, files, main, pages
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
    for name, module_name, _ in getattr(module, "COMMANDS", ()):
        part = import_module(module_name)
        assert part.EXAMPLES
        assert part.CONFORMANCE
        assert f"man/pacs-{command.name}-{name}.1" in GENERATED
        assert f"## pacs {command.name} {name}\n" in GENERATED["docs/cli.md"]


def test_every_option_is_explained():
    for page in pages():
        for option in page.options:
            assert option.help, (page.name, option.names)


def test_every_exit_code_is_explained():
    assert set(_CODES) == set(Exit)


@pytest.mark.parametrize("name", [name for name in GENERATED if name.startswith("man/")])
def test_man_page_is_clean_roff(name):
    require("groff")
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(ROOT / name)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
