"""Presentation contexts and roles, with pynetdicom's negotiation as the oracle."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import pytest
from pydicom.uid import UID
from pynetdicom.presentation import (
    PresentationContext,
    build_context,
    negotiate_as_acceptor,
    negotiate_as_requestor,
)

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.negotiation import (
    Context,
    Policy,
    Proposal,
    Result,
    answer_contexts,
    batches,
    negotiated,
    number_contexts,
    prefer_in_order,
)
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest, ContextResult, ProposedContext
from pacs_cli.wire.userinfo import RoleSelection, UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
US = "1.2.840.10008.5.1.4.1.1.6.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"


def request_for(*proposals: Proposal, roles: tuple[RoleSelection, ...] = ()) -> AssociateRequest:
    information = UserInformation(role_selections=roles)
    return AssociateRequest("SCP", "SCU", number_contexts(proposals), information)


def answer_with(*contexts: ContextResult, roles: tuple[RoleSelection, ...] = ()) -> AssociateAccept:
    return AssociateAccept("SCP", "SCU", contexts, UserInformation(role_selections=roles))


def proposals(count: int) -> list[Proposal]:
    return [Proposal(f"1.2.{number}", (IMPLICIT,)) for number in range(count)]


# -- numbers and batches -------------------------------------------------------------------------


def test_contexts_are_numbered_odd_from_1() -> None:
    assert number_contexts([Proposal(CT, (EXPLICIT, IMPLICIT)), Proposal(CT, (JPEG,))]) == (
        ProposedContext(1, CT, (EXPLICIT, IMPLICIT)),
        ProposedContext(3, CT, (JPEG,)),
    )


def test_128_contexts_fit_and_no_more() -> None:
    assert [context.id for context in number_contexts(proposals(128))] == list(range(1, 256, 2))
    for count in (0, 129):
        with pytest.raises(LocalProtocolError):
            number_contexts(proposals(count))


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (128, [128]), (129, [128, 1]), (300, [128, 128, 44])],
)
def test_batches_fit_associations_and_keep_the_order(count: int, sizes: list[int]) -> None:
    groups = list(batches(iter(proposals(count))))
    assert [len(group) for group in groups] == sizes
    assert [each for group in groups for each in group] == proposals(count)


# -- answering -----------------------------------------------------------------------------------


def results(policy: Policy, *asked: Proposal) -> list[tuple[int, str]]:
    answers = answer_contexts(request_for(*asked), policy)
    assert [each.id for each in answers] == list(range(1, 2 * len(asked), 2))
    return [(each.result, each.transfer_syntax) for each in answers]


def test_order_of_the_requestor_decides() -> None:
    policy = prefer_in_order(None, [IMPLICIT, EXPLICIT])
    asked = Proposal(CT, (JPEG, EXPLICIT, IMPLICIT))
    assert results(policy, asked) == [(Result.ACCEPTANCE, EXPLICIT)]


def test_everything_is_served_without_a_list() -> None:
    policy = prefer_in_order(None, [IMPLICIT])
    asked = Proposal("1.2.3.4", (IMPLICIT,))
    assert results(policy, asked) == [(Result.ACCEPTANCE, IMPLICIT)]


def test_each_context_gets_its_own_result() -> None:
    policy = prefer_in_order(frozenset((CT,)), [IMPLICIT])
    assert results(
        policy,
        Proposal(MR, (IMPLICIT,)),
        Proposal(CT, (JPEG, EXPLICIT)),
        Proposal(CT, (JPEG, IMPLICIT)),
    ) == [
        (Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, IMPLICIT),
        (Result.TRANSFER_SYNTAXES_NOT_SUPPORTED, JPEG),
        (Result.ACCEPTANCE, IMPLICIT),
    ]


def test_policy_may_refuse_as_the_user() -> None:
    def nobody(_: ProposedContext) -> Result:
        return Result.USER_REJECTION

    assert results(nobody, Proposal(CT, (IMPLICIT,))) == [(Result.USER_REJECTION, IMPLICIT)]


# -- what came of it -----------------------------------------------------------------------------

REQUEST = request_for(
    Proposal(CT, (EXPLICIT, IMPLICIT)), Proposal(MR, (IMPLICIT,)), Proposal(US, (IMPLICIT,))
)


def test_negotiated_has_every_proposal() -> None:
    answer = answer_with(ContextResult(3, 3), ContextResult(1, 0, IMPLICIT))
    assert negotiated(REQUEST, answer) == {
        1: Context(1, CT, (EXPLICIT, IMPLICIT), Result.ACCEPTANCE, IMPLICIT),
        3: Context(3, MR, (IMPLICIT,), Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, ""),
        5: Context(5, US, (IMPLICIT,), Result.NO_REASON, ""),
    }


def test_only_result_0_is_accepted() -> None:
    for result in range(256):
        contexts = negotiated(REQUEST, answer_with(ContextResult(1, result, EXPLICIT)))
        assert contexts[1].is_accepted == (result == 0)
        assert contexts[1].transfer_syntax == ("" if result else EXPLICIT)
        assert contexts[1].result == result


@pytest.mark.parametrize("transfer", [JPEG, "", "1.2"])
def test_transfer_syntax_that_was_not_offered_is_the_peers_fault(transfer: str) -> None:
    with pytest.raises(PeerProtocolError, match="not offered"):
        negotiated(REQUEST, answer_with(ContextResult(3, 0, transfer)))


@pytest.mark.parametrize("result", [0, 3])
def test_context_that_was_not_proposed_is_the_peers_fault(result: int) -> None:
    with pytest.raises(PeerProtocolError, match="never proposed"):
        negotiated(REQUEST, answer_with(ContextResult(7, result, IMPLICIT)))


# -- against pynetdicom --------------------------------------------------------------------------


def test_result_is_that_of_pynetdicoms_acceptor() -> None:
    chance = random.Random(7)
    syntaxes = [IMPLICIT, EXPLICIT, DEFLATED, JPEG]
    for _ in range(100):
        asked = [
            Proposal(
                chance.choice((CT, MR, US)), tuple(chance.sample(syntaxes, chance.randint(1, 4)))
            )
            for _ in range(chance.randint(1, 8))
        ]
        # their acceptor prefers by its own order, so with one syntax there is one choice
        (served,) = chance.sample(syntaxes, 1)
        request = request_for(*asked)
        ours = answer_contexts(request, prefer_in_order(frozenset((CT, MR)), [served]))
        theirs, _roles = negotiate_as_acceptor(
            [as_theirs(context) for context in request.contexts],
            [build_context(CT, served), build_context(MR, served)],
        )
        assert [(each.id, each.result, each.transfer_syntax) for each in ours] == [
            (each.context_id, each.result, each.transfer_syntax[0]) for each in theirs
        ]


def as_theirs(context: ProposedContext) -> PresentationContext:
    theirs = build_context(context.abstract_syntax, list(context.transfer_syntaxes))
    theirs.context_id = context.id
    return theirs


Roles = tuple[bool, bool] | None
CHOICES: list[Roles] = [None, *product((False, True), repeat=2)]  # type: ignore[list-item]


def selection(roles: Roles) -> tuple[RoleSelection, ...]:
    return () if roles is None else (RoleSelection(CT, *roles),)


@pytest.mark.parametrize("answered", CHOICES)
@pytest.mark.parametrize("proposed", CHOICES)
def test_roles_are_those_of_pynetdicoms_requestor(proposed: Roles, answered: Roles) -> None:
    request = request_for(Proposal(CT, (IMPLICIT,)), roles=selection(proposed))
    answer = answer_with(ContextResult(1, 0, IMPLICIT), roles=selection(answered))
    ours = negotiated(request, answer)[1]

    (context,) = (as_theirs(each) for each in request.contexts)
    if proposed is not None:
        context.scu_role, context.scp_role = proposed
    accepted = build_context(CT, IMPLICIT)
    accepted.context_id, accepted.result = 1, 0
    roles: dict[UID, tuple[bool | None, bool | None]] = {UID(CT): answered} if answered else {}
    theirs = negotiate_as_requestor([context], [accepted], roles)[0]
    if proposed == (False, False) and answered is not None:
        # no role at all is what was asked for; they fall back to the default
        assert (ours.requestor_is_scu, ours.requestor_is_scp) == (False, False)
        return
    assert (ours.requestor_is_scu, ours.requestor_is_scp) == (theirs.as_scu, theirs.as_scp)


def test_roles_count_for_every_context_of_their_class_and_no_other() -> None:
    request = request_for(
        Proposal(CT, (IMPLICIT,)),
        Proposal(MR, (IMPLICIT,)),
        Proposal(CT, (EXPLICIT,)),
        roles=(RoleSelection(CT, scu_role=False, scp_role=True),),
    )
    everything = answer_contexts(request, prefer_in_order(None, [IMPLICIT, EXPLICIT]))
    contexts = negotiated(
        request, answer_with(*everything, roles=request.user_information.role_selections)
    )
    assert {
        number: (each.requestor_is_scu, each.requestor_is_scp) for number, each in contexts.items()
    } == {1: (False, True), 3: (True, False), 5: (False, True)}


def test_both_ends_compute_the_same() -> None:
    answer = answer_with(ContextResult(1, 0, EXPLICIT), ContextResult(3, 4, IMPLICIT))
    # what the requestor decodes has no transfer syntax where it was refused
    heard = replace(answer, contexts=(ContextResult(1, 0, EXPLICIT), ContextResult(3, 4)))
    assert negotiated(REQUEST, answer) == negotiated(REQUEST, heard)
