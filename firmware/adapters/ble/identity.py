"""Who the module is on the air: an address that nobody can link to the last one, and a beacon for its own phones.

Decides how both are made and how long they last (PRV-7, SPEC section 3.1). They come and go together: one that stays
while the other changes would link the two.
Refuses to know: advertising, and the controller.
"""

from typing import Final, NamedTuple

from bumble import crypto, hci

from firmware.ports import Entropy
from protocol import beacon

_IRK_BYTES: Final = 16
_PRAND_BYTES: Final = 3
_CHANCE_BYTES: Final = 2


class Identity(NamedTuple):
    """What stands for the module for a while."""

    address: hci.Address
    beacon: bytes


class Identities:
    """Resolvable private addresses under a key that is thrown away, so that nobody can link two of them; beacons under
    the key of `recognised_in`. `radio_secret` empty: beacons are random bytes, and nobody knows them."""

    def __init__(self, entropy: Entropy, radio_secret: bytes, longest_s: float) -> None:
        self._entropy = entropy
        self._secret = radio_secret
        self._longest_s = longest_s
        self._resolving_key = entropy(_IRK_BYTES)
        self._beacon_key = b""
        self._key_epoch: int | None = None

    def recognised_in(self, key_epoch: int) -> bool:
        """Whose phones may know the module from now on, by the key epoch of their credentials. Returns whether that is
        new, so that an identity of before must not stay."""
        if key_epoch == self._key_epoch:
            return False
        self._key_epoch = key_epoch
        if self._secret:
            self._beacon_key = beacon.key_of(self._secret, key_epoch)
        return bool(self._secret)

    def fresh(self) -> Identity:
        """A new one."""
        return Identity(self._address(), self._beacon())

    def lifetime_s(self) -> float:
        """How long the next one lasts: half of the longest time to all of it, drawn anew each time. A change at regular
        intervals would itself tell one car from another."""
        chance = int.from_bytes(self._entropy(_CHANCE_BYTES), "big") / 256**_CHANCE_BYTES
        return self._longest_s * (1 + chance) / 2

    def _address(self) -> hci.Address:
        """22 random bits, marked as private, and their hash (Core Vol 6 Part B 1.3.2.2)."""
        first, second, third = self._entropy(_PRAND_BYTES)
        random = bytes((first, second, third & 0x3F | 0x40))
        if random in (b"\x00\x00\x40", b"\xff\xff\x7f"):  # all zeros and all ones are reserved
            random = b"\x01\x00\x40"
        data = crypto.ah(self._resolving_key, random) + random
        return hci.Address(data, hci.Address.RANDOM_DEVICE_ADDRESS)

    def _beacon(self) -> bytes:
        if not self._beacon_key:
            return self._entropy(beacon.BEACON_BYTES)
        return beacon.make(self._beacon_key, self._entropy(beacon.NONCE_BYTES))
