"""What was answered and is not in the job yet: it survives the process, and counts once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.errors import OutputError
from pacs_cli.jobs.answers import AnswerFile, Turn
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, Planned, State
from tests.support import CT, EXPLICIT


def planned(path: Path, count: int = 4) -> None:
    with JobFile(path) as job:
        job.add_destination("there", {})
        rows = [
            Planned(f"/{n}.dcm", f"1.2.3.{n}", "1.2", (CT, EXPLICIT), 400, 1000, 1)
            for n in range(1, count + 1)
        ]
        job.add(rows, lambda path, offset: "")


def states(job: JobFile) -> list[tuple[str, int]]:
    return [(each["state"], each["tries"]) for each in job.objects()]


#: Sends two of four objects, begins a third and is killed without a chance to write anything more.
KILLED = """
import os, signal, sys
from pathlib import Path
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, State

job = JobFile(Path(sys.argv[1]), clock=lambda: 1.0)
job.hold()
job.turn(None, 1)
job.turn(Outcome(1, State.SENT, 1, "", 0), 2)
job.turn(Outcome(2, State.SENT, 3, "", 0xB000), 3)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path) -> Path:
    path = tmp_path / "move.job"
    planned(path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    # nothing of it is in the job itself: the file beside it has it
    assert (tmp_path / "move.job-answers").stat().st_size == 2 * 24
    return path


def test_whoever_opens_a_job_after_a_kill_sees_what_was_answered(killed):
    expected = [("sent", 1), ("sent", 3), ("sending", 0), ("queued", 0)]
    with JobFile(killed) as job:
        assert states(job) == expected
    with JobFile(killed) as job:
        assert states(job) == expected
        job.recover()
        assert states(job)[2] == ("queued", 1)


def test_record_that_is_replayed_twice_counts_once(killed):
    """The end came after the transaction and before the records were forgotten."""
    answers = killed.with_name("move.job-answers")
    kept = answers.read_bytes()
    with JobFile(killed):
        pass
    answers.write_bytes(kept)
    with JobFile(killed) as job:
        assert states(job)[:2] == [("sent", 1), ("sent", 3)]
        job.settle([Outcome(1, State.FAILED, 0, "missing")])
    answers.write_bytes(kept)
    with JobFile(killed) as job:
        assert states(job)[0] == ("failed", 1)


@pytest.mark.parametrize("cut", [1, 12, 23])
def test_record_that_was_cut_off_is_none(killed, cut):
    answers = killed.with_name("move.job-answers")
    answers.write_bytes(answers.read_bytes()[:-cut])
    with JobFile(killed) as job:
        assert [state for state, _ in states(job)][:2] == ["sent", "sending"]


@pytest.mark.parametrize("position", range(24))
def test_record_that_was_garbled_is_none(killed, position):
    answers = killed.with_name("move.job-answers")
    data = bytearray(answers.read_bytes())
    data[24 + position] ^= 1
    answers.write_bytes(data)
    with JobFile(killed) as job:
        assert [state for state, _ in states(job)][:2] == ["sent", "sending"]


def test_nobody_replays_what_a_process_that_runs_has_answered(killed):
    with JobFile(killed) as runner:
        runner.hold()
        answers = AnswerFile(f"{killed}-answers")
        answers.add(Turn(4, 0, 1, 0))
        answers.close()
        with JobFile(killed) as other:
            assert states(other)[3] == ("queued", 0)
    with JobFile(killed) as job:
        assert states(job)[3] == ("sent", 1)


def test_what_is_answered_is_in_the_job_whenever_it_is_asked(tmp_path):
    path = tmp_path / "move.job"
    planned(path)
    with JobFile(path, clock=lambda: 1.0) as job:
        job.hold()
        job.turn(None, 1)
        job.turn(Outcome(1, State.SENT, 1, "", 0), 2)
        assert states(job)[:2] == [("sent", 1), ("sending", 0)]
        job.turn(Outcome(2, State.FAILED, 1, "refused", 0x0122, "no"), 3)
        assert states(job)[1:3] == [("failed", 1), ("sending", 0)]
    assert not path.with_name("move.job-answers").exists()


def test_link_to_a_job_has_the_same_files_beside_it(tmp_path):
    path, link = tmp_path / "move.job", tmp_path / "link.job"
    planned(path)
    link.symlink_to(path)
    with JobFile(path) as job:
        job.hold()
        with JobFile(link) as other:
            assert other.is_held()


def test_what_was_rolled_back_is_forgotten(tmp_path):
    """The number of a study that was not kept must not be that of any object."""

    def first_and_then_an_end():
        yield Planned("/1.dcm", "1.2.3.1", "1.2", (CT, EXPLICIT), 400, 1000, 1)
        raise OSError("the disk is full")

    with JobFile(tmp_path / "move.job") as job:
        job.add_destination("there", {})
        with pytest.raises(OutputError):
            job.add(first_and_then_an_end(), lambda path, offset: "")
        job.add(
            [Planned("/1.dcm", "1.2.3.1", "1.2", (CT, EXPLICIT), 400, 1000, 1)],
            lambda path, offset: "",
        )
        assert [each.study_instance_uid for each in job.page(1, (0, 0), 10)] == ["1.2"]
