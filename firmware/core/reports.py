"""Records: what was worth telling, as it is kept until the broker has it. What may leave when: `reporting`."""

import msgspec

from protocol.telemetry import Channel, EventKind


class Point(msgspec.Struct, frozen=True, gc=False):
    """A position and when it was fixed: degrees times 10^7 (WGS 84), UTC in ms."""

    latitude_e7: int
    longitude_e7: int
    utc_ms: int


class Record(msgspec.Struct, frozen=True, gc=False):
    """One report. `number` orders the outbox, `seq` counts without gaps per channel; `boot` made it.

    Exactly one of `kind` (event, alert), `signals` (state) and `point` (track) is filled; none of them in the outcome
    of an order. `correlation`: what an order came with, and its answer goes back with (MQTT 5). `parking`: `point` is
    where the car was left.
    """

    number: int = 0
    channel: Channel = Channel.EVENT
    seq: int = 0
    utc_ms: int = 0
    quality: str = ""
    kind: EventKind | None = None
    booking: str = ""
    role: str = ""
    reason: str = ""
    numbers: tuple[tuple[str, int], ...] = ()
    signals: tuple[tuple[str, bool | int | float | str], ...] = ()
    point: Point | None = None
    boot: int = 0
    correlation: bytes = b""
    parking: bool = False

    @property
    def urgent(self) -> bool:
        """Whether this record overtakes those that are not: somebody waits for it."""
        return self.channel in (Channel.ALERT, Channel.ORDER_RESULT)

    @property
    def reveals_position(self) -> bool:
        """Whether this record must stay while a driver's booking runs (PRV-1)."""
        return self.point is not None
