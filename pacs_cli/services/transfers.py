"""What went over one association, by study: what the audit trail tells, and in bounded memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from pacs_cli.services.serving import (
    MAX_TOLD,
    AssociationEnded,
    AssociationInfo,
    Found,
    InstanceReceived,
    ProviderEvent,
    Queried,
    QueryRequest,
    Receiver,
    Retrieved,
    Step,
    StudyTransferred,
)

#: SOP classes, counted for each study, that are remembered at once. With all of them in one message
#: it stays below the 32,768 octets of PS3.15 A.6.
_MAX_GROUPS = 200

#: The words of one failure.
_MAX_ERROR = 200


#: Seconds until what was sent is told, should there be no end of it.
_MAX_SECONDS = 60.0


class _Key(NamedTuple):
    study_instance_uid: str
    patient_id: str
    action: str
    is_failure: bool


class Transfers:
    """Counts the objects of one association.

    tell      told of each study: when all is over, and of all of them before there are too many
    receiver  where they go, if that is not the peer
    is_ours   whether it was us who wanted that
    """

    def __init__(
        self,
        association: AssociationInfo,
        step: Step,
        tell: Callable[[StudyTransferred], None],
        receiver: Receiver | None = None,
        is_ours: bool = False,
    ) -> None:
        self._is_ours = is_ours
        self._association = association
        self._step = step
        self._tell = tell
        self._receiver = receiver
        self._groups: dict[_Key, dict[str, int]] = {}
        self._errors: dict[_Key, str] = {}
        self._count = 0

    def add(
        self,
        study_instance_uid: str,
        patient_id: str,
        sop_class_uid: str,
        action: str,
        error: str = "",
        count: int = 1,
    ) -> None:
        """Count objects; `error` says why they failed, if they did."""
        key = _Key(study_instance_uid, patient_id, action, bool(error))
        group = self._groups.setdefault(key, {})
        if sop_class_uid not in group:
            if self._count == _MAX_GROUPS:
                self.close()
                group = self._groups.setdefault(key, {})
            self._count += 1
        group[sop_class_uid] = group.get(sop_class_uid, 0) + count
        if error:
            self._errors.setdefault(key, error[:_MAX_ERROR])

    def received(self, event: InstanceReceived) -> None:
        """Count an object that came; one of which no study is known is in none."""
        outcome = event.outcome
        if not outcome.study_instance_uid:
            return
        action = "C"
        if outcome.is_duplicate:
            action = "R"
        elif outcome.displaced is not None:
            action = "U"
        error = ""
        if not outcome.is_kept:
            error = f"{outcome.status:04X} {outcome.comment}".rstrip()
        self.add(
            outcome.study_instance_uid,
            outcome.patient_id,
            event.request.affected_sop_class_uid,
            action,
            error,
        )

    def close(self) -> None:
        """Tell what is known by now, and forget it."""
        groups, self._groups = self._groups, {}
        errors, self._errors = self._errors, {}
        self._count = 0
        for key, instances in groups.items():
            if not instances:
                continue
            self._tell(
                StudyTransferred(
                    self._association,
                    self._step,
                    key.study_instance_uid,
                    key.patient_id,
                    key.action,
                    tuple(instances.items()),
                    errors.get(key, ""),
                    self._receiver,
                    self._is_ours,
                )
            )


class Studies:
    """Passes events on, with those that the audit trail needs besides; any thread may call it.

    An association is in the hands of one thread, and its end is always told.
    """

    def __init__(self, observe: Callable[[ProviderEvent], None]) -> None:
        self._observe = observe
        self._transfers: dict[int, Transfers] = {}
        self._queries: dict[int, Queried] = {}

    def observe(self, event: ProviderEvent) -> None:
        """Pass an event on, a query once it is known how it ended."""
        if isinstance(event, InstanceReceived):
            association = event.request.association
            if (transfers := self._transfers.get(association.number)) is None:
                transfers = Transfers(association, Step.RECEIVED, self._observe)
                self._transfers[association.number] = transfers
            transfers.received(event)
        elif isinstance(event, Queried):
            self._queries[event.association.number] = event
            return
        elif isinstance(event, Found | Retrieved | AssociationEnded):
            number = event.association.number
            if (query := self._queries.pop(number, None)) is not None:
                status = None if isinstance(event, AssociationEnded) else event.status
                self._observe(replace(query, status=status))
            if isinstance(event, AssociationEnded) and number in self._transfers:
                self._transfers.pop(number).close()
        self._observe(event)


class Sendings:
    """Counts what we send to peers of our own accord, by peer and study; any thread may call it.

    It is told when nothing is left to be sent, and at the latest a minute after it was counted, as
    soon as something else is.
    """

    def __init__(
        self,
        tell: Callable[[StudyTransferred], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._peers: dict[AssociationInfo, Transfers] = {}
        self._began = 0.0

    def add(
        self,
        peer: AssociationInfo,
        study_instance_uid: str,
        patient_id: str,
        sop_class_uid: str,
        error: str,
    ) -> None:
        """Count one object, as `Transfers` does."""
        with self._lock:
            if self._peers and self._clock() - self._began > _MAX_SECONDS:
                self._close()
            if not self._peers:
                self._began = self._clock()
            if (transfers := self._peers.get(peer)) is None:
                transfers = Transfers(peer, Step.SENT, self._tell, is_ours=True)
                self._peers[peer] = transfers
            transfers.add(study_instance_uid, patient_id, sop_class_uid, "R", error)

    def rest(self) -> None:
        """Tell of all that is counted: for the time being there is no more."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        peers, self._peers = self._peers, {}
        for transfers in peers.values():
            transfers.close()


def queried(request: QueryRequest) -> Queried:
    """Return what is told of a query of which it is not yet known how it ends."""
    return Queried(
        request.association,
        request.sop_class_uid,
        request.transfer_syntax_uid,
        request.identifier[:MAX_TOLD],
        len(request.identifier),
        None,
    )
