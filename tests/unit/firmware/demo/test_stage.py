"""The stage of the demonstration: time, network, and what there is to see; with a real broker."""

import io
import json
from collections.abc import AsyncIterator

import pytest

from firmware.demo.stage import Failed, Stage
from firmware.simulated.vehicle import Snapshot
from protocol.messages import Phase
from protocol.telemetry import LATITUDE, Channel


@pytest.fixture
def page() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def stage(page: io.StringIO) -> AsyncIterator[Stage]:
    async with Stage(json_lines=True, out=page) as made:
        yield made


async def test_what_is_said_goes_to_the_screen_and_takes_no_time_where_nobody_watches(
    stage: Stage, page: io.StringIO
) -> None:
    began = stage.loop.time()
    await stage.act("First act", "What there is to see.")
    await stage.say("phone", "speaks", code=3)
    spoken = [json.loads(line) for line in page.getvalue().splitlines()]
    assert [(line["type"], line.get("code")) for line in spoken] == [("begin", None), ("act", None), ("say", 3)]
    assert stage.loop.time() - began < 0.1


async def test_a_claim_that_does_not_hold_ends_it_and_those_that_hold_are_counted(stage: Stage) -> None:
    stage.must(True, "this holds")
    stage.must(True, "so does this")
    with pytest.raises(Failed, match="this does not"):
        stage.must(False, "this does not")
    stage.claim("ACC-1", "shown", "once")
    assert (stage.checked, len(stage.claims)) == (2, 1)


async def test_time_races_to_the_instant_asked_for(stage: Stage) -> None:
    began = stage.loop.time()
    await stage.race(3600)
    assert stage.loop.time() == pytest.approx(began + 3600)
    await stage.race_to(stage.rig.now_s + 100)
    await stage.race_to(stage.rig.now_s - 100)
    assert stage.loop.time() == pytest.approx(began + 3700, abs=1)


async def test_what_waits_while_the_network_is_cut_arrives_when_it_is_restored(stage: Stage) -> None:
    await stage.drained()
    position = json.loads(stage.retained_position())
    car: Snapshot = stage.rig.vehicle.snapshot()
    assert position[LATITUDE] == pytest.approx(car.latitude, abs=1e-6)
    assert dict(stage.view().network)["module"] == "online"
    await stage.cut_network()
    assert dict(stage.view().network)["module"] == "offline"
    before = len(stage.recorder.messages)
    stage.rig.vehicle.turn_ignition(True, with_key=True)
    stage.rig.vehicle.drive()
    await stage.race(120)
    waiting = await stage.queued()
    assert waiting > 3
    await stage.restore_network()
    assert await stage.queued() == 0
    assert len(stage.recorder.messages) - before >= waiting
    assert stage.retained_position() != json.dumps(position).encode()


async def test_the_view_follows_the_phone_and_the_booking(stage: Stage) -> None:
    assert stage.view().slider == "no session"
    assert stage.view().booking == (("booking", "none yet"),)
    anna = stage.rig.holder("Anna")
    _, file = stage.rig.book(anna, lasts_s=600)
    async with stage.phone_of(anna, file) as phone:
        view = stage.view()
        assert (view.slider_blue, view.slider) == (True, "access granted")
        assert dict(view.booking).keys() == {"booking", "ends in"}
        await stage.drained()
        assert dict(stage.view().network)["position"] == "hidden"
        for _ in range(3):
            await stage.race(230)
            await phone.status()
        assert stage.state.durable.trip.phase is Phase.OVERDUE
        assert dict(stage.view().booking)["overdue"].startswith("1 min")
        await phone.end_booking()
        await phone.status()
        assert (stage.view().slider_blue, stage.view().slider) == (False, "BOOKING_ENDED")
        assert stage.view().booking == (("booking", "ended"),)


async def test_a_broker_that_never_gets_everything_fails_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.drained()
    await stage.cut_network()
    await stage.race(1)
    monkeypatch.setattr("firmware.demo.stage.PATIENCE_S", 0.2)
    with pytest.raises(Failed, match=r"the broker gets everything within 0 s"):
        await stage.drained()


async def test_everything_the_broker_heard_is_on_the_modules_topics(stage: Stage) -> None:
    await stage.drained()
    module = stage.rig.provisioning.module_id.hex()
    channels = {raw.topic.removeprefix(f"sharebox/{module}/") for raw in stage.recorder.messages}
    assert channels <= set(Channel)
    assert Channel.ONLINE in channels
