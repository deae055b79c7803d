"""An examination of a peer: step by step, each timed, and why it ends where it ends.

Nothing is changed at the peer: it is echoed, asked for one study, and offered presentation contexts
that are not used.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
    Exit,
    NoAcceptedContext,
    PacsError,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.channel import Connection, reach, resolve, secure
from pacs_cli.net.target import Target
from pacs_cli.pipelines.echoing import status_failure, verification_context
from pacs_cli.pipelines.prescriptions import association_cure, certificate_words, tls_cure
from pacs_cli.services.scu import Session, Trace
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION_SOP_CLASS,
    Proposal,
)

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

#: What a peer may serve besides storage (PS3.4): UID -> what it is called here.
SERVICES = {
    VERIFICATION_SOP_CLASS: "echo",
    "1.2.840.10008.5.1.4.1.2.2.1": "find (study root)",
    "1.2.840.10008.5.1.4.1.2.2.2": "move (study root)",
    "1.2.840.10008.5.1.4.1.2.2.3": "get (study root)",
    "1.2.840.10008.5.1.4.1.2.1.1": "find (patient root)",
    "1.2.840.10008.5.1.4.1.2.1.2": "move (patient root)",
    "1.2.840.10008.5.1.4.1.2.1.3": "get (patient root)",
    "1.2.840.10008.5.1.4.31": "worklist",
    "1.2.840.10008.3.1.2.3.3": "performed procedure steps",
    "1.2.840.10008.1.20.1": "storage commitment",
}
_OFFER = tuple(Proposal(uid, _SYNTAXES) for uid in SERVICES)

#: Days before its end from which on a certificate is worth a warning: those of the web's own
#: authorities are renewed a month before.
_EXPIRES_SOON = 30


class Outcome(StrEnum):
    """What became of a step."""

    OK = "ok"
    WARNING = "warning"
    NOT_SERVED = "not served"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an examination.

    words    what was found, or why it failed and what to do next
    details  the same for programs
    exit     the class of a failure
    is_last  whether it is where the examination ends for that
    """

    name: str
    outcome: Outcome
    seconds: float
    words: str
    details: dict[str, Any] = field(default_factory=dict)
    exit: Exit = Exit.OK
    is_last: bool = False


class Examination:
    """Examines one peer.

    target      how it is called
    is_probing  whether storage SOP classes and transfer syntaxes are tried
    now         seconds since 1970, by which certificates are judged
    """

    def __init__(
        self,
        target: Target,
        is_probing: bool = True,
        trace: Trace | None = None,
        opened: Callable[[Session], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._is_probing = is_probing
        self._trace = trace
        self._opened = opened
        self._now = now
        self._began = 0.0
        self._step = ""

    def steps(self) -> Iterator[Step]:
        """Yield each step as it is done; the last one says why, when it ends too early."""
        try:
            yield from self._connected()
        except PacsError as error:
            if error.exit is Exit.BUG:
                raise
            yield self._failed(error)

    def _connected(self) -> Iterator[Step]:
        target = self._target
        self._begin("name")
        addresses = resolve(target)
        found = list(dict.fromkeys(str(address[0]) for *_, address in addresses))
        words = ", ".join(found)
        words = f"{words}, which needs no look-up" if found == [target.host] else words
        yield self._done(words, addresses=found)
        self._begin("tcp")
        expiry = self._began + target.timeouts.connect
        sock = reach(target, addresses, expiry)
        try:
            here, there = _place(sock.getsockname()), _place(sock.getpeername())
            yield self._done(f"connected to {there} from {here}", local=here, remote=there)
        except BaseException:
            sock.close()
            raise
        secured: Any = sock
        if target.tls is not None:
            self._begin("tls")
            secured = secure(target, sock, expiry)
            try:
                yield self._handshake(secured)
            except BaseException:
                secured.close()
                raise
        yield from self._associated(Connection(secured, 0.0, 0.0, 0.0))

    def _handshake(self, sock: Any) -> Step:
        facts, now = sock.facts(), self._now()
        days = facts.days_left(now)
        words = f"{facts.version}, {facts.cipher}; {certificate_words(facts, now)}"
        details = {
            "version": facts.version,
            "cipher": facts.cipher,
            "subject": facts.subject,
            "issuer": facts.issuer,
            "names": facts.names,
            "days_left": days,
        }
        if days is not None and days < _EXPIRES_SOON:
            words = f"{words}; have it renewed in time"
            return self._ended(Outcome.WARNING, words, **details)
        return self._done(words, **details)

    def _associated(self, connection: Connection) -> Iterator[Step]:
        self._begin("association")
        session = Session(self._target, _OFFER, trace=self._trace, connection=connection)
        with session:
            self._opened(session)
            yield self._accepted(session)
            yield from self._served(session)
            if not session.is_over:
                self._begin("release")
                session.release()
                yield self._done("released")
        if self._is_probing:
            yield from self._probed()

    def _accepted(self, session: Session) -> Step:
        answer = session.answer
        info = answer.user_information
        served = [
            SERVICES[context.abstract_syntax]
            for context in session.contexts.values()
            if context.is_accepted
        ]
        titles = f"{answer.called_ae_title} takes {answer.calling_ae_title}"
        who = info.implementation_version_name or "no version name"
        words = (
            f"{titles}; {who} ({info.implementation_class_uid or 'no class UID'}), longest PDU "
            f"{info.maximum_length or 'unlimited'}; serves {', '.join(served) or 'none of these'}"
        )
        return self._done(
            words,
            called_ae_title=answer.called_ae_title,
            calling_ae_title=answer.calling_ae_title,
            max_pdu=info.maximum_length,
            implementation_class_uid=info.implementation_class_uid,
            implementation_version_name=info.implementation_version_name,
            services=served,
        )

    def _served(self, session: Session) -> Iterator[Step]:
        """Yield what comes of asking; a refusal or a failure of one does not stop the others."""
        self._begin("echo")
        try:
            result = session.echo(verification_context(session).id)
        except NoAcceptedContext as error:
            yield self._failed(error, is_last=False)
        else:
            if result.status:
                yield self._failed(status_failure(self._target, result.status), is_last=False)
            else:
                yield self._done("answered with success", status="0000")
        yield from self._asked(session)

    def _asked(self, session: Session) -> Iterator[Step]:
        # before the clock starts: it is the peer's time that is told
        from pacs_cli.pipelines.find import Search, query_for_any

        self._begin("find")
        query = query_for_any(session)
        if query is None:
            words = "neither study root nor patient root is served to this AE title"
            yield self._ended(Outcome.NOT_SERVED, words)
            return
        search = Search(session, query, limit=1)
        try:
            for _ in search.run():
                pass
        except PacsError as error:
            # what ended the association ends nothing else: storage is tried over others
            yield self._failed(error, is_last=False)
            return
        count = sum(search.matches.values())
        model = query.model.value
        what = f"{query.level.lower()} ({model})"
        ended = ", then cancelled" if search.is_cancelled else ""
        words = f"found a {what}{ended}" if count else f"found no {what}"
        details = {"model": model, "matches": count, "cancelled": search.is_cancelled}
        if search.status is None:
            words = f"{words}; the query did not end after C-CANCEL, and with it the association"
            yield self._ended(Outcome.WARNING, words, **details)
        else:
            yield self._done(words, **details)

    def _probed(self) -> Iterator[Step]:
        from pacs_cli.pipelines.probe import each_storage_class, gathered, probe, typical_of

        offer = each_storage_class()
        self._begin("probe")
        classes = gathered(probe(self._target, offer, self._trace))
        accepted = [each.abstract_syntax for each in classes if each.transfer_syntaxes]
        typical = typical_of(accepted)
        syntaxes = gathered(probe(self._target, typical, self._trace)) if typical else []
        words = f"{len(accepted)} of {len(classes)} storage SOP classes accepted"
        details = {
            "storage": [
                {"sop_class_uid": each.abstract_syntax, "transfer_syntaxes": each.transfer_syntaxes}
                for each in syntaxes
            ],
            "accepted": accepted,
            "refused": [each.abstract_syntax for each in classes if not each.transfer_syntaxes],
        }
        outcome = Outcome.OK if accepted else Outcome.NOT_SERVED
        yield self._ended(outcome, words if accepted else f"{words}; it stores nothing", **details)

    def _begin(self, name: str) -> None:
        self._step, self._began = name, time.monotonic()

    def _done(self, words: str, **details: Any) -> Step:
        return self._ended(Outcome.OK, words, **details)

    def _ended(self, outcome: Outcome, words: str, **details: Any) -> Step:
        return Step(self._step, outcome, time.monotonic() - self._began, words, details)

    def _failed(self, error: PacsError, is_last: bool = True) -> Step:
        """Return the step that failed, with what another look at the peer tells of why."""
        seconds = time.monotonic() - self._began
        words = str(error)
        if self._step == "tls":
            words = tls_cure(self._target, words, self._now())
        elif self._step == "association" and _is_a_riddle(error):
            words = association_cure(self._target, words)
        return Step(self._step, Outcome.FAILED, seconds, words, {}, error.exit, is_last)


def _is_a_riddle(error: PacsError) -> bool:
    """Whether it may be no DICOM application that answered."""
    if isinstance(error, AssociationRejected):
        return False
    if isinstance(error, AssociationAborted):
        # an A-ABORT has a source
        return error.source is None
    return isinstance(error, PeerProtocolError | PeerTimeout | ConnectError)


def _place(address: Any) -> str:
    host, port, *_ = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
