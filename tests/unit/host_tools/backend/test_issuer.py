"""The development issuer: what it signs is what modules verify."""

import pytest

from host_tools.backend.issuer import ALL_PERMISSIONS, KEY_PERMISSIONS, Issuer
from host_tools.phone.handshake import fresh_key
from protocol import keys
from protocol.errors import Role
from protocol.orders import Coupling, Ending, Order, OrderKind, Place, Removal, Subscription
from protocol.sharing import Key, verify_key
from protocol.tokens import Booking, RevocationList, TimeAttestation, trust_of, verify_booking, verify_signed
from tests.support.module_peer import seeded

MODULE = bytes(range(8))
NOW_S = 1_780_000_000


def issuer() -> Issuer:
    entropy = seeded(3)
    return Issuer(fresh_key(entropy), entropy)


def booking(signer: Issuer, starts_s: int = NOW_S, ends_s: int = NOW_S + 3600) -> Booking:
    holder = fresh_key(seeded(4)).public_key()
    return signer.booking(module_id=MODULE, holder=holder, starts_s=starts_s, ends_s=ends_s, now_s=NOW_S - 60)


def test_a_booking_verifies_and_expires_thirty_minutes_after_its_end() -> None:
    signer = issuer()
    claims = booking(signer)
    assert verify_booking(signer.token(claims), trust_of(MODULE, (signer.public,))) == claims
    assert claims.expires_s == NOW_S + 3600 + 1800
    assert (claims.role, claims.permissions) == (Role.DRIVER, ALL_PERMISSIONS)
    assert claims.holder == keys.public_to_bytes(fresh_key(seeded(4)).public_key())
    assert claims.issuer == signer.key_id


def test_what_is_not_given_is_drawn_anew_each_time_and_what_is_given_is_kept() -> None:
    signer = issuer()
    one, two = booking(signer), booking(signer)
    assert len({one.token_id, two.token_id, one.booking_id, two.booking_id}) == 4
    assert one.user != two.user
    kept = signer.booking(
        module_id=MODULE,
        holder=signer.public,
        starts_s=1,
        ends_s=2,
        now_s=0,
        booking_id=bytes(16),
        user=b"somebody",
        role=Role.OWNER,
        permissions=1,
        key_epoch=5,
        device_generation=2,
    )
    assert (kept.booking_id, kept.user, kept.role, kept.permissions) == (
        bytes(16),
        b"somebody",
        Role.OWNER,
        1,
    )
    assert (kept.key_epoch, kept.device_generation) == (5, 2)


@pytest.mark.parametrize(("starts_s", "ends_s"), [(NOW_S, NOW_S), (-1, NOW_S), (NOW_S, 2**32)])
def test_a_booking_whose_times_are_not_in_order_is_not_made(starts_s: int, ends_s: int) -> None:
    with pytest.raises(ValueError, match="a booking ends after it starts"):
        booking(issuer(), starts_s, ends_s)


@pytest.mark.req("BKG-2")
def test_an_end_order_names_its_booking_and_has_a_time_to_live() -> None:
    signer = issuer()
    claims = booking(signer)
    order = verify_signed(signer.end_order(claims, now_s=NOW_S, ttl_s=60), trust_of(MODULE, (signer.public,)))
    assert isinstance(order, Order)
    assert order.kind is OrderKind.END_BOOKING
    assert order.details == Ending(claims.booking_id, claims.expires_s)
    assert (order.issued_s, order.expires_s) == (NOW_S, NOW_S + 60)


def test_a_revocation_list_carries_each_token_with_its_expiry() -> None:
    signer = issuer()
    one, two = booking(signer), booking(signer)
    signed = signer.revocation_list(module_id=MODULE, number=4, revoked=[one, two], now_s=NOW_S, min_key_epoch=1)
    listed = verify_signed(signed, trust_of(MODULE, (signer.public,)))
    assert isinstance(listed, RevocationList)
    assert listed.revoked == ((one.token_id, one.expires_s), (two.token_id, two.expires_s))
    assert (listed.number, listed.min_key_epoch) == (4, 1)


def test_a_list_too_long_for_a_module_is_not_made() -> None:
    signer = issuer()
    claims = booking(signer)
    with pytest.raises(ValueError, match="too many"):
        signer.revocation_list(module_id=MODULE, number=1, revoked=[claims] * 200, now_s=NOW_S)


@pytest.mark.req("CLK-2")
def test_a_time_attestation_is_bound_to_the_nonce_of_one_module() -> None:
    signer = issuer()
    signed = signer.time_attestation(module_id=MODULE, nonce=bytes(16), now_s=NOW_S)
    attested = verify_signed(signed, trust_of(MODULE, (signer.public,)))
    assert attested == TimeAttestation(MODULE, bytes(16), NOW_S, signer.key_id)


# ---------------------------------------------------------------- orders from afar, the subscription
@pytest.mark.req("SVC-3")
def test_an_order_from_afar_has_its_kind_and_a_short_life() -> None:
    signer = issuer()
    trust = trust_of(MODULE, (signer.public,))
    for kind in (OrderKind.UNLOCK, OrderKind.LOCK, OrderKind.FLASH, OrderKind.REQUEST_STATE):
        order = verify_signed(signer.remote_order(kind, module_id=MODULE, now_s=NOW_S), trust)
        assert isinstance(order, Order)
        assert (order.kind, order.issued_s, order.expires_s) == (kind, NOW_S, NOW_S + 120)
        longest = verify_signed(signer.remote_order(kind, module_id=MODULE, now_s=NOW_S, ttl_s=600), trust)
        assert isinstance(longest, Order)
        assert longest.order_id != order.order_id
    with pytest.raises(ValueError, match="600 s at most, not 601"):
        signer.remote_order(OrderKind.UNLOCK, module_id=MODULE, now_s=NOW_S, ttl_s=601)
    with pytest.raises(ValueError, match="600 s at most"):
        signer.remote_order(OrderKind.FLASH, module_id=MODULE, now_s=NOW_S, ttl_s=-1)
    with pytest.raises(ValueError, match="END_BOOKING is no remote order"):
        signer.remote_order(OrderKind.END_BOOKING, module_id=MODULE, now_s=NOW_S)


@pytest.mark.req("SUB-1")
def test_a_subscription_is_signed_as_it_is() -> None:
    signer = issuer()
    told = Subscription(3, NOW_S + 9, NOW_S + 8, paused=True)
    signed = signer.subscription_order(told, module_id=MODULE, now_s=NOW_S)
    order = verify_signed(signed, trust_of(MODULE, (signer.public,)))
    assert isinstance(order, Order)
    assert (order.kind, order.details) == (OrderKind.SUBSCRIPTION, told)
    assert order.expires_s - order.issued_s == 30 * 86_400


@pytest.mark.parametrize("told", [Subscription(0, 1, 1), Subscription(1, -1, 1), Subscription(1, 1, 2**32)])
def test_a_subscription_that_has_no_form_on_the_wire_is_not_made(told: Subscription) -> None:
    with pytest.raises(ValueError, match="a number from 1 on"):
        issuer().subscription_order(told, module_id=MODULE, now_s=NOW_S)


@pytest.mark.req("OWN-3", "OWN-4")
def test_any_order_is_signed_that_a_module_can_read_and_no_other() -> None:
    signer, coupling = issuer(), Coupling(1, b"maria...", b"maria...", "WMWXM520X0T123456", 1)
    for kind, lives_s in ((OrderKind.COUPLE, 86_400), (OrderKind.TAKE_OVER, 600)):
        signed = signer.order(kind, coupling, module_id=MODULE, now_s=NOW_S)
        order = verify_signed(signed, trust_of(MODULE, (signer.public,)))
        assert isinstance(order, Order)
        assert (order.kind, order.details, order.expires_s) == (kind, coupling, NOW_S + lives_s)
    for kind, details, ttl_s in (
        (OrderKind.TAKE_OVER, coupling, 601),
        (OrderKind.COUPLE, Removal(1, bytes(8)), 60),
        (OrderKind.REMOVE_OWNER, Removal(0, bytes(8)), 60),
        (OrderKind.HOME, Place(900_000_001, 0), 60),
        (OrderKind.SEND_TO_CAR, Place(0, 0, "x" * 65), 60),
        (OrderKind.HOME, None, 60),
    ):
        with pytest.raises(ValueError, match=r"claim|order|map"):
            signer.order(kind, details, module_id=MODULE, now_s=NOW_S, ttl_s=ttl_s)


@pytest.mark.req("KEY-1", "OWN-1")
def test_a_standing_key_is_an_owners_with_everything_or_a_dealers_with_nothing() -> None:
    signer, holder = issuer(), fresh_key(seeded(4)).public_key()

    def made(role: Role = Role.OWNER) -> Key:
        return signer.key(
            module_id=MODULE, holder=holder, starts_s=NOW_S, expires_s=NOW_S + 60, now_s=NOW_S - 1, role=role
        )

    for role, permissions in ((Role.OWNER, KEY_PERMISSIONS), (Role.SERVICE, 0)):
        key = made(role)
        assert verify_key(signer.key_token(key), trust_of(MODULE, (signer.public,))) == key
        assert (key.role, key.permissions, key.holder) == (role, permissions, keys.public_to_bytes(holder))
    one, two = made(), made()
    assert len({one.token_id, two.token_id, one.user, two.user}) == 4


def test_a_key_that_cannot_be_is_not_made() -> None:
    signer, holder = issuer(), fresh_key(seeded(4)).public_key()
    for starts_s, expires_s in ((NOW_S, NOW_S), (-1, NOW_S), (NOW_S, 2**32)):
        with pytest.raises(ValueError, match="a key ends after it begins"):
            signer.key(module_id=MODULE, holder=holder, starts_s=starts_s, expires_s=expires_s, now_s=NOW_S)
    with pytest.raises(ValueError, match="a guest has no standing key"):
        signer.key(module_id=MODULE, holder=holder, starts_s=0, expires_s=1, now_s=0, role=Role.GUEST)
