"""Between core and store: what a step leaves is written down, what a boot finds is made a state again.

Decides what is tried when the disk refuses: state and usage log before records, so that a full disk degrades
telemetry and not access (PWR-2). Refuses to know what a state means.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from firmware.core import vital
from firmware.core.effects import Effect, Log, Persist, Report
from firmware.core.events import RecordsDropped, Trouble
from firmware.core.reports import Record
from firmware.core.state import Durable, Profile, State
from firmware.core.usage import Chained
from firmware.core.vital import Vital
from firmware.ports import Dropped, Loaded, StoredRecord, StoreFailed, StorePort
from protocol.telemetry import Channel, StoreCondition

UNSAVED_KEPT: Final = 256
"""Records that wait for a disk that refuses them; beyond it the oldest are lost, events last, and counted."""
GATHERED_RECORDS: Final = 10
GATHER_MS: Final = 5_000
"""Positions wait for each other until there are so many, or so long; any other step takes them along."""
RETRY_SAVE_MS: Final = 10_000
TELL_DROPPED_EVERY_MS: Final = 600_000
"""The telling takes a place in the outbox too, and must not drive the next record out each time."""

log = structlog.get_logger("sharebox")


class Keeper:
    """`post` tells the core what the store had to give up. To the courier it is the shelf where records wait: those in
    the store, and those that a failing disk has left in memory."""

    def __init__(
        self, store: StorePort, monotonic_ms: Callable[[], int], post: Callable[[RecordsDropped], None]
    ) -> None:
        self._store = store
        self._now = monotonic_ms
        self._post = post
        self._records: list[StoredRecord] = []
        self._entries: list[Chained] = []
        self._retry_at_ms = 0
        self._gather_until_ms: int | None = None
        """While the records in memory are but positions that wait for each other."""
        self._failing_since_ms: int | None = None
        self._failed_as = StoreCondition.OK
        self._saved: Durable | None = None
        self._saving = False
        self._delivered: set[int] = set()
        """What was forgotten while a commit was under way that may bring it back."""
        self._lost: Counter[str] = Counter()
        """Records that were given up before any disk took them, by channel."""
        self._dropped = Dropped()
        self._told_dropped = 0
        self._told_dropped_at_ms: int | None = None
        self._why = ""
        """What was last said about a commit that failed: said once, until one works or fails for another reason."""
        self.owes_state = False
        """Whether what the disk holds may be another state than the last one."""

    async def recall(self, profile: Profile) -> tuple[Durable | None, Trouble | None]:
        """The state to boot with (None: the store is new), and what has become of the store. Raises StoreFailed."""
        found = await self._store.load()
        try:
            known = recalled(found, profile)
        except StoreFailed as error:
            found = await self._store.set_aside(str(error))
            known = _salvaged(found, profile)
        if found.trouble is not None:
            log.error("stored state", trouble=found.trouble.value, why=found.why)
        return known, found.trouble

    # ------------------------------------------------------------ writing
    @property
    def due_at_ms(self) -> int | None:
        """When to try again what the disk refused, or to write what was gathered; None when nothing is owed."""
        if self._gather_until_ms is not None:
            return self._gather_until_ms
        return self._retry_at_ms if self.owes_state or self._records else None

    @property
    def is_due(self) -> bool:
        """Whether to write now even if nothing changed."""
        due = self.due_at_ms
        return self.owes_state or (due is not None and self._now() >= due)

    async def save(self, state: State, effects: tuple[Effect, ...]) -> bool:
        """Write the durable state, and what this step and those before it leave to be kept, in one transaction.

        True when the state is durable, or lacks nothing but positions. The records may wait all the same; so does
        everything of a step that is not `required`, when the disk takes nothing.
        """
        if self._gather(state.durable, effects):
            return True
        self._saving, self._gather_until_ms = True, None
        try:
            saved = await self._save(state, effects)
            if saved and self._delivered:
                with suppress(StoreFailed):
                    await self._store.remove(*self._delivered)
        finally:
            self._saving = False
            self._delivered.clear()
        return saved

    def _gather(self, durable: Durable, effects: tuple[Effect, ...]) -> bool:
        """Let a step wait that leaves nothing but a position to be kept: each commit wears the card."""
        now, before = self._now(), self._saved
        if before is None or self.owes_state or (self._records and self._gather_until_ms is None):
            return False
        positions = _only_positions(before, durable, effects)
        if positions is None or len(self._records) + len(positions) >= GATHERED_RECORDS:
            return False
        if self._gather_until_ms is None:
            self._gather_until_ms = now + GATHER_MS
        if now >= self._gather_until_ms:
            return False
        self._records += positions
        return True

    async def _save(self, state: State, effects: tuple[Effect, ...]) -> bool:
        records = [*self._records, *(_stored(effect.record) for effect in effects if isinstance(effect, Report))]
        entries = [*self._entries, *(effect.entry for effect in effects if isinstance(effect, Log))]
        required = any(isinstance(effect, Persist) and effect.required for effect in effects)
        saved = await self._commit(state.durable, (), records, entries)
        if not saved and records:
            saved = await self._commit(state.durable, records, [], entries)
        if saved:
            self._entries, self.owes_state = [], False
            return True
        # Also after a step that was undone: nobody knows what its commit has left, and the next one puts it right.
        self.owes_state = True
        self._keep_waiting(self._records if required else records)
        if not required:
            self._entries = entries[-UNSAVED_KEPT:]
        return False

    async def _commit(
        self,
        durable: Durable,
        waiting: list[StoredRecord] | tuple[()],
        records: list[StoredRecord],
        entries: list[Chained],
    ) -> bool:
        """Write `records`; those `waiting` are left for later."""
        state, noted = encode(durable)
        try:
            dropped = await self._store.commit(state, tuple(records), vital=noted, usage=tuple(entries))
        except StoreFailed as error:
            self._failed_as = error.condition
            if self._failing_since_ms is None:
                self._failing_since_ms = self._now()
            if str(error) != self._why:
                self._why = str(error)
                log.warning("state not saved", why=self._why, records=len(records))
            return False
        self._saved = durable
        if not waiting:
            self._why, self._failing_since_ms = "", None
        self._keep_waiting(waiting)
        self._tell(dropped)
        return True

    def _keep_waiting(self, records: list[StoredRecord] | tuple[()]) -> None:
        self._records, lost = _bounded([each for each in records if each.number not in self._delivered])
        self._lost.update(each.channel for each in lost)
        self._retry_at_ms = self._now() + RETRY_SAVE_MS

    def _tell(self, dropped: Dropped) -> None:
        """TEL-4: what was dropped is counted and reported, though not every time."""
        self._dropped = dropped
        told_at_ms, now = self._told_dropped_at_ms, self._now()
        if self.dropped > self._told_dropped and (told_at_ms is None or now - told_at_ms >= TELL_DROPPED_EVERY_MS):
            self._told_dropped, self._told_dropped_at_ms = self.dropped, now
            counts = self._lost + Counter(dict(dropped.channels))
            self._post(RecordsDropped(self.dropped, tuple((each, counts[each]) for each in Channel if counts[each])))

    # ------------------------------------------------------------ the shelf
    @property
    def dropped(self) -> int:
        """How many records were ever given up, as far as is known."""
        return self._dropped.total + self._lost.total()

    @property
    def condition(self) -> StoreCondition:
        """What the store is capable of."""
        return StoreCondition.OK if self._failing_since_ms is None else self._failed_as

    @property
    def _speaks(self) -> bool:
        """Whether what waits in memory is told from there. Not what is only gathered; and while not even the state can
        be written, and with it the numbers that were used, not before that has been tried again: a power cut would
        give the same numbers to other records."""
        if self._failing_since_ms is None:
            return False
        return not self.owes_state or self._now() - self._failing_since_ms >= RETRY_SAVE_MS

    async def pending(self, *, reveals_position: bool | None = None, limit: int = 1) -> tuple[StoredRecord, ...]:
        """As `StorePort.pending`, with what a failing disk has left in memory. Of that only what is urgent while the
        store can not be read: the rest would overtake what lies there. Raises StoreFailed."""
        readable = True
        try:
            found = await self._store.pending(reveals_position=reveals_position, limit=limit)
        except StoreFailed:
            if not self._speaks:
                raise
            found, readable = (), False
        if not self._speaks:
            return found
        waiting = (
            each
            for each in self._records
            if reveals_position in (None, each.reveals_position) and (each.urgent or readable)
        )
        known = {each.number: each for each in (*found, *waiting)}
        return tuple(sorted(known.values(), key=lambda each: (not each.urgent, each.number))[:limit])

    async def remove(self, *numbers: int) -> None:
        """As `StorePort.remove`. Raises StoreFailed."""
        waiting = {each.number for each in self._records}.intersection(numbers)
        self._records = [each for each in self._records if each.number not in waiting]
        if self._saving:
            self._delivered.update(numbers)
        stored = [number for number in numbers if self._saving or number not in waiting]
        if stored:
            await self._store.remove(*stored)

    async def pending_count(self) -> int:
        """As `StorePort.pending_count`; what is in memory is counted too, and alone when nothing else can be read."""
        try:
            return await self._store.pending_count() + len(self._records)
        except StoreFailed:
            return len(self._records)


def encode(durable: Durable) -> tuple[bytes, bytes]:
    """The state as it is stored, and what of it must never be forgotten."""
    return msgspec.msgpack.encode(durable), msgspec.msgpack.encode(vital.of(durable))


def recalled(found: Loaded, profile: Profile) -> Durable | None:
    """The state to boot with (None: the store is new). Raises StoreFailed when it can not be read, or is another
    module's. A critical record of another module counts as lost."""
    known = None if found.state is None else decode_durable(found.state)
    noted = None if found.vital is None else _decode_vital(found.vital)
    if known is not None and _is_foreign(_owner(known), profile):
        raise StoreFailed(_foreign("state", _owner(known), profile))
    if noted is not None and _is_foreign(noted.module_id, profile):
        log.warning("critical record", why=_foreign("critical record", noted.module_id, profile))
        return vital.restored(known, None, profile)
    if noted is not None or found.trouble is Trouble.REBUILT:
        return vital.restored(known, noted, profile)
    return known


def _owner(durable: Durable) -> bytes:
    """The module whose state this is; empty when it does not say. Before it did, its booking may."""
    booking = durable.trip.booking
    return durable.module_id or (b"" if booking is None else booking.module_id)


def _is_foreign(owner: bytes, profile: Profile) -> bool:
    return owner not in (b"", profile.module_id)


def _foreign(what: str, owner: bytes, profile: Profile) -> str:
    return (
        f"the stored {what} is that of module {owner.hex()}, and this is {profile.module_id.hex()}: put the card back "
        f"into its own module; this one begins anew"
    )


def decode_durable(data: bytes) -> Durable:
    """The state that `Keeper` wrote. Raises StoreFailed when it can not be read."""
    try:
        return msgspec.msgpack.decode(data, type=Durable)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreFailed(f"the stored state can not be read: {error}") from None


def _decode_vital(data: bytes) -> Vital:
    try:
        return msgspec.msgpack.decode(data, type=Vital)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreFailed(f"the critical record can not be read: {error}") from None


def _salvaged(found: Loaded, profile: Profile) -> Durable | None:
    """What must never be forgotten, if that at least can be read."""
    try:
        return recalled(found, profile)
    except StoreFailed as error:
        log.warning("critical record", why=str(error))
        return vital.restored(None, None, profile)


def _stored(record: Record) -> StoredRecord:
    return StoredRecord(
        record.number,
        record.reveals_position,
        msgspec.msgpack.encode(record),
        thinnable=record.channel in (Channel.STATE, Channel.TRACK),
        urgent=record.urgent,
        channel=record.channel.value,
    )


def _only_positions(before: Durable, after: Durable, effects: tuple[Effect, ...]) -> list[StoredRecord] | None:
    """The positions that a step leaves to be kept, None when it leaves something else too."""
    positions = []
    for effect in effects:
        match effect:
            case Report(record) if record.channel is Channel.TRACK:
                positions.append(_stored(record))
            case Report() | Log() | Persist(required=True):
                return None
    same = msgspec.structs.replace(after, counters=before.counters, slot=before.slot) == before
    shown = before.slot.point is not None and after.slot.point is not None and before.slot.parking == after.slot.parking
    return positions if same and shown else None


def _bounded(records: list[StoredRecord]) -> tuple[list[StoredRecord], list[StoredRecord]]:
    """At most UNSAVED_KEPT of them, and the rest: the oldest states and positions go first (TEL-4)."""
    excess = max(0, len(records) - UNSAVED_KEPT)
    lost = [record for record in records if record.thinnable][:excess]
    gone = {record.number for record in lost}
    kept = [record for record in records if record.number not in gone]
    return kept[-UNSAVED_KEPT:], [*lost, *kept[:-UNSAVED_KEPT]]
