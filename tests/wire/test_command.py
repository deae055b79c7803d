"""Command sets of the eleven services: by hand, and as pydicom and pynetdicom have them."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pynetdicom import dimse_messages, dimse_primitives
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu_primitives import P_DATA

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.command import (
    DATA_SET_FOLLOWS,
    ELEMENTS,
    MESSAGES,
    NO_DATA_SET,
    Command,
    CommandField,
    Value,
    decode_command,
    encode_command,
    response_to,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = "1.2.3.45"

#: A value for every element that is no part of all messages; odd lengths, so that padding shows.
VALUES: dict[str, Value] = {
    "AffectedSOPClassUID": CT,
    "RequestedSOPClassUID": CT,
    "MessageID": 7,
    "MessageIDBeingRespondedTo": 65535,
    "MoveDestination": "STORE",
    "Priority": 2,
    "Status": 0xA700,
    "OffendingElement": (0x00100010,),
    "ErrorComment": "out of space",
    "ErrorID": 3,
    "AffectedSOPInstanceUID": INSTANCE + ".6",
    "RequestedSOPInstanceUID": INSTANCE,
    "EventTypeID": 2,
    "AttributeIdentifierList": (0x00100010, 0x7FE00010),
    "ActionTypeID": 1,
    "NumberOfRemainingSuboperations": 4,
    "NumberOfCompletedSuboperations": 3,
    "NumberOfFailedSuboperations": 2,
    "NumberOfWarningSuboperations": 1,
    "MoveOriginatorApplicationEntityTitle": "MOVER",
    "MoveOriginatorMessageID": 9,
}

# PS3.7 tables 9.3-1 to 9.3-13 and 10.3-1 to 10.3-12, without what all messages carry; and PS3.7
# annex C for the status related fields. Each: required / optional.
STATUS_FIELDS = "OffendingElement ErrorComment ErrorID"
SUBOPERATIONS = (
    "NumberOfRemainingSuboperations NumberOfCompletedSuboperations "
    "NumberOfFailedSuboperations NumberOfWarningSuboperations"
)
TABLES = f"""
C_STORE_RQ AffectedSOPClassUID MessageID Priority AffectedSOPInstanceUID
    / MoveOriginatorApplicationEntityTitle MoveOriginatorMessageID
C_STORE_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID {STATUS_FIELDS}
C_FIND_RQ AffectedSOPClassUID MessageID Priority /
C_FIND_RSP MessageIDBeingRespondedTo Status / AffectedSOPClassUID {STATUS_FIELDS}
C_CANCEL_RQ MessageIDBeingRespondedTo /
C_GET_RQ AffectedSOPClassUID MessageID Priority /
C_GET_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID {SUBOPERATIONS} {STATUS_FIELDS}
C_MOVE_RQ AffectedSOPClassUID MessageID Priority MoveDestination /
C_MOVE_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID {SUBOPERATIONS} {STATUS_FIELDS}
C_ECHO_RQ AffectedSOPClassUID MessageID /
C_ECHO_RSP MessageIDBeingRespondedTo Status / AffectedSOPClassUID {STATUS_FIELDS}
N_EVENT_REPORT_RQ AffectedSOPClassUID MessageID AffectedSOPInstanceUID EventTypeID /
N_EVENT_REPORT_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID EventTypeID {STATUS_FIELDS}
N_GET_RQ RequestedSOPClassUID MessageID RequestedSOPInstanceUID / AttributeIdentifierList
N_GET_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID AttributeIdentifierList {STATUS_FIELDS}
N_SET_RQ RequestedSOPClassUID MessageID RequestedSOPInstanceUID /
N_SET_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID AttributeIdentifierList {STATUS_FIELDS}
N_ACTION_RQ RequestedSOPClassUID MessageID RequestedSOPInstanceUID ActionTypeID /
N_ACTION_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID ActionTypeID {STATUS_FIELDS}
N_CREATE_RQ AffectedSOPClassUID MessageID / AffectedSOPInstanceUID
N_CREATE_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID AttributeIdentifierList {STATUS_FIELDS}
N_DELETE_RQ RequestedSOPClassUID MessageID RequestedSOPInstanceUID /
N_DELETE_RSP MessageIDBeingRespondedTo Status
    / AffectedSOPClassUID AffectedSOPInstanceUID {STATUS_FIELDS}
"""


def tables() -> dict[CommandField, tuple[set[str], set[str]]]:
    layouts = {}
    for message in TABLES.replace("\n    ", " ").strip().splitlines():
        (name, *required), optional = (part.split() for part in message.split("/"))
        layouts[CommandField[name]] = (set(required), set(optional))
    return layouts


LAYOUTS = tables()
#: The messages with a data set, always or when the user has one (PS3.7 9.1 and 10.1).
WITH_DATA_SET = {
    CommandField[name]
    for name in dimse_messages._DATASET_KEYWORDS  # the names of the classes
}
every_message = pytest.mark.parametrize("field", CommandField, ids=lambda each: each.name)


def message(field: CommandField, *, with_optional: bool = True) -> Command:
    required, optional = LAYOUTS[field]
    keywords = required | optional if with_optional else required
    elements = {keyword: VALUES[keyword] for keyword in keywords}
    return Command(field, elements, has_data_set=field in WITH_DATA_SET)


def element(tag: int, data: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(data)) + data


def us(tag: int, number: int) -> bytes:
    return element(tag, struct.pack("<H", number))


# -- by hand -------------------------------------------------------------------------------------

ECHO_RQ = bytes.fromhex(
    "0000 0000 04000000 38000000"  # group length: 56 bytes follow
    "0000 0200 12000000 312e322e3834302e31303030382e312e3100"  # 1.2.840.10008.1.1 and a null
    "0000 0001 02000000 3000"  # command field C-ECHO-RQ
    "0000 1001 02000000 0700"  # message id 7
    "0000 0008 02000000 0101"  # no data set
)
ECHO_RSP = bytes.fromhex(
    "0000 0000 04000000 42000000"
    "0000 0200 12000000 312e322e3834302e31303030382e312e3100"
    "0000 0001 02000000 3080"
    "0000 2001 02000000 0700"  # message id being responded to
    "0000 0008 02000000 0101"
    "0000 0009 02000000 0000"  # success
)
VERIFICATION = "1.2.840.10008.1.1"
ECHO = Command(CommandField.C_ECHO_RQ, {"AffectedSOPClassUID": VERIFICATION, "MessageID": 7})


def test_echo_request_is_the_vector_of_table_9_3_12() -> None:
    assert encode_command(ECHO) == ECHO_RQ
    assert decode_command(ECHO_RQ) == ECHO


def test_echo_response_is_the_vector_of_table_9_3_13() -> None:
    response = response_to(ECHO, 0)
    assert encode_command(response) == ECHO_RSP
    assert decode_command(ECHO_RSP) == response


def test_values_are_padded_as_their_vr_asks() -> None:
    encoded = encode_command(message(CommandField.C_MOVE_RQ))
    assert element(0x0600, b"STORE ") in encoded
    assert element(0x0002, CT.encode() + b"\0") in encoded


def test_fields_are_those_of_pynetdicom() -> None:
    theirs = {number: name for number, (name, _) in dimse_messages._MESSAGE_TYPES.items()}
    assert {each.value: each.name.replace("_", "-") for each in CommandField} == theirs


def test_elements_are_those_of_the_dictionary() -> None:
    for tag, (keyword, vr) in ELEMENTS.items():
        assert (keyword, vr) == (keyword_for_tag(tag), dictionary_VR(tag))


def test_messages_carry_what_the_tables_say() -> None:
    ours = {field: tuple(map(set, layout)) for field, layout in MESSAGES.items()}
    assert ours == LAYOUTS
    assert len(ours) == 23


# -- both ways -----------------------------------------------------------------------------------


@every_message
@pytest.mark.parametrize("with_optional", [True, False], ids=["all", "required"])
def test_message_survives_the_round_trip(field: CommandField, with_optional: bool) -> None:
    command = message(field, with_optional=with_optional)
    for data in (encode_command(command), bytearray(encode_command(command))):
        decoded = decode_command(data)
        assert decoded == command
        assert decoded.has_data_set == (field in WITH_DATA_SET)
        assert decoded.name == field.name.replace("_", "-")
        assert decoded.is_response == field.name.endswith("RSP")


@every_message
def test_message_is_byte_for_byte_that_of_pydicom(field: CommandField) -> None:
    command = message(field)
    data_set = Dataset()
    data_set.CommandField = field
    data_set.CommandDataSetType = DATA_SET_FOLLOWS if command.has_data_set else NO_DATA_SET
    for keyword, value in command.elements.items():
        setattr(data_set, keyword, list(value) if isinstance(value, tuple) else value)
    body = encode(data_set, True, True)
    assert body is not None
    assert encode_command(command) == element(0, struct.pack("<I", len(body))) + body


@every_message
def test_message_is_understood_by_pynetdicom(field: CommandField) -> None:
    command = message(field)
    primitive: Any = P_DATA()
    # tuples, say the types; lists, says the code
    primitive.presentation_data_value_list = [[1, b"\x03" + encode_command(command)]]
    decoded = dimse_messages.DIMSEMessage()
    is_whole = decoded.decode_msg(primitive)
    assert is_whole is not command.has_data_set
    assert type(decoded).__name__ == field.name
    for keyword, value in command.elements.items():
        theirs = decoded.command_set[keyword].value
        assert (tuple(theirs) if keyword == "AttributeIdentifierList" else theirs) == (
            value[0] if keyword == "OffendingElement" and isinstance(value, tuple) else value
        )


@every_message
def test_message_of_pynetdicom_is_understood(field: CommandField) -> None:
    service = field.name.removesuffix("_RQ").removesuffix("_RSP")
    primitive: Any = getattr(dimse_primitives, service)()
    carried = dimse_messages._COMMAND_SET_KEYWORDS[field.name.replace("_", "-")]
    expected = {}
    for keyword, value in message(field).elements.items():
        if keyword in carried and hasattr(primitive, keyword):
            setattr(primitive, keyword, list(value) if isinstance(value, tuple) else value)
            expected[keyword] = value
    if field in WITH_DATA_SET:
        setattr(primitive, dimse_messages._DATASET_KEYWORDS[field.name], BytesIO(b"data"))
    theirs = getattr(dimse_messages, field.name)()
    theirs.primitive_to_message(primitive)
    (_, data), *_ = next(theirs.encode_msg(1, 16384)).presentation_data_value_list
    assert decode_command(data[1:]) == Command(field, expected, field in WITH_DATA_SET)


# -- our own mistakes ----------------------------------------------------------------------------


@every_message
def test_message_without_a_required_element_is_our_bug(field: CommandField) -> None:
    command = message(field)
    for keyword in LAYOUTS[field][0]:
        rest = {key: value for key, value in command.elements.items() if key != keyword}
        with pytest.raises(LocalProtocolError, match=keyword):
            encode_command(Command(field, rest))


@every_message
def test_message_with_a_foreign_element_is_our_bug(field: CommandField) -> None:
    command = message(field)
    for keyword in VALUES.keys() - set().union(*LAYOUTS[field]):
        foreign = {**command.elements, keyword: VALUES[keyword]}
        with pytest.raises(LocalProtocolError, match=keyword):
            encode_command(Command(field, foreign))


# -- malformed -----------------------------------------------------------------------------------

FIELD = us(0x0100, 0x0030)
MESSAGE_ID = us(0x0110, 7)
NO_DATA = us(0x0800, NO_DATA_SET)
RESPONSE_FIELD = us(0x0100, 0x8030)
RESPONDED = us(0x0120, 7)
BROKEN = {
    "empty": b"",
    "group length alone": element(0, bytes(4)),
    "element header cut": FIELD + MESSAGE_ID + NO_DATA + bytes(7),
    "element overrun": FIELD + NO_DATA + MESSAGE_ID[:-1],
    "undefined length": FIELD + MESSAGE_ID + NO_DATA + b"\0\0\x02\0\xff\xff\xff\xff",
    "explicit VR": FIELD + MESSAGE_ID + b"\0\0\0\x08US\x02\0\x01\x01",
    "big endian": b"\0\0\x01\0\0\0\0\x02\0\x30",
    "outside group 0000": FIELD + MESSAGE_ID + NO_DATA + us(0x00080005, 1),
    "no command field": MESSAGE_ID + NO_DATA,
    "no data set type": FIELD + MESSAGE_ID,
    "no message id": FIELD + NO_DATA,
    "response with MessageID alone": RESPONSE_FIELD + MESSAGE_ID + NO_DATA + us(0x0900, 0),
    "response without Status": RESPONSE_FIELD + RESPONDED + NO_DATA,
    "cancel with MessageID alone": us(0x0100, 0x0FFF) + MESSAGE_ID + NO_DATA,
    "command field twice": FIELD + FIELD + MESSAGE_ID + NO_DATA,
    "US of 0 bytes": FIELD + element(0x0110, b"") + NO_DATA,
    "US of 4 bytes": element(0x0100, b"\x30\0\0\0") + MESSAGE_ID + NO_DATA,
    "AT of 6 bytes": FIELD + MESSAGE_ID + NO_DATA + element(0x0901, bytes(6)),
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_command_set_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        decode_command(BROKEN[name])
    assert caught.value.reason == 6


@every_message
def test_every_truncation_is_found(field: CommandField) -> None:
    command = message(field, with_optional=False)
    encoded = encode_command(command)
    # all of it is needed, up to the UIDs and numbers with which the sets end
    for length in range(len(encoded)):
        try:
            shorter = decode_command(encoded[:length])
        except PeerProtocolError:
            continue
        assert shorter.elements.items() < command.elements.items()


def test_order_of_elements_does_not_matter() -> None:
    assert decode_command(NO_DATA + MESSAGE_ID + FIELD).message_id == 7


def test_group_length_is_not_trusted() -> None:
    wrong = element(0, b"\xff\xff\xff\xff") + FIELD + MESSAGE_ID + NO_DATA
    assert decode_command(wrong) == Command(CommandField.C_ECHO_RQ, {"MessageID": 7})


def test_unknown_and_retired_elements_are_skipped() -> None:
    retired = element(0x0001, bytes(4)) + element(0x0010, b"ACR-NEMA 2.0") + us(0x5120, 1)
    assert decode_command(retired + FIELD + MESSAGE_ID + NO_DATA).elements == {"MessageID": 7}


@pytest.mark.parametrize("kind", [0x0000, 0x0001, 0x0102, 0xFFFF])
def test_any_other_data_set_type_announces_one(kind: int) -> None:
    assert decode_command(FIELD + MESSAGE_ID + us(0x0800, kind)).has_data_set


def test_text_outside_ascii_does_not_end_the_association() -> None:
    comment = element(0x0902, "kein Platz für".encode("latin-1"))
    response = decode_command(RESPONSE_FIELD + RESPONDED + NO_DATA + us(0x0900, 0xA700) + comment)
    assert response.text("ErrorComment") == "kein Platz für"


def test_text_of_ours_outside_ascii_is_replaced() -> None:
    comment = response_to(ECHO, 0x0110, ErrorComment="für")
    assert decode_command(encode_command(comment)).text("ErrorComment") == "f?r"


def test_elements_that_are_not_there_read_as_nothing() -> None:
    assert ECHO.text("ErrorComment") == ""
    assert ECHO.text("MessageID") == ""
    assert ECHO.number("Priority") == 0
    assert ECHO.number("AffectedSOPClassUID") == 0


# -- unknown commands and responses --------------------------------------------------------------


def test_unknown_command_field_is_kept_and_can_be_answered() -> None:
    unknown = decode_command(us(0x0100, 0x0777) + MESSAGE_ID + NO_DATA)
    assert (unknown.field, unknown.name, unknown.is_response) == (0x0777, "0777H", False)
    response = response_to(unknown, 0x0211)
    assert decode_command(encode_command(response)) == Command(
        0x8777, {"MessageIDBeingRespondedTo": 7, "Status": 0x0211}
    )


REQUESTS = [
    each
    for each in CommandField
    if each.name.endswith("RQ") and each is not CommandField.C_CANCEL_RQ
]


@pytest.mark.parametrize("field", REQUESTS, ids=lambda each: each.name)
def test_response_names_what_was_asked(field: CommandField) -> None:
    request = message(field)
    response = response_to(request, 0xFF00)
    assert CommandField(response.field).name == field.name.replace("_RQ", "_RSP")
    assert (response.message_id, response.status) == (request.message_id, 0xFF00)
    assert response.text("AffectedSOPClassUID") == CT
    assert not response.has_data_set
    asked = request.text("AffectedSOPInstanceUID") or request.text("RequestedSOPInstanceUID")
    assert response.text("AffectedSOPInstanceUID") == asked
    assert decode_command(encode_command(response)) == response


def test_response_carries_what_is_added() -> None:
    response = response_to(ECHO, 0x0110, ErrorComment="no memory", ErrorID=5)
    assert (response["ErrorComment"], response["ErrorID"]) == ("no memory", 5)


def test_pynetdicom_reads_the_response_to_an_unknown_command() -> None:
    unknown = Command(0x0777, {"MessageID": 7, "AffectedSOPClassUID": CT})
    theirs = decode(BytesIO(encode_command(response_to(unknown, 0x0211))), True, True)
    assert (theirs.CommandField, theirs.Status) == (0x8777, 0x0211)
    assert theirs.AffectedSOPClassUID == CT
