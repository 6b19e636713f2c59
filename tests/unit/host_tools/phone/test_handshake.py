"""The phone's side of the handshake, message by message."""

import pytest

from host_tools.phone.handshake import fresh_key, shake_hands
from protocol import keys
from protocol.edhoc import Credential, Responder, booking_credential
from protocol.messages import Operation, Request, encode_request
from protocol.session import SecureChannel, key_log_line
from tests.support.module_peer import ModulePeer, seeded


@pytest.mark.req("SEC-2")
async def test_the_token_leaves_the_phone_in_the_third_message_and_encrypted() -> None:
    peer = ModulePeer()
    booking = peer.booking_file()
    responder = Responder(peer.credential, fresh_key(peer.entropy))
    sent: list[tuple[bytes, bool]] = []

    def resolve(_label: int, token: bytes) -> Credential:
        assert token == booking.token
        return booking_credential(token, peer.holder.public_key())

    async def exchange(message: bytes, new_keys_follow: bool) -> bytes:
        sent.append((message, new_keys_follow))
        return responder.message_3(message, resolve) if new_keys_follow else responder.message_1(message)

    lines: list[str] = []
    phone = await shake_hands(exchange, booking, peer.holder, seeded(7), key_log=lines.append)
    assert lines == [key_log_line(sent[0][0], responder.export)]
    module = SecureChannel.from_exporter(responder.export, module_side=True)
    assert [new_keys_follow for _, new_keys_follow in sent] == [False, True]
    assert all(booking.token not in message for message, _ in sent)
    request = encode_request(Request(1, Operation.STATUS))
    assert module.open(phone.seal(request)) == request


def test_a_draw_that_is_no_key_is_drawn_again() -> None:
    draws = iter([b"\xff" * 32, bytes(32), bytes(31) + b"\x05"])
    assert keys.private_to_bytes(fresh_key(lambda _size: next(draws))) == bytes(31) + b"\x05"
