"""What can be fuzzed: a name, one function that takes any bytes, and the inputs to begin with."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

V = TypeVar("V")

Run = Callable[[bytes], None]
"""Returns, whatever the bytes are. The one exception that the boundary documents is caught inside; what else comes
out is a fault of ours: so is AssertionError, when a check after the input does not hold."""


class Target(NamedTuple):
    """One interface. `one_in`: it gets one input for so many of the others', since each holds several messages or
    takes much longer. `says`: what it is, for people."""

    name: str
    says: str
    run: Run
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    most_bytes: int = 1_200
    one_in: float = 1


def refuses(kind: type[Exception], call: Callable[[], object]) -> bool:
    """Whether `call` raised `kind`; anything else passes through."""
    try:
        call()
    except kind:
        return True
    return False


def clone(value: V) -> V:
    """A shallow copy, several times as fast as that of `copy`."""
    found = object.__new__(type(value))
    found.__dict__.update(value.__dict__)
    return found


class Program:
    """Bytes as a list of small numbers and pieces: what structure-aware targets read their steps from."""

    pieces = 0
    """How many pieces this process has read in all: a program holds several malformed messages."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        """A number from 0 to `below` - 1; 0 at the end."""
        found = self._data[self._at : self._at + 1]
        self._at += 1
        return found[0] % below if found else 0

    def piece(self) -> bytes:
        """A length (one byte; 255: two more follow), and that many bytes, or as many as there are."""
        Program.pieces += 1
        size = self.number(256)
        if size == 255:
            size = self.number(256) * 256 + self.number(256)
        found = self._data[self._at : self._at + size]
        self._at += size
        return found


def piece(data: bytes) -> bytes:
    """The form in which `Program.piece` reads `data`."""
    if len(data) < 255:
        return bytes([len(data)]) + data
    return b"\xff" + len(data).to_bytes(2, "big") + data
