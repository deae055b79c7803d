"""The seven protocol data units of PS3.8 9.3, both ways, as frozen dataclasses.

`decode_*` take the variable part of a PDU (without its six header bytes) and raise
PeerProtocolError on anything the standard does not allow; `encode()` gives the whole PDU.
The user-information items live in `wire.userinfo`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.userinfo import (
    UserInformation,
    decode_uid,
    decode_user_information,
    encode_item,
    encode_user_information,
    split_items,
)

#: The one application context of DICOM (PS3.7 A.2.1).
APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"

#: Presentation context ids are the odd numbers of one byte, so there are 128 (PS3.8 9.3.2.2).
MAX_CONTEXTS = 128

_HEADER = struct.Struct(">BxI")
_PDV_HEADER = struct.Struct(">IBB")
_PDATA_HEADER = struct.Struct(">BxIIBB")
_ASSOCIATE_FIXED = struct.Struct(">HH16s16s32s")


class PduType(IntEnum):
    """The type byte of each PDU (PS3.8 table 9-11 and following)."""

    A_ASSOCIATE_RQ = 1
    A_ASSOCIATE_AC = 2
    A_ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    A_RELEASE_RQ = 5
    A_RELEASE_RP = 6
    A_ABORT = 7


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """One presentation context of an A-ASSOCIATE-AC (PS3.8 9.3.3.2).

    result  0 acceptance, 1 user rejection, 2 no reason, 3 abstract syntax not supported,
            4 transfer syntaxes not supported; transfer_syntax only counts when it is 0
    """

    id: int
    result: int
    transfer_syntax: str = ""


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ProposedContext, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = 1

    def encode(self) -> bytes:
        """Return the whole PDU."""
        items = [encode_item(0x10, self.application_context_name.encode("ascii"))]
        for context in self.contexts:
            body = bytes((context.id, 0, 0, 0))
            body += encode_item(0x30, context.abstract_syntax.encode("ascii"))
            for uid in context.transfer_syntaxes:
                body += encode_item(0x40, uid.encode("ascii"))
            items.append(encode_item(0x20, body))
        return _encode_associate(PduType.A_ASSOCIATE_RQ, self, items)


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """A-ASSOCIATE-AC (PS3.8 9.3.3). The AE titles only echo the request and are not tested."""

    called_ae_title: str
    calling_ae_title: str
    contexts: tuple[ContextResult, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = APPLICATION_CONTEXT_NAME
    protocol_version: int = 1

    def encode(self) -> bytes:
        """Return the whole PDU."""
        items = [encode_item(0x10, self.application_context_name.encode("ascii"))]
        for context in self.contexts:
            # a refused context still carries one transfer syntax item, which is not significant
            body = bytes((context.id, 0, context.result, 0))
            body += encode_item(0x40, context.transfer_syntax.encode("ascii"))
            items.append(encode_item(0x21, body))
        return _encode_associate(PduType.A_ASSOCIATE_AC, self, items)


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4, table 9-21)."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """Return the whole PDU."""
        return struct.pack(">BxIxBBB", 3, 4, self.result, self.source, self.reason)


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8, table 9-26)."""

    source: int
    reason: int

    def encode(self) -> bytes:
        """Return the whole PDU."""
        return struct.pack(">BxIxxBB", 7, 4, self.source, self.reason)


#: A-RELEASE-RQ and A-RELEASE-RP carry nothing (PS3.8 9.3.6 and 9.3.7).
RELEASE_RQ = struct.pack(">BxI4x", 5, 4)
RELEASE_RP = struct.pack(">BxI4x", 6, 4)


def pdata_header(context_id: int, control: int, size: int) -> bytes:
    """Return the 12 bytes before `size` payload bytes sent as one PDV in one P-DATA-TF.

    control  bit 0 set for a command, bit 1 set for the last fragment (PS3.8 E.2)
    source   PS3.8 9.3.5
    """
    return _PDATA_HEADER.pack(PduType.P_DATA_TF, size + 6, size + 2, context_id, control)


def split_pdata(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (context id, control byte, payload) of each presentation data value in one P-DATA-TF.

    body    the PDU without its 6-byte header; the payloads are views into it, never copies
    raises  PeerProtocolError when there is none, or a length is under 2 or runs past the end
    source  PS3.8 9.3.5 and Annex E
    """
    offset, end = 0, len(body)
    if not end:
        raise PeerProtocolError("P-DATA-TF without a presentation data value")
    while offset < end:
        if end - offset < 6:
            raise PeerProtocolError("P-DATA-TF ends inside a presentation data value header")
        size, context_id, control = _PDV_HEADER.unpack_from(body, offset)
        if size < 2 or size > end - offset - 4:
            raise PeerProtocolError(f"presentation data value of impossible length {size}")
        yield context_id, control, body[offset + 6 : offset + 4 + size]
        offset += 4 + size


def decode_header(view: memoryview, offset: int = 0) -> tuple[int, int]:
    """Return (type, length) from the first six bytes of a PDU (PS3.8 9.3.1)."""
    kind, length = _HEADER.unpack_from(view, offset)
    return kind, length


def decode_associate_rq(body: memoryview) -> AssociateRequest:
    """Read the variable part of an A-ASSOCIATE-RQ (PS3.8 9.3.2)."""
    version, called, calling = _decode_associate_fixed(body)
    application_context = ""
    contexts: list[ProposedContext] = []
    information = UserInformation()
    for kind, item in split_items(body[68:]):
        if kind == 0x10:
            application_context = decode_uid(item)
        elif kind == 0x20:
            contexts.append(_decode_proposed(item))
        elif kind == 0x50:
            information = decode_user_information(item)
    if not application_context:
        raise PeerProtocolError("A-ASSOCIATE-RQ without an application context")
    _check_ids([context.id for context in contexts])
    return AssociateRequest(
        called, calling, tuple(contexts), information, application_context, version
    )


def decode_associate_ac(body: memoryview) -> AssociateAccept:
    """Read the variable part of an A-ASSOCIATE-AC (PS3.8 9.3.3)."""
    version, called, calling = _decode_associate_fixed(body)
    application_context = ""
    results: list[ContextResult] = []
    information = UserInformation()
    for kind, item in split_items(body[68:]):
        if kind == 0x10:
            application_context = decode_uid(item)
        elif kind == 0x21:
            results.append(_decode_result(item))
        elif kind == 0x50:
            information = decode_user_information(item)
    _check_ids([result.id for result in results])
    return AssociateAccept(
        called, calling, tuple(results), information, application_context, version
    )


def decode_associate_rj(body: memoryview) -> AssociateReject:
    """Read the variable part of an A-ASSOCIATE-RJ; unknown values are kept (PS3.8 9.3.4)."""
    _expect_four(body, "A-ASSOCIATE-RJ")
    return AssociateReject(body[1], body[2], body[3])


def decode_release(body: memoryview) -> None:
    """Check the variable part of an A-RELEASE-RQ or -RP (PS3.8 9.3.6 and 9.3.7)."""
    _expect_four(body, "A-RELEASE")


def decode_abort(body: memoryview) -> Abort:
    """Read the variable part of an A-ABORT (PS3.8 9.3.8)."""
    _expect_four(body, "A-ABORT")
    return Abort(body[2], body[3])


def _expect_four(body: memoryview, name: str) -> None:
    if len(body) != 4:
        raise PeerProtocolError(f"{name} of {len(body)} bytes instead of 4")


def _encode_associate(
    kind: PduType, pdu: AssociateRequest | AssociateAccept, items: list[bytes]
) -> bytes:
    called = pdu.called_ae_title.encode("latin-1", "replace")[:16].ljust(16)
    calling = pdu.calling_ae_title.encode("latin-1", "replace")[:16].ljust(16)
    fixed = _ASSOCIATE_FIXED.pack(pdu.protocol_version, 0, called, calling, bytes(32))
    body = fixed + b"".join(items) + encode_user_information(pdu.user_information)
    return _HEADER.pack(kind, len(body)) + body


def _decode_associate_fixed(body: memoryview) -> tuple[int, str, str]:
    if len(body) < 68:
        raise PeerProtocolError(f"A-ASSOCIATE of {len(body)} bytes, its fixed part has 68")
    version, _, called, calling, _ = _ASSOCIATE_FIXED.unpack_from(body)
    # latin-1 maps every byte to a character: a title outside ISO 646 can be refused by name
    titles = (title.decode("latin-1").strip(" \0") for title in (called, calling))
    return (version, *titles)


def _decode_proposed(item: memoryview) -> ProposedContext:
    if len(item) < 4:
        raise PeerProtocolError("presentation context shorter than its header")
    abstract, transfers = "", []
    for kind, body in split_items(item[4:]):
        if kind == 0x30:
            abstract = decode_uid(body)
        elif kind == 0x40:
            transfers.append(decode_uid(body))
    if not abstract or not transfers:
        raise PeerProtocolError("presentation context without an abstract or a transfer syntax")
    return ProposedContext(item[0], abstract, tuple(transfers))


def _decode_result(item: memoryview) -> ContextResult:
    if len(item) < 4:
        raise PeerProtocolError("presentation context result shorter than its header")
    transfer = ""
    if item[2] == 0:
        for kind, body in split_items(item[4:]):
            if kind == 0x40:
                transfer = decode_uid(body)
        if not transfer:
            raise PeerProtocolError("accepted presentation context without a transfer syntax")
    # the transfer syntax of a refused context is not significant and is not looked at
    return ContextResult(item[0], item[2], transfer)


def _check_ids(ids: list[int]) -> None:
    if not ids:
        raise PeerProtocolError("no presentation context")
    if any(number % 2 == 0 for number in ids):
        raise PeerProtocolError("presentation context with an even id")
    if len(set(ids)) != len(ids):
        raise PeerProtocolError("presentation context id used twice")
