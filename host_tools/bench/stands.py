"""Benches for every link that a tool can name: console and phones over what the link is.

Decides which line carries the console and which carries the phones, and how time is made to pass: moved at once, raced,
or waited for. It does not know what is played.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol

import msgspec

from host_tools.backend.issuer import Issuer
from host_tools.bench.airlink import AirLink
from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.bench import Bench, BenchFailed, BenchRefused, Identity, in_process
from host_tools.bench.console import ConsoleClient
from host_tools.bench.line import SerialLine
from host_tools.bench.links import Automatic, Bluetooth, InProcess, Link, Serial, Virtual
from host_tools.phone.errors import NotFound, PhoneError
from host_tools.phone.links import PhoneLink
from host_tools.phone.serial import SerialLink

MOST_SPEED: Final = 100_000.0
STRETCH_S: Final = 20.0
"""Real seconds that the console is kept waiting at most."""
LOOK_AGAIN_S: Final = 0.5
LONGEST_MOVE_MS: Final = 600_000


class Speed(msgspec.Struct, frozen=True):
    """How time passes. `factor` None: it is moved at once; 1: it is waited for; else it is raced."""

    factor: float | None = None


def speed(text: str) -> Speed:
    """`jump`, `real`, or a factor above 1. Raises ValueError with what is wrong, after "it is"."""
    if text == "jump":
        return Speed()
    try:
        factor = 1.0 if text == "real" else float(text)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= MOST_SPEED:
        raise ValueError(f"neither `jump` nor `real` nor a number from 1 to {MOST_SPEED:g}")
    return Speed(factor)


class Way(msgspec.Struct, frozen=True):
    """All that opens a bench. `console`: the line of the console, where the link itself is none."""

    link: Link
    issuer: Callable[[], Issuer]
    identity: Callable[[], Identity]
    console: Callable[[], str]
    speed: Speed = Speed()


class Console(Protocol):
    """What carries out one command; `ConsoleClient` is one."""

    async def do(self, command: str) -> Answer:
        """Raises ConsoleRefused, LineError."""


class ConsoleBench:
    """A `Bench` whose desk is at the other end of a console."""

    def __init__(self, console: Console, way: Way, new_link: Callable[[str], PhoneLink]) -> None:
        self.issuer = way.issuer()
        self.identity = way.identity()
        self._console = console
        self._new_link = new_link
        self._speed = way.speed

    async def control(self, command: str) -> Answer:
        """See `Bench.control`."""
        try:
            return await self._console.do(command)
        except ConsoleRefused as error:
            raise BenchRefused(error.code, str(error)) from None
        except PhoneError as error:
            raise BenchFailed(str(error)) from None

    def link(self, name: str) -> PhoneLink:
        """See `Bench.link`."""
        return self._new_link(name)

    async def utc_ms(self) -> int:
        """See `Bench.utc_ms`."""
        now = (await self.control("time")).data.get("utc_ms")
        if not isinstance(now, int):
            raise BenchFailed("the console does not tell the time: `time` has no utc_ms. Update the module.")
        return now

    async def until(self, utc_ms: int) -> None:
        """See `Bench.until`."""
        try:
            match self._speed.factor:
                case None:
                    await self._jump(utc_ms)
                case 1.0:
                    await self._wait(utc_ms)
                case factor:
                    await self._race(utc_ms, factor)
        except BenchRefused as error:
            raise BenchFailed(f"time does not pass as it should: {error} Or choose --speed real.") from None

    async def _jump(self, utc_ms: int) -> None:
        while (left_ms := utc_ms - await self.utc_ms()) > 0:
            await self.control(f"time move {min(left_ms, LONGEST_MOVE_MS)}ms")

    async def _wait(self, utc_ms: int) -> None:
        """The module's time passes by itself, and nobody says when: it is asked again and again."""
        left_ms = utc_ms - await self.utc_ms()
        while left_ms > 0:
            await asyncio.sleep(min(left_ms / 1000, LOOK_AGAIN_S))
            left_ms = utc_ms - await self.utc_ms()

    async def _race(self, utc_ms: int, factor: float) -> None:
        """The module itself ends each stretch: from here it could only be ended too late."""
        most_ms = int(factor * STRETCH_S * 1000)
        while (left_ms := utc_ms - await self.utc_ms()) > 0:
            await self.control(f"time race {factor:g} --for {min(left_ms, most_ms, LONGEST_MOVE_MS)}ms")


@asynccontextmanager
async def open_bench(way: Way) -> AsyncIterator[Bench]:
    """The bench that the link names. Raises BenchFailed and what the link raises (PhoneError)."""
    if isinstance(way.link, InProcess):
        async with in_process()() as bench:
            yield bench
        return
    async with AsyncExitStack() as stack:
        url = way.link.url if isinstance(way.link, Serial) else way.console()
        line = await stack.enter_async_context(SerialLine(url))
        console = await stack.enter_async_context(ConsoleClient(line))
        yield ConsoleBench(console, way, _phones(way.link, line, stack))


async def open_phones(link: Link, stack: AsyncExitStack) -> Callable[[str], PhoneLink]:
    """How phones get their links where there is no console: a function from a phone's name to a fresh link. `stack`
    closes what is opened for it. Raises LineError."""
    line = await stack.enter_async_context(SerialLine(link.url)) if isinstance(link, Serial) else None
    return _phones(link, line, stack)


def _phones(link: Link, line: SerialLine | None, stack: AsyncExitStack) -> Callable[[str], PhoneLink]:
    """How a phone gets its link: a channel of the line, an adapter of its own on the virtual air, or Bluetooth."""
    if isinstance(link, Serial):
        assert line is not None, "phones on a serial line have one"
        return lambda _name: SerialLink(line)
    if not isinstance(link, Virtual):
        address = link.address if isinstance(link, Bluetooth) else ""
        hci = link.adapter if isinstance(link, Automatic) else ""
        return lambda _name: AirLink(address=address, hci=hci)
    # Bumble takes a while to import; a real radio does without.
    from host_tools.radio import bleak_backend
    from host_tools.radio.devices import RadioDevice, hub_central
    from host_tools.radio.errors import RadioError

    adapters: dict[str, asyncio.Task[RadioDevice]] = {}

    def adapter_of(name: str) -> Callable[[], Awaitable[RadioDevice]]:
        async def adapter() -> RadioDevice:
            if name not in adapters:
                adapters[name] = asyncio.ensure_future(stack.enter_async_context(hub_central(link.host, link.port)))
            try:
                return await adapters[name]
            except RadioError as error:
                adapters.pop(name, None)
                raise NotFound("the car was not found", str(error), "Check that the module is running.") from None

        return adapter

    stack.callback(bleak_backend.install(adapter_of("")))
    return lambda name: AirLink(adapter_of(name))
