"""A module as a test holds it, wherever it runs."""

import asyncio
from datetime import UTC, datetime

import pytest
from bleak import BleakClient, BleakScanner

from firmware.demo.rig import Rig
from firmware.inprocess.bench import InProcessBench
from firmware.inprocess.module import Module, NotHere
from firmware.inprocess.timeline import Timeline
from host_tools.bench.bench import BenchRefused
from host_tools.phone.errors import Refused
from protocol.errors import Code
from protocol.gatt import PUBLIC_INFO_UUID, SERVICE_UUID
from protocol.messages import Permission


@pytest.mark.req("BEN-3", "CUT-1")
async def test_a_phone_works_for_as_long_as_its_booking_and_hours_take_no_time(sharebox_module: Module) -> None:
    assert (await sharebox_module.now()).replace(microsecond=0) == datetime(2026, 10, 30, 10, tzinfo=UTC)
    booked = await sharebox_module.book("5m")
    async with sharebox_module.phone(booked) as phone:
        await phone.unlock()
    assert (await sharebox_module.do("vehicle")).data["locked"] is False
    await sharebox_module.wait("36m")
    assert (await sharebox_module.now()).minute == 36
    async with sharebox_module.phone(booked) as again:
        assert again.access.refusal is not None
        assert again.access.refusal.rule == "CUT-2"


@pytest.mark.req("ACC-2", "ACC-6")
async def test_bookings_say_who_may_do_what_and_when(sharebox_module: Module) -> None:
    later = await sharebox_module.book("1h", starts_in="30m", who="Ben")
    async with sharebox_module.phone(later) as phone:
        with pytest.raises(Refused) as refused:
            await phone.unlock()
    assert refused.value.refusal.code is Code.NOT_YET_VALID
    closing = await sharebox_module.book(600, permissions=Permission.LOCK, role="vip")
    async with sharebox_module.phone(closing) as phone:
        await phone.lock()
        with pytest.raises(Refused) as refused:
            await phone.unlock()
    assert refused.value.refusal.code is Code.PERMISSION_MISSING
    assert closing.ends_s - closing.starts_s == 600


@pytest.mark.req("BLE-1", "BLE-2")
async def test_bleak_sees_the_module_and_what_the_radio_suffers(sharebox_module: Module) -> None:
    async def found() -> bool:
        return await BleakScanner.find_device_by_filter(lambda *_: True, 1.0, service_uuids=[SERVICE_UUID]) is not None

    assert await found()
    sharebox_module.out_of_range()
    assert not await found()
    sharebox_module.in_range()
    device = await BleakScanner.find_device_by_filter(lambda *_: True, service_uuids=[SERVICE_UUID])
    assert device is not None
    gone = asyncio.Event()
    async with BleakClient(device, lambda _: gone.set()) as client:
        assert await client.read_gatt_char(PUBLIC_INFO_UUID)
        sharebox_module.lose_links()
        await asyncio.wait_for(gone.wait(), 1.0)


@pytest.mark.req("BEN-1")
async def test_the_desk_refuses_with_a_code_and_the_timeline_has_it(sharebox_module: Module) -> None:
    with pytest.raises(BenchRefused) as refused:
        await sharebox_module.do("levitate")
    assert refused.value.code == "UNKNOWN"
    await sharebox_module.do("state")
    said = sharebox_module.timeline.text()
    assert "desk: levitate\n" in said
    assert str(refused.value) in said
    assert "desk: state" in said


@pytest.mark.req("BEN-2")
async def test_a_module_elsewhere_has_phones_and_a_desk_but_cannot_be_taken_apart() -> None:
    async with Rig() as rig:
        bench = InProcessBench(rig)
        far = Module(bench, "car", Timeline())
        async with far.phone(await far.book(who="Anna")) as phone:
            await phone.unlock()
        assert (await far.do("vehicle")).data["locked"] is False
        assert far.id == rig.provisioning.module_id.hex()
        for forbidden in (far.lose_links, far.out_of_range, far.in_range):
            with pytest.raises(NotHere, match=r"it is not in this process\. Use --sharebox-link=virtual"):
                forbidden()
        with pytest.raises(NotHere, match="car cannot be listened to at its broker"):
            far.owner.up()
        await bench.close()


@pytest.mark.req("KEY-1", "KEY-2", "KEY-3")
async def test_a_key_is_shared_and_its_code_is_in_no_report(sharebox_module: Module) -> None:
    owner = await sharebox_module.key(who="Olga")
    shared = await sharebox_module.share(owner, "Ben", code=True, permissions=Permission.UNLOCK)
    async with sharebox_module.phone(shared) as phone:
        with pytest.raises(Refused) as refused:
            await phone.unlock()
        assert refused.value.refusal.code is Code.ACTIVATION_REQUIRED
        await sharebox_module.wait("10s")
        assert (await sharebox_module.do(f"menu activate {shared.code}")).data["refused"] is None
        await phone.unlock()
    async with sharebox_module.phone(owner) as phone:
        assert [each.name for each in (await phone.keys()).keys] == ["Ben"]
    told = sharebox_module.timeline.text()
    assert "the menu: a code" in told
    assert "the menu: done" in told
    assert shared.code not in told
    assert len(owner.holder_private) == 32
    assert '"sharebox-share/1"' in shared.json()
    assert shared.pushes
