"""A module's life as the store sees it, from a seed: bookings that end, lists, records, acknowledgements, reboots.

The states are real ones, made with the core's own ledger and usage log; the store is the real one, on a tape. After
each operation stands a mark, and `History` remembers what the store must hold from then on.
"""

import random
from pathlib import Path
from typing import NamedTuple

import msgspec

from firmware.adapters.store.database import Connect
from firmware.adapters.store.disk import Disk, Settings
from firmware.core import ledger, usage
from firmware.core.state import Counters, DeadBooking, Durable, EndReason, Profile, Slot
from firmware.core.usage import Chained, Entry, Use
from firmware.keeper import encode
from firmware.ports import StoredRecord
from protocol.tokens import RevocationList
from tests.support.vfs import ApswConnect, Mark, RecordedFiles, Tape

MODULE_ID = bytes.fromhex("0011223344556677")
FLOOR_MS = 1_790_000_000_000
PROFILE = Profile(MODULE_ID, 3, None, FLOOR_MS)
CAPACITY = 10
"""So few that even a short life gives records up, and counts them."""
CHECKPOINT_PAGES = 12
"""Far less than in the car, so that a short life has several."""

replace = msgspec.structs.replace


class Held(NamedTuple):
    """What the store holds: the state, the numbers of the records, the digests of the usage log, how many records it
    has given up."""

    state: bytes | None
    records: tuple[int, ...]
    log: tuple[bytes, ...]
    dropped: int


class History(NamedTuple):
    """`held[n]`: after operation n; `durable[n]`: the state in it; 0 is the new store."""

    held: list[Held]
    durable: list[Durable]


def settings(tape: Tape | None = None) -> Settings:
    """The store's settings, on stock SQLite or on a tape."""
    plain = Settings(checkpoint_pages=CHECKPOINT_PAGES, reserve_bytes=0)
    return plain if tape is None else plain._replace(connect=ApswConnect(tape))


def disk_at(path: Path, tape: Tape | None = None, connect: Connect | None = None) -> Disk:
    """The real store; on a tape if one is given. `connect`: another way to open the database on it."""
    files = None if tape is None else RecordedFiles(path.parent, tape)
    chosen = settings(tape)
    if connect is not None:
        chosen = chosen._replace(connect=connect)
    return Disk(path, capacity_records=CAPACITY, files=files, settings=chosen)


def held(disk: Disk) -> Held:
    """What it holds now."""
    loaded = disk.load()
    numbers = tuple(record.number for record in disk.pending(None, 1_000))
    return Held(loaded.state, numbers, tuple(entry.digest for entry in disk.usage()), disk.dropped_count())


def live(path: Path, tape: Tape, seed: int, operations: int, connect: Connect | None = None) -> History:
    """Live through so many operations."""
    rng = random.Random(seed)
    disk = disk_at(path, tape, connect)
    durable = Durable(FLOOR_MS, 3)
    history = History([held(disk)], [durable])
    tape.ops.append(Mark(0))
    for number in range(1, operations + 1):
        if rng.random() < 0.06:
            disk.close()
            disk = disk_at(path, tape, connect)
            disk.load()
        waiting = history.held[-1].records
        if waiting and rng.random() < 0.25:
            disk.remove(*waiting[: rng.randrange(1, 5)])
        else:
            durable, records, entries = _step(durable, rng)
            state, vital = encode(durable)
            disk.commit(state, records, vital, entries)
        tape.ops.append(Mark(number))
        history.held.append(held(disk))
        history.durable.append(durable)
    lived = len(tape.ops)
    disk.close()
    del tape.ops[lived:]  # the power goes before anybody can close anything
    return history


def _step(durable: Durable, rng: random.Random) -> tuple[Durable, tuple[StoredRecord, ...], tuple[Chained, ...]]:
    floor_ms = durable.floor_ms + rng.randrange(1, 60_000)
    durable = replace(durable, floor_ms=floor_ms)
    entries: tuple[Chained, ...] = ()
    what = rng.random()
    if what < 0.35:
        booking, issued_s = rng.randbytes(16), floor_ms // 1000
        dead = DeadBooking(booking, rng.choice(list(EndReason)), issued_s + rng.randrange(60, 90_000), issued_s)
        durable = ledger.bury(durable, dead, floor_ms)
        entry = Entry(0, "", floor_ms, "synced", Use.ENDED, booking=booking.hex())
        head, chained = usage.chain(MODULE_ID, durable.log, entry)
        durable, entries = replace(durable, log=head), (chained,)
    elif what < 0.45:
        revoked = tuple((rng.randbytes(16), floor_ms // 1000) for _ in range(rng.randrange(12)))
        number = durable.list_number + 1
        durable = ledger.revoke(durable, RevocationList(MODULE_ID, number, floor_ms // 1000, 0, revoked))
    elif what < 0.55:
        durable = replace(durable, slot=Slot(durable.slot.version + 1))
    counters, records = durable.counters, []
    for _ in range(rng.choice((0, 1, 1, 2, 6))):
        thinnable = rng.random() < 0.7
        body = rng.randbytes(rng.randrange(40, 600))
        urgent = not thinnable and rng.random() < 0.5
        channel = "track" if thinnable else "event"
        records.append(StoredRecord(counters.record, thinnable, body, thinnable, urgent, channel))
        counters = Counters(counters.record + 1, counters.event + 1, counters.state, counters.track)
    return replace(durable, counters=counters), tuple(records), entries
