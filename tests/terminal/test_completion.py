"""Completion in the real shells: bash, zsh and fish, without a Python on the path."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_cli.generate import ROOT, SCRIPTS
from tests.peers import require
from tests.terminal.shells import Zsh


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the shells stand."""
    return tmp_path_factory.mktemp("shells")


@pytest.fixture(scope="module")
def environment(folder) -> dict[str, str]:
    """A configuration with two peers, and no python on the path: completion must not need one."""
    config = folder / "config.toml"
    config.write_text('[peers.ward]\naddress = "a:1"\n[peers.archive-2]\naddress = "b:1"\n')
    # where no file belongs this is not to be offered
    (folder / "notes.txt").touch()
    path = folder / "bin"
    path.mkdir()
    for tool in ("sed", "bash", "zsh", "fish"):
        if (found := shutil.which(tool)) is not None:
            (path / tool).symlink_to(found)
    return {"PATH": str(path), "PACS_CONFIG": str(config), "HOME": str(folder), "TERM": "dumb"}


@pytest.fixture(scope="module")
def zsh(environment, folder) -> Iterator[Zsh]:
    """Start one zsh for all lines."""
    shell = Zsh(environment, folder, after=f"source {ROOT}/{SCRIPTS}/_pacs")
    yield shell
    shell.close()


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
                "completion",
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
    ("pacs findscu ward -k 0040,000", {f"0040,000{digit}" for digit in (*range(1, 10), "a", "b")}),
    ("pacs findscu ward --key 7FE0,000", {f"7fe0,000{digit}" for digit in (1, 2, 3, 8, 9)}),
    ("pacs findscu ward -k A.0040,A73", {"A.0040,a730", "A.0040,a731", "A.0040,a732"}),
    ("pacs dump --only PatientID,ScheduledProcedureStepSt", _steps("PatientID,")),
    ("pacs dump --only PatientID,0010,001", {"PatientID,0010,0010"}),
    ("pacs findscu ward -k StudyDate -k ScheduledProcedureStepSt", _steps("")),
    ("pacs transcode --to j2", {"j2k", "j2k-lossy"}),
    ("pacs transcode --if-syntax rle,j2", {"rle,j2k", "rle,j2k-lossy"}),
    ("pacs storescp --prefer j2", {"j2k", "j2k-lossy"}),
    ("pacs storescp --accept CT,X", {"CT,XA", "CT,XC"}),
    ("pacs storescu ward --propose X", {"XA=", "XC="}),
    ("pacs storescp --forward wa", {"ward"}),
    ("pacs send-batch wa", {"ward"}),
    ("pacs send-batch start wa", {"ward"}),
    ("pacs send-batch ward --sta", {"--state"}),
    ("pacs storescu -v --jobs 2 wa", {"ward"}),
    ("pacs anonymize --retain uids,dev", {"uids,device"}),
    ("pacs validate --rule iod-mod", {"iod-module-missing"}),
    ("pacs send-batch report --only se", {"sending", "sent"}),
    ("pacs storescu ward --tls-min ", {"1.2", "1.3"}),
    # what is neither a word nor a file
    ("pacs echoscu -aet ", set()),
    ("pacs echoscu ward ", set()),
    ("pacs findscu ward --limit ", set()),
    ("pacs findscu ward -k PatientName=D", set()),
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
    # behind a tab or two blanks it says what each is
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    return {re.split(r"\t|  ", line)[0].strip() for line in lines}


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_bash_completes(line, expected, environment, folder):
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"""
        source {ROOT}/{SCRIPTS}/pacs.bash
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = _run("bash", script, environment, folder)
    assert expected <= found
    assert found <= expected | {"--help", "--version"}


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_fish_completes(line, expected, environment, folder):
    script = f"source {ROOT}/{SCRIPTS}/pacs.fish; complete -C '{line}'"
    found = _run("fish", script, environment, folder)
    assert expected <= found if expected else not found


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_zsh_completes(line, expected, zsh):
    shown = zsh.offered(line)
    for word in expected:
        # of a path and of a list it shows what is completed, the last part
        last = re.search(r"([0-9a-f]{4},[0-9a-f]{4}|[A-Za-z][\w-]*|[\d.]+)=?$", word)[1]
        assert last in shown
    assert expected or "notes.txt" not in shown


@pytest.mark.parametrize("word", ["PatientName=D", "Patient/", "A&.Patient", "$(x)", "'"])
def test_no_keyword_is_offered_for_what_is_none(word, environment, folder):
    script = f"""
        source {ROOT}/{SCRIPTS}/pacs.bash
        COMP_WORDS=(pacs findscu ward -k "$1"); COMP_CWORD=4
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [require("bash"), "-c", script, "bash", word],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
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
def test_bash_that_parts_words_at_an_equals_sign_completes_keys(words, found, environment, folder):
    script = f"""
        source {ROOT}/{SCRIPTS}/pacs.bash
        COMP_WORDS=(pacs findscu ward {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    shown = _run("bash", script, environment, folder)
    assert any(each.startswith(found) for each in shown) if found else not shown


def test_bash_finds_the_keywords_beside_a_script_of_the_folder_it_stands_in(environment):
    script = """
        source pacs.bash; cd /
        COMP_WORDS=(pacs findscu ward -k PatientBirthN); COMP_CWORD=4
        _pacs; printf '%s\\n' "${COMPREPLY[@]}"
    """
    assert _run("bash", script, environment, ROOT / SCRIPTS) == {"PatientBirthName"}
