"""What a message from the broker says: bytes become values, and a backlog becomes the records that are in it.

Decides: what can be read. Refuses to know: what came before, and what it means for anybody.
"""

from typing import Final

import msgspec

from protocol.errors import ProtocolError, one_line
from protocol.telemetry import (
    Channel,
    EventReport,
    Health,
    Online,
    OrderResult,
    PositionReport,
    Stamp,
    StateReport,
    decode_backlog,
    parse_topic,
)

Report = Online | StateReport | PositionReport | EventReport | OrderResult | Health
Value = Report | None
"""What a channel carries; None: an empty payload, the withdrawal of a retained message."""

COUNTED: Final = frozenset({Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT, Channel.ORDER_RESULT})
"""Channels whose sequence has no gaps by itself; on `position` it is the version of the retained slot."""

_TYPES: Final[dict[Channel, type[Report]]] = {
    Channel.ONLINE: Online,
    Channel.STATE: StateReport,
    Channel.POSITION: PositionReport,
    Channel.TRACK: PositionReport,
    Channel.EVENT: EventReport,
    Channel.ALERT: EventReport,
    Channel.ORDER_RESULT: OrderResult,
    Channel.HEALTH: Health,
}


class Raw(msgspec.Struct, frozen=True):
    """A message as the broker sent it. `retained`: it was kept by the broker, and not sent just now."""

    topic: str
    payload: bytes
    retained: bool


class Received(msgspec.Struct, frozen=True):
    """A message of a module, or one record of a backlog, read. `error`: why it could not be read; `value` is None then.

    `backlog`: it had waited, and came with others. The rest is known by `sequence.Sequence` only. `missing`: so many
    records of this channel before this one did not come; `explained`: so many of them the module has given up, and said
    so (TEL-4); `unheard`: nobody listened in between, so they may well have been sent. `late`: it was missing before.
    `repeated`: it came before (TEL-5). `renewed`: the module has begun to count anew, because it lost its memory.
    """

    module_id: bytes
    channel: Channel
    value: Value
    retained: bool = False
    missing: int = 0
    repeated: bool = False
    error: str = ""
    backlog: bool = False
    explained: int = 0
    unheard: bool = False
    late: bool = False
    renewed: bool = False


def read(raw: Raw) -> tuple[Received, ...]:
    """What is in a message, in order; nothing when its topic is none of telemetry (orders included). A backlog that
    cannot be read is one Received with its error."""
    parsed = parse_topic(raw.topic)
    if parsed is None:
        return ()
    module_id, channel = parsed
    if channel is Channel.BACKLOG:
        try:
            entries = decode_backlog(raw.payload)
        except ProtocolError as error:
            return (Received(module_id, channel, None, raw.retained, error=one_line(error.detail), backlog=True),)
        return tuple(_read(module_id, entry.channel, entry.report, backlog=True) for entry in entries)
    if channel not in _TYPES:
        return ()
    if not raw.payload:
        return (Received(module_id, channel, None, raw.retained),)
    return (_read(module_id, channel, raw.payload, retained=raw.retained),)


def decode(channel: Channel, payload: bytes | str) -> Report:
    """The report in a payload of `channel`. Raises ValueError."""
    try:
        return msgspec.json.decode(payload, type=_TYPES[channel])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(one_line(str(error))) from None


def stamp_of(value: Value) -> Stamp | None:
    """When a record was made, None for what is no record."""
    match value:
        case StateReport(stamp=stamp) | PositionReport(stamp=stamp) | EventReport(stamp=stamp):
            return stamp
        case OrderResult(stamp=Stamp() as stamp):
            return stamp
        case _:
            return None


def _read(
    module_id: bytes, channel: Channel, payload: bytes, *, retained: bool = False, backlog: bool = False
) -> Received:
    try:
        value = decode(channel, payload)
    except ValueError as error:
        return Received(module_id, channel, None, retained, error=str(error), backlog=backlog)
    return Received(module_id, channel, value, retained, backlog=backlog)
