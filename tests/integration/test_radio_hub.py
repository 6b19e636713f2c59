"""Unmodified bleak code in another process finds and uses a peripheral of this one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from host_tools.radio.air import VirtualAir
from host_tools.radio.hub import Hub
from tests.support import peripheral

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio, sys
from bleak import BleakClient, BleakScanner
from host_tools.radio.bleak_backend import install
from host_tools.radio.devices import hub_central

SERVICE, ECHO, EVENTS = sys.argv[2:]

async def phone():
    device = await BleakScanner.find_device_by_filter(lambda d, a: SERVICE in a.service_uuids, timeout=5)
    answers = asyncio.Queue()
    async with BleakClient(device, timeout=5) as client:
        await client.start_notify(EVENTS, lambda c, value: answers.put_nowait(value))
        for n in range(20):
            await client.write_gatt_char(ECHO, bytes([n]) * 400, response=True)
            assert await answers.get() == bytes([n]) * 400
        print(device.name, client.mtu_size)

async def main():
    async with hub_central(port=int(sys.argv[1])) as central:
        install(central)
        await phone()

asyncio.run(main())
"""


@pytest.mark.asyncio(loop_factories=["real"])
async def test_bleak_in_another_process_talks_to_a_peripheral_of_this_one() -> None:
    air = VirtualAir()
    thing = await peripheral.thing(air)
    await thing.advertise()
    async with Hub(air, port=0) as hub:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            *(str(hub.port), peripheral.SERVICE, peripheral.ECHO, peripheral.EVENTS),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            output, _ = await child.communicate()
    assert (child.returncode, output.decode()) == (0, "thing 517\n")
    assert len(thing.written) == 20
