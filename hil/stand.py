"""A module on a table as the numbered tests see it: its power, its console, and phones beside it.

Decides how a test waits for a module that has just got power, and what a phone of the bench shows. It knows neither how
the power is switched (`drivers`) nor what is asked of the module.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from host_tools.backend.issuer import ALL_PERMISSIONS, Issuer
from host_tools.bench.bench import Bench, BenchFailed, BenchRefused, Identity, identity_of
from host_tools.bench.line import LineError
from host_tools.bench.links import Automatic, Link, Serial
from host_tools.bench.stands import Way, open_bench, open_phones
from host_tools.phone.ble import Found, find_module
from host_tools.phone.client import Phone
from host_tools.phone.errors import LinkClosed, LinkFailed, NotFound
from host_tools.phone.keyring import new_key, read_key
from host_tools.phone.links import PhoneLink
from protocol.keys import PrivateKey
from protocol.provisioning import BookingFile, decode_provisioning
from protocol.tokens import Booking

UP_S: Final = 90.0
"""A module that has power answers within this; a Raspberry Pi has to boot first."""
LOOK_AGAIN_S: Final = 0.1
SCAN_S: Final = 2.0
TIMEOUT_S: Final = 10.0
PARKED_S: Final = 30.0
"""A car that stands counts as parked within this; five seconds is the rule."""
EARLIER_S: Final = 60
"""So much before now a booking begins: the clocks of module and bench need not be the same."""
NOBODY: Final = (NotFound, LinkFailed, LinkClosed, LineError, BenchFailed)
"""What somebody hears who calls a module that is not up yet."""
_T = TypeVar("_T")

Figure = Callable[[str, str], None]
"""Takes the name and the value of something that was measured."""
NewLink = Callable[[str], PhoneLink]
"""A fresh link for the phone of that name."""


class Power(Protocol):
    """The switch in front of the module, as labgrid's PowerProtocol has it. Each call may take some seconds."""

    def on(self) -> None:
        """Give it power."""

    def off(self) -> None:
        """Take it away at once."""


class Shown(NamedTuple):
    """What a phone shows, the private key that it was made for, and what the file claims."""

    file: BookingFile
    holder: PrivateKey
    claims: Booking


class Stand:
    """A module on a table. `files`: the directory that `shareboxctl module init` made; `air`: how phones reach it over
    Bluetooth; `line`: its serial line, as pyserial opens it. `adapter`: the one that `air` names, if it does."""

    def __init__(self, power: Power, files: Path, air: Link, line: str) -> None:
        self.air = air
        self.line = line
        self.adapter = air.adapter if isinstance(air, Automatic) else ""
        self._power = power
        provisioning = decode_provisioning((files / "provisioning.json").read_text(encoding="utf-8"))
        self.identity: Identity = identity_of(provisioning)
        self.issuer = Issuer(read_key(files / "issuer.pem"), os.urandom)

    @property
    def cable(self) -> Link:
        """The serial line as a way for phones."""
        return Serial(self.line)

    # ------------------------------------------------------------ power
    async def power_on(self) -> None:
        """Switch it on; it takes a while until it answers. One that has power keeps it."""
        await asyncio.to_thread(self._power.on)

    async def power_off(self) -> None:
        """Take the power away at once."""
        await asyncio.to_thread(self._power.off)

    # ------------------------------------------------------------ ways in
    @asynccontextmanager
    async def phones(self, over: Link | None = None) -> AsyncIterator[NewLink]:
        """Links for phones, over Bluetooth if nothing else is said. Any module has that, with a bench or without."""
        async with AsyncExitStack() as stack:
            yield await open_phones(over or self.air, stack)

    @asynccontextmanager
    async def phone(self, shown: Shown, over: Link | None = None, *, within_s: float = UP_S) -> AsyncIterator[Phone]:
        """A phone with an open session, as soon as the module is there. Raises Refused, and one of NOBODY when the last
        try began after `within_s`; 0 is one try."""
        async with AsyncExitStack() as stack:

            async def opened() -> Phone:
                async with AsyncExitStack() as attempt:
                    new_link = await attempt.enter_async_context(self.phones(over))
                    phone = make_phone(new_link("phone"), shown)
                    await attempt.enter_async_context(phone)
                    stack.push_async_exit(attempt.pop_all())
                    return phone

            yield await until(opened, within_s)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Bench]:
        """The desk of a module with `[bench]`, and phones beside it, as soon as the module is there."""
        way = Way(self.air, lambda: self.issuer, lambda: self.identity, lambda: self.line)
        async with AsyncExitStack() as stack:
            bench = await until(lambda: stack.enter_async_context(open_bench(way)))
            await until(lambda: _booted(bench))
            yield bench

    async def hear(self, within_s: float = SCAN_S) -> Found:
        """What a phone hears of the module. Raises NotFound when it hears nothing."""
        async with self.phones():
            found = await find_module(within_s, adapter=self.adapter)
        if found is None:
            raise NotFound("the module was not found", f"nothing heard within {within_s:g} s", "Give it power.")
        return found

    # ------------------------------------------------------------ bookings
    def book(self, *, lasts_s: int = 3600, permissions: int = ALL_PERMISSIONS, now_ms: int | None = None) -> Shown:
        """A running booking of somebody new. `now_ms`: what the module takes for UTC; left out: this computer's."""
        now_s = (time.time_ns() // 1_000_000 if now_ms is None else now_ms) // 1000
        holder = new_key()
        booking = self.issuer.booking(
            module_id=self.identity.module_id,
            holder=holder.public_key(),
            starts_s=now_s - EARLIER_S,
            ends_s=now_s + lasts_s,
            now_s=now_s - EARLIER_S,
            permissions=permissions,
            key_epoch=self.identity.key_epoch,
        )
        return Shown(self.identity.booking_file(self.issuer.token(booking)), holder, booking)

    @asynccontextmanager
    async def booked(self, *, lasts_s: int = 3600, permissions: int = ALL_PERMISSIONS) -> AsyncIterator[Shown]:
        """A running booking of somebody new on a module with power; afterwards the car is free again."""
        await self.power_on()
        shown = self.book(lasts_s=lasts_s, permissions=permissions)
        try:
            yield shown
        finally:
            await self.power_on()
            await self.free(shown)

    async def free(self, shown: Shown) -> None:
        """End the booking as the backend does: a phone carries the order, which takes effect when the car is parked."""
        now_s = time.time_ns() // 1_000_000_000 - EARLIER_S
        async with self.phone(shown) as phone, asyncio.timeout(PARKED_S):
            if phone.access.granted:
                await phone.put(self.issuer.end_order(shown.claims, now_s=now_s))
            with contextlib.suppress(LinkClosed):
                while (await phone.status()).access.granted:
                    await asyncio.sleep(LOOK_AGAIN_S)


async def _booted(bench: Bench) -> None:
    """The console answers before the module behind it has booted."""
    try:
        await bench.control("links")
    except BenchRefused as no:
        raise BenchFailed(str(no)) from None


def make_phone(link: PhoneLink, shown: Shown) -> Phone:
    """A phone that shows this over that link."""
    return Phone(link, shown.file, shown.holder, timeout_s=TIMEOUT_S)


async def until(answers: Callable[[], Awaitable[_T]], within_s: float = UP_S) -> _T:
    """Ask again and again until somebody is there. Raises what was heard last, one of NOBODY, after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return await answers()
        except NOBODY:
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(LOOK_AGAIN_S)


async def lasted_s(what: Awaitable[object]) -> float:
    """How many seconds it takes."""
    since = time.monotonic()
    await what
    return time.monotonic() - since


async def stood(phone: Phone, within_s: float = PARKED_S) -> None:
    """Wait until the module counts the car as parked: it has to stand for a while. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while (vehicle := (await phone.status()).vehicle) is None or not vehicle.parked:
            await asyncio.sleep(LOOK_AGAIN_S)
