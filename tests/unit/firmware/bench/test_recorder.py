"""The recorder: idle until it is told, whole steps only, and never in the module's way."""

import asyncio
import os
from pathlib import Path
from typing import cast

import pytest

from firmware.bench import recording
from firmware.bench.recorder import Recorder, named
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.recording import Begun, Booted, Ended, Fragment, Order, Recording, Stepped, Told
from firmware.core.events import Event, Ticked
from firmware.demo.rig import Rig
from protocol import telemetry
from protocol.messages import Operation, Request
from protocol.telemetry import Channel
from tests.support.credentials import MODULE_ID
from tests.support.module_files import PROVISIONING
from tests.support.ports import Bench
from tests.support.recordings import played

pytestmark = pytest.mark.req("BEN-4")


async def test_a_recording_from_the_boot_on_holds_everything_and_comes_out_the_same(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    async with Rig(record=path) as rig:
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=60)[1]) as phone:
            await phone.unlock()
        assert rig.recorder.records
        assert rig.recorder.lines > 20
    lines = list(Recording(path).lines())
    assert [line.n for line in lines] == list(range(1, len(lines) + 1))
    assert isinstance(lines[0], Booted)
    assert lines[-1] == Ended(len(lines), "it was ended")
    assert {type(line) for line in lines} >= {Fragment, Told, Stepped}
    assert played(path).divergence is None


async def test_a_recording_that_begins_in_the_middle_takes_older_links_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    async with Rig() as rig:
        anna = rig.holder("Anna")
        file = rig.book(anna, lasts_s=600)[1]
        async with rig.phone(anna, file) as phone:
            rig.recorder.start(path)
            await phone.unlock()
            assert rig.recorder.path == path
        async with rig.phone(anna, file) as phone:
            await phone.lock()
        rig.recorder.stop("enough")
        assert not rig.recorder.records
    lines = list(Recording(path).lines())
    assert isinstance(lines[0], Begun)
    assert lines[0].links == (1,)
    outcome = played(path)
    assert outcome.divergence is None
    assert outcome.compared > 5
    assert outcome.not_compared >= 1


async def test_a_recording_goes_on_through_boots_and_waits_for_the_next_one_without_power(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    async with Rig(record=one) as rig:
        await rig.shut_down()
        await rig.boot()
        await rig.shut_down()
        rig.recorder.start(other)
        assert rig.recorder.lines == 0
        await rig.boot()
        await asyncio.sleep(2)
    assert played(one).boots == 2
    assert played(other).boots == 1
    assert list(Recording(one).lines())[-1] == Ended(len(list(Recording(one).lines())), "another recording begins")


async def test_an_idle_recorder_writes_nothing_and_can_be_stopped() -> None:
    async with Rig() as rig:
        rig.recorder.stop()
        await asyncio.sleep(5)
        assert rig.recorder.lines == 0
        assert rig.recorder.path is None


async def test_a_tick_that_was_told_and_orders_from_afar_are_recorded(tmp_path: Path) -> None:
    bench = Bench()
    recorder = Recorder(PROVISIONING, with_keys=True)
    bench.witness = recorder
    recorder.start(tmp_path / "it.jsonl")
    async with bench.at_work() as pump:
        phone = await bench.phone()
        await phone.ask(Request(1, Operation.STATUS))
        bench.broker.connect()
        bench.broker.deliver(telemetry.topic(MODULE_ID, Channel.ORDER), b"no order", b"ask")
        pump.post(Ticked())
        pump.payload_changed(phone.link, 100)
        pump.fragment_received(99, b"nobody")
        await asyncio.sleep(2)
        assert (await phone.ask(Request(2, Operation.STATUS))).id == 2
        bench.radio.leave(phone.link)
        await asyncio.sleep(1)
    recorder.stop()
    lines = list(Recording(tmp_path / "it.jsonl").lines())
    assert [line for line in lines if isinstance(line, Told) and line.event == {"is": "Ticked"}]
    assert [line for line in lines if isinstance(line, Order)]
    assert played(tmp_path / "it.jsonl").divergence is None


async def test_a_disk_that_fails_ends_the_recording_and_not_the_module(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    async with Rig() as rig:
        rig.recorder.start(tmp_path / "it.jsonl")
        file = rig.recorder._file
        assert file is not None
        file.failed = "the card is gone"
        await asyncio.sleep(2)
        assert not rig.recorder.records
        os.mkfifo(pipe)
        with pytest.raises(RecordingFailed, match="is there already"):
            rig.recorder.start(pipe)
        assert not rig.recorder.records
        rig.recorder.start(tmp_path / "other.jsonl")
        with pytest.raises(RecordingFailed, match="is there already"):
            rig.recorder.start(pipe)
        assert rig.recorder.records, "a recording goes on when the next one can not begin"
        await asyncio.sleep(1)
        assert rig.pump.state.vehicle.at_ms is not None


async def test_what_can_not_be_written_ends_the_recording_and_not_the_module(tmp_path: Path) -> None:
    async with Rig(record=tmp_path / "it.jsonl") as rig:
        rig.recorder.posted(cast(Event, object()))
        assert not rig.recorder.records
        await asyncio.sleep(2)
        assert rig.pump.state.vehicle.at_ms is not None
    assert played(tmp_path / "it.jsonl").divergence is None


def test_a_directory_gets_a_file_for_each_recording(tmp_path: Path) -> None:
    assert named(tmp_path / "it.jsonl", MODULE_ID, 0) == tmp_path / "it.jsonl"
    made = named(tmp_path, MODULE_ID, 1_793_354_400_000)
    assert made == tmp_path / f"{MODULE_ID.hex()}-20261030T100000Z.jsonl"


async def test_positions_and_keys_are_for_the_owner_of_the_file_only(tmp_path: Path) -> None:
    path = tmp_path / "it.jsonl"
    async with Rig(record=path):
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    assert recording.FORMAT in path.read_text()
