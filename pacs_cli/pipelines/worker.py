"""One worker of a sender: objects over one association at a time, opened again when it is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.errors import Exit, InputError, NoAcceptedContext, PacsError
from pacs_cli.pipelines.conversion import FALLBACKS, Converter
from pacs_cli.pipelines.files import Passed
from pacs_cli.pipelines.items import Sent
from pacs_cli.pipelines.retry import Stop
from pacs_cli.pipelines.sessions import SendSession, Stopped
from pacs_cli.pipelines.supply import Entry, Pending
from pacs_cli.services.diagnosis import explain_context, explain_status
from pacs_cli.services.results import StoreResult
from pacs_cli.services.scu import Session
from pacs_cli.wire.message import Buffer
from pacs_cli.wire.negotiation import Context, Proposal

if TYPE_CHECKING:
    from pacs_cli.pipelines.send import Sending


class Worker:
    """Sends over one association at a time, opening another when it is lost.

    gave_up     why the peer was given up, None while it was not
    has_served  whether an association of it stood
    """

    def __init__(
        self,
        sending: Sending,
        proposals: Sequence[Proposal],
        tell: Callable[[Sent | Passed], None],
        stop: Stop | None,
    ) -> None:
        self.gave_up: tuple[str, Exit] | None = None
        self.has_served = False
        self._sending = sending
        self._proposals = proposals
        self._tell_caller = tell
        self._stop = stop
        self._loader = sending.loader()
        self._converter = Converter(self._loader)
        #: taken and not begun; before the supply
        self._held: deque[Entry] = deque()
        #: whether what was taken last has yet to be claimed
        self._is_reserved = False
        #: begun and not answered
        self._in_flight: Pending | None = None
        #: failures in a row, without an answer in between
        self._setbacks = 0

    def run(self) -> None:
        """Send until nothing is dealt out any more or the peer is given up."""
        try:
            self._run()
        finally:
            self._converter.close()

    def _run(self) -> None:
        while self.gave_up is None and self._has_work():
            session = self._opened()
            if session is None:
                continue
            try:
                with session:
                    self._send_all(session)
            except InputError as error:
                # a message was left half sent, which ends the association; others get a new one
                assert self._in_flight is not None
                self._tell(_failed(self._in_flight, str(error), error.exit))
                self._in_flight = None
            except PacsError as error:
                self._lost(error)
        for entry in reversed(self._held):
            self._sending.supply.give_back(entry)

    def _has_work(self) -> bool:
        """Tell what needs no association, up to the next object to send."""
        while (entry := self._take()) is not None:
            if not isinstance(entry, Pending):
                self._tell(entry)
            elif self._claimed(entry):
                self._held.appendleft(entry)
                return True
        return False

    def _take(self) -> Entry | None:
        supply = self._sending.supply
        if self._held and not supply.is_closed:
            self._is_reserved = False
            return self._held.popleft()
        self._is_reserved = True
        return supply.take()

    def _claimed(self, pending: Pending) -> bool:
        """Whether what was taken last is ours and nobody else's."""
        return not self._is_reserved or self._sending.supply.claim(pending)

    def _tell(self, entry: Sent | Passed) -> None:
        self._close_after(entry)
        self._tell_caller(entry)

    def _close_after(self, entry: Sent | Passed | None) -> None:
        """See to it that nothing is sent after the first failure, if that is how it is to be."""
        is_failure = isinstance(entry, Sent) and entry.error is not None
        if is_failure and self._sending.settings.stops_at_failure:
            self._sending.supply.close()

    # -- associations ----------------------------------------------------------------------------

    def _opened(self) -> SendSession | None:
        sending = self._sending
        observer = sending.observer
        try:
            session = SendSession(
                sending.target,
                self._proposals,
                observer.trace,
                sending.settings.priority,
                self._stop,
            )
        except PacsError as error:
            self._set_back(error, has_stood=False, has_worked=sending.has_stood)
            return None
        sending.has_stood = self.has_served = True
        observer.opened(session)
        return session

    def _lost(self, error: PacsError) -> None:
        """Decide what becomes of the object that was on its way, and whether to go on."""
        pending, self._in_flight = self._in_flight, None
        if pending is None and not self._held:
            # after the last answer a failing release changes nothing: all is acknowledged
            return
        if pending is None:
            self._set_back(error, has_stood=True, has_worked=self._sending.has_answered)
            return
        pending.losses += 1
        if pending.losses > 1:
            self._tell(
                _failed(pending, f"the association was lost on it twice: {error}", error.exit)
            )
        elif self._set_back(error, has_stood=True, has_worked=self._sending.has_answered):
            self._held.appendleft(pending)
        else:
            # not for another worker either: it was as good as the peer's answer
            assert self.gave_up is not None
            self._tell(pending.not_sent(*self.gave_up))

    def _set_back(self, error: PacsError, has_stood: bool, has_worked: bool) -> bool:
        """Wait before the next attempt, or give the peer up; return whether there is to be one."""
        retry, sending = self._sending.settings.retry, self._sending
        self._setbacks += 1
        is_worth_it = retry.is_worth_it(error, has_stood, has_worked)
        if not is_worth_it or self._setbacks > retry.times:
            tried = f" ({self._setbacks} attempts)" if self._setbacks > 1 else ""
            self.gave_up = f"{error}{tried}", error.exit
            return False
        seconds = retry.wait_before(self._setbacks)
        sending.observer.warn(
            f"{error}; trying again in {seconds:.1f} s, {self._setbacks} of {retry.times}"
        )
        sending.wait(seconds)
        if self._stop is not None and self._stop.is_set:
            raise Stopped
        return True

    # -- objects ---------------------------------------------------------------------------------

    def _send_all(self, session: Session) -> None:
        contexts = {
            (context.abstract_syntax, context.proposed[0]): context
            for context in session.contexts.values()
        }
        while True:
            entry = self._take()
            try:
                # read while the peer answers the one before
                ready = self._prepared(session, contexts, entry)
                answered = self._answered(session)
            except BaseException:
                if entry is not None and (not isinstance(entry, Pending) or self._claimed(entry)):
                    self._held.appendleft(entry)
                raise
            self._close_after(answered)
            if isinstance(entry, Pending) and not self._claimed(entry):
                ready = None
            if isinstance(ready, Pending):
                self._sending.supply.defer(ready)
                ready = None
            upcoming = ready.pending.item if isinstance(ready, _Ready) else None
            self._sending.turn(answered, upcoming)
            try:
                if isinstance(ready, _Ready):
                    self._begin(session, ready)
            finally:
                # shown while the peer takes the next one
                if answered is not None:
                    self._tell(answered)
            if not isinstance(ready, _Ready | None):
                self._tell(ready)
            if entry is None:
                return

    def _prepared(
        self,
        session: Session,
        contexts: dict[tuple[str, str], Context],
        entry: Entry | None,
    ) -> _Ready | Pending | Sent | Passed | None:
        """Return what can go out, the entry itself when it can only in another round, or a result.

        An object whose transfer syntax the peer refused is to be converted in the next one.
        """
        if not isinstance(entry, Pending):
            return entry
        offered = [contexts[kind] for kind in entry.kinds]
        context = next((each for each in offered if each.is_accepted), None)
        stored = entry.item.kind[1]
        if context is None:
            if entry.syntaxes == (stored,) and self._sending.settings.converts:
                entry.syntaxes = tuple(each for each in FALLBACKS if each != stored)
                return entry
            return _refused(session, entry, offered[0].result)
        try:
            syntax = context.proposed[0]
            if syntax == stored:
                return _Ready(entry, context.id, self._loader.load(entry.item))
            ready = _Ready(entry, context.id, self._converter.load(entry.item, syntax))
        except InputError as error:
            return _failed(entry, str(error), error.exit)
        entry.item = entry.item.converted_to(syntax)
        self._sending.observer.note(f"{entry.item.path} is sent converted, {stored} to {syntax}")
        return ready

    def _begin(self, session: Session, ready: _Ready) -> None:
        if self._sending.supply.is_closed:
            self._held.appendleft(ready.pending)
            return
        pending = self._in_flight = ready.pending
        pending.attempts += 1
        header = pending.item.header
        session.begin_store(
            ready.context_id, header.sop_class_uid, header.sop_instance_uid, ready.data
        )

    def _answered(self, session: Session) -> Sent | None:
        """Return what became of the object that is on its way; None when it will be sent again."""
        pending = self._in_flight
        if pending is None:
            return None
        result = session.finish_store()
        self._in_flight = None
        self._setbacks = 0
        sending = self._sending
        sending.has_answered = True
        if result.status & 0xFF00 == 0xA700 and pending.refusals < sending.settings.retry.times:
            pending.refusals += 1
            sending.supply.postpone(pending)
            return None
        return _judged(pending, result)


class _Ready(NamedTuple):
    """An object that can go out; `data` is valid until the next one is loaded."""

    pending: Pending
    context_id: int
    data: list[Buffer]


def _failed(pending: Pending, reason: str, exit_code: Exit) -> Sent:
    """Return the result of an object whose reason is its own."""
    sent = pending.not_sent(f"cannot send {pending.item.path}: {reason}", exit_code)
    return sent._replace(is_own=True)


def _refused(session: Session, pending: Pending, result: int) -> Sent:
    from pacs_cli.dicom.registry import uid_name

    sop_class, syntax = map(uid_name, pending.item.kind)
    reason = (
        f"{session.target} did not accept SOP class {sop_class} in {syntax}, "
        f"{explain_context(result)}; -v shows what it accepts"
    )
    return _failed(pending, reason, NoAcceptedContext.exit)


def _judged(pending: Pending, result: StoreResult) -> Sent:
    item, attempts = pending.item, pending.attempts
    if result.is_stored:
        return Sent(item.path, item, result.status, None, result.seconds, Exit.OK, attempts)
    remark = f" ({result.comment})" if result.comment else ""
    tried = f" in {attempts} attempts" if attempts > 1 else ""
    reason = f"{item.path} was not stored{tried}: {explain_status(result.status)}{remark}"
    return Sent(item.path, item, result.status, reason, result.seconds, Exit.PEER_FAILED, attempts)
