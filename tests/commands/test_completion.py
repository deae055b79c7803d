"""`pacs completion`: scripts go where the shells look, once, and away again."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.errors import UsageError
from pacs_cli.generate import ROOT, SCRIPTS
from pacs_cli.pipelines.shells import Shell, place_of, shell_in_use
from tests.peers import require

PLACES = {
    "bash": "data/bash-completion/completions/pacs",
    "zsh": "data/zsh/site-functions/_pacs",
    "fish": "config/fish/completions/pacs.fish",
}
SOURCES = {"bash": "pacs.bash", "zsh": "_pacs", "fish": "pacs.fish"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user without any file, whose folders are where the environment says."""
    for name in ("BASH_COMPLETION_USER_DIR", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize("shell", PLACES)
def test_install_writes_script_and_keywords_once(pacs, home, shell):
    first, second = (pacs("completion", "install", shell) for _ in range(2))
    place, keywords = home / PLACES[shell], home / "data/pacs/pacs.keywords"
    assert (first.exit, second.exit, first.stderr) == (0, 0, "")
    assert first.stdout.startswith(f"written {place}\nwritten {keywords}\n")
    assert second.stdout.startswith(f"unchanged {place}\nunchanged {keywords}\n")
    assert place.read_bytes() == (ROOT / SCRIPTS / SOURCES[shell]).read_bytes()
    assert keywords.read_bytes() == (ROOT / SCRIPTS / "pacs.keywords").read_bytes()
    assert not stat.S_IMODE(place.stat().st_mode) & 0o111


@pytest.mark.parametrize("shell", PLACES)
def test_install_says_how_it_is_used(pacs, home, shell):
    told = pacs("completion", "install", shell).stdout
    if shell == "zsh":
        line = f"fpath=({home}/data/zsh/site-functions $fpath)"
        assert f"\n  {line}\n" in told
        (home / ".zshrc").write_text(f"{line}\nautoload -U compinit && compinit\n")
        assert "new shells have it" in pacs("completion", "install", shell).stdout
    assert told.splitlines()[2:]


def test_install_replaces_an_older_script_of_ours(pacs, home):
    place = home / PLACES["fish"]
    place.parent.mkdir(parents=True)
    place.write_text("# fish completion for pacs\nolder\n")
    assert pacs("completion", "install", "fish").stdout.startswith(f"written {place}\n")
    assert place.read_bytes() == (ROOT / SCRIPTS / "pacs.fish").read_bytes()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_file_of_somebody_else_stays(pacs, home, command):
    place = home / PLACES["bash"]
    place.parent.mkdir(parents=True)
    place.write_text("# another program is called pacs too\n")
    result = pacs("completion", command, "bash")
    assert (result.exit, result.stdout) == (7, "")
    assert "not of pacs" in result.stderr
    assert result.stderr.count("\n") == 1
    assert place.read_text() == "# another program is called pacs too\n"


def test_uninstall_leaves_the_keywords_to_the_other_shell(pacs, home):
    keywords = home / "data/pacs/pacs.keywords"
    for shell in ("bash", "fish"):
        assert pacs("completion", "install", shell).exit == 0
    assert pacs("completion", "uninstall", "bash").stdout == f"removed {home / PLACES['bash']}\n"
    assert keywords.is_file()
    assert pacs("completion", "uninstall", "fish").exit == 0
    assert [path for path in home.rglob("*") if path.is_file()] == []
    again = pacs("completion", "uninstall", "fish")
    assert (again.exit, again.stdout.split()[0]) == (0, "absent")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_install_that_may_not_write_says_so(pacs, home):
    (home / "config").mkdir(mode=0o500)
    result = pacs("completion", "install", "fish")
    assert result.exit == 7
    assert "permission denied" in result.stderr


def test_install_where_a_file_is_in_the_way_says_so(pacs, home):
    (home / "config").write_text("")
    result = pacs("completion", "install", "fish")
    assert (result.exit, result.stderr.count("\n")) == (7, 1)


def test_json_has_a_line_for_each_file(pacs, home):
    lines = pacs("completion", "install", "zsh", "--json").json
    assert [(line["shell"], line["outcome"]) for line in lines] == [("zsh", "written")] * 2
    (shown,) = pacs("completion", "show", "zsh", "--json").json
    assert shown["text"].startswith("#compdef pacs\n")


@pytest.mark.parametrize("shell", PLACES)
def test_shown_script_differs_only_in_where_the_keywords_are(pacs, home, shell):
    shown = pacs("completion", "show", shell).stdout.splitlines()
    kept = (ROOT / SCRIPTS / SOURCES[shell]).read_text().splitlines()
    different = [line for line, own in zip(shown, kept, strict=True) if line != own]
    assert len(different) == 1
    assert different[0].endswith(str(ROOT / SCRIPTS))


@pytest.mark.parametrize("shell", PLACES)
def test_shell_in_which_it_is_typed_is_meant(home, shell):
    done = subprocess.run(
        # more than one command, or the shell would become the program
        [require(shell), "-c", f"{sys.executable} -m pacs_cli completion show --json; true"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SHELL": "/bin/none"},
    )
    assert f'"shell": "{shell}"' in done.stdout


def test_shell_of_the_user_is_meant_where_none_started_it(home):
    assert shell_in_use({"SHELL": "/usr/bin/fish"}, os.getpid()) is Shell.FISH


def test_without_any_shell_it_has_to_be_written(home):
    with pytest.raises(UsageError, match="write bash, zsh or fish"):
        shell_in_use({}, os.getpid())


def test_unknown_shell_is_answered_with_the_nearest(pacs):
    result = pacs("completion", "show", "zhs")
    assert (result.exit, result.stdout) == (2, "")
    assert result.stderr == (
        "pacs completion show: shell zhs: choose bash, zsh or fish; did you mean zsh?\n"
    )


@pytest.mark.parametrize(
    ("environ", "shell", "place"),
    [
        ({"HOME": "/h"}, Shell.BASH, "/h/.local/share/bash-completion/completions/pacs"),
        ({"HOME": "/h"}, Shell.ZSH, "/h/.local/share/zsh/site-functions/_pacs"),
        ({"HOME": "/h"}, Shell.FISH, "/h/.config/fish/completions/pacs.fish"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}, Shell.FISH, "/c/fish/completions/pacs.fish"),
        ({"BASH_COMPLETION_USER_DIR": "/a:/b"}, Shell.BASH, "/a/completions/pacs"),
    ],
)
def test_place_is_that_of_the_user(environ, shell, place):
    assert str(place_of(shell, environ)) == place


@pytest.mark.parametrize("shell", PLACES)
def test_installed_script_finds_the_installed_keywords(pacs, home, shell):
    """The keywords stand in another folder than the script."""
    pacs("completion", "install", shell)
    place = home / PLACES[shell]
    lines = {
        "bash": f"""source {place}; COMP_WORDS=(pacs findscu w -k PatientBirthN); COMP_CWORD=4
            _pacs; echo "${{COMPREPLY[@]}}" """,
        "fish": f"source {place}; complete -C 'pacs findscu w -k PatientBirthN'",
        # what completes it is called as zsh would; its own compadd shows what it was given
        "zsh": f"""autoload -U compinit; compinit -u -D; source {place}
            compset() {{ return 1 }}; compadd() {{ print -l $names }}
            PREFIX=PatientBirthN; _pacs_keywords""",
    }
    done = subprocess.run(
        [require(shell), *(["-f"] if shell == "zsh" else []), "-c", lines[shell]],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": str(Path(shutil.which("sed")).parent)},
    )
    assert (done.stdout.split()[0], done.stderr) == ("PatientBirthName", "")
