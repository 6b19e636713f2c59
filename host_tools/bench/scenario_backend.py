"""The backend of a scenario: it signs what the story asks for. Pure but for its keys and identifiers.

Decides what somebody can come with instead of a genuine token. It does not know how anything reaches the module.
"""

import os
from collections.abc import Callable
from typing import Final

import msgspec

from host_tools.backend.issuer import Issuer
from host_tools.backend.withdrawals import Withdrawal, following
from host_tools.bench.bench import Identity
from host_tools.phone.keyring import new_key
from protocol import keys
from protocol.errors import Role
from protocol.orders import Coupling, Details, Order, OrderKind, Subscription
from protocol.provisioning import BookingFile, KeyFile
from protocol.sharing import Deletion, Key
from protocol.tokens import Booking, RevocationList, Trust, verify_signed

YEAR_S: Final = 365 * 86_400
CUSTOMER_BYTES: Final = 8


class Customer(msgspec.Struct, frozen=True):
    """Whom a booking or a key is for. `user`: the account; `person`: whoever has it."""

    role: Role
    user: bytes
    permissions: int
    person: bytes = b""


class Backend:
    """Signs for one module. Times are UTC seconds; `now_s` tells the scenario's."""

    def __init__(self, issuer: Issuer, identity: Identity, now_s: Callable[[], int]) -> None:
        self.last: bytes = b""
        """What was signed last to be sent or carried."""
        self.has_sold = False
        """Whether a subscription was signed, which lasts longer than the story."""
        self._issuer = issuer
        self._identity = identity
        self._now_s = now_s
        self._epoch = identity.key_epoch
        self._list: RevocationList | None = None
        self._number = 0

    def learn(self, key_epoch: int) -> None:
        """The module has told which keys count."""
        self._epoch = max(self._epoch, key_epoch)

    def book(self, customer: Customer, holder: keys.PublicKey, window: tuple[int, int], generation: int) -> Booking:
        """The claims of a new booking from and to `window`."""
        return self._issuer.booking(
            module_id=self._identity.module_id,
            holder=holder,
            starts_s=window[0],
            ends_s=window[1],
            now_s=self._now_s(),
            role=customer.role,
            permissions=customer.permissions,
            key_epoch=self._epoch,
            user=customer.user,
            device_generation=generation,
        )

    def key(self, customer: Customer, holder: keys.PublicKey, generation: int) -> Key:
        """The claims of a new standing key, good for a year from a minute ago."""
        now_s = self._now_s()
        return self._issuer.key(
            module_id=self._identity.module_id,
            holder=holder,
            starts_s=now_s - 60,
            expires_s=now_s + YEAR_S,
            now_s=now_s,
            role=customer.role,
            key_epoch=self._epoch,
            user=customer.user,
            device_generation=generation,
        )

    def key_file(self, key: Key) -> KeyFile:
        """What goes on the phone."""
        return self._identity.key_file(self._issuer.key_token(key))

    def rebound(self, booking: Booking, holder: keys.PublicKey, generation: int) -> Booking:
        """The same booking for a newer device."""
        return msgspec.structs.replace(
            booking,
            token_id=os.urandom(16),
            holder=keys.public_to_bytes(holder),
            device_generation=generation,
            issued_s=self._now_s(),
        )

    def file(self, booking: Booking) -> BookingFile:
        """What goes on the phone."""
        return self._identity.booking_file(self._issuer.token(booking))

    def spoilt(self, booking: Booking, how: str) -> BookingFile:
        """Something that is not quite the booking; `how` is one of `scenario_words.TOKENS`."""
        replace = msgspec.structs.replace
        match how:
            case "a stranger's token":
                stranger = Issuer(new_key(), os.urandom)
                return self._identity.booking_file(stranger.token(replace(booking, issuer=stranger.key_id)))
            case "another phone's token":
                other = keys.public_to_bytes(new_key().public_key())
                return self.file(replace(booking, token_id=os.urandom(16), holder=other))
            case "a token for another car":
                return self.file(replace(booking, token_id=os.urandom(16), module_id=os.urandom(8)))
            case "a token for other keys":
                return self.file(replace(booking, token_id=os.urandom(16), key_epoch=booking.key_epoch + 1))
            case "half a token":
                token = self._issuer.token(booking)
                return self._identity.booking_file(token[: len(token) // 2])
            case _:
                token = self._issuer.token(booking)
                return self._identity.booking_file(token[:-1] + bytes([token[-1] ^ 1]))

    # ------------------------------------------------------------ orders
    @property
    def last_id(self) -> str:
        """The identifier of the last order, in hexadecimal; empty for a list, or when there was none."""
        if not self.last:
            return ""
        trust = Trust(self._identity.module_id, {self._issuer.key_id: self._issuer.public})
        signed = verify_signed(self.last, trust)
        return signed.order_id.hex() if isinstance(signed, Order) else ""

    def end(self, booking: Booking) -> bytes:
        """An order that ends it."""
        return self._keep(self._issuer.end_order(booking, now_s=self._now_s()))

    def revocation(self, booking: Booking | None) -> bytes:
        """The next list: with `booking`, or with a newer key epoch when there is none."""
        if booking is None:
            self._epoch += 1
            return self._listed()
        return self._listed(Withdrawal(booking.token_id, Deletion.IMMEDIATE, booking.expires_s))

    def deletion(self, key: Key, how: Deletion) -> bytes:
        """The next list: the main user deletes a shared key."""
        return self._listed(Withdrawal(key.token_id, how, key.expires_s))

    def _listed(self, *added: Withdrawal) -> bytes:
        self._list = following(
            self._list,
            added,
            module_id=self._identity.module_id,
            now_s=self._now_s(),
            number=self._next_number(),
            min_key_epoch=self._epoch,
        )
        return self._keep(self._issuer.signed_list(self._list))

    def subscription(self, sharing_until_s: int, *, paused: bool = False) -> bytes:
        """What the owner has paid for; remote services for a year."""
        now_s, self.has_sold = self._now_s(), True
        paid = Subscription(self._next_number(), sharing_until_s, now_s + YEAR_S, paused)
        return self._keep(self._issuer.subscription_order(paid, module_id=self._identity.module_id, now_s=now_s))

    def remote(self, kind: OrderKind) -> bytes:
        """An order to the car from afar."""
        return self._keep(self._issuer.remote_order(kind, module_id=self._identity.module_id, now_s=self._now_s()))

    def ordered(self, kind: OrderKind, details: Details) -> bytes:
        """Any other order, good for as long as a module allows."""
        signed = self._issuer.order(kind, details, module_id=self._identity.module_id, now_s=self._now_s())
        return self._keep(signed)

    def coupling(self, customer: Customer, vin: str) -> Coupling:
        """Who becomes the owner; the number rises from one to the next."""
        return Coupling(self._next_number(), customer.user, customer.person, vin, self._next_number())

    def number(self) -> int:
        """The next of the numbers that only rise."""
        return self._next_number()

    def time(self, nonce: bytes) -> bytes:
        """The time for a nonce; it is carried at once, not kept."""
        return self._issuer.time_attestation(module_id=self._identity.module_id, nonce=nonce, now_s=self._now_s())

    def _next_number(self) -> int:
        """Rises over scenarios, too: a bench may play many of them with one module."""
        self._number = max(self._number + 1, self._now_s())
        return self._number

    def _keep(self, signed: bytes) -> bytes:
        self.last = signed
        return signed
