"""The backend of a scenario: what it signs is genuine, and what is spoilt is spoilt in its own way."""

import os
from collections.abc import Callable

import pytest

from host_tools.backend.issuer import Issuer
from host_tools.bench.bench import Identity
from host_tools.bench.scenario_backend import Backend, Customer
from host_tools.bench.scenario_words import TOKENS
from host_tools.phone.keyring import new_key
from protocol import keys
from protocol.errors import Code, ProtocolError, Role
from protocol.orders import Ending, Order, OrderKind, Subscription
from protocol.tokens import Booking, RevocationList, TimeAttestation, Trust, verify_booking, verify_signed

NOW_S = 1_793_354_400
ISSUER = Issuer(new_key(), os.urandom)
HANDSHAKE, SIGNING, HOLDER = (keys.public_to_bytes(new_key().public_key()) for _ in range(3))
IDENTITY = Identity(b"module_1", HANDSHAKE, SIGNING, 3)
TRUST = Trust(b"module_1", {ISSUER.key_id: ISSUER.public})
ANNA = Customer(Role.VIP, b"anna____", 5)


def backend() -> Backend:
    return Backend(ISSUER, IDENTITY, lambda: NOW_S)


def booking(made: Backend) -> Booking:
    return made.book(ANNA, keys.public_from_bytes(HOLDER), (NOW_S, NOW_S + 600), 1)


def test_a_booking_is_what_was_asked_for() -> None:
    made = backend()
    seen = verify_booking(made.file(booking(made)).token, TRUST)
    assert (seen.role, seen.user, seen.permissions) == (Role.VIP, b"anna____", 5)
    assert (seen.not_before_s, seen.ends_at_s, seen.key_epoch) == (NOW_S, NOW_S + 600, 3)
    assert seen.holder == HOLDER


def test_a_newer_device_gets_the_same_booking() -> None:
    made, holder = backend(), new_key().public_key()
    first = booking(made)
    second = made.rebound(first, holder, 2)
    assert second.booking_id == first.booking_id
    assert second.token_id != first.token_id
    assert (second.device_generation, second.holder) == (2, keys.public_to_bytes(holder))


def judged(token: bytes, look: Callable[[Booking], bool]) -> str:
    try:
        return "as it should not be" if look(verify_booking(token, TRUST)) else "fine"
    except ProtocolError as error:
        return error.code.name


@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ("a forged token", Code.SIGNATURE_INVALID.name),
        ("a stranger's token", Code.UNKNOWN_ISSUER.name),
        ("half a token", Code.TOKEN_MALFORMED.name),
        ("a token for another car", Code.WRONG_VEHICLE.name),
        ("another phone's token", "as it should not be"),
        ("a token for other keys", "as it should not be"),
    ],
)
def test_what_is_spoilt_is_spoilt_in_its_own_way(how: str, verdict: str) -> None:
    made = backend()
    genuine = booking(made)
    file = made.spoilt(genuine, how)
    assert how in TOKENS
    assert file.module_id == IDENTITY.module_id
    assert judged(file.token, lambda seen: seen.holder != HOLDER or seen.key_epoch != genuine.key_epoch) == verdict


def test_orders_are_genuine_and_the_last_one_is_kept() -> None:
    made = backend()
    ended = booking(made)
    end = verify_signed(made.end(ended), TRUST)
    assert isinstance(end, Order)
    assert end.details == Ending(ended.booking_id, ended.expires_s)
    unlock = made.remote(OrderKind.UNLOCK)
    assert made.last == unlock
    assert made.last_id != end.order_id.hex()
    assert len(made.last_id) == 32
    paid = verify_signed(made.subscription(NOW_S + 60, paused=True), TRUST)
    assert isinstance(paid, Order)
    assert isinstance(paid.details, Subscription)
    assert (paid.details.paused, paid.details.sharing_until_s) == (True, NOW_S + 60)
    time = verify_signed(made.time(b"n" * 16), TRUST)
    assert isinstance(time, TimeAttestation)
    assert made.last != b""


def test_lists_grow_and_their_numbers_rise() -> None:
    made = backend()
    first, second = booking(made), booking(made)
    lists = [verify_signed(made.revocation(each), TRUST) for each in (first, second, None)]
    assert all(isinstance(each, RevocationList) for each in lists)
    one, two, three = (each for each in lists if isinstance(each, RevocationList))
    assert one.number < two.number < three.number
    assert [len(each.revoked) for each in (one, two, three)] == [1, 2, 2]
    assert (two.min_key_epoch, three.min_key_epoch) == (3, 4)
    assert booking(made).key_epoch == 4
    assert made.last_id == ""
    assert backend().last_id == ""
