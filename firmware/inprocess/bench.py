"""The bench in this process: the rig on virtual time, its desk, and phones on its virtual air.

It decides nothing: what the desk may do is the desk's affair, what a scenario means the host side's. It has to run on
a `VirtualTimeLoop`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import structlog

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskError
from firmware.demo.rig import Rig
from host_tools.bench.airlink import AirLink
from host_tools.bench.answer import Answer
from host_tools.bench.bench import BenchRefused, identity_of
from host_tools.radio.devices import RadioDevice, virtual_central


class InProcessBench:
    """A `Bench` over an open rig. `close` switches the phones' adapters off."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self._stack = AsyncExitStack()
        self._adapters: dict[str, asyncio.Task[RadioDevice]] = {}
        self.issuer = rig.issuer
        self.identity = identity_of(rig.provisioning)

    async def close(self) -> None:
        """Release what the phones used."""
        await self._stack.aclose()

    async def control(self, command: str) -> Answer:
        """See `Bench.control`."""
        try:
            result = await self.rig.desk().do(command, Level.SERVICE)
        except DeskError as error:
            raise BenchRefused(error.code.value, error.message) from None
        return Answer(result.kind, result.data, result.lines)

    def link(self, name: str) -> AirLink:
        """See `Bench.link`: each name has an adapter of its own."""

        async def adapter() -> RadioDevice:
            if name not in self._adapters:
                self._adapters[name] = asyncio.ensure_future(virtual_central(self.rig.air, name=name))
                self._stack.push_async_callback(self._switch_off, name)
            return await self._adapters[name]

        return AirLink(adapter)

    async def _switch_off(self, name: str) -> None:
        await (await self._adapters[name]).power_off()

    async def until(self, utc_ms: int) -> None:
        """See `Bench.until`."""
        await self.rig.until(utc_ms / 1000)

    async def utc_ms(self) -> int:
        """See `Bench.utc_ms`."""
        return self.rig.clock.rtc().utc_ms


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard output belongs to whoever opened the bench, unless they have told where the module's log is to go."""
    firmware = logging.getLogger("firmware")
    level, configured = firmware.level, structlog.is_configured()
    firmware.setLevel(logging.ERROR)
    if not configured:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        firmware.setLevel(level)
        if not configured:
            structlog.reset_defaults()


@asynccontextmanager
async def open_bench() -> AsyncIterator[InProcessBench]:
    """A module that has just been put on the stand."""
    with _quiet():
        async with Rig("scenario", broker=lambda _: LoopbackBroker()) as rig:
            bench = InProcessBench(rig)
            try:
                yield bench
            finally:
                await bench.close()
