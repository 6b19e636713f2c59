"""Records that were read from the store and wait to be handed over: which of them go next, and together.

Decides what becomes a compressed batch: a backlog. Little goes one by one, and so does what is urgent, and the newest
vehicle state, which the broker retains. Refuses to know who sends them.
"""

from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from firmware.core.reports import Record
from firmware.ports import StoredRecord, StoreFailed
from protocol.telemetry import MAX_BACKLOG_RECORDS, Channel

MAX_BATCH_BYTES: Final = 64 * 1024
"""Of stored records. As JSON they are at most three times as long, so that readers, who have a limit, take them."""
END_OF_TIME_MS: Final = 253_402_300_800_000
"""The year 10 000, UTC: later times have no written form."""


class Page:
    """The next records in the order of delivery. `outdated`: the store may hold something that goes before them."""

    def __init__(self) -> None:
        self.outdated = True
        self._records: deque[tuple[Record, int]] = deque()
        self._is_all = False
        self._newest_state: Record | None = None

    @property
    def wanting(self) -> bool:
        """Whether to read from the store before anything is taken."""
        return self.outdated or (not self._is_all and len(self._records) < MAX_BACKLOG_RECORDS)

    def fill(self, found: Sequence[StoredRecord], skip: Collection[int], *, is_all: bool) -> list[int]:
        """Replace the page by what was found, without the numbers to `skip`. `is_all`: nothing else waits. Returns the
        numbers of records that can not be read."""
        self._records.clear()
        unreadable = []
        for stored in found:
            if stored.number in skip:
                continue
            try:
                self._records.append((decode_record(stored.body, stored.number), len(stored.body)))
            except StoreFailed:
                unreadable.append(stored.number)
        self._is_all = is_all
        states = (record for record, _ in reversed(self._records) if record.channel is Channel.STATE)
        self._newest_state = next(states, None) if is_all else None
        return unreadable

    def take(self, alone: int) -> tuple[Record, ...]:
        """The records of the next publication: one, or a batch when more than `alone` wait. Empty: none is left.

        The newest state of all goes alone: in a batch the broker would not retain it.
        """
        taken: list[Record] = []
        most = 1 if len(self._records) <= alone else MAX_BACKLOG_RECORDS
        room = MAX_BATCH_BYTES
        while self._records and len(taken) < most:
            record, size = self._records[0]
            by_itself = record.urgent or record is self._newest_state
            room -= size
            if taken and (by_itself or room < 0):
                break
            taken.append(record)
            self._records.popleft()
            if by_itself:
                break
        return tuple(taken)


def decode_record(data: bytes, number: int | None = None) -> Record:
    """A record as the keeper stored it, under `number` if that is known. Raises StoreFailed when it can not be read."""
    try:
        record = msgspec.msgpack.decode(data, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreFailed(f"a stored record can not be read: {error}") from None
    if not _whole(record) or number not in (None, record.number):
        raise StoreFailed("a stored record can not be read: it lacks what its channel tells")
    return record


def _whole(record: Record) -> bool:
    """Whether it can be sent: a damaged disk may have left something that can be read, and says too little."""
    times = (record.utc_ms, record.utc_ms if record.point is None else record.point.utc_ms)
    if not all(0 <= at < END_OF_TIME_MS for at in times):
        return False
    result = record.point is None and record.channel is not Channel.STATE and record.kind is None
    return not result or dict(record.numbers).keys() >= {"code", "pending"}
