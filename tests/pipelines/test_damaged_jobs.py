"""A job file that was damaged is told as that."""

from __future__ import annotations

import sqlite3

import pytest

from tests.fuzz.targets.job_file import job


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        ("UPDATE job SET value = '{'", "status"),
        ("UPDATE job SET value = x'ff'", "status"),
        ("UPDATE object SET state = 'lost'", "status"),
        ("UPDATE object SET code = 'many'", "report"),
        ("UPDATE destination SET target = '['", "resume"),
    ],
)
def test_damaged_job_is_told_as_that(pacs, tmp_path, damage, command):
    path = tmp_path / "made.job"
    path.write_bytes(job())
    with sqlite3.connect(path) as connection:
        # what is written into a page by chance asks no constraint
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(damage)
    connection.close()
    done = pacs("send-batch", command, path)
    assert done.exit == 7, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"cannot use the job {path}: " in done.stderr
