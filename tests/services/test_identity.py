"""How many users are checked at once, and that nobody else waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pacs_cli.errors import AssociationError, AssociationRejected
from pacs_cli.net.channel import Wakeup
from pacs_cli.services.identity import Identification, Identified, IdentityRefused
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationInfo, AssociationRefused, Denied
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.userinfo import IdentityType, UserIdentity
from tests.support import EXPLICIT, VERIFICATION, Running, running_provider

OFFER = (Proposal(VERIFICATION, (EXPLICIT,)),)
DOE = UserIdentity(IdentityType.USER_NAME, False, b"doe")


class Slow:
    """A checker that takes as long as the test wants."""

    types = (IdentityType.USER_NAME,)

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.may_go = threading.Event()
        self.most = self._now = 0
        self._changed = threading.Condition()

    def check(self, identity: UserIdentity, about: AssociationInfo, stop: Wakeup) -> Identified:
        with self._changed:
            self._now += 1
            self.most = max(self.most, self._now)
            self._changed.notify_all()
        assert self.may_go.wait(30)
        with self._changed:
            self._now -= 1
        return Identified(identity.name)

    def await_begun(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._now >= count, 10)


class Logins:
    """Users that call at once, and how each fared."""

    def __init__(self, running: Running, count: int) -> None:
        self.outcomes: list[object] = []
        self._lock = threading.Lock()
        self._target = running.target(user=DOE)
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        outcome: object
        try:
            with Session(self._target, OFFER) as session:
                outcome = session.echo(1).status
        except AssociationRejected as rejected:
            outcome = rejected.result, rejected.source, rejected.reason
        except AssociationError:
            outcome = "lost"
        with self._lock:
            self.outcomes.append(outcome)

    def join(self) -> list[object]:
        for thread in self._threads:
            thread.join(30)
        return self.outcomes


@contextmanager
def checking(at_once: int) -> Iterator[tuple[Running, Slow]]:
    checker = Slow(at_once)
    with running_provider(identification=Identification([checker])) as running:
        try:
            yield running, checker
        finally:
            checker.may_go.set()


def test_others_are_served_while_a_user_is_checked():
    with checking(1) as (running, checker):
        logins = Logins(running, 1)
        checker.await_begun(1)
        # nobody's turn is taken by who says nothing of a user
        with Session(running.target(), OFFER) as session:
            assert [session.echo(1).status for _ in range(20)] == [0] * 20
        checker.may_go.set()
        assert logins.join() == [0]


def test_as_many_are_checked_at_once_as_the_checker_says():
    with checking(2) as (running, checker):
        logins = Logins(running, 12)
        checker.await_begun(2)
        checker.may_go.set()
        assert logins.join() == [0] * 12
    assert checker.most == 2


def test_flood_of_one_address_is_rejected_for_now_and_takes_no_place():
    with checking(2) as (running, checker):
        logins = Logins(running, 2 + 32 + 6)
        refused = running.wait_for(AssociationRefused, 6)
        # no place for an association is taken by who waits
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0
        checker.may_go.set()
        outcomes = logins.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, [0] * 34 + [(2, 3, 1)] * 6))
    assert len(refused) == 6
    # being late is no denial
    assert not [each for each in running.events if isinstance(each, Denied)]


def test_who_waits_too_long_is_rejected_for_now(monkeypatch):
    monkeypatch.setattr("pacs_cli.services.identity._PATIENCE", 0.2)
    with checking(1) as (running, checker):
        first = Logins(running, 1)
        checker.await_begun(1)
        with pytest.raises(AssociationRejected, match="temporary congestion; try again") as caught:
            Session(running.target(user=DOE), OFFER)
        checker.may_go.set()
        assert first.join() == [0]
    assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 1)


def test_turn_is_given_back_by_who_is_refused_and_by_who_fails():
    class Bad:
        types = (IdentityType.USER_NAME,)
        at_once = 1

        def check(self, identity, about, stop):
            if identity.name == "bug":
                raise RuntimeError("a bug of the checker")
            raise IdentityRefused("not you")

    identification = Identification([Bad()])
    about, stop = AssociationInfo(1, "::1", "A", "B"), Wakeup()
    for _ in range(3):
        with pytest.raises(IdentityRefused, match="not you"):
            identification.identify(DOE, about, stop)
        with pytest.raises(RuntimeError):
            bug = UserIdentity(IdentityType.USER_NAME, False, b"bug")
            identification.identify(bug, about, stop)


def test_drain_ends_in_time_with_a_user_that_is_being_checked():
    with checking(1) as (running, checker):
        logins = Logins(running, 1)
        checker.await_begun(1)
        running.provider.drain()
        checker.may_go.set()
        assert logins.join() == [(2, 3, 2)]


def test_secrets_of_an_identity_are_in_no_representation():
    identity = UserIdentity(IdentityType.USER_NAME_AND_PASSCODE, True, b"doe", b"correct horse")
    from pacs_cli.wire.userinfo import UserInformation

    shown = repr(UserInformation(user_identity=identity, user_identity_response=b"ticket"))
    shown += repr(Identified("doe", b"ticket")) + repr(identity)
    assert "horse" not in shown
    assert "ticket" not in shown
