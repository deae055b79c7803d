"""Man pages, completions and docs/cli.md are what a fresh generation gives, and they work."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from pacs_cli.cli import COMMANDS
from pacs_cli.errors import Exit
from pacs_cli.generate import _CODES, ROOT, files, main, pages
from tests.peers import require

GENERATED = files()


@pytest.mark.parametrize("name", GENERATED)
def test_file_is_what_a_fresh_generation_gives(name):
    assert (ROOT / name).read_text() == GENERATED[name], "run python -m pacs_cli.generate"


def test_nothing_else_stands_among_them():
    for folder in ("man", "completions", "docs/rules"):
        kept = {f"{folder}/{path.name}" for path in (ROOT / folder).iterdir()}
        assert kept == {name for name in GENERATED if name.startswith(folder)}


def test_check_names_what_differs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "man", tmp_path / "man")
    (tmp_path / "man" / "pacs.1").write_text("changed")
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


# -- completion in the real shells ---------------------------------------------------------------


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """A configuration with two peers, and no python on the path: completion must not need one."""
    config = tmp_path / "config.toml"
    config.write_text('[peers.ward]\naddress = "a:1"\n[peers.archive-2]\naddress = "b:1"\n')
    path = tmp_path / "bin"
    path.mkdir()
    for tool in ("sed", "bash", "zsh", "fish"):
        if (found := shutil.which(tool)) is not None:
            (path / tool).symlink_to(found)
    return {"PATH": str(path), "PACS_CONFIG": str(config), "HOME": str(tmp_path), "TERM": "dumb"}


def _steps(path: str) -> set[str]:
    ends = ("artDate", "artTime", "artDateTime", "atus")
    return {f"{path}ScheduledProcedureStepSt{end}" for end in ends}


CASES = [
    (
        "pacs ",
        {
            *("echoscu", "findscu", "getscu", "index", "movescu", "storescu", "storescp"),
            *(
                "anonymize",
                "config",
                "demo",
                "doctor",
                "diff",
                "dump",
                "reidentify",
                "send-batch",
                "transcode",
                "users",
                "validate",
            ),
        },
    ),
    (
        "pacs index ",
        {"add", "find", "stats", "verify", "prune", "rebuild", "export", "dicomdir"},
    ),
    ("pacs index ver", {"verify"}),
    ("pacs config ", {"init", "show", "path", "peers"}),
    ("pacs config peers ", {"list", "add", "remove", "test"}),
    ("pacs config peers te", {"test"}),
    ("pacs config peers add --repl", {"--replace"}),
    ("pacs config peers remove ", {"ward", "archive-2"}),
    ("pacs config show wa", {"ward"}),
    ("pacs index verify --ha", {"--hash"}),
    ("pacs index find --lev", {"--level"}),
    ("pacs index export --level ", {"patient", "study", "series", "image"}),
    ("pacs echoscu --re", {"--repeat"}),
    ("pacs echoscu ", {"ward", "archive-2"}),
    ("pacs storescu wa", {"ward"}),
    ("pacs validate --fail-on ", {"error", "warning", "never"}),
    ("pacs storescp --durability ", {"full", "relaxed"}),
    ("pacs findscu ward -k ScheduledProcedureStepSt", _steps("")),
    ("pacs findscu ward --key ScheduledProcedureStepSt", _steps("")),
    ("pacs dump --keys ScheduledProcedureStepSt", _steps("")),
    ("pacs dump --only A[0].ScheduledProcedureStepSt", _steps("A[0].")),
    ("pacs diff --ignore ScheduledProcedureStepSt", _steps("")),
    ("pacs storescu ward --set PatientBirthN", {"PatientBirthName"}),
    ("pacs findscu ward -k A.0040,0100[0].ScheduledProcedureStepSt", _steps("A.0040,0100[0].")),
]


def _run(shell: str, script: str, environment: dict[str, str], folder: Path) -> set[str]:
    done = subprocess.run(
        [require(shell), *(["-f"] if shell == "zsh" else []), "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return {line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip()}


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_completes(line, expected, environment, tmp_path):
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        source {ROOT}/completions/pacs.bash
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = _run("bash", script, environment, tmp_path)
    assert expected <= found
    assert found <= expected | {"--help", "--version"}


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_completes(line, expected, environment, tmp_path):
    script = f"source {ROOT}/completions/pacs.fish; complete -C '{line}'"
    assert expected <= _run("fish", script, environment, tmp_path)


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_zsh_completes(line, expected, environment, tmp_path):
    """zsh completes only at a prompt, so it is given a terminal of its own and a tab."""
    require("zsh")
    shown = _zsh_shows(line, environment, tmp_path)
    for word in expected:
        # of a path it shows what is completed, the last part
        assert word.rpartition(".")[2] in shown


@pytest.mark.parametrize("word", ["PatientName=D", "Patient/", "A&.Patient", "$(x)", "'"])
def test_no_keyword_is_offered_for_what_is_none(word, environment, tmp_path):
    script = f"""
        source {ROOT}/completions/pacs.bash
        COMP_WORDS=(pacs findscu ward -k "$1"); COMP_CWORD=4
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [require("bash"), "-c", script, "bash", word],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--key = PatientBirthN", "PatientBirthName"),
        ("--key =", "Zonal"),
        ("-k PatientName = D", ""),
        ("-k PatientName =", ""),
    ],
)
def test_bash_that_parts_words_at_an_equals_sign_completes_keys(
    words, found, environment, tmp_path
):
    script = f"""
        source {ROOT}/completions/pacs.bash
        COMP_WORDS=(pacs findscu ward {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    shown = _run("bash", script, environment, tmp_path)
    assert any(each.startswith(found) for each in shown) if found else not shown


def test_bash_finds_the_keywords_beside_a_script_of_the_folder_it_stands_in(environment):
    script = """
        source pacs.bash; cd /
        COMP_WORDS=(pacs findscu ward -k PatientBirthN); COMP_CWORD=4
        _pacs; printf '%s\\n' "${COMPREPLY[@]}"
    """
    assert _run("bash", script, environment, ROOT / "completions") == {"PatientBirthName"}


def _zsh_shows(line: str, environment: dict[str, str], folder: Path) -> str:
    import pty
    import select

    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes zsh
        os.chdir(folder)
        os.execve(shutil.which("zsh", path=environment["PATH"]), ["zsh", "-f", "-i"], environment)
    setup = (
        f"autoload -U compinit; compinit -u -D; source {ROOT}/completions/_pacs; "
        "PS1=; setopt no_beep; stty -echo; echo REA''DY\n"
    )
    shown = b""

    def read_until(mark: bytes | None, quiet: float) -> None:
        nonlocal shown
        while mark is None or mark not in shown:
            if not select.select([terminal], [], [], quiet)[0]:
                return
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                return

    try:
        os.write(terminal, setup.encode())
        read_until(b"READY", 20)
        shown = b""
        os.write(terminal, line.encode() + b"\t\t")
        read_until(None, 1.0)
    finally:
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(process, 0)
    return shown.decode(errors="replace")
