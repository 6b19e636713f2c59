"""A trace played into the simulated car's samples: what the bus and the receiver told once, told again.

Decides when a signal has become unknown, and that a hole in the trace is a hole for the module: only what came since
the last look makes a sample. An OpenXC trace takes the place of everything that the bus tells, save the locks and the
immobiliser, which the module moves itself; an NMEA recording takes the place of the receiver alone.
"""

import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum, unique
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from firmware.core.events import Fix, VehicleSampled
from firmware.simulated.gnss import DEGREES_E7
from firmware.simulated.nmea import nmea
from firmware.simulated.trace import DOOR, FIX, MOST_LINE_BYTES, Signal, openxc

LASTS_S: Final = 2.5
"""In the trace's time: a signal that was told longer ago is unknown."""
SLOW_LASTS_S: Final = 60.0
"""The same of fuel and odometer."""
HOLE_S: Final = 3.0
"""In the module's time: a hole in the trace lasts at least so long for it, however fast the trace is played."""
LEAST_SPEED: Final = 0.1
MOST_SPEED: Final = 100.0
LOOKED_AT_LINES: Final = 10_000

_SLOW: Final = frozenset({"fuel_pct", "odometer_m"})


class TraceFailed(Exception):
    """A trace can not be played: one line with what, why and what to do."""


@unique
class Form(Enum):
    """What a file holds."""

    OPENXC = "OpenXC"
    NMEA = "NMEA"


_READERS: Final[dict[Form, Callable[[Iterator[bytes]], Iterator[Signal]]]] = {Form.OPENXC: openxc, Form.NMEA: nmea}


class Player:
    """One trace. `speed`: trace seconds in a second of the module. `loop`: from the beginning again at the end.
    Reads the file while it plays, the beginning of it at once: TraceFailed when nothing in it is of use."""

    def __init__(self, path: Path, *, speed: float = 1.0, loop: bool = False) -> None:
        if not LEAST_SPEED <= speed <= MOST_SPEED:
            raise TraceFailed(f"{path}: speed {speed:g} is not between {LEAST_SPEED:g} and {MOST_SPEED:g}")
        self.path = path
        self._file = _opened(path)
        # Players are replaced, never closed.
        weakref.finalize(self, self._file.close)
        self.form = _form(path, self._file)
        self.ended = False
        self._speed = speed
        self._loop = loop
        self._signals: Iterator[Signal] = iter(())
        self._next: Signal | None = None
        self._at_s = 0.0
        self._last_s = 0.0
        self._looked_at_ms: int | None = None
        self._known: dict[str, Signal] = {}
        self._fix: Fix | None = None
        self._begin()

    def look(self, seen: VehicleSampled, *, utc_ms: int, mono_ms: int) -> VehicleSampled | None:
        """What the module is told in place of `seen`, the simulated car's own; None: nothing."""
        news = self._advance(utc_ms, mono_ms)
        if self.form is Form.NMEA:
            return msgspec.structs.replace(seen, fix=self._fix)
        if not news:
            return None
        return VehicleSampled(
            ignition_on=self._flag("ignition_on"),
            speed_kmh=self._number("speed_kmh"),
            locked=seen.locked,
            doors_open=self._doors_open(),
            immobilised=seen.immobilised,
            fuel_pct=self._number("fuel_pct"),
            odometer_m=None if (metres := self._number("odometer_m")) is None else round(metres),
            fix=self._fix,
        )

    # ------------------------------------------------------------ time
    def _begin(self) -> None:
        self._signals = _READERS[self.form](_lines(self._file))
        self._next = next(self._signals, None)
        self._at_s = self._last_s = 0.0 if self._next is None else self._next.at_s
        self._known.clear()

    def _advance(self, utc_ms: int, mono_ms: int) -> bool:
        """Let the trace go on until now. Whether anything came."""
        passed_s = 0.0 if self._looked_at_ms is None else (mono_ms - self._looked_at_ms) / 1000 * self._speed
        self._looked_at_ms = mono_ms
        if self._next is None and self._loop:
            # The beginning does not follow on the end: between them is a hole.
            self._begin()
            self._at_s -= HOLE_S * self._speed
        self._at_s += max(0.0, passed_s)
        news = False
        while self._next is not None and self._next.at_s <= self._at_s:
            hole_s = self._next.at_s - self._last_s
            if hole_s > LASTS_S and hole_s < HOLE_S * self._speed:
                # Played fast, it would be none: the trace waits.
                self._at_s = self._next.at_s - (HOLE_S * self._speed - hole_s)
                self._last_s = self._next.at_s - HOLE_S * self._speed
                break
            self._last_s = self._next.at_s
            age_ms = round((self._at_s - self._next.at_s) * 1000 / self._speed)
            self._take(self._next, utc_ms - age_ms, mono_ms - age_ms)
            news = True
            self._next = next(self._signals, None)
        self.ended = self._next is None and not self._loop
        return news

    def _take(self, signal: Signal, utc_ms: int, mono_ms: int) -> None:
        if signal.name != FIX:
            self._known[signal.name] = signal
        elif isinstance(signal.value, tuple):
            latitude, longitude = (round(degrees * DEGREES_E7) for degrees in signal.value)
            self._fix = Fix(latitude, longitude, utc_ms, mono_ms)

    # ------------------------------------------------------------ values
    def _told(self, name: str) -> object:
        signal = self._known.get(name)
        lasts_s = SLOW_LASTS_S if name in _SLOW else LASTS_S
        return None if signal is None or self._at_s - signal.at_s > lasts_s else signal.value

    def _flag(self, name: str) -> bool | None:
        value = self._told(name)
        return value if isinstance(value, bool) else None

    def _number(self, name: str) -> float | None:
        value = self._told(name)
        return float(value) if isinstance(value, int | float) else None

    def _doors_open(self) -> bool | None:
        """Closed only when each door that the trace knows says so."""
        doors = [self._flag(name) for name in self._known if name.startswith(DOOR)]
        if True in doors:
            return True
        return False if doors and None not in doors else None


def _opened(path: Path) -> BinaryIO:
    """The file, and nothing else that has a name: a pipe or a terminal would keep its reader waiting."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise TraceFailed(f"{path}: {error.strerror}; give an OpenXC trace or an NMEA recording") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise TraceFailed(f"{path}: this is no regular file; give an OpenXC trace or an NMEA recording")
    return open(number, "rb")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """From the beginning. The end of what can be read is the end of the file."""
    with suppress(OSError):
        file.seek(0)
        while line := file.readline(MOST_LINE_BYTES):
            yield line


def _form(path: Path, file: BinaryIO) -> Form:
    for form, reader in _READERS.items():
        lines = (line for line, _ in zip(_lines(file), range(LOOKED_AT_LINES), strict=False))
        if next(reader(lines), None) is not None:
            return form
    raise TraceFailed(f"{path}: nothing in it is of use; give an OpenXC trace or an NMEA recording with fixes")
