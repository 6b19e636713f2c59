"""Ready-made hosts on the virtual radio."""

from __future__ import annotations

import asyncio

import pytest

from host_tools.radio.air import VirtualAir
from host_tools.radio.devices import hub_central, virtual_central, virtual_device
from host_tools.radio.errors import RadioError
from host_tools.radio.hub import Hub


async def test_a_device_has_the_address_it_was_given_or_one_of_its_own() -> None:
    air = VirtualAir()
    given = await virtual_central(air, "C4:00:00:00:00:01")
    own = [await virtual_device(air) for _ in range(3)]
    assert str(given.random_address) == "C4:00:00:00:00:01"
    assert len({str(device.random_address) for device in own}) == 3
    assert all(device.random_address.is_static and device.public_address.is_public for device in own)


async def test_two_runs_give_the_same_identities() -> None:
    first, second = [await virtual_device(VirtualAir()) for _ in range(2)]
    assert first.random_address == second.random_address
    assert first.irk == second.irk


@pytest.mark.asyncio(loop_factories=["real"])
async def test_without_a_hub_there_is_one_clear_line(unused_tcp_port: int) -> None:
    with pytest.raises(RadioError, match=rf"no virtual radio at 127.0.0.1:{unused_tcp_port} \(.*\); start"):
        async with hub_central(port=unused_tcp_port):
            raise AssertionError("there is a hub")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_central_behind_a_hub_is_off_when_it_closes_or_loses_the_hub() -> None:
    async with Hub(VirtualAir(), port=0) as hub, hub_central(port=hub.port) as central:
        assert central.powered_on
    assert not central.powered_on

    hub = Hub(VirtualAir(), port=0)
    await hub.__aenter__()
    async with hub_central(port=hub.port, address="C4:00:00:00:00:01") as central:
        assert str(central.random_address) == "C4:00:00:00:00:01"
        lost = asyncio.Event()
        central.on(central.EVENT_FLUSH, lost.set)
        await hub.__aexit__(None, None, None)
        async with asyncio.timeout(5):
            await lost.wait()
        assert not central.powered_on
