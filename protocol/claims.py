"""Reading the claims inside a signed container: strict types and sizes, one error for all.

Decides nothing about what a claim means; that is `tokens`.
"""

from typing import Final

from protocol import cbor
from protocol.errors import Code, ProtocolError

MAX_TIME_S: Final = 2**32 - 1
MODULE_ID_BYTES: Final = 8
ID_BYTES: Final = 16

Claims = dict[cbor.Value, cbor.Value]


def bad(what: str) -> ProtocolError:
    """The one error of reading a credential."""
    return ProtocolError(Code.TOKEN_MALFORMED, what)


def decode(payload: bytes) -> cbor.Value:
    """The CBOR item that a payload is."""
    try:
        return cbor.decode(payload)
    except ProtocolError as error:
        raise bad(error.detail) from None


def exactly(value: cbor.Value, *wanted: int) -> Claims:
    """A map with the keys `wanted` and no others: an unknown claim would be a rule that is not kept."""
    if type(value) is not dict or value.keys() != set(wanted):
        raise bad("claims are missing or unknown")
    return value


def within(value: cbor.Value, wanted: tuple[int, ...], optional: tuple[int, ...]) -> Claims:
    """A map with the keys `wanted`, any of `optional`, and no others."""
    if type(value) is not dict or not set(wanted) <= value.keys() <= {*wanted, *optional}:
        raise bad("claims are missing or unknown")
    return value


def uint(value: cbor.Value, most: int, least: int = 0) -> int:
    """A number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        raise bad(f"a claim is not a number from {least} to {most}")
    return value


def bstr(value: cbor.Value, size: int) -> bytes:
    """A byte string of `size` bytes."""
    if type(value) is not bytes or len(value) != size:
        raise bad(f"a claim is not a byte string of {size} bytes")
    return value


def text(value: cbor.Value, most: int, least: int = 0) -> str:
    """Text of `least` to `most` characters, each of which can be shown."""
    if type(value) is not str or not least <= len(value) <= most or not value.isprintable():
        raise bad(f"a claim is not a text of {least} to {most} characters")
    return value


def flag(value: cbor.Value) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise bad("a claim is not true or false")
    return value


def array(value: cbor.Value) -> list[cbor.Value]:
    """An array of anything."""
    if type(value) is not list:
        raise bad("a claim is not an array")
    return value
