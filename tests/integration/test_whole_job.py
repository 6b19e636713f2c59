"""The whole job over virtual Bluetooth, told in the words in which every other stack tells it."""

import asyncio
import json
from pathlib import Path

import pytest

from firmware.demo.rig import Rig
from host_tools.phone.errors import HandshakeRefused
from protocol import keys
from protocol.errors import Code
from tests.support.whole_job import AFTER, JOB, LEAD_S, Shown, Transcript, bleak_link, cut_off_job, whole_job


def shown(rig: Rig, lasts_s: int) -> Shown:
    anna = rig.holder("Anna")
    return Shown(rig.book(anna, lasts_s=lasts_s)[1], anna.key)


async def drive(rig: Rig) -> None:
    """Ten seconds down the road; it counts as parked once it has stood for a while."""
    assert rig.vehicle.turn_ignition(True)
    assert rig.vehicle.drive()
    await asyncio.sleep(10)
    rig.vehicle.park()
    await asyncio.sleep(20)


@pytest.mark.req("ACC-1", "BLE-1", "BLE-3", "BKG-3")
async def test_a_driver_does_the_whole_job_over_virtual_bluetooth(tmp_path: Path) -> None:
    told = Transcript("virtual")
    async with Rig() as rig:
        await whole_job(bleak_link, shown(rig, 3600), told.tell, lambda: drive(rig))
        assert rig.vehicle.snapshot().locked
        assert rig.vehicle.snapshot().immobilised
    assert [line.operation for line in told.lines] == list(JOB)
    assert {line.outcome for line in told.lines} == {"ok"}
    by_name = {line.operation: line for line in told.lines}
    assert by_name["mtu"].note == "517"
    assert by_name["drive"].ms == 30_000
    told.write(tmp_path / "virtual.jsonl")
    first = json.loads((tmp_path / "virtual.jsonl").read_text().splitlines()[0])
    assert list(first) == ["stack", "operation", "ms", "outcome", "note"]
    assert (first["stack"], first["operation"]) == ("virtual", "scan")


@pytest.mark.req("CUT-2", "CUT-6")
async def test_an_overdue_driver_is_hung_up_on_and_not_let_in_again() -> None:
    told = Transcript("virtual")
    async with Rig() as rig:
        booking = shown(rig, 60)
        await cut_off_job(bleak_link, booking, told.tell, lambda: rig.until(rig.begins_s + 60 + 1800 - LEAD_S))
    assert [line.operation for line in told.lines] == list(AFTER)
    assert told.outcomes["reconnect"] == "BOOKING_CUT_OFF"
    assert told.lines[0].ms < 1000


@pytest.mark.req("ACC-8")
async def test_a_refusal_is_told_with_its_code() -> None:
    told = Transcript("virtual")
    async with Rig() as rig:
        booking = Shown(rig.book(rig.holder("Bert"), lasts_s=60)[1], keys.private_from_bytes(b"\x07" * 32))
        with pytest.raises(HandshakeRefused):
            await whole_job(bleak_link, booking, told.tell, lambda: drive(rig))
    assert told.outcomes["handshake"] == Code.HOLDER_KEY_MISMATCH.name
    assert told.lines[-1].operation == "handshake"
