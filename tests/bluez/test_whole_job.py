"""The whole job with unmodified bleak over BlueZ and the kernel's Bluetooth; its transcripts are kept for the docs."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.support.bluez_rig import BluezRig, OwnAdapterRig
from tests.support.needs import OUTPUT
from tests.support.whole_job import AFTER, JOB, LEAD_S, Shown, Transcript, bleak_link, cut_off_job, whole_job

pytestmark = [pytest.mark.guest, pytest.mark.asyncio(loop_factories=["real"])]


def shown(rig: BluezRig, lasts_s: int) -> Shown:
    anna = rig.holder("Anna")
    return Shown(rig.book(anna, lasts_s=lasts_s)[1], anna.key)


async def drive(rig: BluezRig) -> None:
    """Ten seconds down the road; it counts as parked once it has stood for a while."""
    assert rig.vehicle.turn_ignition(True)
    assert rig.vehicle.drive()
    await asyncio.sleep(10)
    rig.vehicle.park()
    await asyncio.sleep(20)


@pytest.mark.req("ACC-1", "BLE-1", "BLE-2", "BLE-3", "BKG-3", "CUT-2", "CUT-6")
@pytest.mark.parametrize(
    ("stack", "make_rig"),
    [
        pytest.param("bluez", BluezRig, id="the phone is on BlueZ"),
        pytest.param("hci-socket", OwnAdapterRig, id="the module has an adapter of the kernel too"),
    ],
)
async def test_a_driver_does_the_whole_job_over_bluez_and_the_next_one_is_cut_off(
    stack: str, make_rig: type[BluezRig]
) -> None:
    told = Transcript(stack)
    async with make_rig() as rig:
        await whole_job(bleak_link, shown(rig, 3600), told.tell, lambda: drive(rig))
        assert rig.vehicle.snapshot().locked
        assert rig.vehicle.snapshot().immobilised
        overdue, cutoff_s = shown(rig, 60), rig.now_s + 60 + 1800 - LEAD_S
        await cut_off_job(bleak_link, overdue, told.tell, lambda: rig.until(cutoff_s))
    told.write(Path(os.environ[OUTPUT]) / f"{stack}.jsonl")
    assert [line.operation for line in told.lines] == [*JOB, *AFTER]
    assert told.outcomes == {**dict.fromkeys((*JOB, *AFTER), "ok"), "reconnect": "BOOKING_CUT_OFF"}
    by_name = {line.operation: line for line in told.lines}
    assert by_name["mtu"].note == "517"
    assert by_name["cut off"].ms < 1000
