"""Who may associate and what is accepted, decided without a socket."""

from __future__ import annotations

import pytest

from pacs_cli.dicom.registry import non_storage_uids, sop_class_uids, transfer_syntaxes
from pacs_cli.errors import ConnectError, UsageError
from pacs_cli.services.admission import Allow, accept_policy, parse_allow, promiscuous_policy
from pacs_cli.wire.negotiation import Policy, Result
from pacs_cli.wire.pdu import ProposedContext
from tests.support import CT, EXPLICIT, IMPLICIT, MR, VERIFICATION

JPEG = "1.2.840.10008.1.2.4.50"
J2K = "1.2.840.10008.1.2.4.90"
PRIVATE_CLASS = "1.2.276.0.7230010.3.1.0.1"
PRIVATE_SYNTAX = "1.2.826.0.1.3680043.2.494.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
NO_CLASS = Result.ABSTRACT_SYNTAX_NOT_SUPPORTED
NO_SYNTAX = Result.TRANSFER_SYNTAXES_NOT_SUPPORTED


# -- who -----------------------------------------------------------------------------------------


def names(host: str) -> list[str]:
    """A resolver that knows one host."""
    return {"ward": ["10.1.0.7", "fd00::7", "fe80::7%eth0"]}.get(host, [])


@pytest.mark.parametrize(
    ("rule", "title", "address", "is_allowed"),
    [
        ("WARD", "WARD", "192.0.2.1", True),
        (" WARD ", "WARD", "192.0.2.1", True),
        ("WARD", " WARD", "192.0.2.1", True),
        ("WARD", "ward", "192.0.2.1", False),
        ("WARD", "WARD2", "192.0.2.1", False),
        ("WARD", "", "192.0.2.1", False),
        ("@10.0.0.5", "ANY", "10.0.0.5", True),
        ("@10.0.0.5", "ANY", "10.0.0.6", False),
        ("WARD@10.0.0.5", "WARD", "10.0.0.5", True),
        ("WARD@10.0.0.5", "WARD", "10.0.0.6", False),
        ("WARD@10.0.0.5", "OTHER", "10.0.0.5", False),
        ("@10.0.0.0/8", "ANY", "10.255.255.255", True),
        ("@10.0.0.0/8", "ANY", "11.0.0.0", False),
        ("@0.0.0.0/0", "ANY", "203.0.113.9", True),
        ("@0.0.0.0/0", "ANY", "2001:db8::1", False),
        ("@::/0", "ANY", "2001:db8::1", True),
        ("@::/0", "ANY", "10.0.0.5", False),
        ("@[::1]", "ANY", "::1", True),
        ("@::1", "ANY", "0:0:0:0:0:0:0:1", True),
        ("@[2001:db8::]/32", "ANY", "2001:db8:1::", True),
        ("@[2001:db8::/32]", "ANY", "2001:db9::", False),
        # an IPv4 peer of a socket that listens on IPv6, and a rule written so
        ("@10.0.0.0/8", "ANY", "::ffff:10.0.0.5", True),
        ("@::ffff:10.0.0.5", "ANY", "10.0.0.5", True),
        ("@::ffff:10.0.0.0/104", "ANY", "10.9.9.9", True),
        ("@::ffff:10.0.0.0/104", "ANY", "11.9.9.9", False),
        ("@::/0", "ANY", "::ffff:10.0.0.5", False),
        # a scope says by which interface, not who
        ("@fe80::/10", "ANY", "fe80::1%eth0", True),
        ("@fe80::1%eth0", "ANY", "fe80::1%eth1", True),
        ("@ward", "ANY", "10.1.0.7", True),
        ("@ward", "ANY", "fd00::7", True),
        ("@ward", "ANY", "fe80::7%lo", True),
        ("@ward", "ANY", "10.1.0.8", False),
        ("WARD@ward", "OTHER", "10.1.0.7", False),
        # the last @ parts the two: a title may have one
        ("A@B@10.0.0.5", "A@B", "10.0.0.5", True),
        ("@10.0.0.0/8", "ANY", "unknown", False),
        ("WARD", "WARD", "unknown", True),
    ],
)
def test_peer_is_allowed_when_title_and_address_match(rule, title, address, is_allowed):
    assert parse_allow([rule], names).is_allowed(title, address) is is_allowed


def test_peer_is_allowed_when_any_rule_matches():
    allow = parse_allow(["WARD@10.0.0.1", "@192.0.2.0/24"])
    peers = [("WARD", "10.0.0.1"), ("X", "192.0.2.9"), ("X", "10.0.0.1"), ("WARD", "10.0.0.2")]
    assert [allow.is_allowed(*peer) for peer in peers] == [True, True, False, False]


def test_everybody_is_allowed_without_a_rule():
    assert parse_allow([]) == Allow()
    assert Allow().is_allowed("ANY", "203.0.113.9")


def test_host_name_is_looked_up_once_by_the_system():
    allow = parse_allow(["@localhost"])
    assert allow.is_allowed("ANY", "127.0.0.1") or allow.is_allowed("ANY", "::1")
    assert not allow.is_allowed("ANY", "192.0.2.1")


def test_host_without_an_address_ends_the_start():
    with pytest.raises(ConnectError) as caught:
        parse_allow(["WARD@no..such"])
    assert str(caught.value).startswith("cannot use --allow 'WARD@no..such': cannot find no..such")
    with pytest.raises(UsageError, match="nowhere has no address"):
        parse_allow(["@nowhere"], names)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "an AE title, AET@HOST or @HOST is expected"),
        (" ", "is expected"),
        (" @10.0.0.1", "is expected"),
        ("SEVENTEEN-LETTERS", "longer than the 16 characters"),
        ("A\\B", "no AE title may have"),
        ("Ä@10.0.0.1", "no AE title may have"),
        ("WARD@", "after @ an address, a network or a host name is expected"),
        ("@10.0.0.300", "10.0.0.300 is not an address"),
        # the system's resolver would take these for 10.0.0.1 and 127.0.0.1
        ("@10.1", "10.1 is not an address; a network is written 10.0.0.0/8"),
        ("@0x7f000001", "is not an address"),
        ("@10.0.0.", "is not an address"),
        ("@::g", "is not an address"),
        ("@10.0.0.0/33", "10.0.0.0/33 is not a network; write ADDRESS/LENGTH"),
        ("@ward/24", "is not a network"),
        ("@10.0.0.1/8", "is an address inside the network 10.0.0.0/8; write that network"),
        ("@[::1", "in brackets an IPv6 address is expected"),
        ("@[::1]:104", "behind them only /LENGTH"),
        ("@[10.0.0.1]", "in brackets an IPv6 address is expected"),
    ],
)
def test_rule_that_says_nothing_clear_is_a_usage_error(rule, reason):
    with pytest.raises(UsageError) as caught:
        parse_allow([rule], names)
    assert f"cannot use --allow {rule!r}: " in str(caught.value)
    assert reason in str(caught.value)


# -- what ----------------------------------------------------------------------------------------


def choice(policy: Policy, abstract_syntax: str, *offered: str) -> str | Result:
    return policy(ProposedContext(1, abstract_syntax, offered))


def test_accepted_are_the_named_classes_and_verification():
    policy = accept_policy(sop_class_uids("CT"), transfer_syntaxes())
    enhanced = "1.2.840.10008.5.1.4.1.1.2.1"
    answers = [choice(policy, each, JPEG) for each in (CT, enhanced, VERIFICATION, MR, FIND)]
    assert answers == [JPEG, JPEG, JPEG, NO_CLASS, NO_CLASS]


def test_first_offered_is_taken_without_a_preference():
    policy = accept_policy([CT], transfer_syntaxes())
    assert choice(policy, CT, PRIVATE_SYNTAX, JPEG, EXPLICIT) == JPEG
    assert choice(policy, CT, PRIVATE_SYNTAX) == NO_SYNTAX


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ((IMPLICIT, EXPLICIT, JPEG, J2K), J2K),
        ((IMPLICIT, JPEG, EXPLICIT), EXPLICIT),
        ((JPEG, IMPLICIT), JPEG),
        ((PRIVATE_SYNTAX,), NO_SYNTAX),
    ],
)
@pytest.mark.parametrize("abstract_syntax", [CT, VERIFICATION])
def test_preferred_are_taken_first_in_their_order(abstract_syntax, offered, taken):
    policy = accept_policy([CT], transfer_syntaxes(), (J2K, EXPLICIT))
    assert choice(policy, abstract_syntax, *offered) == taken


def test_preference_does_not_admit_another_class_and_admits_its_own_syntax():
    policy = accept_policy([CT], transfer_syntaxes(), (PRIVATE_SYNTAX,))
    assert choice(policy, MR, PRIVATE_SYNTAX) == NO_CLASS
    assert choice(policy, CT, EXPLICIT, PRIVATE_SYNTAX) == PRIVATE_SYNTAX
    assert choice(policy, CT, PRIVATE_SYNTAX) == PRIVATE_SYNTAX


@pytest.fixture
def promiscuous() -> Policy:
    return promiscuous_policy(non_storage_uids(), transfer_syntaxes())


@pytest.mark.parametrize(
    "abstract_syntax",
    [CT, VERIFICATION, PRIVATE_CLASS, "1.2.840.10008.5.1.4.1.1.9999", "1.2.840.10008.5.1.4.38.1"],
)
def test_promiscuous_takes_what_may_be_an_object(promiscuous, abstract_syntax):
    assert choice(promiscuous, abstract_syntax, EXPLICIT) == EXPLICIT


@pytest.mark.parametrize(
    "abstract_syntax",
    [
        FIND,
        "1.2.840.10008.5.1.4.31",  # modality worklist
        "1.2.840.10008.1.20.1",  # storage commitment
        "1.2.840.10008.1.3.10",  # DICOMDIR
        "1.2.840.10008.1.2.1",  # a transfer syntax
        "1.2.826.0/../../etc",
        "",
        "1." + "2" * 63,
    ],
)
def test_promiscuous_refuses_other_services_and_what_is_no_uid(promiscuous, abstract_syntax):
    assert choice(promiscuous, abstract_syntax, EXPLICIT) == NO_CLASS


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ((PRIVATE_SYNTAX,), PRIVATE_SYNTAX),
        ((PRIVATE_SYNTAX, "1.2.3.4"), PRIVATE_SYNTAX),
        ((PRIVATE_SYNTAX, JPEG, EXPLICIT), JPEG),
        (("../..", PRIVATE_SYNTAX), PRIVATE_SYNTAX),
        (("../..",), NO_SYNTAX),
    ],
)
def test_promiscuous_takes_an_unknown_syntax_where_no_known_is_offered(promiscuous, offered, taken):
    assert choice(promiscuous, PRIVATE_CLASS, *offered) == taken


def test_promiscuous_with_a_preference_takes_that_first():
    policy = promiscuous_policy(non_storage_uids(), transfer_syntaxes(), (J2K, "1.2.3.4"))
    assert choice(policy, PRIVATE_CLASS, EXPLICIT, J2K) == J2K
    assert choice(policy, PRIVATE_CLASS, EXPLICIT, "1.2.3.4") == "1.2.3.4"
    assert choice(policy, FIND, J2K) == NO_CLASS
