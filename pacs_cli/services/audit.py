"""Audit messages: what a provider did, and for whom, as XML.

source  PS3.15 A.5.1 (schema), A.5.2 (conventions), A.5.3 (messages), PS3.16 CID 400, 401 and 403
"""

from __future__ import annotations

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pacs_cli.services.diagnosis import explain_rejection
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationInfo,
    AssociationRefused,
    Denied,
    ProviderEvent,
    Queried,
    Step,
    StudyTransferred,
)
from pacs_cli.wire.syslog import Severity

#: Associations whose alert is remembered, so that a rejection that is told twice is one alert.
_RECENT = 1024


class Code(NamedTuple):
    """One coded value; of DICOM's own codes unless told otherwise."""

    value: str
    meaning: str
    system: str = "DCM"


APPLICATION_ACTIVITY = Code("110100", "Application Activity")
BEGIN_TRANSFERRING = Code("110102", "Begin Transferring DICOM Instances")
INSTANCES_TRANSFERRED = Code("110104", "DICOM Instances Transferred")
QUERY = Code("110112", "Query")
SECURITY_ALERT = Code("110113", "Security Alert")

APPLICATION_START = Code("110120", "Application Start")
APPLICATION_STOP = Code("110121", "Application Stop")
NODE_AUTHENTICATION = Code("110126", "Node Authentication")
RESTRICTED_FUNCTION = Code("110132", "Use of Restricted Function")
RECORDING_STOPPED = Code("110133", "Audit Recording Stopped")

APPLICATION = Code("110150", "Application")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")

STUDY_INSTANCE_UID = Code("110180", "Study Instance UID")
SOP_CLASS_UID = Code("110181", "SOP Class UID")
NODE_ID = Code("110182", "Node ID")
PATIENT_NUMBER = Code("2", "Patient Number", "RFC-3881")

#: Nominal success, minor failure (what was wanted was prevented) and serious failure (it ended).
SUCCESS, MINOR, SERIOUS = "0", "4", "8"


class AuditMessage(NamedTuple):
    """One message; `time` is that of its event, in UTC."""

    time: str
    severity: Severity
    xml: str


@dataclass(frozen=True, slots=True)
class Application:
    """Who audits.

    name     of the program
    process  its number, as the logs of the system have it
    host     the name of this machine
    """

    name: str
    process: int
    host: str
    ae_title: str


class Participant(NamedTuple):
    """A person or a process that takes part (PS3.15 A.5.2, Active Participant)."""

    user_id: str
    is_requestor: bool
    role: Code | None = None
    ae_title: str = ""
    name: str = ""
    address: str = ""
    machine: str = ""


class Auditor:
    """Turns what happens into messages. Any thread may call it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._alerted: OrderedDict[int, None] = OrderedDict()

    def started(self, time: str) -> AuditMessage:
        """Say that the application serves from now on."""
        return self._activity(time, APPLICATION_START)

    def stopped(self, time: str, is_failure: bool) -> AuditMessage:
        """Say that it serves no more, since it was told to or could not go on."""
        return self._activity(time, APPLICATION_STOP, SERIOUS if is_failure else SUCCESS)

    def lost(self, time: str, count: int, reason: str) -> AuditMessage:
        """Say that messages before this one are missing."""
        words = f"{count} audit messages were lost: {reason}"
        subject = _subject(NODE_ID, self._application.host, "", words)
        return self._alert(time, RECORDING_STOPPED, SERIOUS, words, (), subject)

    def of(self, time: str, event: ProviderEvent) -> AuditMessage | None:
        """Return the message of an event, None for most of them."""
        if isinstance(event, StudyTransferred):
            return self._transferred(time, event)
        if isinstance(event, Queried):
            return self._queried(time, event)
        if isinstance(event, AssociationRefused):
            words = explain_rejection(event.result, event.source, event.reason)
            reason = f"association rejected: {words.partition(';')[0]}"
            return self._refused(time, event.association, NODE_AUTHENTICATION, reason)
        if isinstance(event, AssociationEnded) and event.how == "tls":
            return self._refused(time, event.association, NODE_AUTHENTICATION, event.error)
        if isinstance(event, Denied):
            if event.service == "association":
                return self._refused(time, event.association, NODE_AUTHENTICATION, event.reason)
            reason = f"{event.service} denied: {event.reason}"
            return self._denied(time, event.association, RESTRICTED_FUNCTION, reason)
        return None

    # -- the messages ------------------------------------------------------------------------

    def _activity(self, time: str, kind: Code, outcome: str = SUCCESS) -> AuditMessage:
        """PS3.15 A.5.3.1."""
        event = _event(APPLICATION_ACTIVITY, "E", time, outcome, kind)
        return self._message(time, outcome, event, [self._us(APPLICATION)])

    def _transferred(self, time: str, event: StudyTransferred) -> AuditMessage:
        """PS3.15 A.5.3.3 and A.5.3.7."""
        outcome = SERIOUS if event.error else SUCCESS
        is_begin = event.step is Step.BEGUN
        code = BEGIN_TRANSFERRING if is_begin else INSTANCES_TRANSFERRED
        head = _event(
            code, "E" if is_begin else event.action, time, outcome, description=event.error
        )
        who = event.association
        if event.step is Step.RECEIVED:
            ends = [*_them(who, SOURCE), self._us(DESTINATION)]
        elif event.receiver is None:
            ours, theirs = self._us(SOURCE), _them(who, DESTINATION)
            if event.is_ours:
                ours = ours._replace(is_requestor=True)
                theirs = (each._replace(is_requestor=False) for each in theirs)
            ends = [ours, *theirs]
        else:
            title, host = event.receiver.ae_title, event.receiver.host
            there = Participant(f"{title}@{host}", False, DESTINATION, title, address=host)
            ends = [self._us(SOURCE), there, *_them(who, None)]
        study, patient = _study(event), _patient(event.patient_id)
        return self._message(time, outcome, head, ends, study + patient)

    def _queried(self, time: str, event: Queried) -> AuditMessage:
        """PS3.15 A.5.3.10."""
        status = event.status
        # FE00 is the end that the one who asked wanted
        has_failed = status is None or status >> 12 in (0xA, 0xC) or 0 < status < 0x200
        outcome = SERIOUS if has_failed else SUCCESS
        words = ""
        if has_failed:
            words = "the peer has left" if status is None else f"answered with {status:04X}"
        head = _event(QUERY, "E", time, outcome, description=words)
        details = [_detail("TransferSyntax", event.transfer_syntax_uid.encode())]
        if event.size > len(event.identifier):
            details.append(_detail("Truncated", f"of {event.size} bytes".encode()))
        query = _object(
            ("2", "3"),
            SOP_CLASS_UID,
            event.sop_class_uid,
            f"<ParticipantObjectQuery>{_base64(event.identifier)}</ParticipantObjectQuery>",
            details,
        )
        ends = [*_them(event.association, SOURCE), self._us(DESTINATION)]
        return self._message(time, outcome, head, ends, query)

    def _refused(
        self, time: str, who: AssociationInfo, kind: Code, reason: str
    ) -> AuditMessage | None:
        if who.number in self._alerted:
            return None
        self._alerted[who.number] = None
        if len(self._alerted) > _RECENT:
            self._alerted.popitem(last=False)
        return self._denied(time, who, kind, reason)

    def _denied(self, time: str, who: AssociationInfo, kind: Code, reason: str) -> AuditMessage:
        them = [each._replace(is_requestor=False) for each in _them(who, None)]
        subject = _subject(NODE_ID, who.address, who.calling_ae_title, reason)
        return self._alert(time, kind, MINOR, reason, them, subject)

    def _alert(
        self,
        time: str,
        kind: Code,
        outcome: str,
        words: str,
        others: Iterable[Participant],
        subject: str,
    ) -> AuditMessage:
        """PS3.15 A.5.3.11."""
        head = _event(SECURITY_ALERT, "E", time, outcome, kind, words)
        return self._message(time, outcome, head, [self._us(None), *others], subject)

    def _message(
        self, time: str, outcome: str, event: str, who: Iterable[Participant], objects: str = ""
    ) -> AuditMessage:
        ours = self._application
        source = _attributes(AuditSourceID=f"{ours.ae_title}@{ours.host}")
        xml = (
            f"<AuditMessage>{event}{''.join(map(_participant, who))}"
            # an application server process (A.5.1.2.1)
            f'<AuditSourceIdentification{source}><AuditSourceTypeCode csd-code="4"/>'
            f"</AuditSourceIdentification>{objects}</AuditMessage>"
        )
        severity = Severity.NOTICE if outcome == SUCCESS else Severity.WARNING
        return AuditMessage(time, severity, xml)

    def _us(self, role: Code | None) -> Participant:
        ours = self._application
        process = str(ours.process)
        return Participant(process, False, role, ours.ae_title, ours.name, machine=ours.host)


# -- the parts of a message ------------------------------------------------------------------


def _them(who: AssociationInfo, role: Code | None) -> Iterator[Participant]:
    """Yield the process at the other end as our logs call it, and the person who uses it."""
    yield Participant(
        f"{who.calling_ae_title}@{who.address}",
        not who.user,
        role,
        who.calling_ae_title,
        who.tls_subject,
        who.address,
    )
    if who.user:
        yield Participant(who.user, True, address=who.address)


def _participant(who: Participant) -> str:
    point = who.address or who.machine
    kind = "2" if _is_address(point) else "1"
    attributes = _attributes(
        UserID=who.user_id,
        AlternativeUserID=who.ae_title and f"AETITLES={who.ae_title}",
        UserName=who.name,
        UserIsRequestor="true" if who.is_requestor else "false",
        NetworkAccessPointID=point,
        NetworkAccessPointTypeCode=point and kind,
    )
    role = "" if who.role is None else _coded("RoleIDCode", who.role)
    return f"<ActiveParticipant{attributes}>{role}</ActiveParticipant>"


def _is_address(text: str) -> bool:
    """Whether it is an IP address, and no name of a machine."""
    return ":" in text or text.replace(".", "").isdigit()


def _event(
    code: Code,
    action: str,
    time: str,
    outcome: str,
    kind: Code | None = None,
    description: str = "",
) -> str:
    attributes = _attributes(
        EventActionCode=action, EventDateTime=time, EventOutcomeIndicator=outcome
    )
    types = "" if kind is None else _coded("EventTypeCode", kind)
    words = _element("EventOutcomeDescription", description) if description else ""
    return (
        f"<EventIdentification{attributes}>{_coded('EventID', code)}{types}{words}"
        "</EventIdentification>"
    )


def _study(event: StudyTransferred) -> str:
    classes = "".join(
        f"<SOPClass{_attributes(UID=uid, NumberOfInstances=str(count))}/>"
        for uid, count in event.instances
    )
    described = f"<ParticipantObjectDescription>{classes}</ParticipantObjectDescription>"
    return _object(("2", "3"), STUDY_INSTANCE_UID, event.study_instance_uid, _NO_NAME, [described])


def _patient(patient_id: str) -> str:
    # the name may stand there as well: the number is enough to find out who it was
    return _object(("1", "1"), PATIENT_NUMBER, patient_id, _NO_NAME, [])


def _subject(kind: Code, node: str, name: str, words: str) -> str:
    about = _detail("Alert Description", words.encode("utf-8", "replace"))
    return _object(("2", "13"), kind, node, _element("ParticipantObjectName", name), [about])


#: The schema wants one, the tables of A.5.3 do not say what it is to be.
_NO_NAME = "<ParticipantObjectName/>"


def _object(
    kind: tuple[str, str], code: Code, number: str, name: str, details: Iterable[str]
) -> str:
    type_code, role = kind
    attributes = _attributes(
        ParticipantObjectTypeCode=type_code, ParticipantObjectTypeCodeRole=role
    )
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{_escaped(number)}"{attributes}>'
        f"{_coded('ParticipantObjectIDTypeCode', code)}{name}{''.join(details)}"
        "</ParticipantObjectIdentification>"
    )


def _detail(kind: str, value: bytes) -> str:
    attributes = _attributes(type=kind)
    return f'<ParticipantObjectDetail{attributes} value="{_base64(value)}"/>'


def _coded(name: str, code: Code) -> str:
    attributes = _attributes(
        codeSystemName=code.system, displayName=code.meaning, originalText=code.meaning
    )
    return f'<{name} csd-code="{code.value}"{attributes}/>'


def _element(name: str, text: str) -> str:
    return f"<{name}>{_escaped(text)}</{name}>"


def _attributes(**values: str) -> str:
    """Return those that are not empty."""
    return "".join(f' {name}="{_escaped(value)}"' for name, value in values.items() if value)


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def _escaped(text: str) -> str:
    """Return text as XML has it, in one line; a character that XML forbids becomes U+FFFD."""
    if text.isprintable() and not any(character in text for character in _NAMED):
        return text
    return "".join(_NAMED.get(each) or (each if _is_allowed(each) else "\ufffd") for each in text)


def _is_allowed(character: str) -> bool:
    """Whether it may stand in a line of XML 1.0 (section 2.2); no control, no line separator."""
    number = ord(character)
    if number < 0x20 or 0x7F <= number < 0xA0 or number in (0x2028, 0x2029):
        return False
    return not 0xD800 <= number < 0xE000 and number not in (0xFFFE, 0xFFFF)
