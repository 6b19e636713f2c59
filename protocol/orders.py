"""Orders: what a backend tells a module to do (SPEC section 6.4), as claims inside a signed container.

Decides which claims are an order. Refuses to know who signed it (`tokens`) and whether it is carried out (the core).
"""

import datetime
from enum import IntEnum, unique
from typing import Final, assert_never

import msgspec

from protocol import cbor, claims
from protocol.errors import Code, ProtocolError

MOST_CORRELATION_BYTES: Final = 64
"""MQTT 5 correlation data that comes with an order and goes back with its answer."""
MOST_REMOTE_TTL_S: Final = 600
"""`SHORT_LIVED` may live no longer: who holds an order back has ten minutes to use it, not a day."""
PSEUDONYM_BYTES: Final = 8
MOST_NAME_CHARACTERS: Final = 64
MOST_PACKS: Final = 16
MOST_RENEWALS: Final = 32
MOST_RENEWAL_MONTHS: Final = 120
MOST_LATITUDE_E7: Final = 900_000_000
MOST_LONGITUDE_E7: Final = 1_800_000_000
_VIN_CHARACTERS: Final = 17
_CODE_CHARACTERS: Final = 32
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
SHORT_LIVED: Final = REMOTE | {OrderKind.TAKE_OVER}
"""What lives ten minutes at most: it is meant for this moment, and for a car as it stands now."""


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
    day. `packs`: their codes in `market`'s table of that `revision`; `renewals`: (service, months, the day on which it
    was bought) in that order; `base_active`: the base services were not deactivated."""

    number: int
    market: str
    revision: str
    first_registration: tuple[int, int, int]
    packs: tuple[str, ...]
    renewals: tuple[tuple[str, int, tuple[int, int, int]], ...] = ()
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
    if kind in SHORT_LIVED and order.expires_s - order.issued_s > MOST_REMOTE_TTL_S:
        raise claims.bad(f"an order of this kind lives longer than {MOST_REMOTE_TTL_S} s")
    return order


def _details(kind: OrderKind, value: cbor.Value) -> Details | None:
    match kind:
        case OrderKind.END_BOOKING:
            found = claims.exactly(value, 1, 2)
            return Ending(claims.bstr(found[1], claims.ID_BYTES), claims.uint(found[2], claims.MAX_TIME_S))
        case OrderKind.SUBSCRIPTION:
            return _subscription(claims.exactly(value, 1, 2, 3, 4))
        case OrderKind.COUPLE | OrderKind.TAKE_OVER:
            return _coupling(claims.exactly(value, 1, 2, 3, 4, 5))
        case OrderKind.REMOVE_OWNER:
            found = claims.exactly(value, 1, 2)
            return Removal(_number(found[1]), claims.bstr(found[2], PSEUDONYM_BYTES))
        case OrderKind.SERVICES:
            return _services(claims.exactly(value, 1, 2, 3, 4, 5, 6, 7))
        case OrderKind.REMOVE_DRIVER:
            return DriverRemoval(claims.bstr(claims.exactly(value, 1)[1], PSEUDONYM_BYTES))
        case OrderKind.HOME | OrderKind.SEND_TO_CAR:
            return _place(claims.exactly(value, 1, 2, 3))
        case OrderKind.REQUEST_STATE | OrderKind.UNLOCK | OrderKind.LOCK | OrderKind.FLASH:
            claims.exactly(value)
            return None
        case _:
            assert_never(kind)


def _number(value: cbor.Value) -> int:
    return claims.uint(value, _MAX_NUMBER, 1)


def _subscription(found: claims.Claims) -> Subscription:
    return Subscription(
        _number(found[1]),
        claims.uint(found[2], claims.MAX_TIME_S),
        claims.uint(found[3], claims.MAX_TIME_S),
        claims.uint(found[4], 1) == 1,
    )


def _coupling(found: claims.Claims) -> Coupling:
    return Coupling(
        _number(found[1]),
        claims.bstr(found[2], PSEUDONYM_BYTES),
        claims.bstr(found[3], PSEUDONYM_BYTES),
        claims.text(found[4], _VIN_CHARACTERS),
        _number(found[5]),
    )


def _services(found: claims.Claims) -> ServicePlan:
    return ServicePlan(
        _number(found[1]),
        _code(found[2]),
        _code(found[3]),
        _date(found[4]),
        tuple(_code(pack) for pack in _at_most(found[5], MOST_PACKS)),
        tuple(_renewal(renewal) for renewal in _at_most(found[6], MOST_RENEWALS)),
        claims.uint(found[7], 1) == 1,
    )


def _code(value: cbor.Value) -> str:
    return claims.text(value, _CODE_CHARACTERS, 1)


def _at_most(value: cbor.Value, most: int) -> list[cbor.Value]:
    items = claims.array(value)
    if len(items) > most:
        raise claims.bad(f"a claim lists more than {most}")
    return items


def _date(value: cbor.Value) -> tuple[int, int, int]:
    """Year, month, day: a day that there has been or will be."""
    items = claims.array(value)
    if len(items) != 3:
        raise claims.bad("a date is not year, month and day")
    year, month, day = (claims.uint(item, 9999, 1) for item in items)
    try:
        datetime.date(year, month, day)
    except ValueError:
        raise claims.bad("there is no such day") from None
    return year, month, day


def _renewal(value: cbor.Value) -> tuple[str, int, tuple[int, int, int]]:
    items = claims.array(value)
    if len(items) != 3:
        raise claims.bad("a renewal is not a service, its months and a day")
    return _code(items[0]), claims.uint(items[1], MOST_RENEWAL_MONTHS, 1), _date(items[2])


def _place(found: claims.Claims) -> Place:
    return Place(
        claims.uint(found[1], MOST_LATITUDE_E7, -MOST_LATITUDE_E7),
        claims.uint(found[2], MOST_LONGITUDE_E7, -MOST_LONGITUDE_E7),
        claims.text(found[3], MOST_NAME_CHARACTERS),
    )


def written(order: Order) -> claims.Claims:
    """The claims of `order`. Checks nothing."""
    ours: claims.Claims = {1: order.module_id, 2: int(order.kind), 3: _written(order.details)}
    return {_EXP: order.expires_s, _IAT: order.issued_s, _CTI: order.order_id, _OURS: ours}


def _written(details: Details | None) -> claims.Claims:
    match details:
        case Ending(booking_id, expires_s):
            return {1: booking_id, 2: expires_s}
        case Subscription(number, sharing_until_s, remote_until_s, paused):
            return {1: number, 2: sharing_until_s, 3: remote_until_s, 4: int(paused)}
        case Coupling(number, owner, person, vin, subscription):
            return {1: number, 2: owner, 3: person, 4: vin, 5: subscription}
        case Removal(number, owner):
            return {1: number, 2: owner}
        case ServicePlan(number, market, revision, registered, packs, renewals, base_active):
            bought: list[cbor.Value] = [[service, months, list(day)] for service, months, day in renewals]
            return {
                1: number,
                2: market,
                3: revision,
                4: list(registered),
                5: list(packs),
                6: bought,
                7: int(base_active),
            }
        case DriverRemoval(user):
            return {1: user}
        case Place(latitude_e7, longitude_e7, name):
            return {1: latitude_e7, 2: longitude_e7, 3: name}
        case None:
            return {}
        case _:
            assert_never(details)
