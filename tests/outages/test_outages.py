"""Some seeds of bad network; and that the judgement would notice if something were lost, changed or shown."""

from pathlib import Path

import msgspec
import pytest

from firmware.outbox import Courier
from host_tools.backend.broker import Broker
from tests.outages import play
from tests.outages.ear import Ear
from tests.outages.life import Broken, Life
from tests.outages.weather import Weather
from tests.support.core import running

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


@pytest.mark.req("TEL-3", "TEL-5", "TEL-6", "PRV-1")
async def test_over_a_bad_network_everything_arrives_as_it_was_made_and_in_order() -> None:
    reached, failed = await play.play(range(4))
    assert failed == []
    assert reached["records"] > 200
    assert reached["connections"] > 4, "it was not a quiet day"


async def lived(tmp_path: Path) -> tuple[Life, Ear]:
    """A quiet life, and what was received."""
    async with (
        Broker(settings=play.QUICK_BROKER) as broker,
        Ear(broker.port) as ear,
        Weather(broker.port) as weather,
    ):
        life = Life(0, broker, ear, weather, tmp_path)
        await life.store.load()
        life._boot()
        await life._until(lambda: life.state.broker_connected)
        await life._make(40)
        await life._drained()
        await life._heard_all()
        await life._power_off()
        await life.store.close()
    return life, ear


@pytest.mark.req("TEL-5")
async def test_the_judgement_sees_what_is_lost_changed_or_out_of_order(tmp_path: Path) -> None:
    life, ear = await lived(tmp_path)
    life._judge()
    messages = list(ear.messages)
    batch = next(at for at, raw in enumerate(messages) if raw.topic.endswith("/backlog"))
    ear.messages.append(messages[batch])
    life._judge()
    assert life.reached["repeated"] > 0
    del ear.messages[batch], ear.messages[-1]
    with pytest.raises(Broken, match="came of"):
        life._judge()
    ear.messages.clear()
    ear.messages.extend(messages)
    channel, records = next((channel, records) for channel, records in life.made.items() if records)
    life.made[channel] = [msgspec.structs.replace(records[0], utc_ms=records[0].utc_ms + 1), *records[1:]]
    with pytest.raises(Broken, match="not as it was made"):
        life._judge()


@pytest.mark.req("PRV-1")
async def test_a_courier_that_takes_nothing_back_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(_courier: Courier) -> None:
        """Never looks at what is on its way."""

    monkeypatch.setattr(Courier, "guard", careless)
    async with (
        Broker(settings=play.QUICK_BROKER) as broker,
        Ear(broker.port) as ear,
        Weather(broker.port) as weather,
    ):
        life = Life(1, broker, ear, weather, tmp_path, answer_s=30)
        await life.store.load()
        life._boot()
        await life._until(lambda: life.state.broker_connected)
        weather.freeze("down")
        life._change_hands(life.state.durable.trip, life._place())
        await life._until(life._reveals)
        with pytest.raises(Broken, match="on its way"):
            life._change_hands(running().durable.trip, None)
        await weather.cut()
        await life._power_off()
        await life.store.close()
