"""What happens is told as it happens, remembered, and says nothing secret."""

import asyncio

import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.news import KEPT, refused_data
from firmware.demo.rig import Rig, fresh_key
from host_tools.backend.issuer import Issuer
from host_tools.phone.errors import PhoneError, Refused
from protocol.errors import Code
from protocol.orders import OrderKind
from tests.support.credentials import ORDER


@pytest.mark.req("BEN-1", "ACC-8")
async def test_a_trip_is_told_in_order() -> None:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        news, anna = rig.desk().room.news, rig.holder("Anna")
        await rig.desk().do("reboot", Level.OPERATE)
        async with rig.phone(anna, rig.book(anna, lasts_s=60)[1]) as phone:
            await phone.unlock()
            rig.vehicle.open_door()
            with pytest.raises(Refused):
                await phone.end_booking()
            await asyncio.sleep(120)
        told = [(each.kind, each.line) for each in news.log]
        kinds = [kind for kind, _ in told]
        for kind in (
            "power",
            "clock",
            "broker",
            "link",
            "asked",
            "answered",
            "car",
            "phase",
            "report",
            "refused",
            "notice",
        ):
            assert kind in kinds, kind
        lines = [line for _, line in told]
        order = ["The module has power.", "Booking: active.", "The module: unlock.", "Booking: overdue."]
        assert [line for line in lines if line in order] == ["The module has power.", *order[1:]]
        refused = news.refused
        assert refused is not None
        assert refused.refusal.code is Code.END_NOT_POSSIBLE
        assert refused_data(refused)["asked"] == "end_booking"
        assert anna.key.private_numbers().private_value.to_bytes(32, "big").hex() not in "".join(lines)


async def test_a_grey_slider_is_remembered_and_no_news() -> None:
    async with Rig() as rig:
        news, anna = rig.desk().room.news, rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=3600, starts_in_s=3600)[1]) as phone:
            await phone.status()
        assert news.refused is not None
        assert news.refused.refusal.code is Code.NOT_YET_VALID
        assert not any(each.kind == "refused" for each in news.log)


@pytest.mark.req("ACC-8", "SEC-2")
async def test_a_phone_that_is_not_let_in_is_told_of() -> None:
    async with Rig() as rig:
        news, anna = rig.desk().room.news, rig.holder("Anna")
        strange = Issuer(fresh_key(rig.entropy), rig.entropy)
        booking, _ = rig.book(anna, lasts_s=3600)
        with pytest.raises(PhoneError):
            async with rig.phone(anna, rig.booking_file(strange.token(booking))):
                pass
        assert news.refused is not None
        assert news.refused.refusal.code is Code.UNKNOWN_ISSUER
        assert any(each.kind == "refused" for each in news.log)


async def test_an_order_that_is_refused_is_told() -> None:
    brokers: list[LoopbackBroker] = []

    def made(_: object) -> LoopbackBroker:
        brokers.append(LoopbackBroker())
        return brokers[-1]

    async with Rig(broker=made) as rig:
        news = rig.desk().room.news
        topic = f"sharebox/{rig.provisioning.module_id.hex()}/order"
        assert brokers[-1].deliver(topic, b"garbage", b"")
        await asyncio.sleep(1)
        assert news.refused is not None
        assert news.refused.to == "the backend"
        assert any(each.kind == "order" for each in news.log)
        assert ORDER.kind in OrderKind


async def test_only_so_much_is_remembered() -> None:
    async with Rig() as rig:
        news = rig.desk().room.news
        for number in range(KEPT + 10):
            news.tell("test", {"number": number}, "test")
        assert len(news.log) == KEPT
        assert news.log[-1].data == {"number": KEPT + 9}
