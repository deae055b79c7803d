"""The protocol data units: written out by hand, by hypothesis, and as pynetdicom has them."""

from __future__ import annotations

import string
import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom import pdu as theirs

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    PduType,
    ProposedContext,
    decode_abort,
    decode_associate_ac,
    decode_associate_rj,
    decode_associate_rq,
    decode_header,
    decode_release,
    pdata_header,
    split_pdata,
)
from pacs_cli.wire.userinfo import (
    AsynchronousOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
    decode_user_information,
    encode_user_information,
)

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"


def variable_part(pdu: bytes) -> memoryview:
    """Return what follows the six header bytes, after a check of the length in them."""
    kind, length = decode_header(memoryview(pdu))
    assert kind == pdu[0]
    assert length == len(pdu) - 6
    return memoryview(pdu)[6:]


def item(kind: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((kind, 0)) + len(body).to_bytes(2, "big") + body


def sized(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def values_in(body: bytes | memoryview) -> list[tuple[int, int, bytes]]:
    return [
        (number, control, bytes(data)) for number, control, data in split_pdata(memoryview(body))
    ]


# -- by hand -------------------------------------------------------------------------------------

# PS3.8 9.3.2 and 9.3.3: protocol version, reserved, called and calling AE title, 32 reserved
FIXED = b"\x00\x01\x00\x00" + b"CALLED          " + b"CALLING         " + bytes(32)
# PS3.8 9.3.2.1, with the name of PS3.7 A.2.1
APPLICATION_CONTEXT = b"\x10\x00\x00\x15" + b"1.2.840.10008.3.1.1.1"
# PS3.8 9.3.2.2: id 1, abstract syntax 30H, transfer syntax 40H
PROPOSED_CONTEXT = (
    b"\x20\x00\x00\x2e\x01\x00\x00\x00"
    b"\x30\x00\x00\x11" + b"1.2.840.10008.1.1" + b"\x40\x00\x00\x11" + b"1.2.840.10008.1.2"
)
# PS3.8 9.3.3.2: id 1, reserved, result 0, reserved, transfer syntax 40H
ACCEPTED_CONTEXT = b"\x21\x00\x00\x19\x01\x00\x00\x00\x40\x00\x00\x11" + b"1.2.840.10008.1.2"
# PS3.8 9.3.2.3 and D.1: maximum length 16384
USER_INFORMATION = b"\x50\x00\x00\x08\x51\x00\x00\x04\x00\x00\x40\x00"

REQUEST = AssociateRequest(
    "CALLED",
    "CALLING",
    (ProposedContext(1, VERIFICATION, (IMPLICIT,)),),
    UserInformation(16384),
)
ACCEPT = AssociateAccept(
    "CALLED", "CALLING", (ContextResult(1, 0, IMPLICIT),), UserInformation(16384)
)


def test_associate_rq_is_the_vector_of_9_3_2() -> None:
    body = FIXED + APPLICATION_CONTEXT + PROPOSED_CONTEXT + USER_INFORMATION
    vector = b"\x01\x00\x00\x00\x00\x9b" + body
    assert REQUEST.encode() == vector
    assert decode_associate_rq(variable_part(vector)) == REQUEST


def test_associate_ac_is_the_vector_of_9_3_3() -> None:
    body = FIXED + APPLICATION_CONTEXT + ACCEPTED_CONTEXT + USER_INFORMATION
    vector = b"\x02\x00\x00\x00\x00\x86" + body
    assert ACCEPT.encode() == vector
    assert decode_associate_ac(variable_part(vector)) == ACCEPT


def test_associate_rj_is_the_vector_of_9_3_4() -> None:
    vector = bytes.fromhex("0300 00000004 00 01 02 03")
    assert AssociateReject(1, 2, 3).encode() == vector
    assert decode_associate_rj(variable_part(vector)) == AssociateReject(1, 2, 3)


def test_p_data_tf_is_the_vector_of_9_3_5() -> None:
    # PDV length 5 = context id, message control header, three bytes
    vector = bytes.fromhex("0400 00000009 00000005 07 02") + b"abc"
    assert pdata_header(7, 2, 3) + b"abc" == vector
    assert values_in(variable_part(vector)) == [(7, 2, b"abc")]


def test_release_rq_is_the_vector_of_9_3_6() -> None:
    assert bytes.fromhex("0500 00000004 00000000") == RELEASE_RQ
    decode_release(variable_part(RELEASE_RQ))


def test_release_rp_is_the_vector_of_9_3_7() -> None:
    assert bytes.fromhex("0600 00000004 00000000") == RELEASE_RP
    decode_release(variable_part(RELEASE_RP))


def test_abort_is_the_vector_of_9_3_8() -> None:
    vector = bytes.fromhex("0700 00000004 0000 02 06")
    assert Abort(2, 6).encode() == vector
    assert decode_abort(variable_part(vector)) == Abort(2, 6)


#: Each user information sub-item by its section, alone behind a maximum length of 0.
SUB_ITEMS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "PS3.7 D.3.3.2.1 implementation class": (
        b"\x52\x00\x00\x07" + b"1.2.3.4",
        {"implementation_class_uid": "1.2.3.4"},
    ),
    "PS3.7 D.3.3.2.3 implementation version": (
        b"\x55\x00\x00\x05" + b"PACS1",
        {"implementation_version_name": "PACS1"},
    ),
    "PS3.7 D.3.3.3 window": (
        b"\x53\x00\x00\x04\x00\x05\x00\x00",
        {"asynchronous_operations_window": AsynchronousOperationsWindow(5, 0)},
    ),
    "PS3.7 D.3.3.4 role": (
        b"\x54\x00\x00\x09\x00\x05" + b"1.2.3" + b"\x00\x01",
        {"role_selections": (RoleSelection("1.2.3", scu_role=False, scp_role=True),)},
    ),
    "PS3.7 D.3.3.5 extended": (
        b"\x56\x00\x00\x0a\x00\x05" + b"1.2.3" + b"\x01\x00\x02",
        {"extended_negotiations": (ExtendedNegotiation("1.2.3", b"\x01\x00\x02"),)},
    ),
    "PS3.7 D.3.3.6 common extended": (
        b"\x57\x00\x00\x1c\x00\x05" + b"1.2.3" + b"\x00\x03" + b"1.2" + b"\x00\x0e"
        b"\x00\x05" + b"1.2.4" + b"\x00\x05" + b"1.2.5",
        {
            "common_extended_negotiations": (
                CommonExtendedNegotiation("1.2.3", "1.2", ("1.2.4", "1.2.5")),
            )
        },
    ),
    "PS3.7 D.3.3.7.1 user identity": (
        b"\x58\x00\x00\x0e\x02\x01\x00\x04" + b"user" + b"\x00\x04" + b"word",
        {"user_identity": UserIdentity(2, True, b"user", b"word")},
    ),
    "PS3.7 D.3.3.7.2 user identity response": (
        b"\x59\x00\x00\x05\x00\x03" + b"yes",
        {"user_identity_response": b"yes"},
    ),
}
NO_MAXIMUM = b"\x51\x00\x00\x04\x00\x00\x00\x00"


@pytest.mark.parametrize("section", SUB_ITEMS)
def test_user_information_sub_item_is_the_vector_of(section: str) -> None:
    vector, fields = SUB_ITEMS[section]
    information = UserInformation(**fields)
    assert encode_user_information(information) == item(0x50, NO_MAXIMUM, vector)
    assert decode_user_information(memoryview(NO_MAXIMUM + vector)) == information


def test_secrets_of_a_user_identity_are_not_shown() -> None:
    shown = repr(UserInformation(user_identity=UserIdentity(2, True, b"user", b"hunter2")))
    assert "hunter2" not in shown
    assert "user'" not in shown


# -- what peers do and the standard allows -------------------------------------------------------


def request_of(*items: bytes, fixed: bytes = FIXED) -> memoryview:
    return memoryview(fixed + b"".join(items))


def accept_of(*items: bytes) -> memoryview:
    return memoryview(FIXED + APPLICATION_CONTEXT + b"".join(items))


def test_ae_titles_lose_their_padding_only() -> None:
    fixed = (
        b"\x00\x01\x00\x00" + b"  A B           " + b"C\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" + bytes(32)
    )
    request = decode_associate_rq(request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, fixed=fixed))
    assert (request.called_ae_title, request.calling_ae_title) == ("A B", "C")


def test_ae_titles_are_cut_and_never_fail_to_encode() -> None:
    request = replace(REQUEST, called_ae_title="x" * 17, calling_ae_title="\u20ac")
    decoded = decode_associate_rq(variable_part(request.encode()))
    assert (decoded.called_ae_title, decoded.calling_ae_title) == ("x" * 16, "?")


def test_version_name_is_cut_to_its_16_characters() -> None:
    encoded = encode_user_information(UserInformation(implementation_version_name="x" * 20))
    assert encoded.endswith(b"\x55\0\0\x10" + b"x" * 16)


def test_uids_lose_their_padding() -> None:
    context = item(
        0x20, b"\x03\0\0\0", item(0x30, VERIFICATION.encode() + b"\0"), item(0x40, b"1.2 ")
    )
    request = decode_associate_rq(request_of(APPLICATION_CONTEXT, context))
    assert request.contexts == (ProposedContext(3, VERIFICATION, ("1.2",)),)


def test_unknown_items_are_skipped() -> None:
    unknown = item(0x7F, b"anything")
    request = decode_associate_rq(
        request_of(unknown, APPLICATION_CONTEXT, PROPOSED_CONTEXT, item(0x50, unknown, NO_MAXIMUM))
    )
    assert request == replace(REQUEST, user_information=UserInformation())


def test_reserved_bytes_are_not_tested() -> None:
    vector = bytearray(REQUEST.encode())
    vector[1] = 0xFF
    vector[8:10] = b"\xff\xff"
    vector[42:74] = b"\xff" * 32
    assert decode_associate_rq(variable_part(bytes(vector))) == REQUEST


def test_transfer_syntax_of_a_refused_context_is_not_looked_at() -> None:
    refused = (
        item(0x21, b"\x01\0\x03\0"),
        item(0x21, b"\x03\0\x04\0", item(0x40, b"\xff\xfe")),
        item(0x21, b"\x05\0\x01\0", b"\x40"),
    )
    answer = decode_associate_ac(accept_of(*refused))
    assert answer.contexts == (ContextResult(1, 3), ContextResult(3, 4), ContextResult(5, 1))


def test_accept_without_application_context_is_taken() -> None:
    # it is not significant in an answer, and some peers leave it out
    answer = decode_associate_ac(memoryview(FIXED + ACCEPTED_CONTEXT))
    assert answer.contexts == ACCEPT.contexts


def test_user_identity_without_secondary_field_is_taken() -> None:
    body = memoryview(item(0x58, b"\x01\x00", sized(b"user")))
    assert decode_user_information(body).user_identity == UserIdentity(1, False, b"user")


def test_protocol_version_is_kept_for_the_rejection() -> None:
    fixed = b"\x00\x02" + FIXED[2:]
    request = decode_associate_rq(request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, fixed=fixed))
    assert request.protocol_version == 2


def test_several_data_values_share_one_pdu() -> None:
    values = [(1, 1, b"ab"), (1, 3, b""), (3, 0, b"c" * 300)]
    body = b"".join(
        struct.pack(">IBB", len(data) + 2, context, control) + data
        for context, control, data in values
    )
    assert values_in(body) == values


def test_payload_is_a_view_into_the_pdu() -> None:
    body = bytearray(pdata_header(1, 0, 3)[6:] + b"abc")
    ((_, _, payload),) = split_pdata(memoryview(body))
    body[6:9] = b"xyz"
    assert bytes(payload) == b"xyz"


# -- malformed -----------------------------------------------------------------------------------

CONTEXT_HEADER = b"\x01\0\0\0"
ABSTRACT = item(0x30, VERIFICATION.encode())
TRANSFER = item(0x40, IMPLICIT.encode())

BROKEN_REQUESTS = {
    "empty": memoryview(b""),
    "short fixed part": memoryview(FIXED[:-1]),
    "no items": request_of(),
    "no application context": request_of(PROPOSED_CONTEXT),
    "empty application context": request_of(item(0x10), PROPOSED_CONTEXT),
    "application context not ASCII": request_of(item(0x10, b"1.2\xff"), PROPOSED_CONTEXT),
    "no contexts": request_of(APPLICATION_CONTEXT, USER_INFORMATION),
    "item header cut": request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, b"\x50\0\0"),
    "item overrun": request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, b"\x50\0\0\x01"),
    "item overrun by far": request_of(APPLICATION_CONTEXT, b"\x20\0\xff\xff"),
    "context shorter than its header": request_of(APPLICATION_CONTEXT, item(0x20, b"\1\0\0")),
    "context without syntaxes": request_of(APPLICATION_CONTEXT, item(0x20, CONTEXT_HEADER)),
    "context without transfer syntax": request_of(
        APPLICATION_CONTEXT, item(0x20, CONTEXT_HEADER, ABSTRACT)
    ),
    "context without abstract syntax": request_of(
        APPLICATION_CONTEXT, item(0x20, CONTEXT_HEADER, TRANSFER)
    ),
    "sub-item overrun": request_of(
        APPLICATION_CONTEXT, item(0x20, CONTEXT_HEADER, ABSTRACT, b"\x40\0\0\x11" + b"1.2")
    ),
    "abstract syntax not ASCII": request_of(
        APPLICATION_CONTEXT, item(0x20, CONTEXT_HEADER, item(0x30, b"\x80"), TRANSFER)
    ),
    "even id": request_of(APPLICATION_CONTEXT, item(0x20, b"\2\0\0\0", ABSTRACT, TRANSFER)),
    "id 0": request_of(APPLICATION_CONTEXT, item(0x20, bytes(4), ABSTRACT, TRANSFER)),
    "repeated id": request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, PROPOSED_CONTEXT),
    "user information overrun": request_of(
        APPLICATION_CONTEXT, PROPOSED_CONTEXT, item(0x50, b"\x51\0\0\4\0\0")
    ),
}
BROKEN_ACCEPTS = {
    "short fixed part": memoryview(FIXED[:67]),
    "no contexts": accept_of(USER_INFORMATION),
    "item overrun": accept_of(ACCEPTED_CONTEXT[:-1]),
    "result shorter than its header": accept_of(item(0x21, b"\1\0\0")),
    "accepted without transfer syntax": accept_of(item(0x21, b"\1\0\0\0")),
    "accepted with empty transfer syntax": accept_of(item(0x21, b"\1\0\0\0", item(0x40))),
    "accepted with transfer syntax not ASCII": accept_of(
        item(0x21, b"\1\0\0\0", item(0x40, b"\xff"))
    ),
    "even id": accept_of(item(0x21, b"\2\0\0\0", TRANSFER)),
    "repeated id": accept_of(ACCEPTED_CONTEXT, ACCEPTED_CONTEXT),
}
BROKEN_USER_INFORMATION = {
    "maximum length of 3 bytes": item(0x51, bytes(3)),
    "maximum length of 5 bytes": item(0x51, bytes(5)),
    "implementation class not ASCII": item(0x52, b"\xe9"),
    "window of 3 bytes": item(0x53, bytes(3)),
    "empty role": item(0x54),
    "role whose UID overruns": item(0x54, b"\0\x20", b"1.2.3", b"\1\1"),
    "role with one flag": item(0x54, sized(b"1.2.3"), b"\1"),
    "role with three flags": item(0x54, sized(b"1.2.3"), b"\1\1\1"),
    "extended whose UID overruns": item(0x56, b"\0\6", b"1.2.3"),
    "common without service class": item(0x57, sized(b"1.2.3")),
    "common without related list": item(0x57, sized(b"1.2.3"), sized(b"1.2")),
    "common whose related UID overruns": item(
        0x57, sized(b"1.2.3"), sized(b"1.2"), sized(b"\0\x09" + b"1.2.4")
    ),
    "common with half a related length": item(0x57, sized(b"1"), sized(b"2"), sized(b"\0")),
    "identity of one byte": item(0x58, b"\1"),
    "identity without primary field": item(0x58, b"\1\0"),
    "identity whose primary overruns": item(0x58, b"\1\0", b"\0\7" + b"secret"),
    "identity whose secondary overruns": item(0x58, b"\2\0", sized(b"user"), b"\0\7" + b"secret"),
    "two identities": item(0x58, b"\1\0", sized(b"a"), sized(b"")) * 2,
    "identity response overruns": item(0x59, b"\0\4" + b"yes"),
    "sub-item header cut": NO_MAXIMUM + b"\x52\0",
}
BROKEN_DATA = {
    "no value": b"",
    "header cut": b"\0\0\0\2\1",
    "length 0": b"\0\0\0\0\1\0",
    "length 1": b"\0\0\0\1\1\0",
    "length 1 before a good one": b"\0\0\0\1\1" + b"\0\0\0\2\1\3",
    "past the end by one": b"\0\0\0\5\1\0ab",
    "longest": b"\xff\xff\xff\xff\1\0ab",
    "second cut": b"\0\0\0\3\1\0a" + b"\0\0\0",
}


@pytest.mark.parametrize("name", BROKEN_REQUESTS)
def test_broken_request_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        decode_associate_rq(BROKEN_REQUESTS[name])
    assert caught.value.reason == 6


@pytest.mark.parametrize("name", BROKEN_ACCEPTS)
def test_broken_accept_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        decode_associate_ac(BROKEN_ACCEPTS[name])
    assert caught.value.reason == 6


@pytest.mark.parametrize("name", BROKEN_USER_INFORMATION)
def test_broken_user_information_is_the_peers_fault(name: str) -> None:
    broken = BROKEN_USER_INFORMATION[name]
    with pytest.raises(PeerProtocolError) as caught:
        decode_user_information(memoryview(broken))
    assert "secret" not in str(caught.value)
    with pytest.raises(PeerProtocolError):
        decode_associate_rq(request_of(APPLICATION_CONTEXT, PROPOSED_CONTEXT, item(0x50, broken)))


@pytest.mark.parametrize("name", BROKEN_DATA)
def test_broken_data_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        list(split_pdata(memoryview(BROKEN_DATA[name])))
    assert caught.value.reason == 6


@pytest.mark.parametrize("decode", [decode_associate_rj, decode_release, decode_abort])
@pytest.mark.parametrize("length", [0, 3, 5, 1000])
def test_pdu_of_four_bytes_has_four_bytes(decode: Any, length: int) -> None:
    with pytest.raises(PeerProtocolError):
        decode(memoryview(bytes(length)))


@pytest.mark.parametrize("pdu", [REQUEST, ACCEPT], ids=["request", "accept"])
def test_every_truncation_is_found_or_harmless(pdu: AssociateRequest | AssociateAccept) -> None:
    body = variable_part(pdu.encode())
    decode = decode_associate_rq if isinstance(pdu, AssociateRequest) else decode_associate_ac
    # what may be left out is the user information, the last item; so its absence is no damage
    whole_without_it = len(body) - len(USER_INFORMATION)
    for length in range(len(body)):
        if length == whole_without_it:
            assert decode(body[:length]).user_information == UserInformation()
            continue
        with pytest.raises(PeerProtocolError):
            decode(body[:length])


# -- generated, and against pynetdicom -----------------------------------------------------------

UIDS = st.lists(st.integers(0, 10**12), min_size=2, max_size=5).map(
    lambda numbers: "1." + ".".join(map(str, numbers))
)
TITLES = (
    st.text(string.ascii_letters + string.digits + "_- ", min_size=1, max_size=16)
    .map(str.strip)
    .filter(bool)
)
FLAGS = st.booleans()
NUMBERS = st.integers(0, 0xFFFF)
TRANSFERS = st.lists(UIDS, min_size=1, max_size=4, unique=True).map(tuple)
IDS = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), min_size=1, max_size=6, unique=True)
ROLES = st.builds(RoleSelection, UIDS, FLAGS, FLAGS).filter(lambda r: r.scu_role or r.scp_role)
EXTENDED = st.builds(ExtendedNegotiation, UIDS, st.binary(min_size=1, max_size=20))
COMMON = st.builds(CommonExtendedNegotiation, UIDS, UIDS, st.lists(UIDS, max_size=3).map(tuple))
PRIMARY = st.binary(min_size=1, max_size=30)
IDENTITIES = st.one_of(
    st.builds(UserIdentity, st.just(2), FLAGS, PRIMARY, PRIMARY),
    st.builds(UserIdentity, st.sampled_from((1, 3, 4, 5)), FLAGS, PRIMARY),
)
COMMON_FIELDS: dict[str, Any] = {
    "maximum_length": st.just(0) | st.integers(8, 0xFFFFFFFF),
    "implementation_class_uid": UIDS,
    "implementation_version_name": st.one_of(st.just(""), TITLES),
    "asynchronous_operations_window": st.none()
    | st.builds(AsynchronousOperationsWindow, NUMBERS, NUMBERS),
    "role_selections": st.lists(ROLES, max_size=3, unique_by=lambda r: r.sop_class_uid).map(tuple),
    "extended_negotiations": st.lists(EXTENDED, max_size=3).map(tuple),
}
REQUESTS = st.builds(
    AssociateRequest,
    TITLES,
    TITLES,
    IDS.flatmap(
        lambda ids: st.tuples(
            *(st.builds(ProposedContext, st.just(each), UIDS, TRANSFERS) for each in ids)
        )
    ),
    st.builds(
        UserInformation,
        **COMMON_FIELDS,
        common_extended_negotiations=st.lists(COMMON, max_size=2).map(tuple),
        user_identity=st.none() | IDENTITIES,
    ),
)


def results(ids: list[int]) -> st.SearchStrategy[tuple[ContextResult, ...]]:
    return st.tuples(
        *(st.builds(ContextResult, st.just(each), st.integers(0, 4), UIDS) for each in ids)
    )


ACCEPTS = st.builds(
    AssociateAccept,
    TITLES,
    TITLES,
    IDS.flatmap(results),
    st.builds(
        UserInformation,
        **COMMON_FIELDS,
        user_identity_response=st.none() | st.binary(max_size=20),
    ),
)
QUICK = settings(max_examples=60, derandomize=True, deadline=None)


def significant(answer: AssociateAccept) -> AssociateAccept:
    """Return the answer without the transfer syntaxes that count for nothing."""
    contexts = tuple(
        each if each.result == 0 else replace(each, transfer_syntax="") for each in answer.contexts
    )
    return replace(answer, contexts=contexts)


@QUICK
@given(REQUESTS)
def test_request_survives_the_round_trip(request: AssociateRequest) -> None:
    assert decode_associate_rq(variable_part(request.encode())) == request


@QUICK
@given(ACCEPTS)
def test_accept_survives_the_round_trip(answer: AssociateAccept) -> None:
    assert decode_associate_ac(variable_part(answer.encode())) == significant(answer)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3), st.binary(max_size=50))))
def test_data_values_survive_the_round_trip(values: list[tuple[int, int, bytes]]) -> None:
    for context_id, control, data in values:
        body = variable_part(pdata_header(context_id, control, len(data)) + data)
        assert values_in(body) == [(context_id, control, data)]


@QUICK
@given(REQUESTS)
def test_request_is_byte_for_byte_that_of_pynetdicom(request: AssociateRequest) -> None:
    encoded = request.encode()
    decoded = theirs.A_ASSOCIATE_RQ()
    decoded.decode(encoded)
    assert decoded.encode() == encoded
    assert decoded.called_ae_title.strip() == request.called_ae_title
    assert [(each.context_id, each.abstract_syntax) for each in decoded.presentation_context] == [
        (each.id, each.abstract_syntax) for each in request.contexts
    ]
    built = theirs.A_ASSOCIATE_RQ()
    built.from_primitive(decoded.to_primitive())
    assert decode_associate_rq(variable_part(built.encode())) == request


@QUICK
@given(ACCEPTS)
def test_accept_is_byte_for_byte_that_of_pynetdicom(answer: AssociateAccept) -> None:
    encoded = answer.encode()
    decoded = theirs.A_ASSOCIATE_AC()
    decoded.decode(encoded)
    assert decoded.encode() == encoded
    assert [(each.context_id, each.result) for each in decoded.presentation_context] == [
        (each.id, each.result) for each in answer.contexts
    ]


@pytest.mark.parametrize(
    ("ours", "kind"),
    [
        (AssociateReject(1, 1, 7).encode(), theirs.A_ASSOCIATE_RJ),
        (AssociateReject(2, 3, 2).encode(), theirs.A_ASSOCIATE_RJ),
        (pdata_header(5, 3, 4) + b"data", theirs.P_DATA_TF),
        (RELEASE_RQ, theirs.A_RELEASE_RQ),
        (RELEASE_RP, theirs.A_RELEASE_RP),
        (Abort(2, 6).encode(), theirs.A_ABORT_RQ),
        (Abort(0, 0).encode(), theirs.A_ABORT_RQ),
    ],
    ids=lambda each: each.__name__ if isinstance(each, type) else each.hex(),
)
def test_short_pdu_is_byte_for_byte_that_of_pynetdicom(ours: bytes, kind: type[Any]) -> None:
    decoded = kind()
    decoded.decode(ours)
    assert decoded.encode() == ours


def test_types_are_those_of_pynetdicom() -> None:
    kinds = {
        theirs.A_ASSOCIATE_RQ: PduType.A_ASSOCIATE_RQ,
        theirs.A_ASSOCIATE_AC: PduType.A_ASSOCIATE_AC,
        theirs.A_ASSOCIATE_RJ: PduType.A_ASSOCIATE_RJ,
        theirs.P_DATA_TF: PduType.P_DATA_TF,
        theirs.A_RELEASE_RQ: PduType.A_RELEASE_RQ,
        theirs.A_RELEASE_RP: PduType.A_RELEASE_RP,
        theirs.A_ABORT_RQ: PduType.A_ABORT,
    }
    assert [kind().pdu_type for kind in kinds] == list(kinds.values()) == list(PduType)
