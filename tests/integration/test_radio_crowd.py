"""Many radios at once, and the same trace in each run."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from host_tools.radio.air import Frame, VirtualAir
from host_tools.radio.bleak_backend import BleakClientVirtual, BleakScannerVirtual, using
from host_tools.radio.devices import RadioDevice, virtual_central
from host_tools.virtual_time import run
from tests.support import peripheral
from tests.support.peripheral import ECHO, EVENTS, SERVICE, Thing

ROOT = Path(__file__).parents[2]
CENTRALS = 50


async def always_advertising(air: VirtualAir) -> Thing:
    """A peripheral that advertises again as soon as somebody has connected."""
    thing = await peripheral.thing(air)
    again = asyncio.Event()
    thing.device.on(thing.device.EVENT_CONNECTION, lambda _: again.set())

    async def keep_advertising() -> None:
        for _ in range(CENTRALS):
            await again.wait()
            again.clear()
            await thing.advertise()

    thing.keeper = asyncio.create_task(keep_advertising())
    await thing.advertise()
    return thing


async def visit(central: RadioDevice, number: int, everybody: asyncio.Barrier) -> bytes:
    """Finds the thing, stays until everybody is connected, says something, and returns what came back."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    with using(central):
        device = await BleakScanner.find_device_by_filter(
            lambda _device, data: SERVICE in data.service_uuids, backend=BleakScannerVirtual
        )
        assert device is not None
        async with BleakClient(device, backend=BleakClientVirtual) as client:
            await client.start_notify(EVENTS, lambda _c, value: answer.set_result(bytes(value)))
            await everybody.wait()
            await client.write_gatt_char(ECHO, number.to_bytes(2, "big"), response=True)
            return await answer


async def crowd(air: VirtualAir, centrals: int) -> list[bytes]:
    thing = await always_advertising(air)
    everybody = asyncio.Barrier(centrals)
    devices = [await virtual_central(air) for _ in range(centrals)]
    answers = await asyncio.gather(*(visit(device, n, everybody) for n, device in enumerate(devices)))
    thing.keeper.cancel()
    await asyncio.wait({thing.keeper})
    return list(answers)


@pytest.mark.req("BLE-1")
async def test_fifty_centrals_are_connected_at_once_and_each_gets_its_own_answer() -> None:
    answers = await crowd(VirtualAir(latency_s=0.005), CENTRALS)
    assert answers == [n.to_bytes(2, "big") for n in range(CENTRALS)]


def trace() -> list[Frame]:
    """Every frame of a small crowd with faults."""
    frames: list[Frame] = []

    async def main() -> None:
        air = VirtualAir(latency_s=0.007, on_frame=frames.append)
        asyncio.get_running_loop().call_later(0.5, air.set_latency, 0.003)
        await crowd(air, 5)

    run(main())
    return frames


def test_two_runs_in_one_process_give_the_same_trace() -> None:
    first = trace()
    assert len(first) > 150
    assert first == trace()


def test_two_processes_with_different_hash_seeds_give_the_same_trace() -> None:
    program = "from tests.integration.test_radio_crowd import digest; print(digest())"
    digests = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests == [digest() + "\n"] * 2


def digest() -> str:
    """SHA-256 of `trace`."""
    return hashlib.sha256(repr(trace()).encode()).hexdigest()
