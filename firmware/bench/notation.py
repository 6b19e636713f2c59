"""The values of the core as JSON that says what it is, and back: for recordings, and for looking into a state.

Decides the written form. Structs carry their name; what is empty and would be empty by itself is left out. Bytes,
enumerations and numbers that JSON does not know are small objects. Tuples are arrays; the core has no lists.
Refuses to know what any of it means.
"""

import inspect
import math
from collections.abc import Iterator
from enum import Enum, Flag
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from firmware.core import clock, effects, events, incidents, reports, state, usage
from protocol import errors, msd, orders, sharing, telemetry, tokens, values
from protocol.errors import one_line

if TYPE_CHECKING:
    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
else:
    Json = Any  # msgspec knows no types that hold themselves

_IS: Final = "is"
_HEX: Final = "hex"
_NUMBER: Final = "number"
_EMPTY: Final[tuple[object, ...]] = (None, "", b"", (), 0, False)
_MODULES: Final = (
    *(events, effects, state, clock, reports, usage, incidents),
    *(values, tokens, sharing, orders, errors, telemetry, msd),
)
_WRITTEN: Final = object()
MOST_DEPTH: Final = 32


class NotationError(Exception):
    """Something that this version can not read: one line with what it is."""


def _known(modules: tuple[ModuleType, ...]) -> Iterator[tuple[str, type]]:
    for module in modules:
        for name, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, msgspec.Struct | Enum) and found.__module__ == module.__name__:
                yield name, found


_CLASSES: Final[dict[str, type]] = dict(_known(_MODULES))


def written(value: object) -> Json:
    """`value`, a part of the core's state, an event or an effect, as JSON. Anything else is a bug: AssertionError."""
    match value:
        case Enum():
            name = value.value if isinstance(value, Flag) else value.name
            return {_IS: type(value).__name__, "value": name}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {_NUMBER: repr(value)}
        case bytes():
            return {_HEX: value.hex()}
        case tuple():
            return [written(each) for each in value]
        case msgspec.Struct():
            return _struct(value)
        case _:
            raise AssertionError(f"{type(value).__name__} has no written form")


def _struct(value: msgspec.Struct) -> Json:
    kind = type(value)
    found: dict[str, Json] = {_IS: kind.__name__}
    for name, empty in _fields(kind):
        each = getattr(value, name)
        if empty is not each and (type(empty) is not type(each) or empty != each):
            found[name] = written(each)
    return found


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    """Names, each with what is left out: the default, if there is nothing in it."""
    return tuple(
        (field.name, field.default if _is_empty(field.default) else _WRITTEN) for field in msgspec.structs.fields(kind)
    )


def _is_empty(value: object) -> bool:
    """Whether there is nothing in it."""
    return any(value is each or (type(value) is type(each) and value == each) for each in _EMPTY)


def read(json: Json, depth: int = 0) -> object:
    """The inverse of `written`; a struct's fields are taken as they come. Raises NotationError."""
    if depth > MOST_DEPTH:
        raise NotationError("it is nested too deeply")
    if isinstance(json, list):
        return tuple(read(each, depth + 1) for each in json)
    if not isinstance(json, dict):
        return json
    match json:
        case {"hex": str(text)}:
            return _hex(text)
        case {"number": str(text)}:
            return _number(text)
        case {"is": str(name)}:
            return _instance(name, {field: read(each, depth + 1) for field, each in json.items() if field != _IS})
        case _:
            raise NotationError(f"an object that does not say what it is: {', '.join(json)[:80]}")


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NotationError(f"{text[:40]!r} is not hexadecimal") from None


def _number(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise NotationError(f"{text[:40]!r} is no number")
    return float(text)


def _instance(name: str, fields: dict[str, object]) -> object:
    kind = _CLASSES.get(name)
    if kind is None:
        raise NotationError(f"this version knows no {name[:40]!r}")
    try:
        if issubclass(kind, Flag):
            return kind(fields["value"])
        if issubclass(kind, Enum):
            return kind[str(fields["value"])]
        return kind(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise NotationError(f"{name}: {one_line(str(error))}") from None
