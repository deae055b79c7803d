"""Make docs/images: what echoscu, findscu and storescp show on a terminal, as SVG.

    python -m tools.make_screenshots [--check]

The commands run for real, against an archive that this starts, on objects with made-up names. What
differs from run to run (port, times, folder) is written as one value, so that a picture changes
only when a command does.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO

from tools.writing import write

FOLDER = "docs/images"
_WIDTH = 112

#: Name, id, study date, modality, description.
_STUDIES = (
    ("MADE-UP^ALMA", "TEST-1", "20260102", "CT", "Chest"),
    ("MADE-UP^BRUNO", "TEST-2", "20260102", "MR", "Head"),
    ("MADE-UP^CLEO", "TEST-3", "20260103", "US", "Abdomen"),
)
_SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
}

_ALWAYS = (
    (r"\b\d+\.\d\d ms", "0.42 ms"),
    (r"(name|tcp|association|release) \d+\.\d\d", r"\1 0.42"),
    (r"\b\d+\.\d\d s\b", "0.02 s"),
    (r"\b\d+\.\d MB/s", "1.0 MB/s"),
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _objects(folder: Path) -> None:
    """Write an object of each study."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    folder.mkdir()
    for number, (name, patient_id, day, modality, description) in enumerate(_STUDIES, 1):
        made = Dataset()
        made.SOPClassUID, made.SOPInstanceUID = _SOP_CLASSES[modality], f"1.2.3.{number}.1.1"
        made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
        made.PatientName, made.PatientID, made.StudyDate = name, patient_id, day
        made.Modality, made.StudyDescription = modality, description
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.save_as(folder / f"{modality.lower()}.dcm", enforce_file_format=True)


class Session:
    """An archive that runs, and commands that call it; everything in one folder."""

    def __init__(self, archive: IO[str], folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self.told = [archive.readline()]
        self._port = re.search(r"port (\d+)", self.told[0])[1]  # type: ignore[index]

    def run(self, *arguments: str) -> str:
        """Run a command on a terminal; return what was typed and shown, both streams."""
        from pacs_cli.cli import main

        terminal = _Terminal()
        words = [each.replace(":11112", f":{self._port}") for each in arguments]
        with redirect_stdout(terminal), redirect_stderr(terminal):
            code = main(words)
        assert code == 0, terminal.getvalue()
        # until the archive has told of its end, another does not begin
        while "released" not in self.told[-1]:
            self.told.append(self._archive.readline())
        self.told.append("")
        typed = shlex.join(arguments)
        return self.steady(f"\x1b[1m$ pacs {typed}\x1b[0m\n{terminal.getvalue()}")

    def steady(self, text: str) -> str:
        """Return text without what differs from run to run."""
        for pattern, value in _ALWAYS:
            text = re.sub(pattern, value, text)
        return text.replace(self._port, "11112").replace(f"{self._folder}/", "")


@contextmanager
def session() -> Iterator[Session]:
    """Start an archive in a temporary folder, which is the current one meanwhile."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _objects(folder / "scans")
        command = ("storescp", "0", "--aet", "ARCHIVE", "--out", "archive", "--qr")
        with subprocess.Popen(
            (sys.executable, "-m", "pacs_cli", *command),
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(before)},
        ) as process:
            try:
                os.chdir(folder)
                assert process.stdout is not None
                yield Session(process.stdout, folder)
            finally:
                os.chdir(before)
                process.terminate()


def pictures() -> dict[str, str]:
    """Return name -> what is shown, with ECMA-48 colours."""
    peer = "ARCHIVE@127.0.0.1:11112"
    os.environ |= {"COLUMNS": str(_WIDTH), "TERM": "xterm-256color"}
    with session() as running:
        shown = {"echoscu": running.run("echoscu", peer, "-v")}
        running.run("storescu", peer, "scans")
        keys = ("-k", "PatientName=MADE-UP*", "--since", "2026-01-01", "-k", "StudyDescription")
        returned = ("-k", "ModalitiesInStudy", "-k", "PatientID", "--no-defaults")
        shown["findscu"] = running.run("findscu", peer, *keys, *returned)
        typed = "\x1b[1m$ pacs storescp 11112 --aet ARCHIVE --out archive --qr\x1b[0m\n"
        shown["storescp"] = running.steady(typed + "".join(running.told))
    return shown


def svg(name: str, text: str) -> str:
    """Return a picture of a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n")))
    return console.export_svg(title=f"pacs {name}", unique_id=f"pacs-{name}")


def files() -> dict[str, str]:
    """Return path below the project's root -> contents."""
    return {f"{FOLDER}/{name}.svg": svg(name, text) for name, text in pictures().items()}


if __name__ == "__main__":
    sys.exit(write(files(), "--check" in sys.argv[1:]))
