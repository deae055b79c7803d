"""DIMSE command sets of the eleven services, both ways (PS3.7 chapters 9 and 10, Annex E).

A command set is Implicit VR Little Endian and made of the elements of group 0000 alone. What a
message must and may carry is the table `MESSAGES`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from pacs_cli.errors import LocalProtocolError, PeerProtocolError

#: One value of a command element: US is int, UI, AE and LO are str, AT is a tuple of tags.
Value = int | str | tuple[int, ...]

#: CommandDataSetType when no data set follows, and what we write when one does (PS3.7 E.1).
NO_DATA_SET = 0x0101
DATA_SET_FOLLOWS = 0x0001

#: Far above any legal command set (the largest has about 300 bytes); bounds what is collected
#: before it can be understood.
MAX_COMMAND_SET = 16 * 1024

_RESPONSE = 0x8000


class CommandField(IntEnum):
    """The messages of DIMSE (PS3.7 E.1); a response is its request plus 8000H."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF


_NAMES = {int(field): field.name.replace("_", "-") for field in CommandField}


class Priority(IntEnum):
    """The priority of an operation (PS3.7 E.1), which many peers do not look at."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


#: tag -> (keyword, VR), PS3.7 table E.1-1 without CommandGroupLength.
ELEMENTS: dict[int, tuple[str, str]] = {
    0x00000002: ("AffectedSOPClassUID", "UI"),
    0x00000003: ("RequestedSOPClassUID", "UI"),
    0x00000100: ("CommandField", "US"),
    0x00000110: ("MessageID", "US"),
    0x00000120: ("MessageIDBeingRespondedTo", "US"),
    0x00000600: ("MoveDestination", "AE"),
    0x00000700: ("Priority", "US"),
    0x00000800: ("CommandDataSetType", "US"),
    0x00000900: ("Status", "US"),
    0x00000901: ("OffendingElement", "AT"),
    0x00000902: ("ErrorComment", "LO"),
    0x00000903: ("ErrorID", "US"),
    0x00001000: ("AffectedSOPInstanceUID", "UI"),
    0x00001001: ("RequestedSOPInstanceUID", "UI"),
    0x00001002: ("EventTypeID", "US"),
    0x00001005: ("AttributeIdentifierList", "AT"),
    0x00001008: ("ActionTypeID", "US"),
    0x00001020: ("NumberOfRemainingSuboperations", "US"),
    0x00001021: ("NumberOfCompletedSuboperations", "US"),
    0x00001022: ("NumberOfFailedSuboperations", "US"),
    0x00001023: ("NumberOfWarningSuboperations", "US"),
    0x00001030: ("MoveOriginatorApplicationEntityTitle", "AE"),
    0x00001031: ("MoveOriginatorMessageID", "US"),
}
_BY_BYTES = {struct.pack("<HH", tag >> 16, tag & 0xFFFF): entry for tag, entry in ELEMENTS.items()}
_ELEMENT_HEADER = struct.Struct("<4sI")
_GROUP_LENGTH = struct.Struct("<HHII")

_AFFECTED = "AffectedSOPClassUID AffectedSOPInstanceUID"
_REQUESTED = "RequestedSOPClassUID RequestedSOPInstanceUID"
_ERROR = "ErrorComment ErrorID OffendingElement"
_COUNTERS = (
    "NumberOfRemainingSuboperations NumberOfCompletedSuboperations "
    "NumberOfFailedSuboperations NumberOfWarningSuboperations"
)
_RESPONDED = "MessageIDBeingRespondedTo Status"

#: message -> (keywords it must carry, keywords it may carry); PS3.7 9.3 and 10.3.
#: CommandField and CommandDataSetType are in all of them and are not repeated.
MESSAGES: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    field: (tuple(required.split()), tuple(optional.split()))
    for field, required, optional in (
        (
            CommandField.C_STORE_RQ,
            f"MessageID Priority {_AFFECTED}",
            "MoveOriginatorApplicationEntityTitle MoveOriginatorMessageID",
        ),
        (CommandField.C_STORE_RSP, _RESPONDED, f"{_AFFECTED} {_ERROR}"),
        (CommandField.C_GET_RQ, "MessageID Priority AffectedSOPClassUID", ""),
        (CommandField.C_GET_RSP, _RESPONDED, f"AffectedSOPClassUID {_COUNTERS} {_ERROR}"),
        (CommandField.C_FIND_RQ, "MessageID Priority AffectedSOPClassUID", ""),
        (CommandField.C_FIND_RSP, _RESPONDED, f"AffectedSOPClassUID {_ERROR}"),
        (
            CommandField.C_MOVE_RQ,
            "MessageID Priority AffectedSOPClassUID MoveDestination",
            "",
        ),
        (CommandField.C_MOVE_RSP, _RESPONDED, f"AffectedSOPClassUID {_COUNTERS} {_ERROR}"),
        (CommandField.C_ECHO_RQ, "MessageID AffectedSOPClassUID", ""),
        (CommandField.C_ECHO_RSP, _RESPONDED, f"AffectedSOPClassUID {_ERROR}"),
        (CommandField.N_EVENT_REPORT_RQ, f"MessageID {_AFFECTED} EventTypeID", ""),
        (CommandField.N_EVENT_REPORT_RSP, _RESPONDED, f"{_AFFECTED} EventTypeID {_ERROR}"),
        (CommandField.N_GET_RQ, f"MessageID {_REQUESTED}", "AttributeIdentifierList"),
        (
            CommandField.N_GET_RSP,
            _RESPONDED,
            f"{_AFFECTED} AttributeIdentifierList {_ERROR}",
        ),
        (CommandField.N_SET_RQ, f"MessageID {_REQUESTED}", ""),
        (
            CommandField.N_SET_RSP,
            _RESPONDED,
            f"{_AFFECTED} AttributeIdentifierList {_ERROR}",
        ),
        (CommandField.N_ACTION_RQ, f"MessageID {_REQUESTED} ActionTypeID", ""),
        (CommandField.N_ACTION_RSP, _RESPONDED, f"{_AFFECTED} ActionTypeID {_ERROR}"),
        (CommandField.N_CREATE_RQ, "MessageID AffectedSOPClassUID", "AffectedSOPInstanceUID"),
        (
            CommandField.N_CREATE_RSP,
            _RESPONDED,
            f"{_AFFECTED} AttributeIdentifierList {_ERROR}",
        ),
        (CommandField.N_DELETE_RQ, f"MessageID {_REQUESTED}", ""),
        (CommandField.N_DELETE_RSP, _RESPONDED, f"{_AFFECTED} {_ERROR}"),
        (CommandField.C_CANCEL_RQ, "MessageIDBeingRespondedTo", ""),
    )
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command set; its elements are read by keyword: `command["MessageID"]`.

    field         CommandField, or a plain int when the standard has no such message
    has_data_set  whether a data set follows
    """

    field: int
    elements: Mapping[str, Value]
    has_data_set: bool = False

    def __getitem__(self, keyword: str) -> Value:
        return self.elements[keyword]

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return self.field & _RESPONSE != 0

    @property
    def message_id(self) -> int:
        """MessageID of a request, MessageIDBeingRespondedTo of a response or a cancel."""
        keyword = "MessageID" if "MessageID" in self.elements else "MessageIDBeingRespondedTo"
        return self.number(keyword)

    @property
    def status(self) -> int:
        """Status of a response."""
        return self.number("Status")

    @property
    def name(self) -> str:
        """The message's name in the standard, such as `C-STORE-RQ`."""
        return _NAMES.get(self.field) or f"{self.field:04X}H"

    def text(self, keyword: str) -> str:
        """Return a UI, AE or LO element, or an empty string without one."""
        value = self.elements.get(keyword, "")
        return value if isinstance(value, str) else ""

    def number(self, keyword: str) -> int:
        """Return a US element, or 0 without one."""
        value = self.elements.get(keyword, 0)
        return value if isinstance(value, int) else 0


def encode_command(command: Command) -> bytes:
    """Return the encoded command set with its group length.

    raises  LocalProtocolError when an element is missing or does not belong to the message
    source  PS3.7 6.3.1, 9.3, 10.3 and Annex E
    """
    elements = command.elements
    body = b"".join(
        [
            _encode_element(tag, vr, elements[keyword]) if keyword else tag
            for keyword, vr, tag in _plan(command.field, tuple(elements), command.has_data_set)
        ]
    )
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def decode_command(data: bytes | bytearray | memoryview) -> Command:
    """Read one whole command set; elements the standard does not name are skipped.

    raises  PeerProtocolError when it is empty, cut, has an element outside group 0000, an element
            twice or of a wrong length, or lacks what an answer needs: CommandField,
            CommandDataSetType, the message id, and Status in a response
    """
    whole = bytes(data)
    elements: dict[str, Value] = {}
    offset, end = 0, len(whole)
    while offset < end:
        if end - offset < 8:
            raise PeerProtocolError("command set ends inside an element header")
        tag, size = _ELEMENT_HEADER.unpack_from(whole, offset)
        start = offset + 8
        offset = start + size
        if offset > end:
            raise PeerProtocolError("command element runs past the end of its command set")
        entry = _BY_BYTES.get(tag)
        if entry is None:
            if tag[:2] != b"\0\0":
                raise PeerProtocolError("element outside group 0000 in a command set")
            continue
        keyword, vr = entry
        if keyword in elements:
            raise PeerProtocolError(f"{keyword} stands twice in a command set")
        if vr == "US" and size == 2:
            elements[keyword] = whole[start] | whole[start + 1] << 8
        else:
            elements[keyword] = _decode_value(keyword, vr, whole[start:offset])
    return _checked(elements)


def response_to(request: Command, status: int, **more: Value) -> Command:
    """Return the response to `request`: its message id and SOP class, `status` and `more`.

    An unknown request is answered with its command field plus 8000H (PS3.7 C.5.20).
    """
    elements: dict[str, Value] = {
        "MessageIDBeingRespondedTo": request["MessageID"],
        "Status": status,
    }
    allowed = MESSAGES.get(request.field | _RESPONSE)
    for suffix in ("SOPClassUID", "SOPInstanceUID"):
        # N- requests name what they are about Requested, and every response Affected
        value = request.text("Affected" + suffix) or request.text("Requested" + suffix)
        if value and (allowed is None or "Affected" + suffix in allowed[1]):
            elements["Affected" + suffix] = value
    return Command(request.field | _RESPONSE, {**elements, **more})


@lru_cache(maxsize=256)
def _plan(
    field: int, keywords: tuple[str, ...], has_data_set: bool
) -> tuple[tuple[str, str, bytes], ...]:
    """Return keyword, VR and tag of what a message with these elements is written of, in order.

    What is the same in all of them has no keyword, and its bytes in place of the tag. An
    association sends few kinds of messages, so they are checked once.
    """
    layout = MESSAGES.get(field)
    if layout is not None:
        required, optional = layout
        name = Command(field, {}).name
        for keyword in required:
            if keyword not in keywords:
                raise LocalProtocolError(f"{name} without {keyword}")
        for keyword in keywords:
            if keyword not in required and keyword not in optional:
                raise LocalProtocolError(f"{name} does not carry {keyword}")
    fixed = {
        "CommandField": field,
        "CommandDataSetType": DATA_SET_FOLLOWS if has_data_set else NO_DATA_SET,
    }
    # the table is in the order of the tags, as the elements have to be
    return tuple(
        ("", vr, _encode_element(tag, vr, fixed[keyword]))
        if keyword in fixed
        else (keyword, vr, tag)
        for tag, (keyword, vr) in _BY_BYTES.items()
        if keyword in fixed or keyword in keywords
    )


def _encode_element(tag: bytes, vr: str, value: Value) -> bytes:
    if isinstance(value, int):
        return tag + b"\2\0\0\0" + value.to_bytes(2, "little")
    if isinstance(value, tuple):
        data = b"".join(struct.pack("<HH", item >> 16, item & 0xFFFF) for item in value)
    else:
        data = value.encode("ascii", "replace")
        if len(data) % 2:
            data += b"\0" if vr == "UI" else b" "
    return tag + len(data).to_bytes(4, "little") + data


def _decode_value(keyword: str, vr: str, data: bytes) -> Value:
    if vr not in ("US", "AT"):
        # latin-1 never fails: an odd character in a comment is no reason to end an association
        return data.decode("latin-1").strip(" \0")
    if vr == "US" or len(data) % 4:
        raise PeerProtocolError(f"{keyword} of {len(data)} bytes")
    pairs = struct.iter_unpack("<HH", data)
    return tuple(group << 16 | element for group, element in pairs)


def _checked(elements: dict[str, Value]) -> Command:
    field = elements.pop("CommandField", None)
    kind = elements.pop("CommandDataSetType", None)
    if not isinstance(field, int) or not isinstance(kind, int):
        raise PeerProtocolError("command set without CommandField or CommandDataSetType")
    is_answer = bool(field & _RESPONSE) or field == CommandField.C_CANCEL_RQ
    needed = "MessageIDBeingRespondedTo" if is_answer else "MessageID"
    if needed not in elements:
        raise PeerProtocolError(f"command set without {needed}")
    if field & _RESPONSE and "Status" not in elements:
        raise PeerProtocolError("response without Status")
    return Command(field, elements, kind != NO_DATA_SET)
