"""Every command of the desk: what it needs, and that nothing but a Result or a DeskError comes out."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.bench.desk import Desk
from firmware.bench.grammar import Command
from firmware.bench.levels import Level
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.bench.session import COMMANDS as OWN
from firmware.bench.table import COMMANDS
from firmware.demo.rig import Rig
from host_tools.virtual_time import run

WORDS = {
    "NAME": "one",
    "A": "one",
    "B": "one",
    "SIGNAL": "fuel_pct",
    "VALUE": "50",
    "S": "fuel_pct",
    "hidden": "hidden",
    "WHICH": "rear-left",
    "KMH": "30",
    "D": "1s",
    "ISO": "2026-10-30T10:00:05",
    "X": "2",
    "N": "5",
    "C": "time",
    "HOW": "full",
    "dead|mute": "dead",
    "FILE": "nowhere.jsonl",
    "HEX": "00ff",
    "MCC": "206",
    "CODE": "123456",
}
"""A word for each parameter."""
FIRST = {"fault actuator": "fault actuator unlock dead", "keys": "keys 2"}


def example(command: Command[Room]) -> str:
    """A line that gives it."""
    if command.name in FIRST:
        return FIRST[command.name]
    words = [WORDS[each.name] for each in command.parameters if not each.optional]
    return " ".join([command.name, *words])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording lands where one is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(broker=lambda _: LoopbackBroker()) as rig:
        await rig.desk().do("state save one", Level.SERVICE)
        yield rig


async def outcome(desk: Desk, line: str, level: Level) -> Result | DeskError:
    try:
        return await desk.do(line, level)
    except DeskError as error:
        return error


@pytest.mark.req("BEN-1")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
async def test_a_command_is_refused_below_its_level_and_gives_json_at_it(rig: Rig, command: Command[Room]) -> None:
    desk = rig.desk()
    for level in Level:
        if level < command.level:
            refused = await outcome(desk, example(command), level)
            assert isinstance(refused, DeskError)
            assert refused.code is DeskCode.LEVEL
    done = await outcome(desk, example(command), command.level)
    if isinstance(done, DeskError):
        assert done.code in (DeskCode.FAILED, DeskCode.NOT_HERE)
        return
    assert json.loads(msgspec.json.encode(done.data)) == done.data
    assert done.kind == command.words[0]
    assert done.lines
    assert all(line.isprintable() for line in done.lines)


@pytest.mark.req("BEN-1")
async def test_no_command_for_observers_changes_anything(rig: Rig) -> None:
    desk = rig.desk()
    rig.vehicle.open_door(from_inside=True)
    before = rig.pump.state, rig.vehicle.snapshot(), rig.rack.store.fault, rig.rack.ble.is_on, rig.rack.working
    for command in COMMANDS:
        if command.level is Level.OBSERVE:
            await outcome(desk, example(command), Level.OBSERVE)
    assert before == (
        rig.pump.state,
        rig.vehicle.snapshot(),
        rig.rack.store.fault,
        rig.rack.ble.is_on,
        rig.rack.working,
    )
    assert not rig.vehicle.overrides
    assert not desk.room.faults.lasting
    assert desk.room.shelf.names() == ("one",)


async def test_without_power_every_command_gives_a_result_or_says_what_is_missing(rig: Rig) -> None:
    desk = rig.desk()
    for command in COMMANDS:
        await rig.rack.power_off(cut=False)
        done = await outcome(desk, example(command), Level.SERVICE)
        if isinstance(done, DeskError):
            assert done.code in (DeskCode.NO_POWER, DeskCode.FAILED, DeskCode.NOT_HERE)


async def test_the_help_names_every_command_once(rig: Rig) -> None:
    names = [command.name for command in COMMANDS]
    assert len({*names}) == len(names)
    helped = await rig.desk().do("help", Level.OBSERVE)
    assert len(helped.lines) == len(COMMANDS)
    assert not {command.words[0] for command in COMMANDS} & {command.words[0] for command in OWN}


LINES = st.text(max_size=40) | st.lists(
    st.sampled_from(sorted({word for command in COMMANDS for word in example(command).split()} | {"--for", "--rtc"}))
    | st.text(max_size=6),
    max_size=6,
).map(" ".join)


@pytest.mark.req("BEN-1")
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, min_size=5, max_size=30))
def test_any_text_gives_a_result_or_a_desk_error(lines: list[str]) -> None:
    async def main() -> None:
        async with Rig(broker=lambda _: LoopbackBroker()) as rig:
            desk = rig.desk()
            for line in lines:
                desk.complete(line, Level.SERVICE)
                with suppress(DeskError):
                    assert isinstance(await desk.do(line, Level.SERVICE), Result)

    run(main())
