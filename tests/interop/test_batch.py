"""A job that is killed again and again: everything arrives, and next to nothing twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError
from tests.interop.peers import PACS, dcmtk_storescp, orthanc, run_pacs
from tests.pipelines.sendings import write
from tests.samples import dataset_bytes
from tests.support import CT, MR, MemoryHandler, running_provider

SEED = 8


def killed_after(lines: int, *arguments: object) -> int:
    """Run `pacs send-batch` and kill it once it told of so many objects; return how many it told.

    It is not waited for at the moment of the kill: what it does then is left to chance.
    """
    command = [*PACS, "send-batch", *map(str, arguments), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        told = 0
        for line in process.stdout:
            told += json.loads(line)["type"] == "object"
            if told >= lines:
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
    return told


def kill_again_and_again(state: Path, chance: random.Random, kills: int, objects: int) -> int:
    """Resume a job and kill it so often; return how often it was killed before it was done."""
    done = 0
    for number in range(kills):
        share = objects // (kills + 1)
        told = killed_after(chance.randint(1, share), "resume", state)
        if told:
            done = number + 1
    return done


def run_killed(tmp_path: Path, port: int, objects: int, kills: int, *options: str) -> None:
    """Send a job to its end through so many kills; the report balances."""
    scans, state = tmp_path / "scans", tmp_path / "move.job"
    scans.mkdir()
    write(scans, objects, CT, MR)
    chance = random.Random(SEED)
    command = (f"ORTHANC@127.0.0.1:{port}", scans, "--state", state, *options)
    assert killed_after(chance.randint(1, objects // (kills + 1)), *command)
    assert kill_again_and_again(state, chance, kills - 1, objects) == kills - 1
    done = run_pacs("send-batch", "resume", state, "--json")
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout.splitlines()[-1])
    assert (total["found"], total["sent"], total["left"]) == (objects, objects, 0)


def stored(folder: Path) -> dict[str, bytes]:
    """SOP instance UID -> data set of every DICOM file below a folder."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                found[probe(path).sop_instance_uid] = dataset_bytes(path)
            except InputError:
                # Orthanc's own files
                continue
    return found


def expected(scans: Path) -> dict[str, bytes]:
    return {probe(path).sop_instance_uid: dataset_bytes(path) for path in scans.iterdir()}


SIZES = [
    pytest.param(240, 3, id="short"),
    pytest.param(2000, 20, id="long", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(("objects", "kills"), SIZES)
def test_kill_costs_at_most_one_repeat_of_each_association(tmp_path, objects, kills, jobs):
    handler = MemoryHandler()
    with running_provider(handler) as running:
        run_killed(tmp_path, running.listener.port, objects, kills, "--jobs", str(jobs))
    times = Counter(request.affected_sop_instance_uid for request, _ in handler.stored)
    assert len(times) == objects
    assert sum(times.values()) - objects <= kills * jobs
    assert {r.affected_sop_instance_uid: data for r, data in handler.stored} == expected(
        tmp_path / "scans"
    )


@pytest.mark.interop
@pytest.mark.parametrize(("objects", "kills"), SIZES)
def test_killed_job_brings_every_object_to_dcmtk(tmp_path, objects, kills):
    with dcmtk_storescp(tmp_path / "out", "--fork", tuned=True) as port:
        run_killed(tmp_path, port, objects, kills, "--jobs", "2")
    assert stored(tmp_path / "out") == expected(tmp_path / "scans")


@pytest.mark.interop
@pytest.mark.parametrize(("objects", "kills"), SIZES)
def test_killed_job_brings_every_object_to_orthanc(tmp_path, objects, kills):
    with orthanc(tmp_path / "out") as port:
        run_killed(tmp_path, port, objects, kills, "--jobs", "2")
    assert stored(tmp_path / "out") == expected(tmp_path / "scans")
