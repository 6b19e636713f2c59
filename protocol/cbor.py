"""Deterministic CBOR (RFC 8949 section 4.2.1), the small profile of SPEC section 2.

Decides which bytes are well-formed here: one encoding for each value, nothing else is read. Knows nothing of
what a value means.
"""

from typing import Final, assert_never

from protocol.errors import Code, ProtocolError

Value = bool | int | bytes | str | list["Value"] | dict["Value", "Value"] | None

MAX_DEPTH: Final = 8
"""Containers inside containers; the deepest message of this protocol has five."""
MAX_SEQUENCE_ITEMS: Final = 16
"""Items of a CBOR sequence; the longest in use (EDHOC message_1) has six."""

_MAX_ARGUMENT: Final = 2**64 - 1
_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_SIMPLE: Final[dict[int, bool | None]] = {0xF4: False, 0xF5: True, 0xF6: None}
_CUT_SHORT: Final = "the input ends inside an item"


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, what)


# ---------------------------------------------------------------- encoding
def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    if argument < 0x100:
        return bytes((major << 5 | 24, argument))
    if argument < 0x10000:
        return bytes((major << 5 | 25,)) + argument.to_bytes(2, "big")
    if argument < 0x100000000:
        return bytes((major << 5 | 26,)) + argument.to_bytes(4, "big")
    if argument <= _MAX_ARGUMENT:
        return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")
    raise OverflowError("integers of this profile have at most 64 bits")


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises OverflowError for integers beyond 64 bits: a bug of the caller."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            text = value.encode()
            return _head(_TEXT, len(text)) + text
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(encode, value))
        case dict():
            pairs = sorted((encode(key), encode(item)) for key, item in value.items())
            return _head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
        case _:
            assert_never(value)


# ---------------------------------------------------------------- decoding
def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    """The argument that follows an initial byte with additional information 24 to 31."""
    if info > 27:
        raise _bad("indefinite length or reserved head")
    size = 1 << (info - 24)
    end = at + size
    if end > len(data):
        raise _bad(_CUT_SHORT)
    argument = int.from_bytes(data[at:end], "big")
    if argument < 24 or (size > 1 and argument >> (size * 4) == 0):
        raise _bad("a number is not in its shortest form")
    return argument, end


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    for _ in range(count):
        item, at = _item(data, at, depth)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    pairs: dict[Value, Value] = {}
    previous = b""
    for _ in range(count):
        start = at
        key, at = _item(data, at, 0)
        if type(key) is bool or key is None:
            raise _bad("a map key is not an integer, text or byte string")
        if (encoded := data[start:at]) <= previous:
            raise _bad("map keys are not in ascending order, or one comes twice")
        previous = encoded
        pairs[key], at = _item(data, at, depth)
    return pairs, at


def _item(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    """The item at `at` and the offset after it; `depth` containers may still open."""
    if at >= len(data):
        raise _bad(_CUT_SHORT)
    initial = data[at]
    at += 1
    major, argument = initial >> 5, initial & 31
    if major > _MAP:
        if initial not in _SIMPLE:
            raise _bad("tags, floats and other simple values are not used here")
        return _SIMPLE[initial], at
    if argument > 23:
        argument, at = _argument(data, at, argument)
    if major == _UINT:
        return argument, at
    if major == _NEGATIVE:
        return -1 - argument, at
    if major >= _ARRAY:
        if depth == 0:
            raise _bad("containers are nested too deeply, or used as a map key")
        return (_array if major == _ARRAY else _map)(data, at, argument, depth - 1)
    end = at + argument
    if end > len(data):
        raise _bad(_CUT_SHORT)
    if major == _BYTES:
        return data[at:end], end
    try:
        return data[at:end].decode(), end
    except UnicodeDecodeError:
        raise _bad("a text is not UTF-8") from None


def decode_first(data: bytes, offset: int = 0) -> tuple[Value, int]:
    """The item at `offset` and the offset after it. Raises ProtocolError MALFORMED."""
    return _item(data, offset, MAX_DEPTH)


def decode(data: bytes) -> Value:
    """The one item that `data` is, from first to last byte. Raises ProtocolError MALFORMED."""
    value, end = _item(data, 0, MAX_DEPTH)
    if end != len(data):
        raise _bad("bytes follow the item")
    return value


def decode_sequence(data: bytes) -> list[Value]:
    """The items of a CBOR sequence (RFC 8742), at most 16; none if empty. Raises ProtocolError MALFORMED."""
    items: list[Value] = []
    at = 0
    while at < len(data):
        if len(items) == MAX_SEQUENCE_ITEMS:
            raise _bad("too many items in a sequence")
        item, at = _item(data, at, MAX_DEPTH)
        items.append(item)
    return items
