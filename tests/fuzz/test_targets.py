"""Every target takes its seeds and what they become when bytes change; what was found stays fixed.

Short and the same in each run; `-m slow` is long and another one each time. `tests.fuzz.run` is the
way that is guided by coverage.
"""

from __future__ import annotations

import struct
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from pacs_cli.dicom.part10 import file_meta
from tests.dicom.datasets import LITTLE, item, sequence
from tests.fuzz import run
from tests.fuzz.mutating import mutated
from tests.fuzz.registry import NAMES, load
from tests.support import CT, EXPLICIT
from tests.writing import element

#: Inputs of each target, and seconds after which a slow one has had enough.
SHORT, ENOUGH = 300, 1.0
LONG_SECONDS = 60.0

pytest.importorskip("imagecodecs")
pytest.importorskip("cryptography")


@pytest.mark.parametrize("name", NAMES)
def test_target_survives_changes_of_its_seeds(name: str) -> None:
    target, random, began = load(name), Random(7), monotonic()
    assert target.seeds
    for number in range(SHORT):
        target.check(mutated(random.choice(target.seeds), random, target.seeds))
        # a hundred at least, whatever else the machine is at
        if number >= 100 and monotonic() - began > ENOUGH:
            break


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_target_survives_many_changes_of_its_seeds(name: str) -> None:
    target, began = load(name), monotonic()
    for seed in count(int(began * 1000)):
        random = Random(seed)
        changed = mutated(random.choice(target.seeds), random, target.seeds)
        try:
            target.check(changed)
        except Exception as error:
            error.add_note(f"{name}: {changed.hex()}")
            raise
        if monotonic() - began > LONG_SECONDS:
            return


FAILED = element(0x00081197, "US", b"\x10\1\x12\1")

#: What found a bug: the target, and the input.
FOUND = {
    "a sequence that is numbers": (
        "identifiers",
        b"\x06" + element(0x00081195, "UI", "1.2") + element(0x00081198, "US", b"\1\0\2\0"),
    ),
    "several reasons of a failure": (
        "identifiers",
        b"\x06" + sequence(LITTLE, 0x00081198, item(LITTLE, FAILED)),
    ),
    "no VR, and one of two in the dictionary": (
        "validation",
        file_meta(CT, "1.2", EXPLICIT)
        + element(0x00080060, "CS", "CT")
        + struct.pack("<HHLH", 0x0028, 0x0106, 2, 1),
    ),
    "an escape sequence that is none": (
        "validation",
        file_meta(CT, "1.2", EXPLICIT)
        + element(0x00080005, "CS", "\\ISO 2022 IR 87")
        + element(0x00100010, "PN", b"Made\x1b$X^Up"),
    ),
    "an envelope without recipients": (
        "sealed",
        bytes.fromhex("301406092a864886f70d010703a00730050201003000"),
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_stays_fixed(what: str) -> None:
    name, data = FOUND[what]
    load(name).check(data)


# -- the runner


def test_target_that_does_not_start_counts_as_found() -> None:
    report = run.read_log("elements", "ModuleNotFoundError: no such module", 1.0, [])
    assert report.crashes == ("ModuleNotFoundError: no such module",)


def test_log_of_the_fuzzer_is_read() -> None:
    text = (
        "#7\tINITED cov: 90 ft: 101 corp: 6/3Kb exec/s: 0 rss: 85Mb\n"
        "#512\tNEW    cov: 91 ft: 120 corp: 7/3Kb lim: 4096 exec/s: 256 rss: 86Mb L: 9\n"
        "#9000\tDONE   cov: 220 ft: 500 corp: 90/9Kb lim: 4096 exec/s: 600 rss: 88Mb\n"
        "Done 9000 runs in 15 second(s)\n"
    )
    report = run.read_log("elements", text, 15.0, [])
    assert (report.executions, report.coverage, report.crashes) == (9000, 220, ())
    assert (report.rss_began, report.rss_ended) == (85, 88)


needs_atheris = pytest.mark.skipif(
    find_spec("atheris") is None, reason="the fuzz extra is not installed"
)


@needs_atheris
def test_guided_run_reports_what_it_did(tmp_path) -> None:
    report = run.fuzz("wire_items", 1, tmp_path)
    assert report.crashes == ()
    assert report.executions > 100
    assert report.coverage > 50
    assert (tmp_path / "corpus" / "wire_items").is_dir()


@needs_atheris
def test_guided_run_keeps_what_takes_too_much_memory(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(run, "MEMORY_MIB", 20)
    (crash,) = run.fuzz("wire_items", 5, tmp_path).crashes
    assert Path(crash).name.startswith("oom-")
    assert Path(crash).parent == tmp_path / "crashes" / "wire_items"
