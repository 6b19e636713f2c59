"""Between core and store: what a step leaves is written down, what a boot finds is made a state again.

Decides what is tried when the disk refuses: state and usage log before records, so that a full disk degrades
telemetry and not access (PWR-2). Refuses to know what a state means.
"""

from collections.abc import Callable
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
from firmware.ports import Loaded, StoredRecord, StoreFailed, StorePort
from protocol.telemetry import Channel

UNSAVED_KEPT: Final = 256
"""Records that wait for a disk that refuses them; beyond it the oldest are lost, events last, and the gap in `seq`
shows it."""
RETRY_SAVE_MS: Final = 10_000
TELL_DROPPED_EVERY_MS: Final = 600_000
"""The telling takes a place in the outbox too, and must not drive the next record out each time."""

log = structlog.get_logger("sharebox")


class Keeper:
    """`post` tells the core what the store had to give up."""

    def __init__(
        self, store: StorePort, monotonic_ms: Callable[[], int], post: Callable[[RecordsDropped], None]
    ) -> None:
        self._store = store
        self._now = monotonic_ms
        self._post = post
        self._records: list[StoredRecord] = []
        self._entries: list[Chained] = []
        self._retry_at_ms = 0
        self._dropped: int | None = None
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

    @property
    def due_at_ms(self) -> int | None:
        """When to try again what the disk refused; None when it owes nothing."""
        return self._retry_at_ms if self.owes_state or self._records else None

    @property
    def is_due(self) -> bool:
        """Whether to write now even if nothing changed."""
        return self.owes_state or (bool(self._records) and self._now() >= self._retry_at_ms)

    async def save(self, state: State, effects: tuple[Effect, ...]) -> bool:
        """Write the durable state, and what this step and those before it leave to be kept, in one transaction.

        True when the state is durable. The records may wait all the same; so does everything of a step that is
        not `required`, when the disk takes nothing.
        """
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
            if str(error) != self._why:
                self._why = str(error)
                log.warning("state not saved", why=self._why, records=len(records))
            return False
        self._why = ""
        self._keep_waiting(waiting)
        self._tell(dropped)
        return True

    def _keep_waiting(self, records: list[StoredRecord] | tuple[()]) -> None:
        self._records = _bounded(records)
        self._retry_at_ms = self._now() + RETRY_SAVE_MS

    def _tell(self, dropped: int) -> None:
        """TEL-4: what was dropped is counted and reported, though not every time."""
        if self._dropped is None:
            self._dropped = dropped
        told_at_ms, now = self._told_dropped_at_ms, self._now()
        if dropped > self._dropped and (told_at_ms is None or now - told_at_ms >= TELL_DROPPED_EVERY_MS):
            self._dropped, self._told_dropped_at_ms = dropped, now
            self._post(RecordsDropped(dropped))


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
    thinnable = record.channel in (Channel.STATE, Channel.TRACK)
    return StoredRecord(record.number, record.reveals_position, msgspec.msgpack.encode(record), thinnable)


def _bounded(records: list[StoredRecord] | tuple[()]) -> list[StoredRecord]:
    """At most UNSAVED_KEPT of them; the oldest states and positions go first (TEL-4)."""
    thinnable = [record for record in records if record.thinnable]
    lost = {record.number for record in thinnable[: max(0, len(records) - UNSAVED_KEPT)]}
    return [record for record in records if record.number not in lost][-UNSAVED_KEPT:]
