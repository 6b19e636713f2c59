"""The modules of one test."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from firmware.inprocess.garage import Garage, Options, opened
from firmware.inprocess.module import NotHere
from host_tools.backend.broker import Broker
from host_tools.phone.errors import HandshakeRefused


@pytest.mark.req("ACC-6", "BLE-1")
async def test_two_cars_in_one_air_are_told_apart_by_their_keys(sharebox_modules: Garage) -> None:
    mine, other = await sharebox_modules("mine"), await sharebox_modules()
    assert mine.id != other.id
    booked = await mine.book("1h")
    async with mine.phone(booked) as phone:
        await phone.unlock()
    assert [(await car.do("vehicle")).data["locked"] for car in (mine, other)] == [False, True]
    titles = [title for title, _ in sharebox_modules.told()]
    assert titles == [f"Sharebox {car.name}, module {car.id}" for car in (mine, other)]
    mine.out_of_range()
    with pytest.raises(HandshakeRefused):
        async with mine.phone(booked):
            pytest.fail("another car was opened")


@pytest.mark.req("BEN-4")
async def test_what_is_on_the_air_is_kept_with_the_keys_when_asked_for(tmp_path: Path) -> None:
    async with opened(Options(test="test_a[1/2]", capture=tmp_path / "air")) as garage:
        module = await garage()
        async with module.phone(await module.book()) as phone:
            await phone.unlock()
    kept = sorted(path.name for path in (tmp_path / "air").iterdir())
    assert kept == ["test_a_1_2__car.keys", "test_a_1_2__car.pcapng"]
    assert (tmp_path / "air" / kept[0]).read_text().startswith("SHAREBOX_SESSION ")
    size = (tmp_path / "air" / kept[1]).stat().st_size
    assert size > 1000
    async with opened(Options(test="test_a[1/2]", capture=tmp_path / "air")) as garage:
        await garage()
    assert (tmp_path / "air" / kept[1]).stat().st_size < size, "the same test again: its capture begins anew"


async def test_a_test_has_so_many_modules_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware.inprocess.garage.MOST_MODULES", 1)
    async with AsyncExitStack() as stack:
        garage = Garage(Options(), stack)
        await garage()
        with pytest.raises(NotHere, match="car 2 cannot be made: a test has at most 1 modules"):
            await garage()


async def test_what_is_missing_for_a_module_elsewhere_is_said(tmp_path: Path) -> None:
    async with opened(Options(link="ble:00:11:22:33:44:55", bench=tmp_path)) as garage:
        with pytest.raises(NotHere, match=r"no console there\. Name its line with --sharebox-console"):
            await garage()
    async with opened(Options(link="ble:00:11:22:33:44:55", bench=tmp_path, console="loop://")) as garage:
        with pytest.raises(Exception, match="console"):
            await garage()


@pytest.mark.req("TEL-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_broker_can_stand_between(tmp_path: Path) -> None:
    async with Broker() as broker, opened(Options(broker=("127.0.0.1", broker.port))) as garage:
        module = await garage()
        assert (await module.owner.hears("module.booted", within="20s"))["kind"] == "module.booted"
