"""Deterministic CBOR (RFC 8949 section 4.2.1), the small profile of SPEC section 2.

Decides which values are in the profile, and that each has one encoding: cbor2 reads and writes, and what it read is
taken only if it had to be written so. Knows nothing of what a value means.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Final, NoReturn

from cbor2 import CBORDecodeEOF, CBORDecodeError, dumps, load

from protocol.errors import Code, ProtocolError

Value = bool | int | bytes | str | list["Value"] | dict["Value", "Value"] | None

MAX_DEPTH: Final = 8
"""Containers inside containers; the deepest message of this protocol has five."""
MAX_SEQUENCE_ITEMS: Final = 16
"""Items of a CBOR sequence; the longest in use (EDHOC message_1) has six."""

_KEYS: Final[frozenset[type]] = frozenset({int, bytes, str})
_SCALARS: Final = _KEYS | {bool, type(None)}


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, what)


# ---------------------------------------------------------------- encoding
def _ordered(value: Value) -> Value:
    """`value`, its maps in the order of RFC 8949: the library's own canonical form is that of RFC 7049."""
    match value:
        case dict():
            return {_ordered(key): _ordered(value[key]) for key in sorted(value, key=dumps)}
        case list():
            return [_ordered(item) for item in value]
        case int() if not -(2**64) <= value < 2**64:
            raise OverflowError("integers of this profile have at most 64 bits")
        case _:
            return value


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises OverflowError for integers beyond 64 bits: a bug of the caller."""
    return dumps(_ordered(value))


# ---------------------------------------------------------------- decoding
def _refuse_tag(_content: object, _immutable: bool) -> NoReturn:
    raise _bad("tags are not used here")


class _NoTags(dict[int, Callable[[object, bool], NoReturn]]):
    """For every tag the same, before the library's own readers: those build cycles, patterns and dates."""

    def __missing__(self, _tag: int) -> Callable[[object, bool], NoReturn]:
        return _refuse_tag


_NO_TAGS: Final = _NoTags()


def _check(value: Value) -> None:
    """Raises ProtocolError for a value outside the profile, or maps that were not in order."""
    if type(value) in _SCALARS:
        return
    match value:
        case dict():
            if not _KEYS.issuperset(map(type, value)):
                raise _bad("a map key is not an integer, text or byte string")
            keys = [dumps(key) for key in value]
            if keys != sorted(keys):
                raise _bad("map keys are not in ascending order")
            for item in value.values():
                _check(item)
        case list():
            for item in value:
                _check(item)
        case _:
            raise _bad("floats and other simple values are not used here")


def decode_first(data: bytes, offset: int = 0) -> tuple[Value, int]:
    """The item at `offset` and the offset after it. Raises ProtocolError MALFORMED."""
    source = BytesIO(data)
    source.seek(offset)
    try:
        value: Value = load(
            source,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH - 1,  # it does not count the outermost
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except CBORDecodeEOF:
        raise _bad("the input ends inside an item") from None
    except CBORDecodeError as error:
        # Its words may hold what a stranger sent, so they go no further than a traceback.
        raise _bad("not CBOR, or with tags, indefinite lengths, a key twice, or nested too deeply") from error
    _check(value)
    encoded = dumps(value)
    end = offset + len(encoded)
    if data[offset:end] != encoded:
        raise _bad("a number or a length is not in its shortest form")
    return value, end


def decode(data: bytes) -> Value:
    """The one item that `data` is, from first to last byte. Raises ProtocolError MALFORMED."""
    value, end = decode_first(data)
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
        item, at = decode_first(data, at)
        items.append(item)
    return items
