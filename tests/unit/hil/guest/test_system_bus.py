"""bluetoothd over the message bus: in the guest."""

import pytest

from hil.guest.system_bus import BusRefused, system_bus
from hil.guest.vhci import plugged_in
from host_tools.radio.air import VirtualAir

pytestmark = pytest.mark.guest


async def test_an_adapter_is_switched_off_and_on() -> None:
    async with system_bus() as bus, plugged_in(VirtualAir(), "one", "00:5B:FF:00:00:03") as adapter:
        await bus.until_powered(adapter.name)
        await bus.switch(adapter.name, False)
        assert await bus.powered(adapter.name) is False
        await bus.switch(adapter.name, True)
        assert await bus.devices(adapter.name) == {}
        await bus.forget_all(adapter.name)


async def test_what_bluetoothd_does_not_have_is_refused_with_its_word_for_it() -> None:
    async with system_bus() as bus:
        assert await bus.powered("hci99") is None
        with pytest.raises(BusRefused, match="UnknownObject"):
            await bus.switch("hci99", True)


async def test_there_is_one_agent_at_a_time() -> None:
    async with system_bus() as bus:
        async with bus.agent(), system_bus() as other, other.agent(123456) as second:
            assert second.asked == []
        async with bus.agent() as again:
            assert again.asked == []
