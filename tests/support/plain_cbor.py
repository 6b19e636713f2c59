"""A second reader of the CBOR profile, written from RFC 8949 alone: what the first is held against.

Slow and plain on purpose. Knows neither the library nor the module it checks, save the name of the type.
"""

from protocol.cbor import Value

_SIMPLE: dict[int, bool | None] = {0xF4: False, 0xF5: True, 0xF6: None}


def read(data: bytes, at: int = 0, depth: int = 8) -> tuple[Value, int]:
    """The item at `at` and the offset after it. Raises ValueError or IndexError for what is not in the profile."""
    initial = data[at]
    if initial in _SIMPLE:
        return _SIMPLE[initial], at + 1
    major = initial >> 5
    argument, at = _argument(data, at)
    match major:
        case 0:
            return argument, at
        case 1:
            return -1 - argument, at
        case 2 | 3:
            content = data[at : at + argument]
            if len(content) < argument:
                raise ValueError("cut short")
            return (content if major == 2 else content.decode()), at + argument
        case 4 | 5 if depth:
            return (_array if major == 4 else _map)(data, at, argument, depth - 1)
        case _:
            raise ValueError("a tag, a float, a simple value, or too deep")


def _argument(data: bytes, at: int) -> tuple[int, int]:
    short = data[at] & 31
    if short < 24:
        return short, at + 1
    if short > 27:
        raise ValueError("indefinite or reserved")
    end = at + 1 + (1 << (short - 24))
    argument = int.from_bytes(data[at + 1 : end], "big")
    if end > len(data) or argument < {24: 24, 25: 2**8, 26: 2**16, 27: 2**32}[short]:
        raise ValueError("cut short, or not the shortest")
    return argument, end


def _array(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    items: list[Value] = []
    while len(items) < count:
        item, at = read(data, at, depth)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    pairs: dict[Value, Value] = {}
    last = b""
    for _ in range(count):
        start = at
        key, at = read(data, at, 0)
        if data[start] >= 0x80 or data[start:at] <= last:
            raise ValueError("not a key, or out of order")
        last = data[start:at]
        pairs[key], at = read(data, at, depth)
    return pairs, at
