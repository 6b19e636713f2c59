"""Reports of a module as a backend gets them."""

from host_tools.backend.reading import Raw, Received
from protocol.telemetry import (
    Channel,
    Entry,
    EventKind,
    EventReport,
    Health,
    Online,
    OrderResult,
    PositionReport,
    Stamp,
    StateReport,
    StoreCondition,
    encode,
    encode_backlog,
    topic,
)

MODULE_ID = bytes.fromhex("a1b2c3d4e5f60718")
OTHER_ID = bytes(8)

Report = Online | StateReport | PositionReport | EventReport | OrderResult | Health


def stamp(seq: int, boot: int = 1, minute: int = 0) -> Stamp:
    """A time in the hour after eight."""
    return Stamp(seq, boot, f"2027-01-15T08:{minute:02}:00.000Z", "synced", 1.5)


def state(
    seq: int, boot: int = 1, minute: int = 0, signals: dict[str, bool | int | float | str] | None = None
) -> StateReport:
    return StateReport(stamp(seq, boot, minute), {"Vehicle.IsMoving": False} if signals is None else signals)


def event(seq: int, boot: int = 1, minute: int = 0, kind: EventKind = EventKind.BOOKING_STARTED) -> EventReport:
    return EventReport(stamp(seq, boot, minute), kind, booking="b1", numbers={"left_ms": 5})


def dropped(seq: int, minute: int = 0, **numbers: int) -> EventReport:
    """So many were given up, by the name of the channel."""
    return EventReport(stamp(seq, 1, minute), EventKind.RECORDS_DROPPED, numbers=numbers)


def position(seq: int, minute: int = 0) -> PositionReport:
    return PositionReport(stamp(seq, 1, minute), 48.1, 11.5, "2027-01-15T07:59:00.000Z", 60.0, parking=True)


def order_result(seq: int | None = None) -> OrderResult:
    """With a stamp, when it is a record."""
    result = OrderResult("ab", 0, "OK")
    return result if seq is None else OrderResult("ab", 0, "OK", stamp=stamp(seq))


def health(**changes: object) -> Health:
    values = {"time": "2027-01-15T08:00:00.000Z", "uptime_s": 60, "boot": 1, "queued": 7, "dropped": 2}
    return Health(**{**values, "store": StoreCondition.OK, "version": "1.2.3", **changes})  # type: ignore[arg-type]


def raw(channel: Channel, payload: bytes, *, module_id: bytes = MODULE_ID, retained: bool = False) -> Raw:
    return Raw(topic(module_id, channel), payload, retained)


def backlog(*reports: tuple[Channel, Report]) -> bytes:
    """The payload of a backlog."""
    return encode_backlog([Entry(channel, encode(report)) for channel, report in reports])


def received(channel: Channel, value: Report | None, module_id: bytes = MODULE_ID) -> Received:
    return Received(module_id, channel, value)
