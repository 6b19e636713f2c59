"""Connect and disconnect, again and again, against one module over the virtual radio; what is left is counted.

`python -m tests.shell.cycles --cycles 10000`; `make cycles`. Every cycle is one of: a whole session with a command, a
handshake and no goodbye, a connection that says nothing, a link that is lost while it speaks, a central that goes while
it connects.
"""

import argparse
import asyncio
import gc
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog
from bleak import BleakClient
from bleak.exc import BleakError

from firmware.demo.rig import Holder, Rig
from firmware.simulated.vehicle import SAMPLE_PERIOD_S
from host_tools import virtual_time
from host_tools.phone.ble import BleakLink, Found, find_module
from host_tools.phone.client import Phone
from host_tools.phone.errors import PhoneError
from host_tools.radio import bleak_backend
from protocol.provisioning import BookingFile
from tests.shell.air import held

WARM_UP: Final = 60
"""Cycles after which caches are full; growth is counted from there."""
TELL_EVERY: Final = 50_000
BOOKED_S: Final = 30 * 86_400
"""A million cycles take three days of virtual time."""
REST_S: Final = 30
"""Until every timer of the last links has run out."""
MOST_OBJECTS: Final = 1_500
"""More objects than this after the cycles than after the warm-up are a leak, however many the cycles."""
KINDS: Final = 5


class Count(msgspec.Struct, frozen=True):
    """What there is of everything that could be left behind."""

    tasks: int
    handles: int
    files: int
    held: dict[str, int]
    objects: int


class Report(msgspec.Struct, frozen=True):
    """What the cycles left."""

    cycles: int
    sessions: int
    before: Count
    after: Count
    cpu_s: float

    @property
    def troubles(self) -> list[str]:
        """What was left behind."""
        found = [f"{name}: {number} left" for name, number in self.after.held.items()]
        for name in ("tasks", "handles", "files"):
            more = getattr(self.after, name) - getattr(self.before, name)
            if more > 0:
                found.append(f"{more} {name} more")
        if self.after.objects - self.before.objects > MOST_OBJECTS:
            found.append(f"{self.after.objects - self.before.objects} objects more")
        if self.sessions < self.cycles // KINDS * 0.9:
            found.append(f"only {self.sessions} sessions in {self.cycles} cycles")
        return found


def count(rig: Rig) -> Count:
    """Now."""
    gc.collect()
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = getattr(loop, "_scheduled", [])
    waiting = sum(not timer.cancelled() for timer in timers)
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Count(len(asyncio.all_tasks()), waiting, files, held(rig), len(gc.get_objects()))


async def rest() -> None:
    """Until nothing of the last links waits any more, and always between two looks at the car, which have a timer."""
    loop = asyncio.get_running_loop()
    at_s = loop.time() + REST_S
    await asyncio.sleep(REST_S + 1.5 * SAMPLE_PERIOD_S - at_s % SAMPLE_PERIOD_S)


class Cycles:
    """One module and one central that comes and goes."""

    def __init__(self, rig: Rig, holder: Holder, file: BookingFile) -> None:
        self._rig = rig
        self._near: Found | None = None
        self._holder = holder
        self._file = file
        self.sessions = 0

    async def one(self, number: int) -> None:
        """A cycle of the kind whose turn it is. The module changes its address now and then."""
        self._near = self._near or await find_module(5.0, frozenset())
        if self._near is None:
            return
        before = self.sessions
        with suppress(PhoneError, BleakError, TimeoutError):
            match number % KINDS:
                case 0:
                    await self._session()
                case 1:
                    await self._lost(number)
                case 2:
                    async with BleakClient(self._near.device):
                        pass
                case 3:
                    await self._cancelled(number)
                case _:
                    await self._speechless()
        if number % KINDS == 0 and self.sessions == before:
            self._near = None

    def _phone(self) -> Phone:
        assert self._near is not None
        return Phone(BleakLink(self._near.device), self._file, self._holder.key, entropy=self._rig.entropy)

    async def _session(self) -> None:
        async with self._phone() as phone:
            await phone.unlock()
            self.sessions += 1

    async def _lost(self, number: int) -> None:
        phone = self._phone()
        speaking = asyncio.create_task(phone.open())
        for _ in range(number * 7 % 120):
            await asyncio.sleep(0)
        self._rig.air.drop(self._rig.module_radio)
        await asyncio.wait({speaking})
        await phone.close()
        with suppress(PhoneError):
            speaking.result()

    async def _cancelled(self, number: int) -> None:
        assert self._near is not None
        client = BleakClient(self._near.device)
        connecting = asyncio.create_task(client.connect())
        for _ in range(number * 3 % 60):
            await asyncio.sleep(0)
        connecting.cancel()
        with suppress(asyncio.CancelledError, BleakError):
            await connecting
        await client.disconnect()

    async def _speechless(self) -> None:
        phone = self._phone()
        await phone.open()
        self._rig.air.drop(self._rig.module_radio)
        await phone.closed.wait()
        await phone.close()


async def run(cycles: int) -> Report:
    """So many cycles after the warm-up."""
    begun = time.process_time()
    async with Rig("cycles") as rig:
        holder = rig.holder("Anna")
        _, file = rig.book(holder, lasts_s=BOOKED_S)
        central = await rig._central("Anna")
        with bleak_backend.using(central, preferred_mtu=rig.att_mtu):
            work = Cycles(rig, holder, file)
            for number in range(WARM_UP):
                await work.one(number)
            await rest()
            before, warm = count(rig), work.sessions
            for number in range(cycles):
                await work.one(number)
                if (number + 1) % TELL_EVERY == 0:
                    objects = count(rig).objects - before.objects
                    spent_s = time.process_time() - begun
                    print(f"  {number + 1:,} cycles, {spent_s:.0f} CPU s, {objects:+,} objects", flush=True)
            await rest()
            after = count(rig)
        return Report(cycles, work.sessions - warm, before, after, time.process_time() - begun)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing was left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=10_000)
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    report = virtual_time.run(run(options.cycles))
    print(f"{report.cycles:,} cycles, {report.sessions:,} whole sessions, {report.cpu_s:.0f} CPU s")
    for name, each in (("before", report.before), ("after", report.after)):
        print(f"{name:<7} {each.tasks} tasks, {each.handles} timers, {each.files} files, {each.objects:,} objects")
    for trouble in report.troubles:
        print(f"left behind: {trouble}")
    return int(bool(report.troubles))


if __name__ == "__main__":
    sys.exit(main())
