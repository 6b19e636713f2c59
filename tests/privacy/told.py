"""What the module told the broker: one report at a time, with its place in the recording."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from host_tools.backend.ingest import Raw
from protocol.telemetry import FIX_TIME, Channel, decode_backlog, parse_topic


class Said(NamedTuple):
    """One report. `fields` None: an empty payload, a withdrawal. `at`: of the message that brought it."""

    at: int
    channel: Channel
    fields: dict[str, Any] | None

    @property
    def is_position(self) -> bool:
        """Whether it says where the car is, or was."""
        return self.channel in (Channel.POSITION, Channel.TRACK) and self.fields is not None

    @property
    def withdraws(self) -> bool:
        """Whether the broker shall retain no position any more (PRV-3)."""
        return self.channel is Channel.POSITION and self.fields is None

    @property
    def fixed_ms(self) -> int:
        """When a position was fixed."""
        assert self.fields is not None
        return utc_ms(self.fields[FIX_TIME])


def told(messages: Iterable[Raw]) -> Iterator[Said]:
    """Everything of a module in a recording, in order."""
    for index, raw in enumerate(messages):
        parsed = parse_topic(raw.topic)
        if parsed is None or parsed[1] is Channel.ORDER:
            continue
        if parsed[1] is Channel.BACKLOG:
            for entry in decode_backlog(raw.payload):
                yield Said(index, entry.channel, json.loads(entry.report))
        else:
            yield Said(index, parsed[1], json.loads(raw.payload) if raw.payload else None)


def utc_ms(text: str) -> int:
    """Of an RFC 3339 time."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
