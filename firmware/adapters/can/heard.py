"""What was heard on the bus, for as long as it lasts.

Decides when a signal has become unknown, and what is an event: a vehicle key that begins to be used, a crash, a change
of the network. Refuses to know frames, and who asks.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from firmware.adapters.can import facts
from firmware.adapters.can.facts import BUTTON, COUNTRY, CRASH, DOORS, DOORS_FIELD, FIELDS, Value
from firmware.core.events import CrashDetected, KeyButton, NetworkServing, VehicleKeyUsed, VehicleSampled
from firmware.ports import VehicleFact

CRASH_TOLD: Final = 2
"""So many frames in a row, after one that told of none: neither one that is damaged, nor a car that crashed last year
and is in the workshop now, calls anybody."""

AT_ONCE: Final = frozenset({facts.IGNITION, facts.LOCKED, facts.BOOT, facts.IMMOBILISED, facts.KEYS, *DOORS})
"""A change of these is worth a sample of its own."""

_BUTTONS: Final = {facts.UNLOCK: KeyButton.UNLOCK, facts.LOCK: KeyButton.LOCK}


class News(NamedTuple):
    """What a frame brought. `changed`: a sample is worth while at once."""

    happened: tuple[VehicleFact, ...] = ()
    changed: bool = False


class Heard:
    """`lasts_ms`: the facts that there are, and how long each one lasts. `mono_ms`: the module's monotonic clock."""

    def __init__(self, lasts_ms: Mapping[str, int], mono_ms: Callable[[], int]) -> None:
        self._lasts_ms = lasts_ms
        self._mono_ms = mono_ms
        self._known: dict[str, tuple[Value, int]] = {}
        self._crash_armed = False
        self._crashes_told = 0
        self._serving: NetworkServing | None = None

    def take(self, frame: Iterable[tuple[str, Value | None]]) -> News:
        """The facts of one frame; None: unknown from now on."""
        now_ms, happened, changed = self._mono_ms(), list[VehicleFact](), False
        for fact, value in frame:
            event = self._event(fact, value)
            if event is not None:
                happened.append(event)
            changed = changed or (fact in AT_ONCE and value != self._now(fact))
            if value is None:
                self._known.pop(fact, None)
            else:
                self._known[fact] = (value, now_ms)
        return News(tuple(happened), changed)

    def forget(self) -> None:
        """Nothing is known any more; the network is told anew when it is heard of again."""
        self._known.clear()
        self._crashes_told = 0
        self._serving = None

    def look(self) -> VehicleSampled:
        """What is known at this instant."""
        known: dict[str, object] = {}
        for fact, (field, convert) in FIELDS.items():
            value = self._now(fact)
            if value is not None:
                known[field] = convert(value)
        known[DOORS_FIELD] = self._doors_open()
        return VehicleSampled(**known)  # type: ignore[arg-type]  # FIELDS has each field's own type

    def _now(self, fact: str) -> Value | None:
        value, at_ms = self._known.get(fact, (None, 0))
        return value if self._mono_ms() - at_ms <= self._lasts_ms.get(fact, -1) else None

    def _doors_open(self) -> bool | None:
        """Closed only when each door that this car tells of says so."""
        doors = [self._now(door) for door in DOORS if door in self._lasts_ms]
        if "true" in doors:
            return True
        return False if doors and None not in doors else None

    # ------------------------------------------------------------ events
    def _event(self, fact: str, value: Value | None) -> VehicleFact | None:
        if fact == BUTTON and isinstance(value, str) and value in _BUTTONS and value != self._now(BUTTON):
            return VehicleKeyUsed(_BUTTONS[value])
        if fact == CRASH and value is not None:
            return self._crash(value == "true")
        if fact == COUNTRY and isinstance(value, int | float):
            return self._served(NetworkServing(round(value) or None))
        return None

    def _crash(self, crashed: bool) -> CrashDetected | None:
        self._crashes_told = self._crashes_told + 1 if crashed else 0
        if not crashed:
            self._crash_armed = True
        if self._crash_armed and self._crashes_told >= CRASH_TOLD:
            self._crash_armed = False
            return CrashDetected()
        return None

    def _served(self, serving: NetworkServing) -> NetworkServing | None:
        if serving == self._serving:
            return None
        self._serving = serving
        return serving
