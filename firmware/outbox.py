"""The courier: takes records from the store to the broker, one at a time, and forgets each only when acknowledged.

What may leave now is asked of the core at the moment of sending (PRV-1): a position that is not allowed out
waits, and what may go goes on.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from firmware.core import reporting
from firmware.core.events import Event, PositionSlotAcknowledged
from firmware.core.reporting import Message
from firmware.core.reports import Record
from firmware.core.state import State
from firmware.ports import BrokerPort, BrokerUnavailable, Publication, StoreFailed, StorePort
from protocol import telemetry
from protocol.telemetry import Channel

RETRY_S: Final = 1.0
"""After a publication that was not acknowledged, or a store that could not be read."""

END_OF_TIME_MS: Final = 253_402_300_800_000
"""The year 10 000, UTC: later times have no written form."""

log = structlog.get_logger("sharebox")


class Courier:
    """`look`: the module's state and monotonic time at this moment. `post`: tells the core what was acknowledged."""

    def __init__(
        self,
        store: StorePort,
        broker: BrokerPort | None,
        look: Callable[[], tuple[State, int]],
        post: Callable[[Event], None],
    ) -> None:
        self._store = store
        self._broker = broker
        self._look = look
        self._post = post
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something may have become sendable."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._woken.clear()
            state, _ = self._look()
            try:
                busy = state.broker_connected and (await self._deliver_slot() or await self._deliver_record())
            except (BrokerUnavailable, StoreFailed) as error:
                log.info("not delivered", why=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            if not busy:
                await self._woken.wait()

    async def _deliver_slot(self) -> bool:
        """First of all: what the broker retains of the position (PRV-2, PRV-3). True when there was something."""
        state, now = self._look()
        message = reporting.slot_message(state, now)
        if message is None:
            return False
        version = state.durable.slot.version
        await self._publish(message)
        self._post(PositionSlotAcknowledged(version))
        await self._adopted(version)
        return True

    async def _adopted(self, version: int) -> None:
        """Wait until the core knows, or the same version would be sent again. It is, when the core never heard."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                while self._waits_for(version):
                    self._woken.clear()
                    await self._woken.wait()

    def _waits_for(self, version: int) -> bool:
        slot = self._look()[0].durable.slot
        return slot.version == version and not slot.acknowledged

    async def _deliver_record(self) -> bool:
        """The oldest record that may leave. True when there was one."""
        state, _ = self._look()
        only_harmless = None if reporting.may_leave(state, reveals_position=True) else False
        waiting = await self._store.pending(reveals_position=only_harmless, limit=1)
        if not waiting:
            return False
        try:
            record = decode_record(waiting[0].body)
        except StoreFailed as error:
            log.warning("record given up", number=waiting[0].number, why=str(error))
            await self._store.remove(waiting[0].number)
            return True
        state, now = self._look()
        if reporting.may_leave(state, reveals_position=record.reveals_position):
            await self._publish(reporting.record_message(state, record, now))
            await self._store.remove(waiting[0].number)
        return True

    async def _publish(self, message: Message) -> None:
        assert self._broker is not None
        module_id = self._look()[0].profile.module_id
        topic = telemetry.topic(module_id, message.channel)
        await self._broker.publish(Publication(topic, message.payload, message.retain))


def decode_record(data: bytes) -> Record:
    """A record as the pump stored it. Raises StoreFailed when it can not be read."""
    try:
        record = msgspec.msgpack.decode(data, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreFailed(f"a stored record can not be read: {error}") from None
    if not _whole(record):
        raise StoreFailed("a stored record can not be read: it lacks what its channel tells")
    return record


def _whole(record: Record) -> bool:
    """Whether it can be sent: a damaged disk may have left something that can be read, and says too little."""
    times = (record.utc_ms, record.utc_ms if record.point is None else record.point.utc_ms)
    if not all(0 <= at < END_OF_TIME_MS for at in times):
        return False
    result = record.point is None and record.channel is not Channel.STATE and record.kind is None
    return not result or dict(record.numbers).keys() >= {"code", "pending"}
