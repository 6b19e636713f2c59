"""What a hostile peer makes of genuine containers: bytes changed anywhere, and other claims correctly signed."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import cbor2

from protocol import cbor

WRONG: tuple[Callable[[random.Random], Any], ...] = (
    lambda chance: chance.choice((0, 1, 4, -1, 23, 24, 2**32 - 1, 2**32, 2**64 - 1, -(2**64), 1_790_000_000)),
    lambda chance: chance.randbytes(chance.choice((0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 55))),
    lambda chance: chance.choice((None, True, False, "", "x", 1.5, [], {}, [1], {1: 1}, b"", [5, 5], [0, 1439])),
    lambda chance: cbor2.CBORTag(chance.choice((0, 1, 2, 24, 61)), b"x"),
)
"""Values that may stand where they do not belong."""


def mutate(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """`data` with some bytes changed, cut, copied, or taken from one of `others`."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(found) or 1)
        match chance.randrange(7):
            case 0:
                found[at : at + 1] = bytes((found[at] ^ 1 << chance.randrange(8),)) if found else b"x"
            case 1:
                found[at : at + 1] = chance.randbytes(1)
            case 2:
                del found[at : at + chance.choice((1, 1, 2, 8, 64))]
            case 3:
                found[at:at] = chance.randbytes(chance.choice((1, 1, 2, 8)))
            case 4:
                found += chance.randbytes(chance.choice((1, 64)))
            case 5:
                other = chance.choice(others)
                found[at : at + 40] = other[at : at + 40]
            case _:
                found[at:at] = found[at : at + chance.choice((1, 9, 100))]
    return bytes(found)


def twist(value: Any, chance: random.Random) -> Any:
    """`value` with one thing changed somewhere inside."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        found = dict(value)
        key = chance.choice(list(found))
        match chance.randrange(8):
            case 0:
                del found[key]
            case 1:
                found[chance.choice((0, 9, 11, 13, 15, 99, -1, "x", b"x", -70002))] = chance.choice(WRONG)(chance)
            case _:
                found[key] = twist(found[key], chance)
        return found
    if isinstance(value, list) and value and chance.random() < 0.9:
        found_list = list(value)
        found_list[chance.randrange(len(value))] = twist(chance.choice(value), chance)
        return found_list
    if type(value) is int and chance.random() < 0.3:
        return value + chance.choice((-1, 1, 1800, -1800))
    return chance.choice(WRONG)(chance)


def twisted(payload: bytes, chance: random.Random) -> bytes:
    """Claims with one or two things changed, in the right encoding wherever there is one."""
    value = cbor2.loads(payload)
    for _ in range(chance.choice((1, 1, 2))):
        value = twist(value, chance)
    try:
        return cbor.encode(value)
    except (AssertionError, OverflowError):
        return cbor2.dumps(value)


def sloppy(payload: bytes, chance: random.Random) -> bytes:
    """The same claims in another encoding, or with something added."""
    match chance.randrange(6):
        case 0:
            return payload + chance.randbytes(1)
        case 1:
            return b"\xb8" + bytes((payload[0] & 31,)) + payload[1:]
        case 2:
            return b"\xbf" + payload[1:] + b"\xff"
        case 3:
            return b"\xd9\xd9\xf7" + payload
        case 4:
            return cbor2.dumps(dict(reversed(cbor2.loads(payload).items())))
        case _:
            return bytes((payload[0] + 1,)) + payload[1:] + b"\x18\x63\x00"


def deterministic(payload: bytes) -> Any:
    """The claims, read by a general library, if this is their one encoding; else None."""
    try:
        claims = cbor2.loads(payload, allow_indefinite=False, allow_duplicate_keys=False)
        return claims if cbor.encode(claims) == payload else None
    except (cbor2.CBORDecodeError, AssertionError, OverflowError):
        return None


def is_uint(value: Any, most: int = 2**32 - 1, least: int = 0) -> bool:
    """A number, and no bool."""
    return type(value) is int and least <= value <= most


def is_bytes(value: Any, size: int) -> bool:
    """A byte string of that size."""
    return type(value) is bytes and len(value) == size


def is_holder(value: Any) -> bool:
    """A `cnf` claim, whether or not its point is on the curve."""
    if type(value) is not dict or set(value) != {1} or type(value[1]) is not dict:
        return False
    key = value[1]
    return (
        set(key) == {1, -1, -2, -3}
        and (type(key[1]), key[1], type(key[-1]), key[-1]) == (int, 2, int, 1)
        and is_bytes(key[-2], 32)
        and type(key[-3]) is bool
    )
