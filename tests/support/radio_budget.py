"""What three phones can have of one radio: bytes a second, and how long a command takes, by the connection interval.

On a virtual air with connection events (LE 1M, 2.5 ms a full packet, six packets an event at most, a radio's time
shared among its links). `python -m tests.support.radio_budget` prints the table of docs/radio.md.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import msgspec

from firmware.demo.rig import Holder, Rig
from host_tools.phone.client import Phone
from host_tools.phone.errors import Refused
from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import RadioDevice
from host_tools.virtual_time import run
from protocol.tokens import RevocationList

INTERVALS: Final = ((15.0, 0), (30.0, 0), (50.0, 0), (120.0, 4))
"""Connection interval in ms, and latency: what iOS grants at best, what the module asks for, what many stacks begin
with, and what the module asks for when nothing is said."""
COMMANDS: Final = 12
ENTRIES: Final = 110
"""Of a revocation list: some 4000 bytes."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `unlock_ms`: of the slowest of some commands, the others being silent; `crowded_ms`:
    while the others ask without a pause; `up_bytes_s`: of a long message to the module, all links together."""

    interval_ms: float
    latency: int
    links: int
    unlock_ms: float
    crowded_ms: float
    up_bytes_s: float


class Crowd(Rig):
    """A module on air with connection events, and its phones."""

    def __init__(self) -> None:
        super().__init__("budget", air=VirtualAir(connection_events=True))

    async def tuned(self, name: str, interval_ms: float, latency: int) -> None:
        """The phone's Bluetooth decides on these connection parameters."""
        device: RadioDevice = await self._central(name)
        for connection in list(device.connections.values()):
            await connection.update_parameters(interval_ms, interval_ms, latency, 4_000)
        await asyncio.sleep(1)


def now_ms() -> float:
    """Of the loop."""
    return asyncio.get_running_loop().time() * 1000


async def measured(interval_ms: float, latency: int, links: int) -> Row:
    """One line."""
    async with Crowd() as rig, AsyncExitStack() as stack:
        await asyncio.sleep(6)
        holders = [rig.holder(f"phone {number}") for number in range(links)]
        phones = await _phones(rig, stack, holders)
        for holder in holders:
            await rig.tuned(holder.name, interval_ms, latency)
        alone = await _commands(phones[0])
        enough = asyncio.Event()
        asking = [asyncio.create_task(_ask(phone, enough)) for phone in phones[1:]]
        crowded = await _commands(phones[0])
        enough.set()
        await asyncio.gather(*asking)
        await asyncio.sleep(1)
        lists = [_list(rig, number) for number in range(1, links + 1)]
        began_ms = now_ms()
        await asyncio.gather(*(_put(phone, signed) for phone, signed in zip(phones, lists, strict=True)))
        took_s = (now_ms() - began_ms) / 1000
        return Row(interval_ms, latency, links, alone, crowded, sum(map(len, lists)) / took_s)


async def _phones(rig: Crowd, stack: AsyncExitStack, holders: list[Holder]) -> list[Phone]:
    """All of them connected, each with a booking of its own; the first one's runs."""
    files = [rig.book(holder, lasts_s=3600, starts_in_s=7_200 * number)[1] for number, holder in enumerate(holders)]
    together = zip(holders, files, strict=True)
    return [await stack.enter_async_context(rig.phone(holder, file)) for holder, file in together]


async def _commands(phone: Phone) -> float:
    """The slowest of some, in ms, at instants that have nothing to do with the interval."""
    slowest = 0.0
    for number in range(COMMANDS):
        await asyncio.sleep(0.3 + 0.0137 * number)
        began_ms = now_ms()
        await (phone.unlock() if number % 2 else phone.lock())
        slowest = max(slowest, now_ms() - began_ms)
    return slowest


async def _ask(phone: Phone, enough: asyncio.Event) -> None:
    while not enough.is_set():
        await phone.status()


def _list(rig: Crowd, number: int) -> bytes:
    """A long revocation list that revokes nobody here."""
    dead = tuple((bytes((number, entry)) * 8, rig.now_s + 3600) for entry in range(ENTRIES))
    listed = RevocationList(rig.provisioning.module_id, number, rig.now_s, 0, dead)
    return rig.issuer.signed_list(listed)


async def _put(phone: Phone, signed: bytes) -> None:
    try:
        await phone.put(signed)
    except Refused:
        return  # a list that another phone was faster with is outdated; its bytes were sent all the same


async def table() -> list[Row]:
    """All lines."""
    return [await measured(*interval, links) for interval in INTERVALS for links in (1, 2, 3)]


def main() -> None:
    """Print it."""
    rows: list[Row] = []

    async def fill() -> None:
        rows.extend(await table())

    run(fill())
    print("| interval | latency | links | a command, ms | the others talking, ms | to the module, all together, kB/s |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        times = f"{row.unlock_ms:.0f} | {row.crowded_ms:.0f} | {row.up_bytes_s / 1000:.1f}"
        print(f"| {row.interval_ms:g} ms | {row.latency} | {row.links} | {times} |")


if __name__ == "__main__":
    main()
