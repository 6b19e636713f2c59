"""The acts check what they claim: a play in which something goes wrong fails, and names it."""

import io
import json
from collections.abc import AsyncIterator, Callable

import pytest

from firmware.core.events import Action
from firmware.demo import acts
from firmware.demo.stage import Failed, Stage
from firmware.simulated.vehicle import ActuatorFault
from host_tools.backend.ingest import Raw
from host_tools.phone.errors import Refused
from protocol.telemetry import LATITUDE, LONGITUDE, Channel, topic


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage(json_lines=True, out=io.StringIO()) as made:
        yield made


async def test_a_car_that_does_not_unlock_ends_the_play(stage: Stage) -> None:
    stage.rig.vehicle.break_actuator(Action.UNLOCK, ActuatorFault.DEAD)
    with pytest.raises(Refused):
        await acts.play(stage)


async def test_a_car_whose_engine_starts_by_itself_ends_the_play(stage: Stage) -> None:
    stage.rig.vehicle.break_actuator(Action.ARM_IMMOBILISER, ActuatorFault.DEAD)
    anna = stage.rig.holder("Anna")
    _, file = stage.rig.book(anna, lasts_s=acts.BOOKED_S)
    async with stage.phone_of(anna, file) as phone:
        await phone.enable_drive()
        with pytest.raises(Failed, match="the immobiliser refuses a start before `drive`"):
            await acts._opens(stage, phone)


# ---------------------------------------------------------------- what was recorded
Plant = Callable[..., None]


@pytest.fixture
async def plant(stage: Stage) -> Plant:
    """Put a message into the recording, as if the module had sent it."""
    await stage.drained()
    stage.recorder.messages.clear()

    def put(channel: Channel, at: str, seq: int = 1, **fields: object) -> None:
        latitude = fields.pop("latitude", None)
        place = {} if latitude is None else {LATITUDE: latitude, LONGITUDE: 11.5}
        body = {"stamp": {"time": at, "seq": seq}, **fields, **place}
        name = topic(stage.rig.provisioning.module_id, channel)
        stage.recorder.messages.append(Raw(name, json.dumps(body).encode(), retained=False))

    return put


def a_booking(plant: Plant, *, during: Callable[[], None] = lambda: None) -> None:
    plant(Channel.TRACK, "09:59", latitude=48.1, parking=False)
    plant(Channel.EVENT, "10:00", kind="booking.started")
    during()
    plant(Channel.POSITION, "11:00", latitude=48.2, parking=True)
    plant(Channel.EVENT, "11:00", kind="booking.ended")
    plant(Channel.TRACK, "11:01", latitude=48.3, parking=False)


async def test_positions_around_a_booking_are_no_leak(stage: Stage, plant: Plant) -> None:
    a_booking(plant)
    stage.recorder.messages.append(Raw(topic(bytes(8), Channel.POSITION), b"", retained=False))
    assert acts._looked_through(stage) == (1, 0)


@pytest.mark.req("PRV-1")
@pytest.mark.parametrize(
    ("channel", "at", "parking"),
    [
        pytest.param(Channel.TRACK, "10:30", False, id="live"),
        pytest.param(Channel.TRACK, "09:58", False, id="queued from before"),
        pytest.param(Channel.STATE, "10:30", False, id="on another channel"),
        pytest.param(Channel.POSITION, "10:30", True, id="said to be the parking position"),
    ],
)
async def test_a_position_that_comes_during_a_booking_is_a_leak(
    stage: Stage, plant: Plant, channel: Channel, at: str, parking: bool
) -> None:
    a_booking(plant, during=lambda: plant(channel, at, latitude=48.1, parking=parking))
    assert acts._looked_through(stage) == (1, 1)
    a_booking(plant)
    with pytest.raises(Failed, match="no coordinate left the module"):
        await acts._keeps_the_secret(stage)


async def test_a_number_that_is_missing_or_out_of_order_is_a_gap(stage: Stage, plant: Plant) -> None:
    for seq in (4, 5, 6):
        plant(Channel.EVENT, "10:00", seq, kind="alert")
    assert acts._gaps(stage) == 0
    plant(Channel.EVENT, "10:00", 8, kind="alert")
    assert acts._gaps(stage) == 1
    plant(Channel.TRACK, "10:00", 2)
    plant(Channel.TRACK, "10:00", 1)
    assert acts._gaps(stage) == 2
