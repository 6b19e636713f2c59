"""Thirteen bytes on the air that say something to a holder of the key, and nothing to anybody else."""

import random

import pytest

from protocol import beacon

SECRET = bytes(range(16))
KEY = beacon.key_of(SECRET, 3)
NONCE = b"nonce"


@pytest.mark.req("PRV-7")
def test_the_holder_of_the_key_knows_each_of_its_beacons() -> None:
    draw = random.Random(1).randbytes
    made = [beacon.make(KEY, draw(beacon.NONCE_BYTES)) for _ in range(50)]
    assert all(beacon.is_of(KEY, one) for one in made)
    assert {len(one) for one in made} == {beacon.BEACON_BYTES} == {13}
    assert len({one[beacon.NONCE_BYTES :] for one in made}) == len(made)


@pytest.mark.req("PRV-7")
def test_another_secret_and_another_epoch_are_strangers() -> None:
    made = beacon.make(KEY, NONCE)
    assert not beacon.is_of(beacon.key_of(SECRET, 4), made)
    assert not beacon.is_of(beacon.key_of(bytes(16), 3), made)


def test_a_single_bit_makes_it_nobodys() -> None:
    made = beacon.make(KEY, NONCE)
    for place in range(8 * len(made)):
        changed = int.from_bytes(made, "big") ^ 1 << place
        assert not beacon.is_of(KEY, changed.to_bytes(len(made), "big"))


@pytest.mark.parametrize("length", [0, 4, 5, 12, 14, 64])
def test_what_has_another_length_is_nobodys(length: int) -> None:
    assert not beacon.is_of(KEY, (beacon.make(KEY, NONCE) * 8)[:length])


def test_these_bytes_are_what_they_always_were() -> None:
    assert KEY.hex() == "0cdc6f42a73d839881f3a36e6da17221"
    assert beacon.make(KEY, NONCE).hex() == "6e6f6e6365f590ebabfc95a681"


def test_lengths_that_no_caller_may_give_are_refused() -> None:
    with pytest.raises(AssertionError):
        beacon.key_of(bytes(15), 0)
    with pytest.raises(AssertionError):
        beacon.make(KEY, bytes(6))
