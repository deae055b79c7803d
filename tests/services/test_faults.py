"""Which faults are due when, decided without a socket."""

from __future__ import annotations

import threading
import time

import pytest

from pacs_cli.errors import UsageError
from pacs_cli.net.channel import Wakeup
from pacs_cli.services.faults import (
    FORMS,
    GARBAGE,
    FaultKind,
    FaultPlan,
    parse_faults,
    pause,
)
from pacs_cli.wire.pdu import PduType


def due(plan: FaultPlan, method: str, *numbers: int) -> list[int]:
    """Return those of the numbers for which the plan has something to say."""
    return [each for each in numbers if getattr(plan, method)(each)]


def test_empty_plan_does_nothing_wrong():
    plan = FaultPlan()
    assert plan == parse_faults([])
    assert plan.on_connect(1) is plan.on_request(1) is plan.on_store(1) is None
    assert plan.on_data(1, 2**40) is None
    assert plan.accept_delay(1) == plan.response_delay(1) == plan.response_delay() == 0


@pytest.mark.parametrize(
    ("spec", "method"),
    [
        ("refuse", "on_connect"),
        ("reject", "on_request"),
        ("reject=2,3,1", "on_request"),
        ("delay-accept=1", "accept_delay"),
        ("delay=0.5", "response_delay"),
        ("status=A700", "on_store"),
        ("warning=B000", "on_store"),
        ("no-answer", "on_store"),
        ("garbage", "on_store"),
    ],
)
def test_fault_is_due_at_its_own_point_for_each_or_each_nth(spec, method):
    always, third = parse_faults([spec]), parse_faults([f"{spec},every=3"])
    points = {"on_connect", "on_request", "accept_delay", "response_delay", "on_store"}
    for point in points:
        assert due(always, point, 1, 2, 3) == ([1, 2, 3] if point == method else [])
        assert due(third, point, *range(1, 10)) == ([3, 6, 9] if point == method else [])


def test_echo_is_delayed_only_when_every_response_is():
    assert parse_faults(["delay=2"]).response_delay() == 2
    assert parse_faults(["delay=2,every=2"]).response_delay() == 0


def test_delays_add_up():
    plan = parse_faults(["delay=1", "delay=2.5,every=2", "delay-accept=9"])
    assert [plan.response_delay(number) for number in (1, 2)] == [1, 3.5]


@pytest.mark.parametrize("kind", ["abort-after", "close-after"])
def test_association_ends_once_it_has_brought_so_many_bytes(kind):
    plan = parse_faults([f"{kind}=1000,every=2"])
    assert plan.on_data(1, 5000) is plan.on_data(2, 999) is None
    fault = plan.on_data(2, 1000)
    assert (fault.kind, str(fault)) == (kind, f"--fault {kind}=1000,every=2")


def test_first_asked_for_of_two_that_are_due_is_committed():
    plan = parse_faults(["status=A700,every=2", "no-answer,every=3", "warning=B006"])
    kinds = [plan.on_store(number).kind for number in range(1, 7)]
    assert kinds == ["warning", "status", "no-answer", "status", "warning", "status"]


def test_values_are_those_of_the_spec():
    assert parse_faults(["reject"]).on_request(1) == (1, 1, 1)
    assert parse_faults(["reject=2,3,255,every=1"]).on_request(1) == (2, 3, 255)
    statuses = ["status=a700", "status=0xC123", "status=0122", "status=FF00"]
    assert [parse_faults([each]).on_store(1).status for each in statuses] == [
        *(0xA700, 0xC123, 0x0122, 0xFF00)
    ]
    warnings = ["warning=B000", "warning=bfff", "warning=0001", "warning=0107"]
    assert [parse_faults([each]).on_store(1).status for each in warnings] == [
        *(0xB000, 0xBFFF, 0x0001, 0x0107)
    ]


def test_plan_is_a_value():
    plan = parse_faults(["delay=1"])
    assert hash(plan) == hash(parse_faults(["delay=1"]))
    with pytest.raises(AttributeError):
        plan.faults = ()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "there is no ''; choose from refuse, reject, delay-accept"),
        ("refuze", "there is no 'refuze'; did you mean refuse?"),
        ("abort-afer=10", "there is no 'abort-afer'; did you mean abort-after?"),
        ("Refuse", "did you mean refuse?"),
        ("statu=A700", "did you mean status?"),
        ("refuse=1", "refuse takes no value"),
        ("no-answer=", "no-answer takes no value"),
        ("delay", "delay needs a value: delay=SECONDS"),
        ("status", "status needs a value: status=XXXX"),
        ("abort-after,every=2", "abort-after needs a value: abort-after=BYTES"),
        ("delay=", "'' is not seconds"),
        ("delay=0", "'0' is not seconds, above 0"),
        ("delay=-1", "'-1' is not seconds"),
        ("delay=nan", "'nan' is not seconds"),
        ("delay=inf", "'inf' is not seconds"),
        ("delay=1e9", "at most 604800"),
        ("delay-accept=soon", "'soon' is not seconds"),
        ("reject=", "a number of a rejection is a whole number from 0, not ''"),
        ("reject=1,1", "a rejection is RESULT,SOURCE,REASON"),
        ("reject=1,1,256", "each from 0 to 255"),
        ("reject=1,1,x", "not 'x'"),
        ("reject=1,every=2,1,1", "not 'every=2'"),
        ("status=A7", "'A7' is not a status of four hexadecimal digits"),
        ("status=A7000", "is not a status"),
        ("status=0000", "0000 says that the object is kept, and it is not"),
        ("status=B000", "see warning="),
        ("status=0107", "see warning="),
        ("warning=A700", "A700 is not a warning, as B000, B006 and B007 are; see status="),
        ("warning=0000", "is not a warning"),
        ("abort-after=0", "BYTES is a whole number from 1, not '0'"),
        ("abort-after=1k", "not '1k'"),
        ("close-after=-5", "not '-5'"),
        ("close-after=" + "9" * 5000, "BYTES is a whole number"),
        ("close-after=²", "BYTES is a whole number"),
        ("refuse,every=0", "every=N is a whole number from 1, not '0'"),
        ("refuse,every=", "every=N is a whole number"),
        ("refuse,evry=2", "there is no 'evry'; did you mean every?"),
        ("refuse,2", "there is no 'refuse,2'; did you mean refuse?"),
    ],
)
def test_spec_that_means_nothing_is_a_usage_error(spec, reason):
    with pytest.raises(UsageError) as caught:
        parse_faults(["delay=1", spec])
    assert str(caught.value).startswith(f"cannot use --fault {spec!r}: ")
    assert reason in str(caught.value)


def test_every_fault_has_its_form():
    assert list(FORMS) == list(FaultKind)
    assert all(form.startswith(kind) for kind, form in FORMS.items())


def test_garbage_begins_with_no_pdu_type():
    assert GARBAGE[0] not in {int(kind) for kind in PduType}


def test_pause_lasts_its_time():
    began = time.monotonic()
    pause(0.05, Wakeup())
    assert time.monotonic() - began >= 0.05
    pause(0, Wakeup())


def test_pause_ends_when_the_provider_drains():
    wakeup, threads = Wakeup(), []
    for _ in range(3):
        threads.append(threading.Thread(target=pause, args=(100_000, wakeup)))
        threads[-1].start()
    wakeup.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    pause(100_000, wakeup)
