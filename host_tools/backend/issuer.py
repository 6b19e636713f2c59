"""A development issuer: bookings, orders, revocation lists and time attestations with sensible defaults.

Pure: time and entropy are arguments. It keeps no calendar and asks nobody; whatever it is told to sign, it signs.
"""

from collections.abc import Callable, Iterable
from typing import Final

from protocol import claims, keys, sharing, tokens
from protocol.errors import ProtocolError, Role
from protocol.messages import Permission
from protocol.orders import MOST_REMOTE_TTL_S, REMOTE, SHORT_LIVED, Details, Ending, Order, OrderKind, Subscription
from protocol.sharing import Key

ALL_PERMISSIONS: Final = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK | Permission.LOCATE)
KEY_PERMISSIONS: Final = ALL_PERMISSIONS | int(Permission.BOOT)
ORDER_TTL_S: Final = 24 * 3600
SUBSCRIPTION_TTL_S: Final = 30 * 24 * 3600
REMOTE_TTL_S: Final = 120
Entropy = Callable[[int], bytes]
"""`n` random bytes."""


class Issuer:
    """Signs with one key; `entropy` yields the identifiers that the caller does not give."""

    def __init__(self, private: keys.PrivateKey, entropy: Entropy) -> None:
        self._private = private
        self._entropy = entropy

    @property
    def public(self) -> keys.PublicKey:
        """The key that modules must trust."""
        return self._private.public_key()

    @property
    def key_id(self) -> bytes:
        """Its identifier: 8 bytes."""
        return keys.key_id(self.public)

    def booking(  # noqa: PLR0913 - a booking's claims, most with a default
        self,
        *,
        module_id: bytes,
        holder: keys.PublicKey,
        starts_s: int,
        ends_s: int,
        now_s: int,
        role: Role = Role.DRIVER,
        permissions: int = ALL_PERMISSIONS,
        key_epoch: int = 0,
        booking_id: bytes | None = None,
        user: bytes | None = None,
        device_generation: int = 0,
        delegation_depth: int = 0,
    ) -> tokens.Booking:
        """The claims of a new booking from `starts_s` to `ends_s` (UTC seconds); its token expires 30 minutes
        after the end. Raises ValueError when the times are not in order."""
        if not 0 <= starts_s < ends_s <= claims.MAX_TIME_S - tokens.GRACE_S:
            raise ValueError(f"a booking ends after it starts: {starts_s} to {ends_s}")
        return tokens.Booking(
            token_id=self._entropy(16),
            not_before_s=starts_s,
            ends_at_s=ends_s,
            expires_s=ends_s + tokens.GRACE_S,
            issued_s=now_s,
            module_id=module_id,
            booking_id=booking_id or self._entropy(16),
            role=role,
            permissions=permissions,
            key_epoch=key_epoch,
            user=user or self._entropy(8),
            delegation_depth=delegation_depth,
            device_generation=device_generation,
            holder=keys.public_to_bytes(holder),
            issuer=self.key_id,
        )

    def token(self, booking: tokens.Booking) -> bytes:
        """The signed form of `booking`."""
        return tokens.mint_booking(booking, self._private)

    def key(  # noqa: PLR0913 - a key's claims, most with a default
        self,
        *,
        module_id: bytes,
        holder: keys.PublicKey,
        starts_s: int,
        expires_s: int,
        now_s: int,
        role: Role = Role.OWNER,
        permissions: int | None = None,
        key_epoch: int = 0,
        user: bytes | None = None,
        device_generation: int = 0,
    ) -> Key:
        """The claims of a new standing key: an owner's with every permission, or a dealer's (SERVICE) with none. Raises
        ValueError when the times are not in order, or for another role."""
        if not 0 <= starts_s < expires_s <= claims.MAX_TIME_S:
            raise ValueError(f"a key ends after it begins: {starts_s} to {expires_s}")
        if role not in (Role.OWNER, Role.SERVICE):
            raise ValueError(f"a {role.name.lower()} has no standing key")
        usual = KEY_PERMISSIONS if role is Role.OWNER else 0
        return Key(
            token_id=self._entropy(16),
            not_before_s=starts_s,
            expires_s=expires_s,
            issued_s=now_s,
            module_id=module_id,
            role=role,
            permissions=usual if permissions is None else permissions,
            key_epoch=key_epoch,
            user=user or self._entropy(8),
            holder=keys.public_to_bytes(holder),
            device_generation=device_generation,
            issuer=self.key_id,
        )

    def key_token(self, key: Key) -> bytes:
        """The signed form of a standing key."""
        return sharing.mint_key(key, self._private)

    def end_order(self, booking: tokens.Booking, *, now_s: int, ttl_s: int = ORDER_TTL_S) -> bytes:
        """A signed order that ends `booking`; a module that hears it later than `ttl_s` drops it."""
        ending = Ending(booking.booking_id, booking.expires_s)
        return self._order(OrderKind.END_BOOKING, booking.module_id, now_s, ttl_s, ending)

    def subscription_order(
        self, subscription: Subscription, *, module_id: bytes, now_s: int, ttl_s: int = SUBSCRIPTION_TTL_S
    ) -> bytes:
        """A signed order that says what the owner has paid for; its number must rise from order to order. Raises
        ValueError for a number or a time that has no form on the wire."""
        numbers = (subscription.number, subscription.sharing_until_s, subscription.remote_until_s)
        if subscription.number < 1 or not all(0 <= each <= claims.MAX_TIME_S for each in numbers):
            raise ValueError("a subscription has a number from 1 on, and times between 1970 and 2106")
        return self._order(OrderKind.SUBSCRIPTION, module_id, now_s, ttl_s, subscription)

    def remote_order(self, kind: OrderKind, *, module_id: bytes, now_s: int, ttl_s: int = REMOTE_TTL_S) -> bytes:
        """A signed order to unlock, lock or flash, or for the state of the car. Raises ValueError for another kind,
        and when it would live longer than a module allows."""
        if kind not in REMOTE and kind is not OrderKind.REQUEST_STATE:
            raise ValueError(f"{kind.name} is no remote order")
        if kind in REMOTE and not 0 <= ttl_s <= MOST_REMOTE_TTL_S:
            raise ValueError(f"a remote order lives {MOST_REMOTE_TTL_S} s at most, not {ttl_s} s")
        return self._order(kind, module_id, now_s, ttl_s)

    def order(
        self, kind: OrderKind, details: Details | None, *, module_id: bytes, now_s: int, ttl_s: int | None = None
    ) -> bytes:
        """A signed order of any kind that a module can read. `ttl_s` None: as long as a module allows for what is
        meant for this moment, else a day. Raises ValueError, in words, for what has no form on the wire."""
        longest_s = MOST_REMOTE_TTL_S if kind in SHORT_LIVED else ORDER_TTL_S
        try:
            signed = self._order(kind, module_id, now_s, longest_s if ttl_s is None else ttl_s, details)
            tokens.verify_signed(signed, tokens.trust_of(module_id, (self.public,)))
        except ProtocolError as error:
            raise ValueError(error.detail) from None
        return signed

    def _order(
        self, kind: OrderKind, module_id: bytes, now_s: int, ttl_s: int, details: Details | None = None
    ) -> bytes:
        order_id = self._entropy(16)
        order = Order(order_id, kind, module_id, now_s, now_s + ttl_s, details, self.key_id)
        return tokens.mint_order(order, self._private)

    def revocation_list(
        self,
        *,
        module_id: bytes,
        number: int,
        revoked: Iterable[tokens.Booking],
        now_s: int,
        min_key_epoch: int = 0,
    ) -> bytes:
        """The signed list `number` (it must rise from list to list) of withdrawn bookings. Raises ValueError when
        it would be too long for a module."""
        entries = tuple((booking.token_id, booking.expires_s) for booking in revoked)
        return self.signed_list(tokens.RevocationList(module_id, number, now_s, min_key_epoch, entries))

    def signed_list(self, listed: tokens.RevocationList) -> bytes:
        """The signed form of a list. Raises ValueError when it would be too long for a module."""
        signed = tokens.mint_revocation_list(listed, self._private)
        if len(signed) > tokens.MAX_LIST_BYTES:
            count = len(listed.revoked) + len(listed.fading)
            raise ValueError(f"{count} entries are too many for one list of {tokens.MAX_LIST_BYTES} bytes")
        return signed

    def time_attestation(self, *, module_id: bytes, nonce: bytes, now_s: int) -> bytes:
        """The time, signed for the one module that gave out `nonce` (CLK-2)."""
        return tokens.mint_time_attestation(tokens.TimeAttestation(module_id, nonce, now_s, self.key_id), self._private)
