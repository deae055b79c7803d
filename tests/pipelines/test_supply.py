"""Dealing out: everything exactly once, in order, over as few associations as the kinds need."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter

import pytest

from pacs_cli.dicom.part10 import Header
from pacs_cli.errors import Exit
from pacs_cli.pipelines.files import Found, Passed, find_files
from pacs_cli.pipelines.items import Item, Sent, examiner
from pacs_cli.pipelines.supply import LOOK_AHEAD, Pending, Supply
from pacs_cli.wire.negotiation import Proposal
from tests.pipelines.sendings import write
from tests.support import CT, EXPLICIT, IMPLICIT, MR


def item(number: int, sop_class: str = CT) -> Item:
    return Item(str(number), Header("", "", EXPLICIT, sop_class, f"1.2.{number}", 0, 100))


def examine(found: Found | Passed) -> Item | Sent | Passed:
    """Even numbers are CTs, `bad` ones fail, what was passed stays so."""
    if isinstance(found, Passed):
        return found
    if found.path == "bad":
        return Sent("bad", None, None, "it is bad", exit=Exit.BAD_INPUT)
    return item(int(found.path))


def supply(*items: Item, extra: tuple[Proposal, ...] = ()) -> Supply:
    return Supply(items, examine, extra)


def deal(source: Supply) -> list[str]:
    """The paths of one round."""
    paths = []
    while (entry := source.take()) is not None:
        if not isinstance(entry, Pending):
            paths.append(entry.path)
        elif source.claim(entry):
            paths.append(entry.item.path)
    return paths


def test_one_kind_is_one_round():
    source = supply(*(item(n) for n in range(LOOK_AHEAD + 100)))
    assert source.next_round() == [Proposal(CT, (EXPLICIT,))]
    assert deal(source) == [str(n) for n in range(LOOK_AHEAD + 100)]
    assert source.next_round() == []


def test_kinds_that_the_look_ahead_sees_are_proposed_together():
    source = supply(item(0), *(item(n, MR) for n in range(1, 5)), item(5))
    assert source.next_round() == [Proposal(CT, (EXPLICIT,)), Proposal(MR, (EXPLICIT,))]
    assert deal(source) == list("012345")


def test_kind_that_turns_up_later_waits_for_the_next_round():
    late = LOOK_AHEAD + 10
    source = supply(*(item(n, MR if n == late else CT) for n in range(late + 5)))
    assert source.next_round() == [Proposal(CT, (EXPLICIT,))]
    assert deal(source) == [str(n) for n in range(late + 5) if n != late]
    assert source.next_round() == [Proposal(MR, (EXPLICIT,))]
    assert deal(source) == [str(late)]
    assert source.next_round() == []


@pytest.mark.parametrize("extra", [0, 1, 64, 127, 200])
def test_more_than_128_contexts_are_never_proposed(extra):
    classes = [f"1.2.{n}" for n in range(300)]
    more = tuple(Proposal(f"1.3.{n}", (EXPLICIT,)) for n in range(extra))
    source = supply(*(item(n, sop_class) for n, sop_class in enumerate(classes)), extra=more)
    seen = []
    while proposals := source.next_round():
        assert len(proposals) <= 128
        assert set(more[:127]) <= set(proposals)
        seen += deal(source)
    assert sorted(seen, key=int) == [str(n) for n in range(300)]


def test_extra_context_that_the_files_need_is_proposed_once():
    extra = (Proposal(CT, (EXPLICIT,)), Proposal(CT, (IMPLICIT,)))
    source = supply(item(0), extra=extra)
    assert source.next_round() == [Proposal(CT, (EXPLICIT,)), Proposal(CT, (IMPLICIT,))]


def test_what_cannot_be_sent_comes_in_its_place():
    found = [Found("0"), Found("bad"), Passed("fifo", "a FIFO", is_failure=False), Found("1")]
    source = Supply(found, examine)
    source.next_round()
    assert deal(source) == ["0", "bad", "fifo", "1"]


def test_failures_alone_need_no_round():
    source = Supply([Found("bad")] * (LOOK_AHEAD + 5), examine)
    assert source.next_round() == []
    assert len(list(source.rest())) == LOOK_AHEAD + 5


def test_what_is_given_back_is_dealt_out_next():
    source = supply(*map(item, range(3)))
    source.next_round()
    first = source.take()
    assert source.claim(first)
    source.give_back(first)
    assert source.take() is first


def test_what_is_postponed_comes_after_all_else():
    source = supply(*map(item, range(3)))
    source.next_round()
    first = source.take()
    assert source.claim(first)
    first.refusals = 2
    source.postpone(first)
    assert deal(source) == ["1", "2"]
    assert source.next_round() == []
    assert source.refusals == [2]
    source.resume()
    assert source.refusals == []
    assert source.next_round() == [Proposal(CT, (EXPLICIT,))]
    assert deal(source) == ["0"]


def test_closed_supply_deals_out_nothing_and_looks_at_nothing_more():
    looked = []

    def look(found: Found | Passed) -> Item:
        looked.append(found.path)
        return item(int(found.path))

    source = Supply([Found(str(n)) for n in range(LOOK_AHEAD + 9)], look)
    source.next_round()
    source.close()
    assert source.take() is None
    assert source.next_round() == []
    rest = list(source.rest())
    assert [type(each) for each in rest] == [Pending] * LOOK_AHEAD + [Found] * 9
    assert len(looked) == LOOK_AHEAD


def test_object_that_was_taken_and_not_claimed_is_given_to_who_has_nothing_to_do():
    source = supply(*map(item, range(2)))
    source.next_round()
    slow, quick = source.take(), source.take()
    assert source.claim(quick)
    assert source.take() is slow
    assert source.claim(slow)
    assert not source.claim(slow)
    assert source.take() is None


def test_threads_get_everything_once():
    source = Supply([Found(str(n)) for n in range(3000)], examine)
    source.next_round()
    parts: list[list[str]] = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda part=part: part.extend(deal(source))) for part in parts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dealt = Counter(path for part in parts for path in part)
    assert dealt == Counter(str(n) for n in range(3000))


def test_large_folder_costs_a_small_record_for_each_file(tmp_path):
    """Also when all of it has to wait for another association."""
    count = 2000
    write(tmp_path, count, *[CT] * LOOK_AHEAD * 2, *[MR] * (count - LOOK_AHEAD * 2))
    tracemalloc.start()
    try:
        source = Supply(list(find_files([str(tmp_path)])), examiner())
        source.next_round()
        assert len(deal(source)) == LOOK_AHEAD * 2
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(list(source.rest())) == count - LOOK_AHEAD * 2
    assert size / count < 1000
