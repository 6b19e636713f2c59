"""Orders: what a backend tells a module to do (SPEC section 6.4), as claims inside a signed container.

Decides which claims are an order. Refuses to know who signed it (`tokens`) and whether it is carried out (the core).
"""

from enum import IntEnum, unique
from typing import Final

import msgspec

from protocol import cbor, claims
from protocol.errors import Code, ProtocolError

MOST_CORRELATION_BYTES: Final = 64
"""MQTT 5 correlation data that comes with an order and goes back with its answer."""
MOST_REMOTE_TTL_S: Final = 600
"""What moves or shows the car may live no longer: who holds an order back has ten minutes to use it, not a day."""
_MAX_NUMBER: Final = 2**32 - 1
_EXP, _IAT, _CTI, _OURS = 4, 6, 7, -70001


@unique
class OrderKind(IntEnum):
    """What a signed order tells the module to do."""

    END_BOOKING = 1
    REQUEST_STATE = 2
    UNLOCK = 3
    LOCK = 4
    FLASH = 5
    SUBSCRIPTION = 6
    COUPLE = 7
    REMOVE_OWNER = 8
    TAKE_OVER = 9
    SERVICES = 10
    REMOVE_DRIVER = 11
    HOME = 12
    SEND_TO_CAR = 13


REMOTE: Final = frozenset({OrderKind.UNLOCK, OrderKind.LOCK, OrderKind.FLASH})
"""What moves or shows the car from afar (SVC-3)."""


class Ending(msgspec.Struct, frozen=True, gc=False):
    """Which booking ends. `expires_s` is the exp of its token."""

    booking_id: bytes
    expires_s: int


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """What the owner has paid for. `number` only rises. Until `sharing_until_s` bookings may begin, unless sharing is
    `paused` (SUB-1, SUB-2); until `remote_until_s` remote orders are carried out (SVC-3). Both are UTC seconds."""

    number: int
    sharing_until_s: int
    remote_until_s: int
    paused: bool = False


class Coupling(msgspec.Struct, frozen=True, gc=False):
    """Who becomes the owner (OWN-3, OWN-4). `number` only rises, over all orders about ownership of this module.
    `owner` is the account, `person` whoever has it: two pseudonyms of 8 bytes. `subscription`: the number of the
    subscription of one year that begins with it (SUB-1)."""

    number: int
    owner: bytes
    person: bytes
    vin: str
    subscription: int


class Removal(msgspec.Struct, frozen=True, gc=False):
    """The owner gives the car up (OWN-5)."""

    number: int
    owner: bytes


class ServicePlan(msgspec.Struct, frozen=True, gc=False):
    """The connected services that were bought (SVC-1 to SVC-6). `number` only rises. `first_registration`: year, month,
    day. `packs`: their codes in `market`'s table of that `revision`; `renewals`: (service, months) in the order in
    which they were bought; `base_active`: the base services were not deactivated."""

    number: int
    market: str
    revision: str
    first_registration: tuple[int, int, int]
    packs: tuple[str, ...]
    renewals: tuple[tuple[str, int], ...] = ()
    base_active: bool = True


class DriverRemoval(msgspec.Struct, frozen=True, gc=False):
    """A driver leaves the list of those who share the car (SUB-3)."""

    user: bytes


class Place(msgspec.Struct, frozen=True, gc=False):
    """A home (HOME) or a destination (SEND_TO_CAR): degrees times 10^7, WGS 84; `name` at most 64 characters."""

    latitude_e7: int
    longitude_e7: int
    name: str = ""


Details = Ending | Subscription | Coupling | Removal | ServicePlan | DriverRemoval | Place


class Order(msgspec.Struct, frozen=True, gc=False):
    """A signed order. `expires_s` ends its time to live; `details` belong to `kind`, None where there are none."""

    order_id: bytes
    kind: OrderKind
    module_id: bytes
    issued_s: int
    expires_s: int
    details: Details | None = None
    issuer: bytes = b""


def read(payload: bytes, issuer: bytes) -> Order:
    """The order that these claims are. Raises ProtocolError TOKEN_MALFORMED or ORDER_UNSUPPORTED."""
    found = claims.exactly(claims.decode(payload), _EXP, _IAT, _CTI, _OURS)
    ours = claims.exactly(found[_OURS], 1, 2, 3)
    number = claims.uint(ours[2], 0xFFFF)
    try:
        kind = OrderKind(number)
    except ValueError:
        raise ProtocolError(Code.ORDER_UNSUPPORTED, f"order kind {number} is not known here") from None
    order = Order(
        claims.bstr(found[_CTI], claims.ID_BYTES),
        kind,
        claims.bstr(ours[1], claims.MODULE_ID_BYTES),
        claims.uint(found[_IAT], claims.MAX_TIME_S),
        claims.uint(found[_EXP], claims.MAX_TIME_S),
        _details(kind, ours[3]),
        issuer,
    )
    if order.issued_s > order.expires_s:
        raise claims.bad("the order expires before it was issued")
    if kind in REMOTE and order.expires_s - order.issued_s > MOST_REMOTE_TTL_S:
        raise claims.bad(f"a remote order lives longer than {MOST_REMOTE_TTL_S} s")
    return order


def _details(kind: OrderKind, value: cbor.Value) -> Ending | Subscription | None:
    match kind:
        case OrderKind.END_BOOKING:
            found = claims.exactly(value, 1, 2)
            return Ending(claims.bstr(found[1], claims.ID_BYTES), claims.uint(found[2], claims.MAX_TIME_S))
        case OrderKind.SUBSCRIPTION:
            found = claims.exactly(value, 1, 2, 3, 4)
            return Subscription(
                claims.uint(found[1], _MAX_NUMBER, 1),
                claims.uint(found[2], claims.MAX_TIME_S),
                claims.uint(found[3], claims.MAX_TIME_S),
                claims.uint(found[4], 1) == 1,
            )
        case _:
            claims.exactly(value)
            return None


def written(order: Order) -> claims.Claims:
    """The claims of `order`. Checks nothing."""
    details: claims.Claims = {}
    match order.details:
        case Ending(booking_id, expires_s):
            details = {1: booking_id, 2: expires_s}
        case Subscription(number, sharing_until_s, remote_until_s, paused):
            details = {1: number, 2: sharing_until_s, 3: remote_until_s, 4: int(paused)}
        case _:
            pass
    ours: claims.Claims = {1: order.module_id, 2: int(order.kind), 3: details}
    return {_EXP: order.expires_s, _IAT: order.issued_s, _CTI: order.order_id, _OURS: ours}
