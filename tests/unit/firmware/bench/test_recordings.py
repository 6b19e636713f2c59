"""Recording and traces from the desk."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from firmware.bench.desk import Desk
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.demo.rig import Rig
from tests.support.recordings import played

pytestmark = pytest.mark.req("BEN-4", "BEN-1")

VECTORS = Path(__file__).resolve().parents[3] / "vectors"


async def do(desk: Desk, line: str) -> Result:
    return await desk.do(line, Level.OPERATE)


async def refused(desk: Desk, line: str, level: Level = Level.OPERATE) -> DeskError:
    with pytest.raises(DeskError) as caught:
        await desk.do(line, level)
    return caught.value


async def test_a_session_at_the_desk_is_recorded_and_comes_out_the_same(tmp_path: Path) -> None:
    async with Rig() as rig:
        rig.recorder.directory = tmp_path / "recordings"
        desk = rig.desk()
        assert (await do(desk, "record")).lines == ("Nothing is recorded.",)
        begun = await do(desk, "record start drive.jsonl")
        path = tmp_path / "recordings" / "drive.jsonl"
        assert begun.data == {"recording": True, "file": str(path), "lines": 0}
        anna = rig.holder("Anna")
        async with rig.phone(anna, rig.book(anna, lasts_s=60)[1]) as phone:
            await phone.unlock()
        assert "lines so far" in (await do(desk, "record")).lines[0]
        ended = await do(desk, "record stop")
        assert ended.data["file"] == str(path)
        assert f"sharebox replay {path}" in ended.lines[0]
        assert "is there already" in (await refused(desk, "record start drive.jsonl")).message
        own = await do(desk, "record start")
        assert str(own.data["file"]).endswith("Z.jsonl")
    outcome = played(path)
    assert outcome.divergence is None
    assert outcome.lines == ended.data["lines"]


async def test_what_can_not_be_recorded_is_said(tmp_path: Path) -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert (await refused(desk, "record stop")).code is DeskCode.FAILED
        assert (await refused(desk, "record start", Level.OBSERVE)).code is DeskCode.LEVEL
        for name in ("../secret", "/etc/passwd", ".hidden", "a b"):
            assert (await refused(desk, f'record start "{name}"')).code is DeskCode.USAGE
        rig.recorder.directory = tmp_path / "file" / "below"
        (tmp_path / "file").write_text("")
        assert "Not a directory" in (await refused(desk, "record start it")).message


async def test_a_trace_takes_the_place_of_the_car_until_it_is_stopped() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert (await do(desk, "trace")).data == {"file": None}
        path = VECTORS / "openxc-drive.json"
        played = await do(desk, f"trace play {path} --speed 2")
        assert played.data == {"file": str(path), "form": "OpenXC", "ended": False}
        await asyncio.sleep(7)
        sample = rig.pump.state.vehicle.sample
        assert (sample.ignition_on, sample.speed_kmh, sample.locked, sample.boot_open) == (True, 36.0, True, None)
        await asyncio.sleep(60)
        assert (await do(desk, "trace")).data["ended"] is True
        assert rig.pump.state.vehicle.at_ms is not None
        assert rig.clock.monotonic_ms() - rig.pump.state.vehicle.at_ms > 30_000
        await do(desk, "trace stop")
        await asyncio.sleep(1)
        assert rig.pump.state.vehicle.sample.boot_open is False


async def test_a_trace_that_can_not_be_played_is_said() -> None:
    async with Rig() as rig:
        desk = rig.desk()
        assert "No such file" in (await refused(desk, "trace play /nowhere")).message
        assert (await refused(desk, f"trace play {VECTORS} --speed 0")).code is DeskCode.USAGE
        assert (await refused(desk, f"trace play {VECTORS}", Level.OBSERVE)).code is DeskCode.LEVEL
        looped = await do(desk, f"trace play {VECTORS / 'nmea-drive.log'} --loop")
        assert looped.data["form"] == "NMEA"
        await asyncio.sleep(100)
        assert (await do(desk, "trace")).data["ended"] is False


async def test_without_a_recorder_it_is_said() -> None:
    async with Rig() as rig:
        rig.rack._parts = msgspec.structs.replace(rig.rack._parts, recorder=None)
        desk = rig.desk()
        assert (await refused(desk, "record")).code is DeskCode.NOT_HERE


async def test_a_pipe_in_the_place_of_a_trace_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with Rig() as rig:
        desk = rig.desk()
        assert "pipe: this is no regular file" in (await refused(desk, f"trace play {pipe}")).message
        assert (await do(desk, "trace")).data == {"file": None}
