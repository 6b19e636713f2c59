"""The bus through SocketCAN, on a virtual interface of the kernel."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import can
import pytest
from structlog.testing import capture_logs

from firmware.adapters.can.bus import CanBus, opener
from firmware.adapters.can.matrix import Matrix
from firmware.core.events import VehicleSampled
from firmware.hardware import HardwareVehicle
from firmware.ports import PartLost, VehicleFact
from tests.support import vcan
from tests.support.can_car import CanCar
from tests.support.serial_ends import until

pytestmark = [
    pytest.mark.guest,
    pytest.mark.req("HW-1"),
    pytest.mark.asyncio(loop_factories=["real"]),
]

MATRIX = Matrix()


@pytest.fixture
def interface() -> Iterator[str]:
    with vcan.vcan() as name:
        yield name


@pytest.fixture
def car(interface: str) -> Iterator[CanCar]:
    with can.Bus(interface, "socketcan", ignore_config=True) as bus:
        yield CanCar(bus)


def part(interface: str) -> CanBus:
    loop = asyncio.get_running_loop()
    return CanBus(opener("socketcan", interface, None, MATRIX.identifiers), MATRIX, lambda: round(loop.time() * 1000))


@asynccontextmanager
async def running(bus: CanBus) -> AsyncIterator[list[VehicleFact]]:
    told: list[VehicleFact] = []
    task = asyncio.create_task(bus.run(told.append, lambda: None))
    yield told
    task.cancel()
    await asyncio.wait({task})


async def speaking(car: CanCar) -> None:
    while True:
        car.send()
        await asyncio.sleep(0.05)


async def test_what_the_bus_tells_is_known_and_the_kernel_filters_the_rest(car: CanCar, interface: str) -> None:
    bus = part(interface)
    async with running(bus):
        task = asyncio.create_task(speaking(car))
        await until(lambda: bus.look().odometer_m == 12_345_600 and bus.look().ignition_on is False)
        car.raw(0x100, bytes(2), extended=True)
        car.raw(0x7FF, bytes(8))
        await until(lambda: bus.look().speed_kmh == 0.0)
        task.cancel()
        await asyncio.wait({task})
        await until(lambda: bus.look().speed_kmh is None)
    assert bus.look() == VehicleSampled()


@pytest.mark.req("CUT-3")
async def test_an_error_frame_that_says_bus_off_makes_all_unknown(car: CanCar, interface: str) -> None:
    bus = part(interface)
    with capture_logs() as logged:
        async with running(bus):
            await asyncio.sleep(0.1)
            car.send()
            await until(lambda: bus.look().locked is True)
            car.error(0x004)
            car.error(0x040)
            await until(lambda: bus.look() == VehicleSampled())
            car.send()
            await until(lambda: bus.look().locked is True)
    assert [line["event"].partition(":")[0] for line in logged] == ["bus-off"]


@pytest.mark.req("CUT-3")
async def test_an_interface_that_goes_down_or_away_is_lost_and_comes_back(interface: str) -> None:
    bus = part(interface)
    vehicle = HardwareVehicle({"can": bus})
    samples: list[VehicleFact] = []
    with capture_logs() as logged, can.Bus(interface, "socketcan", ignore_config=True) as sender:
        car = CanCar(sender)
        working = asyncio.create_task(vehicle.run(samples.append))
        talking = asyncio.create_task(speaking(car))
        await until(lambda: vehicle.sample().speed_kmh == 0.0)
        vcan.switch(interface, False)
        await until(lambda: vehicle.sample() == VehicleSampled())
        vcan.switch(interface, True)
        await until(lambda: vehicle.sample().speed_kmh == 0.0)
        vcan.remove(interface)
        await until(lambda: vehicle.sample() == VehicleSampled())
        talking.cancel()
        await asyncio.wait({talking})
    vcan.add(interface)
    vcan.switch(interface, True)
    with can.Bus(interface, "socketcan", ignore_config=True) as sender:
        talking = asyncio.create_task(speaking(CanCar(sender)))
        await until(lambda: vehicle.sample().speed_kmh == 0.0)
        for task in (talking, working):
            task.cancel()
        await asyncio.wait({talking, working})
    assert any("Network is down" in str(line.get("why")) for line in logged)


async def test_an_interface_that_is_not_there_is_one_line() -> None:
    with pytest.raises(PartLost, match="no interface is called none0") as why:
        await part("none0").run(lambda _: None, lambda: None)
    assert "\n" not in str(why.value)
