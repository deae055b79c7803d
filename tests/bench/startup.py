"""What starting costs: help, version, completion, one echo, beside an empty Python and the field.

    python -m tests.bench.startup [--rounds N]

The echo is the whole process against a default DCMTK storescp, which is what a script waits for.
Goals: an echo as fast as DCMTK's echoscu, and five times as fast as pynetdicom's.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measuring import Cost, in_turns, median, program, show, timed
from tests.interop.peers import PACS, dcmtk_storescp

ROOT = Path(__file__).parent.parent.parent

_COMPLETION = f"""
source {ROOT}/completions/pacs.bash
COMP_WORDS=(pacs storescu --tls-); COMP_CWORD=2
_pacs; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def pacs(*words: str) -> list[str]:
    """Our command as it is installed, else as a module."""
    installed = Path(sys.executable).with_name("pacs")
    return [*([str(installed)] if installed.exists() else PACS), *words]


def compare(title: str, rounds: int, goal: str, ours: Sequence[str], peer: Sequence[str]) -> None:
    """Print how many times as long as ours the peer takes."""
    commands = {"ours": ours, "peer": peer}
    show(title, in_turns(rounds, lambda name: timed([commands[name]], tuned=False)), goal)


def alone(title: str, rounds: int, commands: dict[str, Sequence[str]]) -> None:
    """Print what each of several commands takes, in turns, in milliseconds."""

    def cost_of(name: str) -> Cost:
        return timed([commands[name]], tuned=False)

    print(title)
    for name, costs in in_turns(rounds, cost_of, list(commands)).items():
        middle = median(costs)
        print(f"  {name:34} wall {middle.wall * 1000:7.1f} ms   cpu {middle.cpu * 1000:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    bash = shutil.which("bash") or sys.exit("bash is not on the PATH")
    alone(
        "starting",
        rounds,
        {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import typer'": [sys.executable, "-c", "import typer"],
            "pacs --version": pacs("--version"),
            "pacs --help": pacs("--help"),
            "pacs echoscu --help": pacs("echoscu", "--help"),
            "bash, nothing": [bash, "-c", ":"],
            "bash, a completion of pacs": [bash, "-c", _COMPLETION],
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        with dcmtk_storescp(Path(folder) / "scp") as port:
            place = ("127.0.0.1", str(port))
            ours = pacs("echoscu", *place)
            alone(
                "one echo of a default DCMTK storescp",
                rounds,
                {
                    "pacs echoscu": ours,
                    "DCMTK echoscu": [program("echoscu"), *place],
                    "pynetdicom echoscu": [sys.executable, "-m", "pynetdicom", "echoscu", *place],
                },
            )
            compare("echo, beside DCMTK", rounds, ">= 1", ours, [program("echoscu"), *place])
            module = [sys.executable, "-m", "pynetdicom", "echoscu", *place]
            compare("echo, beside pynetdicom", rounds, ">= 5", ours, module)


if __name__ == "__main__":
    main()
