"""Retrieving: counters, contexts, rounds, and what differs."""

from __future__ import annotations

import threading
import time

import pytest

from pacs_cli.dicom.query import Level, Model
from pacs_cli.dicom.registry import storage_sop_classes, transfer_syntaxes
from pacs_cli.dicom.retrieval import RetrieveRequest, Wanted
from pacs_cli.errors import Exit
from pacs_cli.pipelines.get import rounds_for
from pacs_cli.pipelines.receiver import Arrivals
from pacs_cli.pipelines.reconcile import Difference, differences, refusal, shortfall
from pacs_cli.pipelines.retrieve import CounterCheck
from pacs_cli.pipelines.storage_contexts import (
    all_sop_classes,
    in_associations,
    proposals_for,
    roles_for,
)
from pacs_cli.pipelines.survey import Instance
from pacs_cli.services.results import RetrieveResponse
from pacs_cli.services.serving import AssociationInfo, InstanceReceived, StoreOutcome, StoreRequest
from pacs_cli.wire.negotiation import number_contexts
from pacs_cli.wire.pdu import AssociateRequest
from pacs_cli.wire.userinfo import UserInformation
from tests.support import CT, EXPLICIT, IMPLICIT, MR

PENDING = 0xFF00
PEER = AssociationInfo(1, "127.0.0.1", "PEER", "PACS")


def arrivals(*objects: tuple[str, int], tell=lambda _: None) -> Arrivals:
    """What came, each with its UID and status."""
    found = Arrivals(tell)
    for uid, status in objects:
        found.observe(received(uid, status))
    return found


def received(uid: str, status: int = 0, is_duplicate: bool = False) -> InstanceReceived:
    request = StoreRequest(PEER, 1, CT, uid, EXPLICIT)
    return InstanceReceived(request, StoreOutcome(status, "why", 10, is_duplicate=is_duplicate), 1)


# -- counters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("responses", "words"),
    [
        ([(PENDING, 2, 1, 0, 0), (PENDING, 1, 2, 0, 0), (0, None, 3, 0, 0)], ""),
        ([(PENDING, 2, 1, 0, 0), (0xB000, None, 1, 1, 1)], ""),
        ([(PENDING, 1, 0, 0, 0), (PENDING, 1, 0, 0, 0), (0, 0, 1, 0, 0)], ""),
        ([(PENDING,), (0,)], ""),
        ([(PENDING, 2, 1, 0, 0), (0,)], ""),
        ([(0xA702, 0, 0, 3, 0)], ""),
        ([(PENDING, 2, 2, 0, 0), (PENDING, 2, 1, 1, 0)], "1 completed after 2"),
        ([(PENDING, 2, 0, 1, 0), (0xB000, 0, 3, 0, 0)], "0 failed after 1"),
        ([(0, None, 3, 1, 0)], "success with 1 failed"),
        ([(0, 4, 3, 0, 0)], "success with 4 remaining"),
        ([(PENDING, 9, 1, 0, 0), (0, None, 3, 0, 0)], "10 sub-operations were announced and 3"),
        ([(PENDING, 0, 1, 0, 0), (0, None, 3, 0, 0)], "1 sub-operations were announced and 3"),
    ],
)
def test_counters_that_cannot_be_true_are_found(responses, words):
    check = CounterCheck()
    for numbers in responses:
        check.take(RetrieveResponse(*numbers))
    assert check.contradiction.startswith(words)
    assert bool(check.contradiction) == bool(words)


def test_end_after_a_cancel_may_leave_some_remaining():
    check = CounterCheck()
    check.take(RetrieveResponse(PENDING, 9, 1, 0, 0))
    check.take(RetrieveResponse(0xFE00, 8, 2, 0, 0, is_cancelled=True))
    assert (check.contradiction, check.total) == ("", 10)


# -- contexts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 10, 42, 63, 64, 127])
def test_contexts_fit_one_association_and_every_peer(count):
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(count)]
    proposals = proposals_for(classes)
    assert len(proposals) <= 127
    for uid in classes:
        own = [each.transfer_syntaxes for each in proposals if each.abstract_syntax == uid]
        every = [syntax for group in own for syntax in group]
        assert every[:2] == [EXPLICIT, IMPLICIT]
        assert len(every) == len(set(every)) >= 13
        # DCMTK has room for 50 and crashes on more
        assert max(map(len, own)) <= 50
    request = AssociateRequest(
        "A",
        "B",
        number_contexts(proposals),
        UserInformation(role_selections=roles_for(classes)),
    )
    assert len(request.encode()) < 64 * 1024


def test_one_class_has_every_transfer_syntax_and_the_usual_ones_apart():
    groups = [each.transfer_syntaxes for each in proposals_for([CT])]
    assert {uid for group in groups for uid in group} >= set(transfer_syntaxes())
    assert ("1.2.840.10008.1.2.4.70",) in groups
    assert ("1.2.840.10008.1.2.4.90",) in groups


def test_every_storage_class_is_there_and_the_usual_ones_come_first():
    every = all_sop_classes()
    assert set(every) == storage_sop_classes()
    assert len(set(every)) == len(every)
    assert every.index(CT) < every.index(MR) < 20
    groups = list(in_associations(every, 3))
    assert [uid for group in groups for uid in group] == list(every)
    assert all(len(proposals_for(group)) <= 127 for group in groups)


# -- rounds --------------------------------------------------------------------------------------

REQUEST = RetrieveRequest(Level.STUDY, (), ("1.2",))


def instance(number: int, sop_class: str) -> tuple[str, Instance]:
    uid = f"1.2.1.{number}"
    uniques = ((0x0020000D, "1.2"), (0x0020000E, "1.2.1"), (0x00080018, uid))
    return uid, Instance(Wanted(Level.IMAGE, uniques), sop_class)


def test_known_classes_need_one_association():
    instances = dict([instance(1, CT), instance(2, MR), instance(3, CT)])
    rounds, is_chained = rounds_for(Model.STUDY_ROOT, [REQUEST], instances)
    assert ([(each.sop_classes, each.requests) for each in rounds], is_chained) == (
        [((CT, MR), (REQUEST,))],
        False,
    )


def test_more_classes_than_contexts_get_their_own_instances_each():
    instances = dict(instance(number, f"1.2.3.{number}") for number in range(130))
    rounds, is_chained = rounds_for(Model.STUDY_ROOT, [REQUEST], instances)
    # every transfer syntax that is common has a context of its own in each
    assert [len(each.sop_classes) for each in rounds] == [9] * 14 + [4]
    assert not is_chained
    asked = [uid for each in rounds for request in each.requests for uid in request.values]
    assert asked == list(instances)
    assert {request.level for each in rounds for request in each.requests} == {Level.IMAGE}


@pytest.mark.parametrize(
    "instances", [None, {}, dict([instance(1, CT), instance(2, "")]), dict([instance(1, "../x")])]
)
def test_classes_that_are_not_told_are_all_proposed(instances):
    rounds, is_chained = rounds_for(Model.STUDY_ROOT, [REQUEST], instances)
    assert is_chained
    assert {uid for each in rounds for uid in each.sop_classes} == storage_sop_classes()
    assert all(each.requests == (REQUEST,) for each in rounds)


# -- arrivals and differences --------------------------------------------------------------------


def test_object_that_comes_twice_arrives_once():
    found = arrivals(("1.1", 0), ("1.1", 0), ("1.2", 0xB000))
    assert (list(found.kept), found.stored, found.size) == (["1.1", "1.2"], 3, 30)


def test_object_that_is_refused_and_then_kept_is_kept():
    found = arrivals(("1.1", 0xA700), ("1.1", 0), ("1.2", 0), ("1.2", 0x0111))
    assert (list(found.kept), found.refused) == (["1.1", "1.2"], {})


def test_wait_ends_when_all_have_come_and_when_nothing_comes():
    found = arrivals()
    thread = threading.Thread(target=lambda: [found.observe(received(f"1.{n}")) for n in range(9)])
    began = time.monotonic()
    thread.start()
    found.wait_for(9, 20)
    assert found.stored == 9
    thread.join()
    assert time.monotonic() - began < 20
    found.wait_for(10, 0.05)
    assert found.stored == 9


def test_differences_name_each_object_once():
    found = arrivals(("1.1", 0), ("1.2", 0xA700), ("1.9", 0))
    told = differences(["1.1", "1.2", "1.3", "1.4"], found, ["1.3", "1.2", "1.1"])
    assert told == [
        Difference("1.2", "refused", "A700H why"),
        Difference("1.3", "failed", "the peer says that it failed"),
        Difference("1.4", "missing", "expected, and did not come"),
        Difference("1.9", "unexpected", "came without being expected"),
    ]


def test_nothing_is_missing_that_goes_elsewhere():
    assert [each.kind for each in differences(["1.1"], None, ["1.2"])] == ["failed"]
    assert differences(None, arrivals(("1.1", 0)), []) == []


@pytest.mark.parametrize(
    ("status", "code"), [(0xA700, Exit.OUTPUT), (0xA701, Exit.OUTPUT), (0xC000, Exit.PEER_FAILED)]
)
def test_what_was_refused_here_has_its_own_exit_code(status, code):
    assert refusal(arrivals(("1.1", status), ("1.2", 0))).exit == code
    assert refusal(arrivals(("1.2", 0))) is None
    assert refusal(None) is None


@pytest.mark.parametrize(
    ("found", "stored", "failed", "words"),
    [
        (arrivals(("1.1", 0), ("1.2", 0)), 2, 0, None),
        (arrivals(("1.1", 0), ("1.9", 0)), 2, 0, "1 of 2 expected objects did not come"),
        (arrivals(("1.1", 0)), 1, 1, None),
        (arrivals(("1.1", 0), ("1.2", 0xA700)), 1, 0, None),
        (None, 2, 0, None),
        (None, 1, 1, None),
        (None, 1, 0, "2 objects were expected, the peer says that it stored 1"),
    ],
)
def test_shortfall_is_what_nobody_has_told(found, stored, failed, words):
    error = shortfall(["1.1", "1.2"], found, stored, failed)
    assert (error and str(error)) == words
