"""Frames to facts, by a database (DBC) and a list of which signal is which fact.

Decides what of a frame can be believed: it has its whole length, and a value within the limits of the database and of
the fact. What can not is unknown, at once. Refuses to know when frames came.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import cantools
from cantools.database.can import Database, Message, Signal

from firmware.adapters.can import facts
from firmware.adapters.can.facts import KINDS, Value, possible
from protocol.errors import one_line

OWN: Final = Path(__file__).with_name("sharebox.dbc")

DIGITS: Final = 6
"""A factor of 0.01 leaves dust behind."""


class Wanted(NamedTuple):
    """Which signal is a fact. `signal`: MESSAGE.SIGNAL of the database. `scale`: from the database's unit to the
    fact's. `words`: numbers on the bus for what the fact can say. Without them, and with `lasts_ms` 0: as the fact has
    it."""

    signal: str
    lasts_ms: int = 0
    scale: float = 1.0
    words: Mapping[str, tuple[int, ...]] = MappingProxyType({})


OWN_SIGNALS: Final[Mapping[str, Wanted]] = MappingProxyType(
    {
        facts.SPEED: Wanted("Motion.Speed"),
        facts.IGNITION: Wanted("Power.IgnitionState"),
        facts.DOORS[0]: Wanted("Closures.DoorFrontLeft"),
        facts.DOORS[1]: Wanted("Closures.DoorFrontRight"),
        facts.DOORS[2]: Wanted("Closures.DoorRearLeft"),
        facts.DOORS[3]: Wanted("Closures.DoorRearRight"),
        facts.BOOT: Wanted("Closures.Boot"),
        facts.LOCKED: Wanted("Closures.Locks"),
        facts.KEYS: Wanted("Keys.KeysPresent"),
        facts.BUTTON: Wanted("Keys.KeyButton"),
        facts.IMMOBILISED: Wanted("Keys.Immobiliser"),
        facts.CRASH: Wanted("Crash.CrashState"),
        facts.FUEL: Wanted("Energy.FuelLevel"),
        facts.RANGE: Wanted("Energy.Range", scale=1000.0),
        facts.VOLTAGE: Wanted("Energy.BatteryVoltage"),
        facts.ODOMETER: Wanted("Distance.Odometer"),
        facts.COUNTRY: Wanted("Mobile.CountryCode"),
    }
)
"""The facts of `sharebox.dbc`."""


class MatrixError(Exception):
    """A database or a list does not do: one line with what, why and what to do."""


class Identifier(NamedTuple):
    """Of a frame."""

    number: int
    extended: bool


class _Reader(NamedTuple):
    fact: str
    signal: Signal
    scale: float
    words: Mapping[int, str]


class Matrix:
    """One database, and what is wanted of it. Raises MatrixError."""

    def __init__(self, database: Path = OWN, wanted: Mapping[str, Wanted] = OWN_SIGNALS) -> None:
        self._messages: dict[Identifier, Message] = {}
        self._readers: dict[Identifier, list[_Reader]] = {}
        self.lasts_ms: dict[str, int] = {}
        """How long each fact lasts."""
        read = _read(database)
        for fact, want in wanted.items():
            self._add(read, fact, want)

    @property
    def facts(self) -> frozenset[str]:
        """What it can tell."""
        return frozenset(self.lasts_ms)

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """The frames that it needs."""
        return tuple(self._messages)

    def read(self, identifier: Identifier, data: bytes) -> Iterator[tuple[str, Value | None]]:
        """The facts of a frame; None: not known. A frame of which nothing is to be believed has none."""
        message = self._messages.get(identifier)
        if message is None:
            return
        try:
            values = message.decode_simple(data, decode_choices=False)
        except (cantools.database.DecodeError, ValueError, KeyError):
            return
        for reader in self._readers[identifier]:
            if reader.signal.name in values:
                yield reader.fact, _value(reader, values[reader.signal.name])

    def _add(self, database: Database, fact: str, want: Wanted) -> None:
        kind = KINDS.get(fact)
        if kind is None:
            raise MatrixError(f"no fact is called {fact}; there are {', '.join(KINDS)}")
        lasts_ms = want.lasts_ms or kind.lasts_ms
        if not 0 < lasts_ms <= kind.most_ms:
            raise MatrixError(f"{fact} may last at most {kind.most_ms} ms")
        if unknown := {*want.words} - {*kind.words}:
            can_say = ", ".join(kind.words) or "a number, and no words"
            raise MatrixError(f"{fact} can not say {', '.join(sorted(unknown))}: it says {can_say}")
        message, signal = _found(database, fact, want.signal)
        words = {number: word for word, numbers in (want.words or kind.words).items() for number in numbers}
        identifier = Identifier(message.frame_id, message.is_extended_frame)
        self._messages[identifier] = message
        self._readers.setdefault(identifier, []).append(_Reader(fact, signal, want.scale, words))
        self.lasts_ms[fact] = lasts_ms


def _value(reader: _Reader, value: object) -> Value | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    signal = reader.signal
    low = signal.minimum is not None and value < signal.minimum
    high = signal.maximum is not None and value > signal.maximum
    if low or high:
        return None
    if reader.words:
        return reader.words.get(int(value)) if value == int(value) else None
    return possible(KINDS[reader.fact], round(value * reader.scale, DIGITS))


def _read(path: Path) -> Database:
    try:
        database = cantools.database.load_file(path, database_format="dbc", cache_dir=None)
    except (OSError, UnicodeDecodeError, ValueError, cantools.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(str(error))
        raise MatrixError(f"{path}: {reason}; name a DBC file") from None
    assert isinstance(database, Database)
    return database


def _found(database: Database, fact: str, name: str) -> tuple[Message, Signal]:
    message_name, _, signal_name = name.partition(".")
    for message in database.messages:
        if message.name == message_name and not message.is_container:
            for signal in message.signals:
                if signal.name == signal_name:
                    return message, signal
    raise MatrixError(f"{fact}: the database has no signal {name}; write MESSAGE.SIGNAL")
