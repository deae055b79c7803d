"""Presentation contexts and roles: what to offer, what to answer, what came of it.

source  PS3.8 9.3.2 and 9.3.3, PS3.7 D.3.3.4
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.pdu import (
    MAX_CONTEXTS,
    AssociateAccept,
    AssociateRequest,
    ContextResult,
    ProposedContext,
)

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
VERIFICATION_SOP_CLASS = "1.2.840.10008.1.1"


class Result(IntEnum):
    """Result/reason of a presentation context (PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class Context:
    """One negotiated presentation context, seen from either end.

    result           Result, or the number the peer sent
    transfer_syntax  the one in use; empty unless accepted
    requestor_is_scu, requestor_is_scp  the roles the requestor of the association plays
    """

    id: int
    abstract_syntax: str
    proposed: tuple[str, ...]
    result: int
    transfer_syntax: str
    requestor_is_scu: bool = True
    requestor_is_scp: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether messages may use it."""
        return self.result == Result.ACCEPTANCE


@dataclass(frozen=True, slots=True)
class Proposal:
    """One abstract syntax and the transfer syntaxes offered for it, in order of preference."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


#: Chooses one of the offered transfer syntaxes, or says with a Result why none.
Policy = Callable[[ProposedContext], str | Result]


def number_contexts(proposals: Sequence[Proposal]) -> tuple[ProposedContext, ...]:
    """Give each proposal its odd context id (PS3.8 9.3.2.2); at most 128 fit."""
    if not 0 < len(proposals) <= MAX_CONTEXTS:
        raise LocalProtocolError(f"{len(proposals)} presentation contexts; 1 to 128 fit")
    return tuple(
        ProposedContext(2 * position + 1, proposal.abstract_syntax, proposal.transfer_syntaxes)
        for position, proposal in enumerate(proposals)
    )


def batches(proposals: Iterable[Proposal]) -> Iterator[tuple[Proposal, ...]]:
    """Yield the proposals in association-sized groups of at most 128."""
    group: list[Proposal] = []
    for proposal in proposals:
        group.append(proposal)
        if len(group) == MAX_CONTEXTS:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def prefer_in_order(
    abstract_syntaxes: frozenset[str] | None, transfer_syntaxes: Sequence[str]
) -> Policy:
    """Return the policy of an acceptor that takes the first of the peer's syntaxes it knows.

    abstract_syntaxes  what is served, None for everything
    transfer_syntaxes  what is taken. The requestor's order decides (PS3.8 9.3.2.2 leaves the
                       choice to the acceptor): its first is the form the object is stored in.
    """
    known = frozenset(transfer_syntaxes)

    def choose(context: ProposedContext) -> str | Result:
        if abstract_syntaxes is not None and context.abstract_syntax not in abstract_syntaxes:
            return Result.ABSTRACT_SYNTAX_NOT_SUPPORTED
        for uid in context.transfer_syntaxes:
            if uid in known:
                return uid
        return Result.TRANSFER_SYNTAXES_NOT_SUPPORTED

    return choose


def taken_beside(
    policy: Policy, abstract_syntaxes: frozenset[str], transfer_syntaxes: Sequence[str]
) -> Policy:
    """Return a policy that takes these abstract syntaxes too, in the first syntax it knows."""
    others = prefer_in_order(abstract_syntaxes, transfer_syntaxes)

    def choose(context: ProposedContext) -> str | Result:
        return (others if context.abstract_syntax in abstract_syntaxes else policy)(context)

    return choose


def answer_contexts(request: AssociateRequest, policy: Policy) -> tuple[ContextResult, ...]:
    """Return the result of every proposed context under `policy`."""
    results = []
    for context in request.contexts:
        choice = policy(context)
        if isinstance(choice, Result):
            results.append(ContextResult(context.id, choice, context.transfer_syntaxes[0]))
        else:
            results.append(ContextResult(context.id, Result.ACCEPTANCE, choice))
    return tuple(results)


def negotiated(request: AssociateRequest, answer: AssociateAccept) -> dict[int, Context]:
    """Return every proposed context, by id, with what the answer made of it.

    A context the answer leaves out is refused without a reason. Both ends compute the same.

    raises  PeerProtocolError when the answer accepts a transfer syntax that was not offered or
            a context that was not proposed
    """
    results = {result.id: result for result in answer.contexts}
    roles = _roles(request, answer)
    contexts: dict[int, Context] = {}
    for proposal in request.contexts:
        result = results.pop(proposal.id, ContextResult(proposal.id, Result.NO_REASON))
        accepted = result.result == Result.ACCEPTANCE
        if accepted and result.transfer_syntax not in proposal.transfer_syntaxes:
            raise PeerProtocolError(
                f"presentation context {proposal.id} accepted with a transfer syntax not offered"
            )
        contexts[proposal.id] = Context(
            proposal.id,
            proposal.abstract_syntax,
            proposal.transfer_syntaxes,
            result.result,
            result.transfer_syntax if accepted else "",
            *roles.get(proposal.abstract_syntax, (True, False)),
        )
    if results:
        raise PeerProtocolError(f"presentation context {min(results)} was never proposed")
    return contexts


def _roles(request: AssociateRequest, answer: AssociateAccept) -> dict[str, tuple[bool, bool]]:
    """SOP class -> (requestor is SCU, requestor is SCP) where roles were proposed and answered.

    An answer to what was not proposed counts for nothing: the default roles stay.
    """
    answered = {role.sop_class_uid: role for role in answer.user_information.role_selections}
    return {
        asked.sop_class_uid: (
            asked.scu_role and answered[asked.sop_class_uid].scu_role,
            asked.scp_role and answered[asked.sop_class_uid].scp_role,
        )
        for asked in request.user_information.role_selections
        if asked.sop_class_uid in answered
    }
