"""Whether a requested association is let in, and what it may do.

What costs nothing is asked first: a user is checked only for a peer that may call at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pacs_cli.net.channel import Wakeup
from pacs_cli.net.tls_peer import TlsPeer
from pacs_cli.services.access import Caller, Grant, permitted
from pacs_cli.services.admission import NOT_ALLOWED
from pacs_cli.services.identity import NOT_AUTHENTICATED, IdentityRefused
from pacs_cli.services.query_scp import QueryRetrieve, answer_user_information
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.services.settings import Settings
from pacs_cli.wire.negotiation import answer_contexts
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest

#: Called AE title not recognised (PS3.8 table 9-21).
_NOT_US = (1, 1, 7)


class NotAdmitted(Exception):
    """An association is to be rejected; `denial` says why when somebody may not, not at all or
    not so. Empty when it is for something else.
    """

    def __init__(self, rejection: tuple[int, int, int], denial: str = "") -> None:
        super().__init__(denial)
        self.rejection = rejection
        self.denial = denial


@dataclass(frozen=True, slots=True)
class Admitted:
    """An association that may be accepted.

    about     with the user that was checked
    response  to its user identity; None for none (PS3.7 D.3.3.7.2)
    """

    about: AssociationInfo
    grant: Grant
    response: bytes | None = field(default=None, repr=False)


def admit(
    settings: Settings,
    request: AssociateRequest,
    about: AssociationInfo,
    tls: TlsPeer | None,
    stop: Wakeup,
) -> Admitted:
    """Return what a peer may do; raises NotAdmitted. It may wait, for a user to be checked."""
    titles = settings.called_ae_titles
    if titles and request.called_ae_title not in titles:
        raise NotAdmitted(_NOT_US)
    if not settings.allow.is_allowed(request.calling_ae_title, about.address):
        raise NotAdmitted(NOT_ALLOWED, "calling AE title and address are not among those allowed")
    identity = request.user_information.user_identity
    try:
        user = settings.identification.identify(identity, about, stop)
    except IdentityRefused as refused:
        is_denial = refused.rejection == NOT_AUTHENTICATED
        raise NotAdmitted(refused.rejection, refused.reason if is_denial else "") from None
    response = None
    if user is not None:
        about = replace(about, user=user.name)
        if identity is not None and identity.positive_response_requested:
            response = user.response
    caller = Caller(request.calling_ae_title, about.address, tls, about.user)
    grant = settings.access.grant(caller)
    if not grant.services:
        raise NotAdmitted(NOT_ALLOWED, f"the role {grant.role} has no service")
    return Admitted(about, grant, response)


def answer_to(
    request: AssociateRequest,
    admitted: Admitted,
    settings: Settings,
    queries: QueryRetrieve | None,
) -> tuple[AssociateAccept, list[str]]:
    """Return the answer that accepts, and the services that are served but refused to this peer."""
    grant, denied = admitted.grant, set[str]()
    policy = permitted(settings.policy, grant, request, queries is not None, denied)
    information = answer_user_information(
        request,
        settings.limits.max_pdu_length,
        queries,
        grant.allows("store"),
        grant.allows("get"),
    )
    answer = AssociateAccept(
        request.called_ae_title,
        request.calling_ae_title,
        answer_contexts(request, policy),
        replace(information, user_identity_response=admitted.response),
    )
    return answer, sorted(denied)
