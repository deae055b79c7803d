"""What was valid stays valid: dciodvfy finds no error in an output that it did not in the input."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_cli.pipelines.deid.policy import make_policy
from tests.peers import require
from tests.pipelines.deid.objects import worker
from tests.samples import storable


def errors(path: Path) -> set[str]:
    """The errors of a file, without what an object is told by."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    found = {line for line in lines if line.startswith("Error")}
    # a value is not the error, and there may be fewer of them in fewer items
    return {re.sub(r"<[^>]*>|\[\d+\]|[\d.]+", "", line) for line in found}


@pytest.mark.interop
@pytest.mark.parametrize("profile", ["basic", "tcia"])
def test_no_error_that_was_not_there(profile, tmp_path):
    require("dciodvfy")
    policy = make_policy(profile)
    pairs = []
    for number, path in enumerate(storable()):
        outcome = worker(tmp_path / str(number), policy).one(str(path))
        if outcome.output is not None:
            pairs.append((path, Path(outcome.output)))
    assert len(pairs) > 100
    with ThreadPoolExecutor(2) as pool:
        before = list(pool.map(errors, [path for path, _ in pairs]))
        after = list(pool.map(errors, [output for _, output in pairs]))
    new = {
        path.name: sorted(now - then)
        for (path, _), then, now in zip(pairs, before, after, strict=True)
        if now - then
    }
    assert not new, "\n".join(f"{name}: {lines}" for name, lines in new.items())
