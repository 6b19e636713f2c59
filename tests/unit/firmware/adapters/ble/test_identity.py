"""An address and a beacon, made together."""

import random

import pytest
from bumble import crypto, hci

from firmware.adapters.ble.identity import Identities
from protocol import beacon

SECRET = bytes(range(16))


def identities(secret: bytes = SECRET, seed: int = 3) -> Identities:
    return Identities(random.Random(seed).randbytes, secret, 900.0)


def test_an_address_is_a_resolvable_private_one_under_the_key() -> None:
    known = identities(b"")
    key = random.Random(3).randbytes(16)
    for _ in range(200):
        address = known.fresh().address
        data = bytes(address)
        assert address.address_type == hci.Address.RANDOM_DEVICE_ADDRESS
        assert data[5] >> 6 == 0b01
        assert data[:3] == crypto.ah(key, data[3:])


@pytest.mark.parametrize("reserved", [b"\x00\x00\x00", b"\xff\xff\xff"])
def test_reserved_random_parts_are_not_used(reserved: bytes) -> None:
    known = Identities(lambda count: reserved if count == 3 else bytes(count), b"", 900.0)
    assert bytes(known.fresh().address)[3:] == b"\x01\x00\x40"


@pytest.mark.req("PRV-7")
def test_a_beacon_is_of_the_key_epoch_that_counts_and_never_the_same() -> None:
    known = identities()
    assert known.recognised_in(3)
    assert not known.recognised_in(3)
    key = beacon.key_of(SECRET, 3)
    made = [known.fresh().beacon for _ in range(100)]
    assert all(beacon.is_of(key, one) for one in made)
    assert len(set(made)) == 100
    assert known.recognised_in(4)
    assert not beacon.is_of(key, known.fresh().beacon)


@pytest.mark.req("PRV-7")
def test_without_a_secret_or_an_epoch_it_is_so_many_random_bytes() -> None:
    nobody, early = identities(b""), identities()
    assert not nobody.recognised_in(3)
    for known in (nobody, early):
        made = [known.fresh().beacon for _ in range(20)]
        assert {len(one) for one in made} == {beacon.BEACON_BYTES}
        assert len(set(made)) == 20
        assert not any(beacon.is_of(beacon.key_of(SECRET, 3), one) for one in made)


@pytest.mark.req("PRV-7")
def test_how_long_one_lasts_is_drawn_anew_between_half_the_time_and_all_of_it() -> None:
    known = identities()
    lives = [known.lifetime_s() for _ in range(500)]
    assert min(lives) >= 450.0
    assert max(lives) <= 900.0
    assert max(lives) - min(lives) > 400.0
    assert len(set(lives)) > 450
