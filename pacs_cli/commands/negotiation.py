"""What `-v` and `-d` show of an association: the negotiation table, both PDUs, every command."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_context
from pacs_cli.services.scu import Session
from pacs_cli.wire.command import Command
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest
from pacs_cli.wire.userinfo import IdentityType, UserIdentity, UserInformation

_COLUMNS = ("id", "abstract syntax", "transfer syntax", "result")


class Display:
    """Shows the associations of one command on its report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        #: what a Session is given: None unless every command set is to be shown
        self.trace = self._traced if report.is_debugging else None
        self._has_warned = False

    def opened(self, session: Session) -> None:
        """Show what was negotiated: a table with -v, both association PDUs with -d."""
        self._warn_of_passcode(session)
        if self._report.is_debugging:
            for title, pdu in (("->", session.request), ("<-", session.answer)):
                for line in _pdu_lines(pdu):
                    self._report.debug(f"{title} {line}")
        if self._report.is_verbose:
            self._report.table(
                f"negotiated with {session.target}", _COLUMNS, _rows(session), to_stderr=True
            )

    def _warn_of_passcode(self, session: Session) -> None:
        """Say once that a passcode went out for everybody to read (PS3.7 D.3.3.7, note 2)."""
        target = session.target
        if target.user is None or target.tls is not None or self._has_warned:
            return
        is_secret = target.user.type != IdentityType.USER_NAME
        if is_secret and not target.is_here:
            self._has_warned = True
            self._report.warning(
                f"who we are went to {target} in the clear, for everybody to read; add --tls"
            )

    def _traced(self, direction: str, context_id: int, command: Command) -> None:
        """Show one command set."""
        values = ", ".join(
            f"{name}={_value(name, value)}" for name, value in command.elements.items()
        )
        self._report.debug(f"{direction} {command.name} context {context_id}: {values}")


def _rows(session: Session) -> list[tuple[str, str, str, str]]:
    from pacs_cli.dicom.registry import uid_name

    return [
        (
            str(context.id),
            uid_name(context.abstract_syntax),
            ", ".join(map(uid_name, context.proposed))
            if not context.is_accepted
            else uid_name(context.transfer_syntax),
            explain_context(context.result),
        )
        for context in session.contexts.values()
    ]


def _value(keyword: str, value: object) -> str:
    if isinstance(value, tuple):
        return "\\".join(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in value)
    return f"{value:04X}H" if keyword == "Status" else str(value)


def _pdu_lines(pdu: AssociateRequest | AssociateAccept) -> Iterator[str]:
    if isinstance(pdu, AssociateRequest):
        yield "A-ASSOCIATE-RQ"
        yield f"  calling AE title {pdu.calling_ae_title}, called AE title {pdu.called_ae_title}"
        for context in pdu.contexts:
            syntaxes = ", ".join(context.transfer_syntaxes)
            yield f"  context {context.id}: {context.abstract_syntax}, {syntaxes}"
    else:
        yield "A-ASSOCIATE-AC"
        for result in pdu.contexts:
            words = explain_context(result.result)
            yield f"  context {result.id}: {words} {result.transfer_syntax}".rstrip()
    yield f"  application context {pdu.application_context_name}"
    yield from _user_information_lines(pdu.user_information)


def _user_information_lines(info: UserInformation) -> Iterator[str]:
    yield f"  maximum length {info.maximum_length or 'unlimited'}"
    yield (
        f"  implementation class UID {info.implementation_class_uid}, "
        f"version name {info.implementation_version_name}"
    )
    if (window := info.asynchronous_operations_window) is not None:
        yield f"  asynchronous operations window {window.invoked}, {window.performed}"
    for role in info.role_selections:
        yield f"  role of {role.sop_class_uid}: SCU {role.scu_role}, SCP {role.scp_role}"
    for extended in info.extended_negotiations:
        size = len(extended.application_information)
        yield f"  extended negotiation of {extended.sop_class_uid}, {size} bytes"
    if (identity := info.user_identity) is not None:
        # never a passcode or a token: those are secrets
        asked = ", positive response requested" if identity.positive_response_requested else ""
        yield f"  user identity {_identity_words(identity)}{asked}"
    if (response := info.user_identity_response) is not None:
        yield f"  user identity accepted, server response of {len(response)} bytes"


def _identity_words(identity: UserIdentity) -> str:
    kind = {
        IdentityType.USER_NAME: "user name",
        IdentityType.USER_NAME_AND_PASSCODE: "user name and passcode",
        IdentityType.KERBEROS: "Kerberos ticket",
        IdentityType.SAML: "SAML assertion",
        IdentityType.JWT: "JSON Web Token",
    }[IdentityType(identity.type)]
    return f"{identity.type}, {kind}" + (f" of {identity.name}" if identity.name else "")
