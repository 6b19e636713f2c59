"""The stand of the numbered tests over a module process: power, phones on both ways, the desk, bookings that end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hil import stand as stands
from hil.process import CONSOLE, ModuleProcess
from hil.stand import Stand, lasted_s, make_phone, stood, until
from host_tools.bench.links import Virtual
from host_tools.phone.errors import LinkFailed, NotFound
from protocol.errors import Code
from tests.support.programs import free_port

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    port = free_port()
    module = ModuleProcess(tmp_path, port)
    module.make()
    yield Stand(module, tmp_path, Virtual("127.0.0.1", port), str(tmp_path / "state/run" / CONSOLE))
    module.off()


@pytest.mark.req("BLE-1", "BEN-1", "BEN-2", "BKG-2")
async def test_a_booking_is_used_over_the_air_and_the_line_and_ends_with_the_test(stand: Stand) -> None:
    with pytest.raises(NotFound):
        await stand.hear()
    async with stand.booked() as booking:
        assert (await until(stand.hear)).rssi < 0
        async with stand.phone(booking) as phone:
            await phone.unlock()
            await stood(phone)
        async with stand.phone(booking, stand.cable) as phone:
            await phone.lock()
        async with stand.desk() as bench:
            async with asyncio.timeout(30):
                while (await bench.control("links")).data != {"links": []}:
                    await asyncio.sleep(0.05)
            assert (await bench.control("booking")).lines[0]
            async with make_phone(bench.link("driver"), booking) as phone:
                assert phone.access.granted
    async with stand.phone(booking) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.BOOKING_ENDED
    await stand.power_off()
    with pytest.raises(NotFound):
        await stand.hear()


async def test_who_waits_for_a_module_hears_in_the_end_why_it_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stands, "LOOK_AGAIN_S", 0.0)
    tries = 0

    async def nobody() -> None:
        nonlocal tries
        tries += 1
        raise LinkFailed("cannot connect", "nobody is there", "Wait.")

    with pytest.raises(LinkFailed):
        await until(nobody, within_s=0.02)
    assert tries > 1
    assert await lasted_s(asyncio.sleep(0.01)) >= 0.01
