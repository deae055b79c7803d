"""What a provider has done, counted in bounded memory."""

from __future__ import annotations

import pickle
import sys

import pytest

from pacs_cli.dicom.registry import modality_of, storage_sop_classes
from pacs_cli.services.figures import BUCKETS, Figures, total
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationInfo,
    AssociationOpened,
    AssociationRefused,
    Denied,
    Found,
    InstanceReceived,
    Retrieved,
    StoreOutcome,
    StoreRequest,
)
from tests.support import CT, EXPLICIT


def who(number: int = 1, title: str = "CT1") -> AssociationInfo:
    return AssociationInfo(number, "10.0.0.5", title, "ARCHIVE")


def received(status: int = 0, seconds: float = 0.004, sop_class: str = CT, **changes):
    request = StoreRequest(who(), 1, sop_class, "1.2.3", EXPLICIT)
    return InstanceReceived(request, StoreOutcome(status, size=100, **changes), seconds)


def ended(number: int, how: str = "released") -> AssociationEnded:
    return AssociationEnded(who(number), how, "", 0, 0, 0, 1.0)


def counted(*events) -> Figures:
    figures = Figures(modality_of)
    for event in events:
        figures.observe(event)
    return figures


def test_objects_are_counted_by_kind_and_what_became_of_them():
    counts = counted(
        received(), received(), received(is_duplicate=True), received(0xA700), received(0xB000)
    ).snapshot()
    assert counts.objects == {
        ("CT", "stored"): 3,
        ("CT", "duplicate"): 1,
        ("CT", "refused"): 1,
    }
    assert counts.bytes == {"CT": 500}
    assert counts.failures == {("store", "A700"): 1}


def test_seconds_fall_into_buckets_up_to_their_bound():
    counts = counted(received(seconds=0.001), received(seconds=0.0011), received(seconds=9e9))
    duration = counts.snapshot().durations["store"]
    assert duration.buckets[0] == duration.buckets[1] == duration.buckets[-1] == 1
    assert sum(duration.buckets) == 3
    assert len(duration.buckets) == len(BUCKETS) + 1


def test_associations_that_stand_are_those_that_have_not_ended():
    figures = counted(
        AssociationOpened(who(1), 1, 0),
        AssociationOpened(who(2), 1, 0),
        ended(1),
        # a handshake that failed: it was never one
        ended(3, "tls"),
        AssociationRefused(who(4), 1, 1, 7),
    )
    counts = figures.snapshot()
    assert (counts.associations, counts.standing) == (2, 1)
    assert counts.ended == {"released": 1, "tls": 1}
    assert counts.rejected == {"1-1-7": 1}


def test_queries_and_retrieves_are_counted():
    counts = counted(
        Found(who(), "STUDY", 0, "", 5, 0.1),
        Found(who(), "STUDY", 0xA900, "", 0, 0.1),
        Found(who(), "STUDY", 0xFE00, "", 0, 0.1),
        Retrieved(who(), "move", "STUDY", "WS1", 0xB000, "", 3, 1, 0, 0, "", 2.0),
        Denied(who(), "find", 0x124, "may not"),
    ).snapshot()
    assert {name: sum(each.buckets) for name, each in counts.durations.items()} == {
        "find": 3,
        "move": 1,
    }
    assert counts.failures == {("find", "A900"): 1}
    assert counts.sub_operations[("move", "completed")] == 3
    assert counts.sub_operations[("move", "failed")] == 1
    assert counts.denied == {"find": 1}


def test_hostile_peers_make_no_names():
    figures = Figures(modality_of)
    for number in range(5000):
        figures.observe(received(sop_class=f"1.2.3.{number}", status=0xC000 + number % 4096))
        figures.observe(AssociationOpened(who(number, f"AE{number}"), 1, 0))
        figures.observe(ended(number))
    counts = figures.snapshot()
    assert counts.objects == {("other", "refused"): 5000}
    assert len(counts.failures) == 65
    assert sum(counts.failures.values()) == 5000
    assert counts.standing == 0
    assert len(pickle.dumps(counts)) < 10_000


def test_every_storage_class_has_one_of_few_kinds():
    kinds = {modality_of(uid) for uid in storage_sop_classes()}
    assert {"CT", "MR", "SR", "SC", ""} < kinds
    assert len(kinds) < 80


def test_sums_are_of_all_processes():
    first, second = counted(received(), ended(1)), counted(received(), received(0xA700))
    summed = total([first.snapshot(), second.snapshot()])
    assert summed.objects == {("CT", "stored"): 2, ("CT", "refused"): 1}
    assert sum(summed.durations["store"].buckets) == 3
    # a copy: what is counted goes on
    assert first.snapshot().objects == {("CT", "stored"): 1}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_process_tells_what_it_uses():
    counts = counted().snapshot()
    assert counts.resident > 1_000_000
    assert counts.descriptors >= 3
