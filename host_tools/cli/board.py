"""The live view of `watch`: a row for each module, the signals when there is but one, and the latest events.

Knows reports, neither broker nor terminal: it is told how much room there is. Bounded: what was silent longest goes.
"""

from collections import deque
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from host_tools.backend.reading import Received, stamp_of
from host_tools.backend.sequence import Sequence
from host_tools.cli.wording import gap_of, plain, short, told_by, values_of
from protocol import signals
from protocol.errors import one_line
from protocol.telemetry import Channel, Health, Online, PositionReport, StateReport, StoreCondition

MAX_MODULES: Final = 1000
MAX_SIGNALS: Final = 64
MAX_EVENTS: Final = 100

WIDE: Final = 110
"""Columns from which on there is room for more than the essential."""

_LEAST_EVENTS: Final = 4
_TOLD: Final = frozenset({Channel.EVENT, Channel.ALERT, Channel.ORDER_RESULT})
_PREFIX: Final = "Vehicle."


class _Value:
    """A signal as it was last told."""

    def __init__(self, now_s: float) -> None:
        self.text = ""
        self.first_s = now_s
        self.last_s = now_s
        self.count = 0


class _Car:
    """What is known of one module."""

    def __init__(self) -> None:
        self.last_s: float | None = None
        self.online: bool | None = None
        self.values: dict[str, _Value] = {}
        self.health: Health | None = None
        self.position = ""

    def tell(self, told: dict[str, bool | int | float | str], now_s: float) -> None:
        for name, value in list(told.items())[:MAX_SIGNALS]:
            known = self.values.pop(name, None) or _Value(now_s)
            known.text, known.last_s, known.count = one_line(plain(value)), now_s, known.count + 1
            self.values[name] = known
        while len(self.values) > MAX_SIGNALS:
            del self.values[next(iter(self.values))]

    def text(self, name: str) -> str:
        known = self.values.get(name)
        return "" if known is None else known.text


class Board:
    """`sequence` knows what is missing of each module."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence
        self._cars: dict[bytes, _Car] = {}
        self._events: deque[Text] = deque(maxlen=MAX_EVENTS)

    def take(self, received: Received, now_s: float, aged_s: float = 0.0) -> None:
        """Show a message. `now_s` is monotonic; `aged_s`: so old was it when it came, if the broker had kept it."""
        car = self._cars.pop(received.module_id, None) or _Car()
        self._cars[received.module_id] = car
        while len(self._cars) > MAX_MODULES:
            del self._cars[next(iter(self._cars))]
        at_s = now_s - max(0.0, aged_s)
        car.last_s = at_s if car.last_s is None else max(car.last_s, at_s)
        match received.value:
            case Online(online=online):
                car.online = online
            case StateReport(signals=told) if not received.repeated:
                car.tell(told, at_s)
            case Health() as health:
                car.health = health
            case PositionReport() as report if received.channel is Channel.POSITION:
                car.position = f"{report.latitude:.3f}, {report.longitude:.3f}"
            case None if received.channel is Channel.POSITION and not received.error:
                car.position = ""
        self._note(received)

    def _note(self, received: Received) -> None:
        channel = received.channel.value
        if received.missing:
            self._add(received, f"{channel}: {gap_of(received, so_far=True)}", "yellow")
        if received.renewed:
            self._add(received, f"{channel}: the module counts anew", "yellow")
        if received.error:
            self._add(received, told_by(received), "red")
        elif received.channel in _TOLD and not received.repeated:
            said = "; ".join(f"{name} {value}".removeprefix("event ") for name, value in values_of(received))
            self._add(received, said, "bold red" if received.channel is Channel.ALERT else "")

    def _add(self, received: Received, said: str, style: str) -> None:
        stamp = stamp_of(received.value)
        when = "" if stamp is None else stamp.time[11:19]
        self._events.append(Text(one_line(f"{when:8}  {received.module_id.hex()}  {said}"), style=style))

    def render(self, now_s: float, width: int, height: int) -> RenderableType:
        """The board at `now_s`, on `height` lines of `width` columns."""
        alone = len(self._cars) == 1
        room = max(1, height - 4 - _LEAST_EVENTS)
        modules = self._modules(now_s, room, wide=width >= WIDE)
        parts: list[RenderableType] = [modules]
        used = 1 + modules.row_count
        hidden = len(self._cars) - modules.row_count
        if hidden > 0:
            parts.append(Text(f"and {hidden} more", style="dim"))
            used += 1
        if alone:
            values = self._values(now_s, room - 2)
            parts += [Text(), values]
            used += 2 + values.row_count
        latest = list(self._events)[-max(1, height - used - 3) :]
        parts += [Text(), Text("Latest events (UTC)" if latest else "No event so far", style="bold")]
        for line in latest:
            shown = line.copy()
            shown.truncate(width, overflow="ellipsis")
            parts.append(shown)
        return Group(*parts)

    def _modules(self, now_s: float, room: int, *, wide: bool) -> Table:
        table = _table("Module", "Link", "Booking", "Car", ">Age", ">Queue", ">Missing")
        if wide:
            _columns(table, "Store", ">Fuel %", ">km", "Position")
        for module_id, car in sorted(self._cars.items())[:room]:
            row: list[Text | str] = [
                module_id.hex(),
                _link(car),
                car.text(signals.BOOKING_PHASE) or "-",
                _doing(car),
                "-" if car.last_s is None else short(now_s - car.last_s),
                _queue(car),
                self._missing(module_id),
            ]
            if wide:
                km = car.text(signals.RANGE)
                row += [_store(car), car.text(signals.FUEL), f"{float(km) / 1000:.0f}" if _is_number(km) else ""]
                row.append(car.position or "-")
            table.add_row(*row)
        return table

    def _missing(self, module_id: bytes) -> Text | str:
        missing, unexplained = self._sequence.missing(module_id), self._sequence.unexplained(module_id)
        if not unexplained:
            return str(missing)
        return Text(f"{missing} ({unexplained} ?)", style="yellow")

    def _values(self, now_s: float, room: int) -> Table:
        (car,) = self._cars.values()
        table = _table("Signal", "Value", "Unit", ">Age", ">Rate")
        for name, value in sorted(car.values.items())[: max(1, room)]:
            span_s = value.last_s - value.first_s
            rate = f"{(value.count - 1) / span_s:.2f}/s" if span_s > 0 else "-"
            known = signals.SIGNALS.get(name)
            unit = "" if known is None else known.unit
            table.add_row(
                Text(one_line(name).removeprefix(_PREFIX)), Text(value.text), unit, short(now_s - value.last_s), rate
            )
        return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    _columns(table, *columns)
    return table


def _columns(table: Table, *columns: str) -> None:
    """A name that begins with ">" is written to the right."""
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column[0] == ">" else "left", no_wrap=True)


def _link(car: _Car) -> Text | str:
    if car.online is None:
        return "?"
    return Text("up", style="green") if car.online else Text("down", style="red")


def _doing(car: _Car) -> Text | str:
    """The most important of what the car is at."""
    if car.text(signals.IGNITION) == "ON":
        return "ignition on"
    if "yes" in (car.text(signals.DOORS_OPEN), car.text(signals.BOOT_OPEN)):
        return "open"
    return {"yes": "locked", "no": "unlocked"}.get(car.text(signals.LOCKED), "-")


def _queue(car: _Car) -> Text | str:
    """Red and with a mark when the module's memory is in trouble."""
    if car.health is None:
        return "-"
    queued = str(car.health.queued)
    return queued if car.health.store is StoreCondition.OK else Text(f"{queued} !", style="red")


def _store(car: _Car) -> str:
    return "-" if car.health is None else car.health.store.value


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
