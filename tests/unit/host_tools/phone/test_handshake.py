"""The phone's side of the handshake, message by message."""

import msgspec
import pytest

from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused
from host_tools.phone.handshake import fresh_key, shake_hands
from host_tools.phone.sharing import Terms, share
from protocol import keys
from protocol.edhoc import Credential, Responder, booking_credential
from protocol.messages import Operation, Request, encode_request
from protocol.provisioning import PhoneFile
from protocol.session import SecureChannel, key_log_line
from protocol.sharing import Key
from protocol.tokens import Booking
from tests.support.module_peer import NOW_S, ModulePeer, PeerLink, seeded


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


@pytest.mark.req("KEY-1", "KEY-7")
async def test_a_phone_shows_a_booking_a_standing_key_or_a_shared_one() -> None:
    peer = ModulePeer()
    owner = peer.key_file()
    guest = fresh_key(peer.entropy)
    terms = Terms("Zoë", 5, NOW_S, NOW_S + 3600)
    shared = share(owner, peer.holder, guest.public_key(), terms, now_s=NOW_S, entropy=peer.entropy)
    shown: list[tuple[PhoneFile, keys.PrivateKey]] = [
        (peer.booking_file(), peer.holder),
        (owner, peer.holder),
        (shared.file, guest),
    ]
    for file, holder in shown:
        async with Phone(PeerLink(peer), file, holder, entropy=seeded(7)) as phone:
            assert phone.access.granted
    assert [type(each) for each in peer.admitted] == [Booking, Key, Key]
    assert peer.admitted[2] == shared.key


@pytest.mark.req("SEC-2")
async def test_a_file_with_the_key_of_another_car_is_told_by_its_kind() -> None:
    peer = ModulePeer()
    for file, name in ((peer.booking_file(), "booking"), (peer.key_file(), "key")):
        wrong = msgspec.structs.replace(file, module_handshake_public=keys.public_to_bytes(peer.holder.public_key()))
        with pytest.raises(HandshakeRefused, match=f"not the one of the {name}") as refused:
            await Phone(PeerLink(peer), wrong, peer.holder, entropy=seeded(7)).open()
        assert refused.value.wrong_module
        broken = msgspec.structs.replace(file, module_handshake_public=b"")
        with pytest.raises(HandshakeRefused, match=f"the {name} file carries no usable module key"):
            await Phone(PeerLink(peer), broken, peer.holder, entropy=seeded(7)).open()


def test_a_draw_that_is_no_key_is_drawn_again() -> None:
    draws = iter([b"\xff" * 32, bytes(32), bytes(31) + b"\x05"])
    assert keys.private_to_bytes(fresh_key(lambda _size: next(draws))) == bytes(31) + b"\x05"
