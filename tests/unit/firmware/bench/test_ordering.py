"""An order from the desk: it reaches the module as from the broker, and what is no order is refused."""

from collections.abc import AsyncIterator

import pytest

from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.ordering import MOST_HEX
from firmware.bench.results import DeskCode, DeskError
from firmware.demo.rig import Rig
from protocol.orders import OrderKind


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(broker=lambda _: LoopbackBroker()) as made:
        yield made


async def answers(rig: Rig) -> list[object]:
    await rig.until(rig.now_s + 5)
    told = (await rig.desk().do("owner 256", Level.OBSERVE)).data["reports"]
    assert isinstance(told, list)
    return [each["body"]["name"] for each in told if each["channel"] == "order/result"]


async def test_what_a_backend_has_signed_reaches_the_module_and_is_answered(rig: Rig) -> None:
    signed = rig.issuer.remote_order(OrderKind.FLASH, module_id=rig.provisioning.module_id, now_s=rig.now_s)
    result = await rig.desk().do(f"order {signed.hex()}", Level.OPERATE)
    assert result.data == {"bytes": len(signed)}
    assert await answers(rig) == ["REMOTE_INACTIVE"]


async def test_what_nobody_has_signed_is_answered_by_the_module(rig: Rig) -> None:
    await rig.desk().do("order c0ffee", Level.OPERATE)
    assert len(await answers(rig)) == 1


async def failure(rig: Rig, line: str) -> DeskError:
    with pytest.raises(DeskError) as caught:
        await rig.desk().do(line, Level.OPERATE)
    return caught.value


async def test_without_a_connection_it_does_not_arrive(rig: Rig) -> None:
    await rig.desk().do("broker down", Level.OPERATE)
    assert (await failure(rig, "order c0ffee")).code is DeskCode.FAILED
    await rig.desk().do("broker up", Level.OPERATE)
    await rig.desk().do("power cut", Level.OPERATE)
    assert (await failure(rig, "order c0ffee")).code is DeskCode.FAILED
    with pytest.raises(DeskError, match="takes the level operate"):
        await rig.desk().do("order c0ffee", Level.OBSERVE)


@pytest.mark.parametrize("word", ["coffee", "c0f", "''", "00" * MOST_HEX])
async def test_what_is_no_hexadecimal_is_refused(rig: Rig, word: str) -> None:
    assert (await failure(rig, f"order {word}")).code is DeskCode.USAGE
