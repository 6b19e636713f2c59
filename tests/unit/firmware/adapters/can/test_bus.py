"""A real virtual bus of python-can: what is heard, what is noise, and a bus that is lost."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import can
import pytest
from structlog.testing import capture_logs

from firmware.adapters.can.bus import MOST_FRAMES, QUEUE_FRAMES, CanBus, opener
from firmware.adapters.can.matrix import Matrix
from firmware.core.events import Action, KeyButton, VehicleKeyUsed, VehicleSampled
from firmware.ports import PartLost, VehicleFact
from tests.support.can_car import CanCar, can_car

pytestmark = pytest.mark.req("HW-1")

MATRIX = Matrix()


class Module:
    """The part under test, and what it tells."""

    def __init__(self, channel: str = "test") -> None:
        self.buses: list[can.BusABC] = []
        self.told: list[VehicleFact] = []
        self.changes = 0
        loop = asyncio.get_running_loop()
        open_bus = opener("virtual", channel, None, MATRIX.identifiers)

        def opened() -> can.BusABC:
            self.buses.append(open_bus())
            return self.buses[-1]

        self.part = CanBus(opened, MATRIX, lambda: round(loop.time() * 1000))

    async def run(self) -> None:
        await self.part.run(self.told.append, self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def lost(self) -> str:
        with pytest.raises(PartLost) as why:
            await self.run()
        return str(why.value)

    async def until(self, **known: object) -> VehicleSampled:
        """Wait until it knows this, for virtual seconds."""
        async with asyncio.timeout(2):
            while {name: getattr(self.part.look(), name) for name in known} != known:
                await asyncio.sleep(0.01)
        return self.part.look()


@pytest.fixture
def car() -> Iterator[CanCar]:
    with can_car("test") as car:
        yield car


@asynccontextmanager
async def listening() -> AsyncIterator[Module]:
    module = Module()
    running = asyncio.create_task(module.run())
    async with asyncio.timeout(1):
        while not module.buses:
            await asyncio.sleep(0.01)
    yield module
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


async def test_what_the_bus_tells_is_known(car: CanCar) -> None:
    async with listening() as module:
        assert module.part.look() == VehicleSampled()
        car.send()
        known = await module.until(speed_kmh=0.0, odometer_m=12_345_600)
        assert known.ignition_on is False
        assert module.changes == 3
        car.say("Keys", KeyButton=1)
        await module.until(speed_kmh=None)
        assert module.told[1:] == [VehicleKeyUsed(KeyButton.UNLOCK)]
    assert module.part.look() == VehicleSampled()
    assert "fix" not in module.part.gives
    assert len(module.part.gives) == len(VehicleSampled.__struct_fields__) - 1


async def test_noise_is_not_the_car(car: CanCar) -> None:
    async with listening() as module:
        car.raw(0x100, b"\0")
        car.raw(0x100, b"\0\0", extended=True)
        car.raw(0x100, b"", remote=True)
        car.raw(0x7FF, bytes(8))
        car.error(0x100)
        car.raw(0x1FFFFFFF, bytes(8), extended=True)
        car.say("Power")
        await module.until(ignition_on=False)
        assert module.part.look() == VehicleSampled(ignition_on=False)


async def test_a_flood_is_taken_in_turns_and_does_not_fill_the_memory(car: CanCar) -> None:
    async with listening() as module:
        for _ in range(3 * MOST_FRAMES):
            car.raw(0x7FF, bytes(8))
        car.say("Motion", Speed=3)
        await module.until(speed_kmh=3.0)
    with opener("virtual", "test", None, ())() as unread:
        for _ in range(QUEUE_FRAMES + 1):
            car.raw(0x7FF, bytes(8))
        heard = 0
        while unread.recv(0) is not None:
            heard += 1
    assert heard == QUEUE_FRAMES


@pytest.mark.req("CUT-3")
async def test_when_the_controller_is_off_the_bus_nothing_is_known_at_once(car: CanCar) -> None:
    async with listening() as module:
        car.send()
        await module.until(ignition_on=False, speed_kmh=0.0)
        before = module.changes
        car.error(0x004)
        car.error(0x088)
        with capture_logs() as logged:
            car.error(0x040)
            car.error(0x140)
            await module.until(ignition_on=None)
            await asyncio.sleep(0.1)
        assert module.part.look() == VehicleSampled()
        assert module.changes == before + 1
        assert [line["event"].partition(":")[0] for line in logged] == ["bus-off"]
        car.send("Motion")
        await module.until(speed_kmh=0.0)


async def test_a_bus_that_is_lost_is_told_and_nothing_is_known_then(car: CanCar) -> None:
    module = Module()
    running = asyncio.create_task(module.lost())
    await asyncio.sleep(0.1)
    car.send()
    await module.until(speed_kmh=0.0)
    module.buses[0].shutdown()
    assert await running == "Cannot operate on a closed bus"
    assert module.part.look() == VehicleSampled()


async def test_a_bus_that_can_not_be_opened_is_one_line() -> None:
    for interface, channel in (("socketcan", "none0"), ("no such", "x")):
        part = CanBus(opener(interface, channel, 500_000, MATRIX.identifiers), MATRIX, lambda: 0)
        with pytest.raises(PartLost) as why:
            await part.run(lambda _: None, lambda: None)
        assert str(why.value)
        assert "\n" not in str(why.value)


class WithDescriptor(can.BusABC):
    """An adapter that can be waited for: what comes on its socket is a car's ignition."""

    def __init__(self) -> None:
        super().__init__(channel="socket")
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)

    def fileno(self) -> int:
        return self.ours.fileno()

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        try:
            said = self.ours.recv(1)
        except BlockingIOError:
            return None, True
        if not said:
            raise can.CanOperationError("Network is down")
        return can.Message(arbitration_id=0x110, data=said, is_extended_id=False), True

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        self.theirs.send(bytes(msg.data))

    def shutdown(self) -> None:
        super().shutdown()
        self.ours.close()
        self.theirs.close()
        raise OSError("there is nothing to be shut down")


async def test_an_adapter_with_a_descriptor_is_waited_for_until_it_is_gone() -> None:
    bus = WithDescriptor()
    part = CanBus(lambda: bus, MATRIX, lambda: 0)
    told: list[VehicleFact] = []
    running = asyncio.create_task(part.run(told.append, lambda: None))
    bus.send(can.Message(data=b"\x02"))
    async with asyncio.timeout(1):
        while part.look().ignition_on is not True:
            await asyncio.sleep(0.01)
    bus.theirs.close()
    with pytest.raises(PartLost, match="Network is down"):
        await running


async def test_whoever_stops_it_while_it_opens_leaves_nothing_open() -> None:
    bus = can.Bus("slow", "virtual", ignore_config=True)
    part = CanBus(lambda: bus, MATRIX, lambda: 0)
    running = asyncio.create_task(part.run(lambda _: None, lambda: None))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    await asyncio.sleep(0.1)
    with pytest.raises(can.CanOperationError, match="closed"):
        bus.recv(0)


async def test_it_says_nothing() -> None:
    async with listening() as module:
        with pytest.raises(AssertionError, match="can not unlock"):
            await module.part.actuate(Action.UNLOCK)
        assert not module.part.actions
