"""Query/retrieve as SCP: what is negotiated for it, and C-FIND.

source  PS3.4 C.4.1 and C.5, PS3.7 9.1.2
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from pacs_cli import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_cli.errors import OutputError
from pacs_cli.net.target import Target
from pacs_cli.services.commitment import PUSH_MODEL
from pacs_cli.services.conversation import Conversation
from pacs_cli.services.serving import (
    Found,
    Library,
    QueryRefused,
    QueryRequest,
    StudyTransferred,
)
from pacs_cli.wire.command import CommandField, Value
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION_SOP_CLASS,
    Policy,
    taken_beside,
)
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest
from pacs_cli.wire.userinfo import (
    AsynchronousOperationsWindow,
    ExtendedNegotiation,
    RoleSelection,
    UserInformation,
)

#: SOP class -> its one operation (PS3.4 C.6): patient root, study root, patient/study only.
OPERATIONS = {
    f"1.2.840.10008.5.1.4.1.2.{root}.{number}": operation
    for root in (1, 2, 3)
    for number, operation in (
        (1, CommandField.C_FIND_RQ),
        (2, CommandField.C_MOVE_RQ),
        (3, CommandField.C_GET_RQ),
    )
}
_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2")

SUCCESS, CANCELLED = 0x0000, 0xFE00
OUT_OF_RESOURCES = 0xA700
UNABLE_TO_PROCESS = 0xC000

#: Bytes of an identifier: of a query some hundred, with a list of ten thousand UIDs 640 KB.
MAX_IDENTIFIER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class QueryRetrieve:
    """How a provider answers C-FIND, C-MOVE and C-GET.

    library       knows what is held
    destinations  AE title -> where a C-MOVE may send to; nowhere else
    tell          told what is going to be sent and what was, by study; None when nobody asks
    """

    library: Library
    destinations: Mapping[str, Target] = field(default_factory=dict)
    tell: Callable[[StudyTransferred], None] | None = None


class Identifier:
    """Collects one identifier, within bounds; stands where a sink does."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_too_long = False

    def write(self, views: Sequence[memoryview]) -> None:
        """Take the next bytes; what is too long is dropped and refused in the end."""
        for view in views:
            if len(self.data) + len(view) > MAX_IDENTIFIER:
                self.is_too_long = True
                self.data.clear()
            if not self.is_too_long:
                self.data += view

    def discard(self) -> None:
        """Nothing was kept."""


def with_queries(policy: Policy) -> Policy:
    """Return a policy that accepts query/retrieve too."""
    return taken_beside(policy, frozenset(OPERATIONS), _SYNTAXES)


def answer_roles(
    request: AssociateRequest, has_queries: bool, may_store: bool = True
) -> tuple[RoleSelection, ...]:
    """Accept that the requestor stores, which is how a C-GET sends to it (PS3.7 D.3.3.4), and that
    it reports what it has committed, of which it is the SCP too (PS3.4 J.3.3).

    has_queries  whether it may be sent objects
    may_store    whether it may send them
    """
    return tuple(
        RoleSelection(
            role.sop_class_uid,
            role.scu_role and (may_store or not _may_be_stored(role.sop_class_uid)),
            role.scp_role
            and (
                role.sop_class_uid == PUSH_MODEL
                or (has_queries and _may_be_stored(role.sop_class_uid))
            ),
        )
        for role in request.user_information.role_selections
    )


def answer_extended(
    request: AssociateRequest, queries: QueryRetrieve
) -> tuple[ExtendedNegotiation, ...]:
    """Answer what is asked about query/retrieve; all else stays unanswered, which refuses it."""
    return tuple(
        ExtendedNegotiation(
            asked.sop_class_uid,
            queries.library.negotiate(asked.sop_class_uid, asked.application_information),
        )
        for asked in request.user_information.extended_negotiations
        if asked.sop_class_uid in OPERATIONS
    )


def answer_user_information(
    request: AssociateRequest,
    maximum_length: int,
    queries: QueryRetrieve | None,
    may_store: bool = True,
    may_get: bool = True,
) -> UserInformation:
    """Answer what the request negotiates besides contexts and the user (PS3.7 D.3.3).

    One operation at a time; extended negotiation of anything but query/retrieve is not answered,
    which is its refusal.
    """
    asked = request.user_information
    window = AsynchronousOperationsWindow() if asked.asynchronous_operations_window else None
    return UserInformation(
        maximum_length,
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
        window,
        answer_roles(request, queries is not None and may_get, may_store),
        () if queries is None else answer_extended(request, queries),
    )


def negotiated_for(answer: AssociateAccept | None, sop_class_uid: str) -> bytes:
    """Return the application information that was answered for a SOP class."""
    assert answer is not None
    extended = answer.user_information.extended_negotiations
    found = (each for each in extended if each.sop_class_uid == sop_class_uid)
    return next((each.application_information for each in found), b"")


def answer_find(conversation: Conversation, library: Library, request: QueryRequest) -> Found:
    """Answer a C-FIND to its end; return what became of it."""
    began, matches, level = time.monotonic(), 0, ""
    status, comment, elements = SUCCESS, "", dict[str, Value]()
    try:
        answers = library.find(request, conversation.is_over)
        level = answers.level
        # not left to the collector: a failure keeps the frame, which would keep the connection
        with closing(answers.identifiers) as identifiers:
            for identifier in identifiers:
                if conversation.is_over():
                    break
                conversation.queue(answers.status, identifier)
                matches += 1
    except (QueryRefused, OutputError) as error:
        status, comment, elements = failure_of(error)
    conversation.check()
    if conversation.is_cancelled:
        status = CANCELLED
    elif status == SUCCESS and conversation.is_over():
        status, comment = OUT_OF_RESOURCES, "shutting down"
        elements = {"ErrorComment": comment}
    conversation.respond(status, elements)
    return Found(request.association, level, status, comment, matches, time.monotonic() - began)


def failure_of(
    error: QueryRefused | OutputError, unreadable: int = UNABLE_TO_PROCESS
) -> tuple[int, str, dict[str, Value]]:
    """Return status, comment and elements of the response that tells of a failure.

    unreadable  the status when the index cannot be read
    """
    if isinstance(error, OutputError):
        comment = "the index cannot be read"
        return unreadable, comment, {"ErrorComment": comment}
    elements: dict[str, Value] = {"ErrorComment": error.comment[:64]}
    if error.offending_elements:
        elements["OffendingElement"] = error.offending_elements
    return error.status, error.comment, elements


def _may_be_stored(sop_class_uid: str) -> bool:
    others = (VERIFICATION_SOP_CLASS, PUSH_MODEL)
    return sop_class_uid not in OPERATIONS and sop_class_uid not in others
