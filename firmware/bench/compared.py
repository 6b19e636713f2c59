"""Expected against came: what a replay stops at, with the places where the two differ. Pure."""

from collections.abc import Iterator
from typing import Final, NoReturn

import msgspec

from firmware.bench.difference import shown
from firmware.bench.notation import Json

NOTHING: Final = None
"""Where one of the two has nothing."""


class Field(msgspec.Struct, frozen=True):
    """One place where a recording and its replay differ; `path` is empty when it is the whole."""

    path: str
    expected: Json
    came: Json

    def __str__(self) -> str:
        return f"{self.path or 'it'}: expected {shown(self.expected)}, came {shown(self.came)}"


class Diverged(Exception):
    """A replay comes out otherwise. `about`: what was compared."""

    def __init__(self, about: str, *fields: Field) -> None:
        super().__init__(about)
        self.about = about
        self.fields = fields


def compare(about: str, expected: Json, came: Json) -> None:
    """Raises Diverged when they differ, with the innermost places."""
    if expected != came:
        raise Diverged(about, *_leaves(expected, came, ""))


def diverge(about: str, expected: Json, came: Json) -> NoReturn:
    """They differ."""
    raise Diverged(about, Field("", expected, came))


def _leaves(expected: Json, came: Json, path: str) -> Iterator[Field]:
    if isinstance(expected, dict) and isinstance(came, dict) and expected.get("is") == came.get("is"):
        for key in {**expected, **came}:
            yield from _leaves(expected.get(key), came.get(key), f"{path}.{key}" if path else key)
    elif isinstance(expected, list) and isinstance(came, list) and len(expected) == len(came):
        for at, (one, other) in enumerate(zip(expected, came, strict=True)):
            yield from _leaves(one, other, f"{path}[{at}]")
    elif expected != came:
        yield Field(path, expected, came)
