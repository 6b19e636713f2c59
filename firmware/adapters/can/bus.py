"""The bus as a part of the car.

Decides when the bus is lost, and that nothing that was heard before is known then. It only listens: nothing is ever
sent, so nothing that the module does can disturb the car.
Refuses to know what the frames mean.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import can
import structlog

from firmware.adapters.can import facts
from firmware.adapters.can.heard import Heard
from firmware.adapters.can.matrix import Identifier, Matrix
from firmware.core.events import Action, VehicleSampled
from firmware.ports import PartLost, VehicleFact
from protocol.errors import one_line

MOST_FRAMES: Final = 256
"""Taken at once; then it is the turn of others."""
POLL_S: Final = 0.05
"""For adapters that have no descriptor to wait for. 5 000 frames a second are more than a bus can carry."""
QUEUE_FRAMES: Final = 4_096
"""Of the virtual bus, which would keep all of them otherwise."""

ERROR_BUS_OFF: Final = 0x040
"""Class of an error frame (linux/can/error.h)."""

OpenBus = Callable[[], can.BusABC]

log = structlog.get_logger("sharebox")


def opener(interface: str, channel: str, bitrate: int | None, wanted: tuple[Identifier, ...]) -> OpenBus:
    """As python-can names them; nothing is read from its own configuration files."""
    options: dict[str, Any] = {} if bitrate is None else {"bitrate": bitrate}

    def opened() -> can.BusABC:
        if interface == "socketcan":
            # Asked first: python-can leaves a socket behind for an interface that is not there.
            _must_be_there(channel)
        return can.Bus(channel, interface, ignore_config=True, **options)

    if interface == "socketcan":
        # The kernel's filters, the others are slow and hide frames that wait behind those that do not match.
        masks = {False: 0x7FF, True: 0x1FFF_FFFF}
        options["can_filters"] = [
            {"can_id": each.number, "can_mask": masks[each.extended], "extended": each.extended} for each in wanted
        ]
    elif interface == "virtual":
        options["rx_queue_size"] = QUEUE_FRAMES
    return opened


def _must_be_there(interface: str) -> None:
    try:
        socket.if_nametoindex(interface)
    except OSError:
        raise OSError(f"no interface is called {interface}") from None


class CanBus:
    """`VehiclePart`. `mono_ms`: the module's monotonic clock."""

    actions: frozenset[Action] = frozenset()

    def __init__(self, open_bus: OpenBus, matrix: Matrix, mono_ms: Callable[[], int]) -> None:
        self.gives = facts.fields(matrix.facts)
        self._open = open_bus
        self._matrix = matrix
        self._heard = Heard(matrix.lasts_ms, mono_ms)
        self._told: Callable[[VehicleFact], None] = lambda _: None
        self._changed: Callable[[], None] = lambda: None
        self._is_off = False

    async def run(self, told: Callable[[VehicleFact], None], changed: Callable[[], None]) -> None:
        """As VehiclePart."""
        self._told, self._changed = told, changed
        bus = await self._opened()
        try:
            await self._listen(bus)
        finally:
            _close(bus)
            self._heard.forget()

    def look(self) -> VehicleSampled:
        """As VehiclePart."""
        return self._heard.look()

    async def actuate(self, action: Action) -> bool:
        """As VehiclePart."""
        raise AssertionError(f"a bus that is only heard can not {action.value}")

    async def _opened(self) -> can.BusABC:
        """In a thread: some adapters take seconds."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_when_open)
            raise
        except Exception as error:  # broad: each adapter's driver has errors of its own
            raise PartLost(_why(error)) from None

    # ------------------------------------------------------------ frames
    async def _listen(self, bus: can.BusABC) -> None:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[str] = loop.create_future()
        fd = _descriptor(bus)
        if fd is None:
            while not lost.done():
                more = self._drain(bus, lost)
                await asyncio.sleep(0 if more else POLL_S)
        else:
            loop.add_reader(fd, self._drain, bus, lost)
            try:
                await lost
            finally:
                loop.remove_reader(fd)
        raise PartLost(lost.result())

    def _drain(self, bus: can.BusABC, lost: "asyncio.Future[str]") -> bool:
        """Whether there may be more."""
        for _ in range(MOST_FRAMES):
            try:
                frame = bus.recv(0)
            except Exception as error:  # broad: each adapter's driver has errors of its own
                if not lost.done():
                    lost.set_result(_why(error))
                return False
            if frame is None:
                return False
            self._take(frame)
        return True

    def _take(self, frame: can.Message) -> None:
        if frame.is_error_frame:
            self._error(frame.arbitration_id)
            return
        self._is_off = False
        if not frame.is_remote_frame:
            identifier = Identifier(frame.arbitration_id, frame.is_extended_id)
            news = self._heard.take(self._matrix.read(identifier, bytes(frame.data)))
            for fact in news.happened:
                self._told(fact)
            if news.changed:
                self._changed()

    def _error(self, kinds: int) -> None:
        """One that only counts what is wrong on the wire says nothing about the car."""
        if kinds & ERROR_BUS_OFF and not self._is_off:
            self._is_off = True
            log.warning("bus-off: nothing is heard until the controller restarts; see `restart-ms` of ip-link(8)")
            self._heard.forget()
            self._changed()


def _descriptor(bus: can.BusABC) -> int | None:
    """What becomes readable when a frame came; None: the adapter has none."""
    try:
        fd = bus.fileno()
    except NotImplementedError:
        return None
    return fd if fd >= 0 else None


def _close(bus: can.BusABC) -> None:
    with suppress(Exception):  # broad: a driver whose device is gone may complain, and nothing is left to be done
        bus.shutdown()


def _close_when_open(opening: "asyncio.Task[can.BusABC]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())


def _why(error: Exception) -> str:
    return one_line(str(error) or type(error).__name__)
