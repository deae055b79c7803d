"""Who may do what: the rules without a socket, and every role with every service over real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pacs_cli.errors import AssociationRejected
from pacs_cli.net.tls import TlsClient, TlsServer
from pacs_cli.net.tls_peer import TlsPeer, tls_peer
from pacs_cli.services.access import (
    BUILT_IN_ROLES,
    EVERYTHING,
    SERVICES,
    Access,
    AccessRule,
    Caller,
    service_of,
)
from pacs_cli.services.admission import parse_allow, parse_networks
from pacs_cli.services.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, Commitment
from pacs_cli.services.identity import Identification, Identified, IdentityRefused
from pacs_cli.services.query_scp import QueryRetrieve
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import (
    AssociationOpened,
    AssociationRefused,
    Denied,
    FindAnswers,
    QueryRefused,
)
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import Proposal, Result, number_contexts
from pacs_cli.wire.pdu import RELEASE_RQ, AssociateRequest, decode_associate_ac
from pacs_cli.wire.userinfo import IdentityType, RoleSelection, UserIdentity, UserInformation
from tests.pki import Pki
from tests.services.raw import command, connected, data, read_pdu
from tests.support import CT, EXPLICIT, MR, VERIFICATION, MemoryHandler, Running, running_provider

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"

#: Service -> the class of its presentation context.
CLASSES = {
    "echo": VERIFICATION,
    "store": CT,
    "find": FIND,
    "move": MOVE,
    "get": GET,
    "commit": PUSH_MODEL,
}
OFFER = tuple(Proposal(uid, (EXPLICIT,)) for uid in CLASSES.values())
CONTEXTS = dict(zip(CLASSES, range(1, 12, 2), strict=True))
NOT_AUTHORIZED = 0x0124


# -- the rules -----------------------------------------------------------------------------------


def grant(caller: Caller, *rules: AccessRule, default: str = "deny") -> str:
    return Access(rules, default=default).grant(caller).role


TLS = TlsPeer("CN=Doe,O=Ward", ("Doe", "ward@pacs.example"), ("ws1.pacs.example",))


@pytest.mark.parametrize(
    ("rule", "caller", "is_matching"),
    [
        # AE titles
        ({"ae_titles": ("CT1",)}, Caller("CT1", "::1"), True),
        ({"ae_titles": ("CT1",)}, Caller(" CT1 ", "::1"), True),
        ({"ae_titles": ("CT1",)}, Caller("ct1", "::1"), False),
        ({"ae_titles": ("CT1",)}, Caller("CT11", "::1"), False),
        ({"ae_titles": ("CT*",)}, Caller("CT", "::1"), True),
        ({"ae_titles": ("CT*",)}, Caller("CT12", "::1"), True),
        ({"ae_titles": ("CT*",)}, Caller("MCT1", "::1"), False),
        ({"ae_titles": ("*_CT",)}, Caller("WARD_CT", "::1"), True),
        ({"ae_titles": ("C*T",)}, Caller("CAT", "::1"), True),
        ({"ae_titles": ("C.T",)}, Caller("CAT", "::1"), False),
        ({"ae_titles": ("[CT]",)}, Caller("C", "::1"), False),
        ({"ae_titles": ("C?",)}, Caller("CT", "::1"), False),
        ({"ae_titles": ("MR1", "CT1")}, Caller("CT1", "::1"), True),
        # addresses
        ({"address": "10.0.5.0/24"}, Caller("A", "10.0.5.255"), True),
        ({"address": "10.0.5.0/24"}, Caller("A", "10.0.6.0"), False),
        ({"address": "10.0.5.7"}, Caller("A", "::ffff:10.0.5.7"), True),
        ({"address": "fd00::/8"}, Caller("A", "fd12::1"), True),
        ({"address": "fd00::/8"}, Caller("A", "fe80::1"), False),
        ({"address": "::1"}, Caller("A", "::1"), True),
        ({"address": "::/0"}, Caller("A", "10.0.0.1"), False),
        ({"address": "0.0.0.0/0"}, Caller("A", "no address"), False),
        # certificates
        ({"tls": ("Doe",)}, Caller("A", "::1", TLS), True),
        ({"tls": ("doe",)}, Caller("A", "::1", TLS), False),
        ({"tls": ("ws1.pacs.example",)}, Caller("A", "::1", TLS), True),
        ({"tls": ("WS1.PACS.example",)}, Caller("A", "::1", TLS), True),
        ({"tls": ("*.pacs.example",)}, Caller("A", "::1", TLS), True),
        ({"tls": ("ward@pacs.example",)}, Caller("A", "::1", TLS), True),
        ({"tls": ("pacs.example",)}, Caller("A", "::1", TLS), False),
        # the organization is no name of a peer
        ({"tls": ("Ward",)}, Caller("A", "::1", TLS), False),
        ({"tls": ("*",)}, Caller("A", "::1", None), False),
        # users
        ({"users": ("doe",)}, Caller("A", "::1", None, "doe"), True),
        ({"users": ("doe",)}, Caller("A", "::1", None, "Doe"), False),
        ({"users": ("*@ward",)}, Caller("A", "::1", None, "doe@ward"), True),
        ({"users": ("*",)}, Caller("A", "::1", None, "doe"), True),
        ({"users": ("*",)}, Caller("A", "::1", None, ""), False),
        # all conditions have to hold
        ({"ae_titles": ("CT1",), "address": "10.0.0.0/8"}, Caller("CT1", "10.0.0.1"), True),
        ({"ae_titles": ("CT1",), "address": "10.0.0.0/8"}, Caller("CT1", "11.0.0.1"), False),
        ({"ae_titles": ("CT1",), "address": "10.0.0.0/8"}, Caller("CT2", "10.0.0.1"), False),
        ({"tls": ("Doe",), "users": ("doe",)}, Caller("A", "::1", TLS, "doe"), True),
        ({"tls": ("Doe",), "users": ("doe",)}, Caller("A", "::1", TLS, ""), False),
        ({"tls": ("Doe",), "users": ("doe",)}, Caller("A", "::1", None, "doe"), False),
    ],
)
def test_rule_matches_when_every_condition_holds(rule, caller, is_matching):
    conditions = dict(rule)
    if "address" in conditions:
        conditions["networks"] = parse_networks(conditions.pop("address"))
    assert AccessRule("viewer", **conditions).matches(caller) is is_matching


def test_first_rule_that_matches_counts():
    rules = (
        AccessRule("deny", ae_titles=("CT9",)),
        AccessRule("modality", ae_titles=("CT*",)),
        AccessRule("administrator", ae_titles=("CT1",)),
    )
    callers = [Caller(title, "::1") for title in ("CT9", "CT1", "CT2", "MR1")]
    assert [grant(each, *rules) for each in callers] == ["deny", "modality", "modality", "deny"]
    assert [grant(each, *rules, default="viewer") for each in callers][-1] == "viewer"


def test_without_rules_everything_is_allowed():
    anybody = EVERYTHING.grant(Caller("ANY", "203.0.113.1"))
    assert all(anybody.allows(service) for service in SERVICES)


def test_every_class_belongs_to_its_service():
    assert {service_of(uid): uid for uid in CLASSES.values()} == CLASSES
    assert service_of("1.2.826.0.1.3680043.10.99.1") == "store"


def test_names_of_a_certificate_are_told_apart():
    found = tls_peer(
        {
            "subject": ((("countryName", "DE"),), (("commonName", "Doe"),)),
            "subjectAltName": (
                ("DNS", "WS1.Example"),
                ("URI", "urn:x"),
                ("IP Address", "10.0.0.1"),
                ("DirName", ((("commonName", "Other"),),)),
            ),
        }
    )
    assert found == TlsPeer("CN=Doe,C=DE", ("Doe", "urn:x", "10.0.0.1"), ("ws1.example",))
    assert tls_peer({"subjectAltName": (("DNS", "a.example"),)}).subject == "a.example"
    assert tls_peer({}) is None
    assert tls_peer(None) is None


# -- every role and every service ----------------------------------------------------------------


class Holdings:
    """A library that answers every query with nothing."""

    def negotiate(self, sop_class_uid: str, asked: bytes) -> bytes:
        return b""

    def find(self, request, is_cancelled) -> FindAnswers:
        return FindAnswers("STUDY", 0xFF00, (each for each in ()))

    def retrieve(self, request, is_cancelled):
        # reached is all that counts
        raise QueryRefused(0xA900, "reached")


class CommittingHandler(MemoryHandler):
    """A handler that commits to nothing."""

    def commit(self, transfer_syntax_uid: str, information: bytes) -> Commitment:
        return Commitment(0x0115, "reached")

    def report_later(self, ae_title, transfer_syntax_uid, commitment) -> None:
        raise AssertionError("nothing is committed to")


class Names:
    """A checker that believes every name but one; what it was asked is counted."""

    types = (IdentityType.USER_NAME,)
    at_once = 4

    def __init__(self) -> None:
        self.asked = 0

    def check(self, identity, about, stop) -> Identified:
        self.asked += 1
        if identity.name == "nobody":
            raise IdentityRefused("unknown user")
        return Identified(identity.name, b"response")


def user(name: str, is_asked: bool = False) -> UserIdentity:
    return UserIdentity(IdentityType.USER_NAME, is_asked, name.encode())


#: What is reached, by its status: an answer of who serves it.
REACHED = {"echo": 0, "store": 0, "find": 0, "move": 0xA801, "get": 0xA900, "commit": 0x0115}


def ask(session: Session, service: str) -> int:
    """Ask for a service and return the status of the answer."""
    uid, context = CLASSES[service], CONTEXTS[service]
    if service == "echo":
        return session.echo(context).status
    if service == "store":
        return session.store(context, uid, "1.2.3", [b"\0" * 16]).status
    field = {
        "find": CommandField.C_FIND_RQ,
        "move": CommandField.C_MOVE_RQ,
        "get": CommandField.C_GET_RQ,
        "commit": CommandField.N_ACTION_RQ,
    }[service]
    elements = {"AffectedSOPClassUID": uid, "Priority": 0}
    if service == "move":
        elements["MoveDestination"] = "ANY"
    if service == "commit":
        elements = {
            "RequestedSOPClassUID": uid,
            "RequestedSOPInstanceUID": PUSH_MODEL_INSTANCE,
            "ActionTypeID": 1,
        }
    session._begin(context, field, elements, (b"\x08\0\x52\0CS\6\0STUDY ",))
    return session._finish()[0].status


def roles_of() -> dict[str, frozenset[str]]:
    one_each = {f"only-{service}": frozenset({service}) for service in SERVICES}
    return {**BUILT_IN_ROLES, **one_each}


ROLES = roles_of()
#: How a rule matches -> its conditions, for a caller that has this role.
WAYS = ("ae_title", "pattern", "address", "tls", "user")


@contextmanager
def guarded(
    way: str, role: str, pki: Pki, handler: MemoryHandler | None = None
) -> Iterator[tuple[Running, dict[str, object]]]:
    """A provider whose one rule gives the role in this way, and who calls so that it matches."""
    conditions: dict[str, dict[str, object]] = {
        "ae_title": {"ae_titles": ("CALLER",)},
        "pattern": {"ae_titles": ("NOBODY", "CALL*")},
        "address": {"networks": parse_networks("127.0.0.0/8")},
        "tls": {"tls": ("localhost",)},
        "user": {"users": ("doe",)},
    }
    rules = (AccessRule(role, **conditions[way]),)
    tls = TlsServer(pki.good.settings) if way == "tls" else None
    with running_provider(
        handler or CommittingHandler(),
        queries=QueryRetrieve(Holdings()),
        access=Access(rules, ROLES),
        identification=Identification([Names()]),
        tls=tls,
    ) as running:
        caller: dict[str, object] = {"calling_ae_title": "CALLER"}
        if way == "tls":
            caller["tls"] = TlsClient(pki.good.settings)
        if way == "user":
            caller["user"] = user("doe")
        yield running, caller


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", [each for each in ROLES if each != "deny"])
def test_every_role_has_its_services_and_no_other(way: str, role: str, pki: Pki):
    allowed = ROLES[role]
    with guarded(way, role, pki) as (running, caller):
        with Session(running.target(**caller), OFFER) as session:
            results = {
                service: session.contexts[context].result for service, context in CONTEXTS.items()
            }
            statuses = {
                service: ask(session, service) for service in SERVICES if service in allowed
            }
        (opened,) = running.wait_for(AssociationOpened)
        denied = [each for each in running.events if isinstance(each, Denied)]
    assert results == {
        service: Result.ACCEPTANCE if service in allowed else Result.USER_REJECTION
        for service in SERVICES
    }
    assert statuses == {service: REACHED[service] for service in allowed}
    assert {(each.service, each.status) for each in denied} == {
        (service, 0) for service in SERVICES if service not in allowed
    }
    assert all(each.association == opened.association for each in denied)
    assert {each.reason for each in denied} == {
        f"the role {role} does not have {each.service}" for each in denied
    }
    info = opened.association
    assert info.user == ("doe" if way == "user" else "")
    assert bool(info.tls_subject) is (way == "tls")


@pytest.mark.parametrize(
    ("way", "other"),
    [
        ("ae_title", {"calling_ae_title": "OTHER"}),
        ("pattern", {"calling_ae_title": "OTHER"}),
        ("user", {"user": user("roe")}),
    ],
)
def test_who_matches_no_rule_is_rejected(way: str, other: dict[str, object], pki: Pki):
    with guarded(way, "administrator", pki) as (running, caller):
        with pytest.raises(AssociationRejected) as caught:
            Session(running.target(**{**caller, **other}), OFFER)
        (refused,) = running.wait_for(AssociationRefused)
        (denied,) = running.wait_for(Denied)
        # as many others are served as before
        with Session(running.target(**caller), OFFER) as session:
            assert session.echo(1).status == 0
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)
    assert denied == Denied(refused.association, "association", 0, "the role deny has no service")


@pytest.mark.parametrize("rule", [{"networks": parse_networks("10.0.0.0/8")}, {"tls": ("Other",)}])
def test_who_has_another_address_or_certificate_is_rejected(rule, pki: Pki):
    access = Access((AccessRule("administrator", **rule),))
    tls = TlsServer(pki.good.settings)
    with running_provider(access=access, tls=tls) as running:
        with pytest.raises(AssociationRejected) as caught:
            Session(running.target(tls=TlsClient(pki.good.settings)), OFFER)
    assert caught.value.reason == 3


def test_user_of_a_rule_without_identity_is_nobody(pki: Pki):
    with guarded("user", "administrator", pki) as (running, caller):
        caller.pop("user")
        with pytest.raises(AssociationRejected) as caught:
            Session(running.target(**caller), OFFER)
    assert (caught.value.source, caught.value.reason) == (1, 3)


def test_deny_is_a_role_that_rejects(pki: Pki):
    with guarded("ae_title", "deny", pki) as (running, caller):
        with pytest.raises(AssociationRejected):
            Session(running.target(**caller), OFFER)


def test_allow_counts_beside_the_rules():
    access = Access((AccessRule("administrator", ae_titles=("A", "B")),))
    with running_provider(access=access, allow=parse_allow(["A", "C"])) as running:
        outcomes = []
        for title in "ABC":
            try:
                with Session(running.target(calling_ae_title=title), OFFER):
                    outcomes.append("accepted")
            except AssociationRejected as rejected:
                outcomes.append((rejected.result, rejected.source, rejected.reason))
        denied = running.wait_for(Denied, 2)
    assert outcomes == ["accepted", (1, 1, 3), (1, 1, 3)]
    assert [each.reason for each in denied] == [
        "calling AE title and address are not among those allowed",
        "the role deny has no service",
    ]


# -- requests that come all the same -------------------------------------------------------------

ROLE_OF_CT = UserInformation(role_selections=(RoleSelection(CT, scu_role=True, scp_role=True),))


def test_who_may_get_has_storage_contexts_and_may_not_store_over_them(pki: Pki):
    handler = CommittingHandler()
    with guarded("ae_title", "viewer", pki, handler) as (running, caller):
        offer = (*OFFER, Proposal(MR, (EXPLICIT,)))
        with Session(running.target(**caller), offer, ROLE_OF_CT) as session:
            context = session.contexts[CONTEXTS["store"]]
            assert context.is_accepted
            # the class for which no role was asked has nothing to do with getting
            assert session.contexts[13].result == Result.USER_REJECTION
            assert (context.requestor_is_scu, context.requestor_is_scp) == (False, True)
            answered = session.store(context.id, CT, "1.2.3", [b"\0" * 16])
            assert session.echo(1).status == 0
        denied = running.wait_for(Denied, 3)
    assert (answered.status, answered.comment) == (NOT_AUTHORIZED, "not authorized")
    assert handler.stored == []
    assert [(each.service, each.status) for each in denied] == [
        ("commit", 0),
        ("store", 0),
        ("store", NOT_AUTHORIZED),
    ]


def test_role_to_receive_is_not_answered_to_who_may_not_get(pki: Pki):
    with guarded("ae_title", "modality", pki) as (running, caller):
        with Session(running.target(**caller), OFFER, ROLE_OF_CT) as session:
            context = session.contexts[CONTEXTS["store"]]
            assert (context.requestor_is_scu, context.requestor_is_scp) == (True, False)
            assert session.store(context.id, CT, "1.2.3", [b"\0" * 16]).status == 0


def test_report_of_commitment_is_taken_only_from_who_may_commit(pki: Pki):
    roles = (RoleSelection(PUSH_MODEL, scu_role=False, scp_role=True),)
    with guarded("ae_title", "viewer", pki) as (running, caller):
        info = UserInformation(role_selections=roles)
        with Session(running.target(**caller), OFFER, info) as session:
            assert session.contexts[CONTEXTS["commit"]].result == Result.USER_REJECTION


@pytest.mark.parametrize(
    ("role", "service", "field"),
    [
        ("only-store", "store", CommandField.C_ECHO_RQ),
        ("only-echo", "echo", CommandField.C_STORE_RQ),
        ("only-find", "find", CommandField.C_GET_RQ),
        ("only-move", "move", CommandField.C_FIND_RQ),
        ("only-commit", "commit", CommandField.C_STORE_RQ),
    ],
)
@pytest.mark.parametrize("has_data_set", [False, True])
def test_operation_over_the_context_of_another_service_is_not_authorized(
    role, service, field, has_data_set, pki: Pki
):
    handler = CommittingHandler()
    with guarded("ae_title", role, pki, handler) as (running, caller):
        with Session(running.target(**caller), OFFER) as session:
            elements = {"AffectedSOPClassUID": CLASSES[service]}
            if field != CommandField.C_ECHO_RQ:
                elements["Priority"] = 0
            if field == CommandField.C_STORE_RQ:
                elements["AffectedSOPInstanceUID"] = "1.2.3"
            body = (b"\0" * 16,) if has_data_set else None
            session._begin(CONTEXTS[service], field, elements, body)
            assert session._finish()[0].status == NOT_AUTHORIZED
            assert handler.stored == []
            # the association goes on
            assert ask(session, service) == REACHED[service]
        denied = [each for each in running.events if isinstance(each, Denied) and each.status]
    assert [each.status for each in denied] == [NOT_AUTHORIZED]


def test_message_on_a_refused_context_is_aborted(pki: Pki):
    with guarded("ae_title", "only-echo", pki) as (running, caller):
        target = running.target(**caller)
        with Session(target, OFFER) as session:
            request = command(
                CommandField.C_STORE_RQ,
                True,
                MessageID=1,
                AffectedSOPClassUID=CT,
                AffectedSOPInstanceUID="1.2.3",
                Priority=0,
            )
            session._channel.write(data(CONTEXTS["store"], 3, request))
            with pytest.raises(Exception, match="invalid PDU parameter value"):
                session._next()


# -- users ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "response"),
    [
        (user("doe", is_asked=True), b"response"),
        (user("doe"), None),
        # what nothing can check counts as none, and has no response
        (UserIdentity(9, True, b"doe"), None),
        (UserIdentity(IdentityType.JWT, True, b"token"), None),
        (None, None),
    ],
)
def test_user_that_was_checked_has_the_response_that_was_asked_for(identity, response):
    with running_provider(identification=Identification([Names()])) as running:
        # by hand: our own user would not go on without a response
        target = running.target()
        asked = UserInformation(16384, user_identity=identity)
        with connected(target) as sock:
            request = AssociateRequest("A", "B", number_contexts(OFFER), asked)
            sock.sendall(request.encode())
            answer = decode_associate_ac(memoryview(read_pdu(sock))[6:])
            sock.sendall(RELEASE_RQ)
            read_pdu(sock)
        (opened,) = running.wait_for(AssociationOpened)
    assert answer.user_information.user_identity_response == response
    assert opened.association.user == ("doe" if identity and identity.type == 1 else "")


def test_refused_user_is_rejected_by_the_service_provider_for_good():
    with running_provider(identification=Identification([Names()])) as running:
        with pytest.raises(AssociationRejected, match="the user was not accepted") as caught:
            Session(running.target(user=user("nobody")), OFFER)
        (refused,) = running.wait_for(AssociationRefused)
        (denied,) = running.wait_for(Denied)
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 2, 1)
    assert denied == Denied(refused.association, "association", 0, "unknown user")
    assert refused.association.user == ""


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (None, "no user identity was proposed"),
        (UserIdentity(9, False, b"x"), "none that can be checked was proposed"),
        (UserIdentity(IdentityType.SAML, False, b"x"), "none that can be checked was proposed"),
    ],
)
def test_user_that_is_required_has_to_be_one(identity, words):
    identification = Identification([Names()], is_required=True)
    with running_provider(identification=identification) as running:
        with pytest.raises(AssociationRejected) as caught:
            Session(running.target(user=identity), OFFER)
        (denied,) = running.wait_for(Denied)
        with Session(running.target(user=user("doe")), OFFER):
            pass
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 2, 1)
    assert denied.reason.endswith(words)


def test_user_is_checked_only_of_who_may_call():
    names = Names()
    with running_provider(
        identification=Identification([names]),
        allow=parse_allow(["FRIEND"]),
        called_ae_titles=frozenset({"US"}),
    ) as running:
        for changes in ({"calling_ae_title": "FOE"}, {"called_ae_title": "THEM"}):
            caller = {"calling_ae_title": "FRIEND", "called_ae_title": "US", **changes}
            with pytest.raises(AssociationRejected):
                Session(running.target(user=user("doe"), **caller), OFFER)
    assert names.asked == 0


def test_called_title_of_somebody_else_is_no_denial():
    with running_provider(called_ae_titles=frozenset({"US"})) as running:
        with pytest.raises(AssociationRejected):
            Session(running.target(called_ae_title="THEM"), OFFER)
        running.wait_for(AssociationRefused)
    assert not [each for each in running.events if isinstance(each, Denied)]
