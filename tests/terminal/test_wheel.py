"""The wheel brings man pages and completions to where man and the shells look for them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pacs_cli.generate import ROOT, SCRIPTS, files
from tests.peers import require
from tests.terminal.shells import Zsh

_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def run(*command, **options) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    """Build the wheel and install it into a fresh environment, once for all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own
    with (shared / "wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "wheel.made").exists():
            _install(_build(shared / "wheel"), shared / "prefix")
            (shared / "wheel.made").touch()
    return shared / "prefix"


def _build(source: Path) -> Path:
    """Build the wheel from a copy: setuptools leaves its work where the sources are."""
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("man", "pacs_cli"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "-w", source / "built")
    run(*_PIP, "wheel", *options, source)
    (found,) = (source / "built").glob("*.whl")
    return found


def _install(wheel: Path, folder: Path) -> None:
    """Install it into an environment which sees what it needs in that of the tests."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(*_PIP, "--python", python, "install", "--no-deps", "--no-index", "--no-compile", wheel)


@pytest.fixture
def environment(prefix, tmp_path) -> dict[str, str]:
    return {
        "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_DATA_DIRS": str(prefix / "share"),
        "LC_ALL": "C.UTF-8",
    }


def test_every_man_page_and_script_is_installed(prefix):
    found = {str(path.relative_to(prefix)) for path in (prefix / "share").rglob("*.*")}
    found |= {str(path.relative_to(prefix)) for path in (prefix / "share").rglob("_*")}
    assert found == {
        *(f"share/man/man1/{Path(name).name}" for name in files() if name.startswith("man/")),
        "share/bash-completion/completions/pacs.bash",
        "share/zsh/site-functions/_pacs",
        "share/fish/vendor_completions.d/pacs.fish",
        "share/fish/vendor_completions.d",
        "share/pacs/pacs.keywords",
    }


def test_installed_program_is_the_one_of_the_wheel(prefix, environment, tmp_path):
    told = run(
        prefix / "bin" / "python",
        "-c",
        "import pacs_cli; print(pacs_cli.__file__)",
        env=environment,
        cwd=tmp_path,
    )
    assert Path(told.strip()).is_relative_to(prefix)
    assert run("pacs", "--version", env=environment).startswith("pacs ")


@pytest.mark.parametrize("page", ["pacs", "pacs-echoscu", "pacs-index-find"])
def test_man_finds_the_page_by_the_path_of_the_program(page, prefix, environment):
    require("man")
    found = run("man", "-w", page, env=environment).strip()
    assert found == str(prefix / "share/man/man1" / f"{page}.1")
    assert page.upper() in run("man", "-P", "cat", page, env=environment)


def test_bash_completion_loads_the_script(environment):
    loader = Path("/usr/share/bash-completion/bash_completion")
    if not loader.is_file():
        pytest.skip("bash-completion is not installed")
    script = f"""source {loader}; _completion_loader pacs
        COMP_WORDS=(pacs findscu w -k PatientBirthN); COMP_CWORD=4
        _pacs; echo "${{COMPREPLY[@]}}"
    """
    assert run("bash", "-c", script, env=environment).strip() == "PatientBirthName"


def test_fish_loads_the_script(environment):
    fish = require("fish")
    found = run(fish, "-c", "complete -C 'pacs findscu w -k PatientBirthN'", env=environment)
    assert found.split("\t")[0] == "PatientBirthName"


def test_zsh_loads_the_script(environment, prefix, tmp_path):
    shell = Zsh(
        {**environment, "TERM": "dumb"},
        tmp_path,
        f"fpath=({prefix}/share/zsh/site-functions $fpath)",
    )
    try:
        assert "PatientBirthName" in shell.offered("pacs findscu w -k PatientBirthN")
    finally:
        shell.close()


def test_installed_program_installs_its_own_scripts(environment, tmp_path):
    run("pacs", "completion", "install", "fish", env=environment)
    written = tmp_path / ".config/fish/completions/pacs.fish"
    assert written.read_bytes() == (ROOT / SCRIPTS / "pacs.fish").read_bytes()
