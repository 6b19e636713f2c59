"""A quick portion of the shell's lives, and that its judges see what is wrong.

The whole: `make shell SEEDS=0..1000` and `make cycles`; docs/fuzzing.md.
"""

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
import structlog

from firmware.core.events import VehicleSampled
from firmware.ports import BrokerUnavailable, Publication
from host_tools import virtual_time
from protocol import telemetry
from protocol.telemetry import Channel
from tests.shell import air, cycles, run, world
from tests.shell.air import Mishap
from tests.shell.surroundings import Broken, JudgingBroker
from tests.support import core
from tests.support.credentials import MODULE_ID

SEEDS = 6


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    run.quiet()
    yield
    structlog.reset_defaults()


@pytest.mark.req("PRV-1", "PWR-1", "PWR-2", "TEL-3", "ACC-7")
@pytest.mark.parametrize("seed", range(0, SEEDS, 2))
def test_the_shell_keeps_its_promises_in_whatever_order_things_happen(seed: int) -> None:
    found = run.total(map(run.lives_of, range(seed, seed + 2)))
    assert found.failures == []
    assert found.number == 14
    assert found.replies > 50


@pytest.mark.parametrize("step", range(1, 60, 3))
def test_the_module_can_be_stopped_at_each_of_its_first_steps(step: int) -> None:
    world.live(3, step)


def test_the_same_seed_is_the_same_life() -> None:
    first, again, other = (world.live(seed, 700) for seed in (5, 5, 6))
    assert (first.loop.steps, first.loop.time(), first.replies) == (again.loop.steps, again.loop.time(), again.replies)
    assert first.loop.steps != other.loop.steps
    one, two = (air.live(5, Mishap.NONE) for _ in range(2))
    assert one.loop.steps == two.loop.steps
    assert one.steps > 300


@pytest.mark.req("KEY-3", "KEY-6", "PWR-1")
def test_at_the_menu_keys_are_activated_and_deactivated_while_everything_else_goes_on() -> None:
    """Two at once, with lists that are out of date by the time they press; what is said to be done is on the disk."""
    lives = [world.live(seed, cut) for seed in range(4) for cut in (None, 900)]
    assert sum(life.activated for life in lives) > 0
    assert sum(life.deactivated for life in lives) > 0


def test_mishaps_happen() -> None:
    lives = [air.live(2, mishap, 300) for mishap in Mishap]
    assert [life.happened for life in lives] == [False, True, True, True, True]


@pytest.mark.req("BLE-2")
def test_a_few_hundred_connections_leave_nothing_behind() -> None:
    report = virtual_time.run(cycles.run(200))
    assert report.troubles == []
    assert report.sessions >= 36


# ---------------------------------------------------------------- the judges
def published(channel: Channel, sequence: int) -> Publication:
    stamp = telemetry.Stamp(sequence, 1, "2026-10-30T10:00:00Z", "synced")
    report = telemetry.PositionReport(stamp, 48.1, 11.5, "2026-10-30T10:00:00Z", 0.5, False)
    return Publication(telemetry.topic(MODULE_ID, channel), telemetry.encode(report))


@pytest.fixture
def judge() -> JudgingBroker:
    judge = JudgingBroker(asyncio.Event(), Random(1), core.a_state)
    judge.moody, judge.up = False, True
    return judge


@pytest.mark.made_up_messages
async def test_a_lost_and_a_repeated_record_are_seen(judge: JudgingBroker) -> None:
    judge.arrived(published(Channel.TRACK, 1))
    with pytest.raises(Broken, match="a record was lost"):
        judge.arrived(published(Channel.TRACK, 3))
    with pytest.raises(Broken, match="published again"):
        judge.arrived(published(Channel.TRACK, 1))
    judge.excused = {(Channel.TRACK, 1)}
    judge.arrived(published(Channel.TRACK, 1))
    judge.up = False
    with pytest.raises(BrokerUnavailable):
        await judge.publish(published(Channel.TRACK, 2))
    with pytest.raises(Broken, match="published on nowhere"):
        judge.arrived(Publication("nowhere", b""))


async def test_a_backlog_is_judged_by_what_is_in_it(judge: JudgingBroker) -> None:
    entries = [telemetry.Entry(Channel.TRACK, published(Channel.TRACK, number).payload) for number in (1, 3)]
    with pytest.raises(Broken, match="a record was lost"):
        judge.arrived(Publication(telemetry.topic(MODULE_ID, Channel.BACKLOG), telemetry.encode_backlog(entries)))


@pytest.mark.made_up_messages
@pytest.mark.parametrize("channel", [Channel.TRACK, Channel.POSITION])
async def test_a_position_in_a_drivers_booking_is_seen(channel: Channel) -> None:
    judge = JudgingBroker(asyncio.Event(), Random(1), core.running)
    judge.up = True
    with pytest.raises(Broken, match="during a driver's booking"):
        judge.publish(published(channel, 1))
    with pytest.raises(Broken, match="during a driver's booking"):
        judge.arrived(published(channel, 1))


def test_what_is_left_after_cycles_is_seen() -> None:
    nothing = cycles.Count(1, 1, 9, {}, 1_000)
    left = cycles.Count(2, 3, 10, {"sessions": 1}, 9_000)
    assert cycles.Report(10, 2, nothing, nothing, 1.0).troubles == []
    assert cycles.Report(100, 3, nothing, left, 1.0).troubles == [
        "sessions: 1 left",
        "1 tasks more",
        "2 handles more",
        "1 files more",
        "8000 objects more",
        "only 3 sessions in 100 cycles",
    ]


def test_seeds_are_named_as_a_range() -> None:
    assert run.parse_seeds("7") == range(7, 8)
    assert run.parse_seeds("0..1000") == range(1_000)


def test_an_unexpected_end_of_the_module_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: object, _event: VehicleSampled) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("firmware.pump.Pump._step", broken)
    assert run.lives_of(1).failures
