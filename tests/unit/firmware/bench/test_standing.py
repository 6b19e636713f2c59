"""Whose car it is, what was bought for it, and whether it calls for help, at the desk."""

import asyncio

import msgspec
import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.demo.rig import Rig
from protocol.orders import Coupling, OrderKind, ServicePlan

PLAN = ServicePlan(1, "BE", "2021-05-10", (2026, 10, 30), ("6AK",))
COUPLING = Coupling(1, b"account1", b"person_1", "WBA11AA0107A12345", 1)


async def look(rig: Rig, line: str) -> Result:
    return await rig.desk().do(line, Level.OBSERVE)


async def order(rig: Rig, kind: OrderKind, details: Coupling | ServicePlan) -> None:
    signed = rig.issuer.order(kind, details, module_id=rig.provisioning.module_id, now_s=rig.now_s)
    await rig.desk().do(f"order {signed.hex()}", Level.OPERATE)


@pytest.mark.req("OWN-3", "OWN-4")
async def test_a_takeover_is_seen_while_it_is_prepared_and_when_it_is_done() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        first = await look(rig, "ownership")
        assert (first.data["coupled"], first.data["owner"], first.data["takeover_pct"]) == (True, "", None)
        assert "nobody is named" in first.lines[0]
        rig.vehicle.put_keys(2)
        await asyncio.sleep(10)
        await order(rig, OrderKind.TAKE_OVER, COUPLING)
        await asyncio.sleep(91)
        assert (await look(rig, "ownership")).data["takeover_pct"] == 50
        assert (await look(rig, "ownership")).lines[-1] == "A takeover is being prepared: 50 %"
        await asyncio.sleep(100)
        done = await look(rig, "ownership")
        assert (done.data["owner"], done.data["key_epoch"], done.data["home"]) == (b"account1".hex(), 2, None)
        assert "since 2026-10-30 10:03" in done.lines[0]


@pytest.mark.req("OWN-1", "OWN-5")
async def test_a_car_of_nobody_says_so() -> None:
    async with Rig() as rig:
        durable = rig.pump.state.durable
        nobody = msgspec.structs.replace(durable.ownership, coupled=False)
        rig.pump.state = msgspec.structs.replace(
            rig.pump.state, durable=msgspec.structs.replace(durable, ownership=nobody, drivers=(b"driver_1",))
        )
        shown = await look(rig, "ownership")
        assert shown.lines[0] == "It belongs to nobody: nothing moves it."
        assert shown.lines[-1] == f"Drivers: {b'driver_1'.hex()}"


@pytest.mark.req("SVC-1", "SVC-7")
async def test_services_show_what_works_and_until_when() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        first = await look(rig, "services")
        assert (first.data["sim"], first.data["plan"], first.data["services"]) == ("active", None, [])
        assert first.lines[-1].startswith("Nobody has said")
        await order(rig, OrderKind.SERVICES, PLAN)
        await rig.desk().do("network 310", Level.OPERATE)
        await asyncio.sleep(1)
        shown = await look(rig, "services")
        assert shown.data["serving_mcc"] == 310
        services = shown.data["services"]
        assert isinstance(services, list)
        assert {each["service"]: each["until"] for each in services}["send-to-car"] == "2029-10-30"
        assert any(line.startswith("customer-hotline: for good; not now: ") for line in shown.lines)


@pytest.mark.req("SVC-8")
async def test_a_call_is_followed_from_the_crash_to_its_end() -> None:
    async with Rig() as rig:
        assert (await look(rig, "emergency")).data["call"] == "none"
        await rig.desk().do("crash", Level.OPERATE)
        await asyncio.sleep(11)
        shown = await look(rig, "emergency")
        assert (shown.data["call"], shown.data["automatic"]) == ("under way", True)
        assert shown.data["messages"] == shown.data["sent"] == 3
        assert "by the crash sensors" in shown.lines[1]
        assert (await rig.desk().do("emergency answer", Level.OPERATE)).data == {"answered": 1}
        await asyncio.sleep(1)
        assert (await look(rig, "emergency")).data["call"] == "acknowledged"
        await rig.desk().do("emergency press", Level.OPERATE)
        await asyncio.sleep(1)
        assert (await look(rig, "emergency")).data["call"] == "waiting"
        await asyncio.sleep(11)
        assert "by hand" in (await look(rig, "emergency")).lines[1]


async def test_without_a_line_nobody_can_answer() -> None:
    async with Rig() as rig:
        with pytest.raises(DeskError, match="nobody has called") as caught:
            await rig.desk().do("emergency answer", Level.OPERATE)
        assert caught.value.code is DeskCode.FAILED
