"""Commands that look at the uplink: what waits to be told, and what the owner's side has been told.

Decides nothing about what may leave; it reads what has left.
"""

from typing import Final

import msgspec

from firmware.bench import kinds
from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.bench.switches import PUBLICATIONS_KEPT
from firmware.core.reports import Record
from firmware.ports import Publication, StoredRecord, StoreFailed
from protocol import telemetry
from protocol.errors import ProtocolError
from protocol.telemetry import LATITUDE, LONGITUDE, Channel

SHOWN: Final = 20


async def queue(room: Room, _: Words) -> Result:
    """The records that wait for the broker, the first ones in full."""
    store = room.stand.store
    room.need_power()
    try:
        count, first = await store.pending_count(), await store.pending(limit=SHOWN)
    except StoreFailed as error:
        raise DeskError(DeskCode.FAILED, f"`queue`: {error}.") from None
    rows = [_record_data(each) for each in first]
    lines = [f"{count} wait.", *(f"  {row['number']}: {row['channel']} {row['kind'] or ''}".rstrip() for row in rows)]
    return Result("queue", {"count": count, "records": rows}, tuple(lines))


def _record_data(stored: StoredRecord) -> Data:
    record = msgspec.msgpack.decode(stored.body, type=Record)
    return {
        "number": stored.number,
        "channel": stored.channel,
        "kind": None if record.kind is None else record.kind.value,
        "at_ms": record.utc_ms,
        "reveals_position": stored.reveals_position,
        "urgent": stored.urgent,
    }


async def owner(room: Room, words: Words) -> Result:
    """What the owner's side has been told: what is retained, and the last N reports."""
    broker = room.broker
    retained: Data = {}
    for topic, publication in broker.retained.items():
        retained[_channel(topic)] = _body(publication)
    position = retained.get(Channel.POSITION.value)
    told = [report for each in broker.told if not each.retain for report in _reports(each)]
    reports = told[-words.whole("N", SHOWN) :]
    data: Data = {"connected": broker.connected, "position": position, "retained": retained, "reports": reports}
    lines = [
        f"Network {'up' if broker.is_up else 'down'}, broker {'connected' if broker.connected else 'not connected'}",
        f"Position: {_place(position)}",
        *(f"  {report['channel']}: {_gist(report['body'])}" for report in reports),
    ]
    return Result("owner", data, tuple(lines))


def _channel(topic: str) -> str:
    parsed = telemetry.parse_topic(topic)
    return topic if parsed is None else parsed[1].value


def _body(publication: Publication) -> object:
    try:
        return msgspec.json.decode(publication.payload)
    except msgspec.DecodeError:
        return {"bytes": len(publication.payload)}


def _reports(publication: Publication) -> list[Data]:
    """The reports in one publication; a backlog holds several."""
    channel = _channel(publication.topic)
    if channel != Channel.BACKLOG:
        return [{"channel": channel, "body": _body(publication)}]
    try:
        entries = telemetry.decode_backlog(publication.payload)
    except ProtocolError:
        return []
    return [{"channel": each.channel.value, "body": msgspec.json.decode(each.report)} for each in entries]


def _place(position: object) -> str:
    if not isinstance(position, dict):
        return "none"
    return f"{position.get(LATITUDE)}, {position.get(LONGITUDE)}"


def _gist(body: object) -> str:
    if not isinstance(body, dict):
        return str(body)
    named = body.get("kind") or body.get("result") or body.get("signals") or ""
    return str(named or {key: value for key, value in body.items() if key not in ("seq", "boot", "quality")})[:100]


_MANY: Final = (Parameter("N", Kind[object]("N", kinds.whole(1, PUBLICATIONS_KEPT)), optional=True),)

COMMANDS: Final = (
    Command(("queue",), Level.OBSERVE, "what waits to be told to the broker", queue),
    Command(("owner",), Level.OBSERVE, "what the owner's side has been told", owner, _MANY),
)
