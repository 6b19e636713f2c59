"""What is different between two values of the core, field by field, under names that people can read.

Parts that are the same object are not looked at: after a step most of a state is. Decides how a place in a state is
called ("durable.trip.phase", "links[2].told"), and when two tuples are compared item by item. Pure.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from firmware.bench.notation import Json, written

ABSENT: Final = "-"
"""What stands for an item that one of the two does not have."""


class Difference(msgspec.Struct, frozen=True):
    """One place where two values differ. None in `before` or `after`: there is nothing."""

    path: str
    before: Json
    after: Json

    def __str__(self) -> str:
        return f"{self.path}: {shown(self.before)} -> {shown(self.after)}"


def differences(before: object, after: object, path: str = "") -> Iterator[Difference]:
    """Every place where `after` is another than `before`; both are states, or parts of one."""
    if before is after:
        return
    if isinstance(before, msgspec.Struct) and type(before) is type(after):
        for name in before.__struct_fields__:
            yield from differences(getattr(before, name), getattr(after, name), f"{path}.{name}" if path else name)
    elif isinstance(before, tuple) and isinstance(after, tuple):
        yield from _items(before, after, path)
    elif type(before) is not type(after) or before != after:
        yield Difference(path, written(before), written(after))


def _items(before: tuple[object, ...], after: tuple[object, ...], path: str) -> Iterator[Difference]:
    """Item by item where as many follow on what is the same at both ends; else what went and what came."""
    if before == after:
        return
    shifted = next((count for count in range(1, len(before)) if before[count:] == after[: len(before) - count]), 0)
    if shifted and len(after) <= len(before):
        for index in range(shifted):
            yield Difference(f"{path}[{index}]", written(before[index]), None)
        for index, item in enumerate(after[len(before) - shifted :], len(before) - shifted):
            yield Difference(f"{path}[{index}]", None, written(item))
        return
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(gone) == len(come):
        for index, (one, other) in enumerate(zip(gone, come, strict=True), head):
            yield from differences(one, other, f"{path}[{index}]")
        return
    for index, item in enumerate(gone, head):
        yield Difference(f"{path}[{index}]", written(item), None)
    for index, item in enumerate(come, head):
        yield Difference(f"{path}[{index}]", None, written(item))


def fields(value: object, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every place of a value in which there is something, with what is there."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from fields(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from fields(item, f"{path}[{index}]")
    elif value not in (None, "", b""):
        yield path, written(value)


def shown(json: Json) -> str:
    """A written value in few characters, for people."""
    if json is None:
        return ABSENT
    if isinstance(json, list):
        return f"[{', '.join(map(shown, json))}]"
    if not isinstance(json, dict):
        return msgspec.json.encode(json).decode()
    match json:
        case {"hex": text}:
            return str(text)
        case {"is": _, "value": value}:
            return str(value).lower().replace("_", " ")
        case _:
            inside = ", ".join(f"{key}={shown(each)}" for key, each in json.items() if key != "is")
            return f"{json.get('is')}({inside})"
