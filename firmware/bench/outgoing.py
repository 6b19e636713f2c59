"""What a recording says was handed to the broker, against what the replayed module has to say at that moment.

Decides what is looked at: the message, its properties, and whether it might leave (PRV-1). A record that is older than
the recording is not: nobody knows what it says.
"""

from collections import OrderedDict, deque
from typing import Final

import msgspec

from firmware.bench.compared import compare, diverge
from firmware.bench.notation import Json, NotationError
from firmware.bench.recording import Published
from firmware.core import reporting
from firmware.core.reporting import Message
from firmware.core.reports import Record
from firmware.core.state import State
from firmware.ports import Publication
from protocol import telemetry
from protocol.errors import ProtocolError, one_line
from protocol.telemetry import Channel

MOST_RECORDS: Final = 50_000
"""Of which it is known what they say; the outbox holds 20 000."""
MOST_SAID: Final = 64


class Outgoing:
    """`version`: of the firmware that was recorded."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._records: OrderedDict[int, Record] = OrderedDict()
        self._said: deque[Record] = deque(maxlen=MOST_SAID)

    def reported(self, record: Record) -> None:
        """The core has made this record. After a power cut its number may be given again."""
        self._records[record.number] = record
        self._records.move_to_end(record.number)
        if len(self._records) > MOST_RECORDS:
            self._records.popitem(last=False)

    def said(self, record: Record) -> None:
        """The core has given this answer, which is no record."""
        self._said.appendleft(record)

    def check(self, line: Published, state: State) -> bool:
        """Compare one publication. False: there is nothing to compare it with. Raises Diverged, NotationError."""
        try:
            return self._check(line, state)
        except (msgspec.DecodeError, ValueError) as error:
            raise NotationError(f"its payload can not be read: {one_line(str(error))}") from None

    def _check(self, line: Published, state: State) -> bool:
        message = self._message(line, state)
        if message is None:
            return False
        made = Publication(telemetry.topic(state.profile.module_id, message.channel), *message[1:])
        about = f"the publication on {line.topic.rpartition('/')[2]}"
        payload = bytes.fromhex(line.payload) if line.packed else line.payload.encode()
        compare(f"{about}: payload", _told(payload), _told(made.payload))
        compare(
            f"{about}: properties",
            [line.topic, line.retain, line.expiry_s, line.content_type, line.correlation],
            [made.topic, made.retain, made.expiry_s, made.content_type, made.correlation.hex()],
        )
        compare(f"{about}: attributes", [[*each] for each in line.attributes], [[*each] for each in made.attributes])
        return True

    def _message(self, line: Published, state: State) -> Message | None:
        if line.numbers:
            return self._of_records(line, state)
        if line.seq is not None:
            said = next((record for record in self._said if record.seq == line.seq), None)
            return None if said is None else reporting.record_message(state, said, line.now)
        if line.topic.endswith(f"/{Channel.HEALTH.value}"):
            it = msgspec.json.decode(line.payload, type=telemetry.Health)
            return reporting.health_message(
                state, line.now, queued=it.queued, dropped=it.dropped, store=it.store, version=self._version
            )
        found = reporting.slot_message(state, line.now)
        if found is None:
            diverge("the retained position", "handed to the broker", "as the broker has it, or hidden")
        return found

    def _of_records(self, line: Published, state: State) -> Message | None:
        records = tuple(self._records[number] for number in line.numbers if number in self._records)
        if len(records) < len(line.numbers):
            return None
        reveals = any(record.reveals_position for record in records)
        compare(f"whether records {line.numbers} may leave", True, reporting.may_leave(state, reveals_position=reveals))
        if len(records) == 1:
            return reporting.record_message(state, records[0], line.now)
        return reporting.backlog_message(state, records, line.now)


def _told(payload: bytes) -> Json:
    """A payload as data: compression may be another one on another machine."""
    if not payload:
        return None
    try:
        entries = telemetry.decode_backlog(payload)
    except ProtocolError:
        found: Json = msgspec.json.decode(payload)
        return found
    return [{"channel": entry.channel.value, "report": msgspec.json.decode(entry.report)} for entry in entries]
