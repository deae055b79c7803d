"""Negotiation and messages drawn at random hold together; changed bodies of PDUs raise one thing.

Every test runs short and the same in each run, and long and different with `-m slow`.
"""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.command import MAX_COMMAND_SET, decode_command, encode_command, response_to
from pacs_cli.wire.message import CommandReceived, Fragment, MessageReader, fragments
from pacs_cli.wire.negotiation import (
    Context,
    Result,
    answer_contexts,
    negotiated,
    prefer_in_order,
)
from pacs_cli.wire.pdu import (
    AssociateAccept,
    AssociateRequest,
    decode_associate_ac,
    decode_associate_rq,
    split_pdata,
)
from pacs_cli.wire.userinfo import decode_user_information, encode_user_information
from tests.dicom.test_elements_fuzz import runs
from tests.wire.dialogue import CT, ECHO, EXPLICIT, STORE
from tests.wire.test_fuzz import CHANGES, Changes, mutated
from tests.wire.test_pdu import ACCEPTS, REQUESTS

CONTEXTS = {3: Context(3, CT, (EXPLICIT,), Result.ACCEPTANCE, EXPLICIT)}


@runs(40, 10_000)
def test_both_ends_make_the_same_of_a_negotiation(run: settings) -> None:
    @run
    @given(REQUESTS, st.data())
    def check(request: AssociateRequest, data: st.DataObject) -> None:
        offered = sorted({each for one in request.contexts for each in one.transfer_syntaxes})
        liked = data.draw(
            st.lists(st.sampled_from(offered), unique=True) if offered else st.just([])
        )
        results = answer_contexts(request, prefer_in_order(None, liked))
        said = AssociateAccept(request.called_ae_title, request.calling_ae_title, results)
        heard = decode_associate_ac(memoryview(said.encode())[6:])
        contexts = negotiated(request, heard)
        assert contexts == negotiated(request, said)
        assert list(contexts) == [each.id for each in request.contexts]
        for each in request.contexts:
            # the requestor's order counts
            first = next((syntax for syntax in each.transfer_syntaxes if syntax in liked), "")
            assert contexts[each.id].transfer_syntax == first
            assert contexts[each.id].is_accepted == bool(first)

    check()


@runs(100, 10_000)
def test_message_comes_out_as_it_went_in_whatever_the_fragments(run: settings) -> None:
    @run
    @given(st.lists(st.binary(max_size=300), max_size=5), st.integers(2, 200))
    def check(data: list[bytes], size: int) -> None:
        said = b"".join(bytes(each) for each in fragments(3, 1, [STORE], size))
        said += b"".join(bytes(each) for each in fragments(3, 0, data, size))
        reader, command, received, is_over = MessageReader(CONTEXTS), None, b"", False
        while said:
            length = 6 + int.from_bytes(said[2:6], "big")
            for context, control, payload in split_pdata(memoryview(said)[6:length]):
                found = reader.feed(context, control, payload)
                if isinstance(found, CommandReceived):
                    command = found.command
                elif isinstance(found, Fragment):
                    received, is_over = received + bytes(found.data), found.is_last
            said = said[length:]
        assert command == decode_command(STORE)
        assert (received, is_over) == (b"".join(data), True)

    check()


@runs(200, 20_000)
def test_reader_of_messages_raises_one_thing_and_keeps_little(run: settings) -> None:
    values = st.tuples(
        st.integers(0, 5),
        st.integers(0, 7),
        st.sampled_from((STORE, ECHO, b"", STORE[:40])) | st.binary(max_size=99),
    )

    @run
    @given(st.lists(values, max_size=12))
    def check(said: list[tuple[int, int, bytes]]) -> None:
        reader = MessageReader(CONTEXTS)
        with suppress(PeerProtocolError):
            for context, control, payload in said:
                reader.feed(context, control, memoryview(payload))
                assert len(reader._command) <= MAX_COMMAND_SET

    check()


@runs(60, 20_000)
def test_changed_bodies_of_pdus_raise_one_thing(run: settings) -> None:
    @run
    @given(REQUESTS, ACCEPTS, CHANGES)
    def check(request: AssociateRequest, answer: AssociateAccept, changes: Changes) -> None:
        with suppress(PeerProtocolError):
            negotiated(decode_associate_rq(_changed(request.encode()[6:], changes)), answer)
        with suppress(PeerProtocolError):
            negotiated(request, decode_associate_ac(_changed(answer.encode()[6:], changes)))
        with suppress(PeerProtocolError):
            body = encode_user_information(request.user_information)[4:]
            decode_user_information(_changed(body, changes))

    check()


@runs(200, 20_000)
def test_changed_command_sets_are_answered_or_raise_one_thing(run: settings) -> None:
    @run
    @given(st.sampled_from((ECHO, STORE)), CHANGES)
    def check(command: bytes, changes: Changes) -> None:
        with suppress(PeerProtocolError):
            found = decode_command(mutated(command, changes))
            if not found.is_response and "MessageID" in found.elements:
                said = decode_command(encode_command(response_to(found, 0x0110)))
                assert said.number("MessageIDBeingRespondedTo") == found.message_id

    check()


def _changed(body: bytes, changes: Changes) -> memoryview:
    # as a PDU, whose length the changes know
    return memoryview(mutated(body, changes))
