"""The user-information items of an association, both ways (PS3.7 D.3.3 and PS3.8 D.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from pacs_cli.errors import PeerProtocolError

_ITEM = struct.Struct(">BxH")


@dataclass(frozen=True, slots=True)
class AsynchronousOperationsWindow:
    """How many operations may be outstanding each way; 0 is unlimited (PS3.7 D.3.3.3)."""

    invoked: int = 1
    performed: int = 1


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """SCP/SCU role selection for one SOP class (PS3.7 D.3.3.4)."""

    sop_class_uid: str
    scu_role: bool
    scp_role: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Service-class application information for one SOP class (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    application_information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """Service class and related general SOP classes of one SOP class (PS3.7 D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()


class IdentityType(IntEnum):
    """The forms of a user identity (PS3.7 table D.3-14); other numbers may come."""

    USER_NAME = 1
    USER_NAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True, repr=False)
class UserIdentity:
    """A proposed user identity (PS3.7 D.3.3.7.1); its secrets are never shown.

    type             an IdentityType, or whatever number came
    primary_field    the user name in UTF-8, the ticket, the assertion or the token
    secondary_field  the passcode
    """

    type: int
    positive_response_requested: bool
    primary_field: bytes
    secondary_field: bytes = b""

    def __repr__(self) -> str:
        return f"UserIdentity(type={self.type})"

    @property
    def name(self) -> str:
        """The user name as the peer says it, unproven; empty for what is no name."""
        is_named = self.type in (IdentityType.USER_NAME, IdentityType.USER_NAME_AND_PASSCODE)
        return self.primary_field.decode("utf-8", "replace") if is_named else ""


@dataclass(frozen=True, slots=True)
class UserInformation:
    """Everything negotiated besides presentation contexts (PS3.7 D.3.3).

    maximum_length          bytes of the variable part of a P-DATA-TF the sender of this takes,
                            0 for no limit (PS3.8 D.1)
    user_identity           only in a request
    user_identity_response  only in an answer; None when there was none (PS3.7 D.3.3.7.2)
    """

    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    asynchronous_operations_window: AsynchronousOperationsWindow | None = None
    role_selections: tuple[RoleSelection, ...] = ()
    extended_negotiations: tuple[ExtendedNegotiation, ...] = ()
    common_extended_negotiations: tuple[CommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentity | None = None
    user_identity_response: bytes | None = field(default=None, repr=False)


def encode_item(kind: int, body: bytes) -> bytes:
    """Return one item: type, a reserved byte, a 16-bit length, the body (PS3.8 9.3.2.1)."""
    return _ITEM.pack(kind, len(body)) + body


def split_items(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield (type, body) of each item in `view`; raise PeerProtocolError on an overrun."""
    offset, end = 0, len(view)
    while offset < end:
        if end - offset < 4:
            raise PeerProtocolError("association PDU ends inside an item header")
        kind, size = _ITEM.unpack_from(view, offset)
        offset += 4
        if size > end - offset:
            raise PeerProtocolError(f"association item {kind:02X}H runs past its end")
        yield kind, view[offset : offset + size]
        offset += size


def decode_uid(view: memoryview) -> str:
    """Return a UID without its padding; it is compared, never used as a path."""
    try:
        return bytes(view).decode("ascii").strip(" \0")
    except UnicodeDecodeError:
        raise PeerProtocolError("a UID in the association is not ASCII") from None


def encode_user_information(info: UserInformation) -> bytes:
    """Return the user information item 50H with its sub-items in the order of their types."""
    items = [encode_item(0x51, struct.pack(">I", info.maximum_length))]
    if info.implementation_class_uid:
        items.append(encode_item(0x52, info.implementation_class_uid.encode("ascii")))
    window = info.asynchronous_operations_window
    if window is not None:
        items.append(encode_item(0x53, struct.pack(">HH", window.invoked, window.performed)))
    for role in info.role_selections:
        flags = bytes((role.scu_role, role.scp_role))
        items.append(encode_item(0x54, _sized(role.sop_class_uid.encode("ascii")) + flags))
    if info.implementation_version_name:
        items.append(encode_item(0x55, info.implementation_version_name.encode("ascii")[:16]))
    for extended in info.extended_negotiations:
        uid = _sized(extended.sop_class_uid.encode("ascii"))
        items.append(encode_item(0x56, uid + extended.application_information))
    items += [_encode_common(common) for common in info.common_extended_negotiations]
    identity = info.user_identity
    if identity is not None:
        flags = bytes((identity.type, identity.positive_response_requested))
        fields = _sized(identity.primary_field) + _sized(identity.secondary_field)
        items.append(encode_item(0x58, flags + fields))
    if info.user_identity_response is not None:
        items.append(encode_item(0x59, _sized(info.user_identity_response)))
    return encode_item(0x50, b"".join(items))


def decode_user_information(view: memoryview) -> UserInformation:
    """Read the body of a user information item; unknown sub-items are skipped (PS3.7 D.3.3)."""
    single: dict[str, object] = {}
    roles: list[RoleSelection] = []
    extended: list[ExtendedNegotiation] = []
    common: list[CommonExtendedNegotiation] = []
    for kind, body in split_items(view):
        if kind == 0x51:
            single["maximum_length"] = _decode_maximum_length(body)
        elif kind == 0x52:
            single["implementation_class_uid"] = decode_uid(body)
        elif kind == 0x53:
            counts = _fixed(">HH", body, "asynchronous operations window")
            single["asynchronous_operations_window"] = AsynchronousOperationsWindow(*counts)
        elif kind == 0x54:
            roles.append(_decode_role(body))
        elif kind == 0x55:
            single["implementation_version_name"] = bytes(body).decode("latin-1").strip(" \0")
        elif kind == 0x56:
            uid, rest = _take(body)
            extended.append(ExtendedNegotiation(decode_uid(uid), bytes(rest)))
        elif kind == 0x57:
            common.append(_decode_common(body))
        elif kind == 0x58:
            if "user_identity" in single:
                # of two, one might be checked and the other believed
                raise PeerProtocolError("two user identity items, where one may be")
            single["user_identity"] = _decode_identity(body)
        elif kind == 0x59:
            single["user_identity_response"] = bytes(_take(body)[0])
    return UserInformation(
        role_selections=tuple(roles),
        extended_negotiations=tuple(extended),
        common_extended_negotiations=tuple(common),
        **single,  # type: ignore[arg-type]
    )


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _take(view: memoryview) -> tuple[memoryview, memoryview]:
    """Split a 16-bit-length-prefixed field from the rest."""
    if len(view) < 2 or (size := view[0] << 8 | view[1]) > len(view) - 2:
        raise PeerProtocolError("user information field runs past its item")
    return view[2 : 2 + size], view[2 + size :]


def _fixed(layout: str, body: memoryview, name: str) -> tuple[int, ...]:
    if len(body) != struct.calcsize(layout):
        raise PeerProtocolError(f"{name} item of {len(body)} bytes")
    return struct.unpack(layout, body)


def _decode_maximum_length(body: memoryview) -> int:
    (maximum,) = _fixed(">I", body, "maximum length")
    # a PDV has six bytes of its own and an even number of payload bytes
    if 0 < maximum < 8:
        raise PeerProtocolError(f"a maximum length of {maximum} leaves no room for data")
    return maximum


def _decode_role(body: memoryview) -> RoleSelection:
    uid, flags = _take(body)
    if len(flags) != 2:
        raise PeerProtocolError("role selection item without its two role bytes")
    return RoleSelection(decode_uid(uid), flags[0] == 1, flags[1] == 1)


def _encode_common(common: CommonExtendedNegotiation) -> bytes:
    related = b"".join(_sized(u.encode("ascii")) for u in common.related_general_sop_class_uids)
    uids = _sized(common.sop_class_uid.encode("ascii"))
    uids += _sized(common.service_class_uid.encode("ascii"))
    return encode_item(0x57, uids + _sized(related))


def _decode_common(body: memoryview) -> CommonExtendedNegotiation:
    sop_class, rest = _take(body)
    service_class, rest = _take(rest)
    related, _ = _take(rest)
    uids: list[str] = []
    while related:
        uid, related = _take(related)
        uids.append(decode_uid(uid))
    return CommonExtendedNegotiation(decode_uid(sop_class), decode_uid(service_class), tuple(uids))


def _decode_identity(body: memoryview) -> UserIdentity:
    if len(body) < 2:
        raise PeerProtocolError("user identity item shorter than its header")
    primary, rest = _take(body[2:])
    # the secondary field is empty for every type but 2, and some peers leave it out
    secondary = _take(rest)[0] if rest else memoryview(b"")
    return UserIdentity(body[0], body[1] == 1, bytes(primary), bytes(secondary))
