"""Every command line of the documents and of the help runs, and gives what is shown."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import pytest

from pacs_cli.generate import pages
from tests.documents.world import World
from tests.interop.peers import pacs_storescp
from tests.services.finding import Finder

ROOT = Path(__file__).parents[2]
#: docs/cli.md has the examples of the help; tables of other tools are tested as such.
_OTHERS = {"cli.md", "cli-coverage.md", "coming-from.md"}
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "rules"),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shown() -> Iterator[object]:
    """Yield each command of a `console` block with its output, `...` in which is anything."""
    for path in DOCUMENTS:
        for kind, body in _FENCE.findall(path.read_text()):
            if kind == "console":
                for block in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                    line, _, output = block.partition("\n")
                    yield pytest.param(line, output, id=f"{path.stem}: {line}")


def told() -> Iterator[object]:
    """Yield every command line of the help and, but for those above, of the documents."""
    examples = [line for page in pages() for line, _ in page.examples]
    lines = dict.fromkeys((line for line in examples if line.startswith(("pacs", "find"))), "help")
    for path in DOCUMENTS:
        if path.name in _OTHERS:
            continue
        blocks = [body for kind, body in _FENCE.findall(path.read_text()) if kind != "console"]
        blocks += re.findall(r"(?:^    .*\n)+", path.read_text(), re.MULTILINE)
        for line in (
            line.strip().removeprefix("$ ") for block in blocks for line in block.split("\n")
        ):
            # a line with ... is of the form of a command
            if re.match(r"pacs |find /", line) and "..." not in line:
                lines.setdefault(line, path.stem)
    # twelve seconds, which the tests of demo take already
    del lines["pacs demo"]
    yield from (pytest.param(line, id=f"{where}: {line}") for line, where in lines.items())


#: What is there before a line runs: a pattern of the line -> what is run first.
PREPARED = {
    r"send-batch (resume|status|report|pause|cancel|retry)": (
        "pacs send-batch pacs2 scans --state move.job"
    ),
    r"^pacs index (find|stats|verify|prune|rebuild|export) scans": "pacs index add scans",
    r"--db all\.db|dicomdir all\.db": "pacs index add scans --db all.db",
    r"dicomdir /media": "pacs index dicomdir scans --copy-to media/cdrom",
    r"dicomdir disc --write": "pacs index dicomdir scans --copy-to disc",
    r"storescu .* b\.dcm": "pacs transcode after.dcm b.dcm --to explicit",
    r"--key-file trial\.key": "pacs anonymize scans before --save-key trial.key",
    r"anonymize verify|reidentify .*out/": "pacs anonymize scans out --encrypt-to trust.pem",
    r"reidentify .* a\.dcm": "rm a.dcm && pacs anonymize scans/1.dcm a.dcm --encrypt-to trust.pem",
    r"--users users|users (list|remove) ": (
        "echo made-up-passcode > secret && pacs users add --file users doe --passcode-file secret"
    ),
    r"config init$": "rm config.toml",
    r"config peers add ward (?!.*--replace)": "pacs config peers remove ward",
    r"config peers test ward ris": "pacs config peers add ris ARCHIVE@10.0.0.5:104",
    r"--baseline known\.json$": "pacs validate scans --baseline known.json --write-baseline",
}


def prepare(line: str, world: World) -> None:
    """Make what a line needs."""
    for pattern, needed in PREPARED.items():
        if re.search(pattern, line):
            done = world.run(needed)
            assert done.exit == 0, done


@pytest.mark.parametrize(("line", "output"), [*shown()])
def test_command_line_gives_the_output_that_is_shown(line: str, output: str, world: World):
    done = world.run(line)
    pattern = re.escape(world.here(output)).replace(r"\.\.\.", ".*")
    assert re.fullmatch(pattern, done.output), done.output


#: Lines whose exit code says what it is for.
CODES = {
    "pacs doctor ward --tls-ca ca.pem --json": 3,
    "pacs doctor ARCHIVE@10.0.0.5:2762 --tls-ca ca.pem": 3,
    "pacs users add --file users doe": 2,
    "pacs users add --file users doe                 # asks for the passcode, twice": 2,
    "pacs users add --file users doe --passcode-file -": 2,
    # of that patient and that year pacs1 has nothing here
    "pacs send-batch pacs2 --from-peer pacs1 -k PatientID=T1 --state a.job": 6,
    "pacs send-batch pacs2 --from-peer pacs1 -k StudyDate=20240101-20241231 --state move.job": 6,
    "pacs diff before.dcm after.dcm": 1,
    "pacs diff before.dcm after.dcm --ignore 0008,0012,InstanceCreationTime,private": 1,
    "pacs diff original.dcm lossy.dcm --pixels --tolerance 3": 1,
    "pacs validate scans/": 1,
    "pacs validate scans/ --fail-on warning --sarif out.sarif": 1,
    "pacs validate scans/ --fail-on warning --sarif out.sarif --junit out.xml": 1,
    "pacs validate scans/ --ignore iod-unknown-sop-class -q": 1,
    "find /data -newer stamp -name '*.dcm' | pacs validate - --json": 1,
}


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody types a passcode, also where the tests are run in a terminal."""
    open_file = os.open

    def refused(path: str, *rest: int, **more: int) -> int:
        if path == "/dev/tty":
            raise OSError(errno.ENXIO, "no terminal")
        return open_file(path, *rest, **more)

    monkeypatch.setattr(os, "open", refused)


@pytest.mark.usefixtures("no_terminal")
@pytest.mark.parametrize("line", [*told()])
def test_command_line_runs(line: str, examples: World):
    prepare(line, examples)
    code = CODES.get(line, 0)
    with ExitStack() as peers:
        if " ris -W" in line:
            finder = Finder(lambda identifier: [(0, None)])
            worklist = peers.enter_context(finder.serving())
            line = line.replace(" ris ", f" 127.0.0.1:{worklist.port} ")
        if ":2762" in line:
            files = [examples.folder / name for name in ("ca.pem", "archive.pem", "archive.key")]
            options = zip(("--tls-ca", "--tls-cert", "--tls-key"), map(str, files), strict=True)
            secured = pacs_storescp(examples.folder / "tls", *chain(*options))
            port = peers.enter_context(secured).port
            line = re.sub(r"@\S+:2762", f"@127.0.0.1:{port}", line)
        done = examples.run(line)
    assert done.exit == code, (
        f"{done.output}; what a line needs stands in PREPARED, another code than 0 in CODES, files "
        "and peers in conftest.py"
    )
