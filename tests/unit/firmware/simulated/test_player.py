"""A trace played into the car's samples: at its own pace, with holes that are holes."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from firmware.core import vehicle
from firmware.core.events import Fix, VehicleSampled
from firmware.core.state import VehicleView
from firmware.simulated.player import Form, Player, TraceFailed

pytestmark = pytest.mark.req("BEN-4")

VECTORS = Path(__file__).resolve().parents[3] / "vectors"
SEEN = VehicleSampled(locked=True, immobilised=False, speed_kmh=3.0, boot_open=True, fix=Fix(1, 2, 3, 4))
UTC_MS = 1_793_354_400_000
PERIOD_MS = 500


def trace(directory: Path, *messages: tuple[float, str, object], **events: bool) -> Path:
    path = directory / "trace.json"
    lines = [json.dumps({"name": name, "value": value, "timestamp": at_s}) for at_s, name, value in messages]
    lines += [json.dumps({"name": "door_status", "value": d, "event": e, "timestamp": 0}) for d, e in events.items()]
    path.write_text("\n".join(lines))
    return path


def play(player: Player, until_s: float, since_s: float = 0.0) -> list[tuple[float, VehicleSampled]]:
    """What the module is told, and when, looked at every half a second."""
    told = []
    for now_ms in range(round(since_s * 1000), round(until_s * 1000), PERIOD_MS):
        sample = player.look(SEEN, utc_ms=UTC_MS + now_ms, mono_ms=now_ms)
        if sample is not None:
            told.append((now_ms / 1000, sample))
    return told


def a_parked_car(*, since_s: float, until_s: float) -> list[tuple[float, str, object]]:
    moments = [since_s + n for n in range(round(until_s - since_s))]
    return [each for at in moments for each in ((at, "vehicle_speed", 0), (at, "ignition_status", "off"))]


def test_what_the_trace_knows_is_told_and_what_it_does_not_is_unknown(tmp_path: Path) -> None:
    player = Player(trace(tmp_path, (5.0, "vehicle_speed", 50), (5.0, "fuel_level", 60), (5.0, "odometer", 1.5)))
    ((at_s, sample),) = play(player, 10)
    assert at_s == 0
    assert sample == VehicleSampled(speed_kmh=50.0, fuel_pct=60.0, odometer_m=1500, locked=True, immobilised=False), (
        "the module's own actuators are the simulated car's"
    )
    assert player.form is Form.OPENXC
    assert player.ended


def test_it_is_told_at_the_pace_of_the_trace_or_a_multiple(tmp_path: Path) -> None:
    messages: tuple[tuple[float, str, object], ...] = ((0.0, "vehicle_speed", 1), (2.0, "vehicle_speed", 2))
    path = trace(tmp_path, *messages)
    assert [(at, sample.speed_kmh) for at, sample in play(Player(path), 10)] == [(0, 1.0), (2, 2.0)]
    assert [(at, sample.speed_kmh) for at, sample in play(Player(path, speed=2), 10)] == [(0, 1.0), (1, 2.0)]
    assert [(at, sample.speed_kmh) for at, sample in play(Player(path, speed=0.5), 10)] == [(0, 1.0), (4, 2.0)]


def test_a_signal_that_is_not_told_any_more_becomes_unknown(tmp_path: Path) -> None:
    speeds = [(float(at), "vehicle_speed", at) for at in range(80)]
    path = trace(tmp_path, (0.0, "ignition_status", "run"), (0.0, "fuel_level", 60), *speeds)
    told = dict(play(Player(path), 80))
    assert [told[at].ignition_on for at in (0, 2, 3)] == [True, True, None]
    assert [told[at].fuel_pct for at in (0, 60, 61)] == [60.0, 60.0, None]


def test_doors_are_closed_only_when_each_says_so(tmp_path: Path) -> None:
    def door(at: float, which: str, is_open: bool) -> str:
        return json.dumps({"name": "door_status", "value": which, "event": is_open, "timestamp": at})

    path = tmp_path / "doors"
    moments = ((0, "driver", False), (0, "passenger", True), (1, "passenger", False), (4, "driver", False))
    path.write_text("\n".join([*(door(*each) for each in moments), door(8, "passenger", False)]))
    told = [(at, sample.doors_open) for at, sample in play(Player(path), 20)]
    assert told == [(0, True), (1, False), (4, None), (8, None)]
    only_speed = Player(trace(tmp_path, (0.0, "vehicle_speed", 1)))
    assert play(only_speed, 1)[0][1].doors_open is None


@pytest.mark.req("CUT-3")
@pytest.mark.parametrize("speed", [1, 2, 10])
def test_a_hole_in_the_trace_is_never_parked(tmp_path: Path, speed: float) -> None:
    """2 s at rest, 4 s of silence, 2 s at rest: nowhere 5 s without a hole."""
    messages = a_parked_car(since_s=0, until_s=2 * speed) + a_parked_car(since_s=6 * speed, until_s=8 * speed)
    player = Player(trace(tmp_path, *messages), speed=speed)
    view = VehicleView()
    parked = []
    told = dict(play(player, 16))
    for half_seconds in range(32):
        at_s = half_seconds / 2
        if at_s in told:
            view = vehicle.sampled(view, told[at_s], round(at_s * 1000))
        parked.append(vehicle.parked(view, round(at_s * 1000)))
    assert not any(parked)
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert max(gaps) > 2.5


@pytest.mark.req("CUT-3")
def test_a_short_hole_stays_one_however_fast_the_trace_is_played(tmp_path: Path) -> None:
    messages = a_parked_car(since_s=0, until_s=40) + a_parked_car(since_s=44, until_s=90)
    times = [at for at, _ in play(Player(trace(tmp_path, *messages), speed=10), 20)]
    gaps = [round(later - earlier, 1) for earlier, later in pairwise(times)]
    assert [gap for gap in gaps if gap > 1] == [3.0]


def test_a_loop_begins_again_after_a_hole(tmp_path: Path) -> None:
    path = trace(tmp_path, (7.0, "vehicle_speed", 1), (8.0, "vehicle_speed", 2))
    player = Player(path, loop=True)
    told = [(at, sample.speed_kmh) for at, sample in play(player, 9)]
    assert told == [(0, 1.0), (1, 2.0), (4, 1.0), (5, 2.0), (8, 1.0)]
    assert not player.ended
    path.unlink()
    os.mkfifo(path)
    assert [at for at, _ in play(player, 20, since_s=9)] == [9, 12, 13, 16, 17], "it is the file that was opened"


@pytest.mark.req("TEL-7", "CLK-1")
def test_a_fix_has_the_time_of_the_module_and_grows_old() -> None:
    player = Player(VECTORS / "nmea-drive.log")
    assert player.form is Form.NMEA
    told = play(player, 30)
    assert len(told) == 60, "the car itself goes on saying what it does"
    assert {sample.speed_kmh for _, sample in told} == {3.0}
    fixes = [sample.fix for _, sample in told]
    assert fixes[0] == Fix(481_401_250, 115_600_000, UTC_MS, 0)
    assert fixes[-1] is not None
    assert fixes[-1].taken_at_ms == 16_000
    assert fixes[-1].utc_ms == UTC_MS + 16_000
    assert len({fix.taken_at_ms for fix in fixes if fix is not None}) == 11


def test_a_position_of_an_openxc_trace_is_a_fix(tmp_path: Path) -> None:
    path = trace(tmp_path, (1.0, "latitude", 48.1), (1.3, "longitude", 11.5), (5.0, "vehicle_speed", 1))
    told = play(Player(path), 6)
    assert [(at, sample.fix) for at, sample in told] == [
        (0, Fix(481_000_000, 115_000_000, UTC_MS, 0)),
        (3.5 + 0.5, Fix(481_000_000, 115_000_000, UTC_MS, 0)),
    ]


def test_a_whole_drive_is_played() -> None:
    told = play(Player(VECTORS / "openxc-drive.json"), 45)
    times = [at for at, _ in told]
    assert max(later - earlier for earlier, later in pairwise(times)) == 10.5
    by_time = dict(told)
    assert (by_time[0.5].ignition_on, by_time[0.5].doors_open) == (False, False)
    assert by_time[2].doors_open is True
    assert by_time[10].ignition_on is True
    assert by_time[10].speed_kmh == 36.0
    assert by_time[20].fix != by_time[10].fix


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"name":"engine_speed","value":1,"timestamp":1}\n'])
def test_a_file_without_anything_of_use_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)
    with pytest.raises(TraceFailed, match="nothing in it is of use"):
        Player(path)


def test_a_file_that_can_not_be_played_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceFailed, match="No such file"):
        Player(tmp_path / "nowhere")
    with pytest.raises(TraceFailed, match="no regular file"):
        Player(tmp_path)
    for speed in (0.0, 1000.0, float("nan")):
        with pytest.raises(TraceFailed, match="speed"):
            Player(VECTORS / "nmea-drive.log", speed=speed)


def test_a_pipe_that_nobody_writes_to_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(TraceFailed, match="pipe: this is no regular file; give an OpenXC trace"):
        Player(path)
