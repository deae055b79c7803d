"""The soak in short: `python -m tests.bench.soak` is the long one."""

from __future__ import annotations

import sys

import pytest

from tests.bench.soak import Load, associations, audit
from tests.interop.peers import pacs_storescp
from tests.interop.vitals import Vitals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def test_visits_of_every_kind_leave_nothing_behind(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        outcomes, samples = associations(archive.port, archive.process.pid, 800, 3)
        assert archive.stop() == 0
    assert sum(outcomes.values()) == 800
    assert len({what.partition(":")[0] for what in outcomes}) == 11
    assert not [what for what in outcomes if what.endswith("failed")]
    assert samples[-1].descriptors <= samples[0].descriptors
    assert samples[-1].rss_kib < samples[0].rss_kib + 8 * 1024
    assert audit(tmp_path / "archive", set()) == []


def test_archive_that_is_killed_keeps_what_it_acknowledged_under_load(tmp_path):
    load = Load(tmp_path, 5)
    load.run(minutes=0.1, kill_every=2)
    assert load.counts["archive killed"] >= 1
    assert load.failures == []
    assert len(load.acknowledged) > 20
    assert audit(tmp_path / "archive", load.acknowledged) == []
    _damage_is_found(tmp_path / "archive", load.acknowledged)


def _damage_is_found(folder, acknowledged: set[str]) -> None:
    lost, changed, *_ = sorted(folder.rglob("*.dcm"))
    lost.unlink()
    changed.write_bytes(changed.read_bytes()[:-2] + b"!!")
    (folder / ".staging" / "part").touch()
    wrong = audit(folder, acknowledged | {"1.2.3"})
    assert f"{changed} is not what was sent" in wrong
    assert f"{folder / '.staging' / 'part'} was left" in wrong
    assert f"{lost.stem} is in one of files and index" in wrong
    assert "1.2.3 was acknowledged and has no file" in wrong
    assert "1.2.3 was acknowledged and is not in the index" in wrong


def test_vitals_say_what_is_held():
    assert str(Vitals(2048, 7, 3)) == "2.0 MiB, 7 fds, 3 threads"
