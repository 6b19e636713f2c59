"""The line to the emergency centre: what passes is remembered, what cannot pass waits, and the desk may answer."""

import asyncio

import pytest

from firmware.bench.rescue import Called, EmergencySwitch, LoopbackCentre
from protocol.msd import NO_VIN, Msd

MSD = Msd(1, True, False, NO_VIN, 0, None, None)


class Line(LoopbackCentre):
    """What a line was given."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.hung_up = 0

    def call(self, number: int, msd: Msd, lasts_s: int) -> None:
        super().call(number, msd, lasts_s)
        self.calls.append(number)

    def hang_up(self) -> None:
        super().hang_up()
        self.hung_up += 1


def plugged() -> tuple[EmergencySwitch, Line]:
    switch, line = EmergencySwitch(), Line()
    switch.plug(line)
    return switch, line


@pytest.mark.req("SVC-8")
async def test_a_call_is_answered_by_whoever_is_at_the_desk() -> None:
    switch, line = plugged()
    heard: list[int] = []
    assert switch.answer() is None
    running = asyncio.create_task(switch.run(heard.append))
    await asyncio.sleep(0)
    assert switch.answer() is None
    switch.call(7, MSD, 1_200)
    assert switch.answer() == 7
    assert (heard, line.calls, list(switch.sent)) == ([7], [7], [Called(7, MSD, 1_200)])
    switch.hang_up()
    assert line.hung_up == 1
    running.cancel()
    await asyncio.wait({running})
    assert switch.answer() is None


@pytest.mark.req("SVC-8")
async def test_without_a_network_the_newest_message_waits() -> None:
    switch, line = plugged()
    switch.switch(False)
    switch.call(7, MSD, 1_200)
    switch.call(8, MSD, 1_200)
    assert (line.calls, switch.answer()) == ([], None)
    switch.switch(True)
    assert line.calls == [8]
    switch.switch(True)
    assert line.calls == [8]
    switch.switch(False)
    switch.call(9, MSD, 1_200)
    switch.hang_up()
    switch.switch(True)
    assert line.calls == [8]


@pytest.mark.req("PWR-1")
async def test_a_power_cut_says_no_farewell_and_the_next_boot_begins_anew() -> None:
    switch, line = plugged()
    switch.switch(False)
    switch.call(7, MSD, 1_200)
    switch.cut()
    switch.call(8, MSD, 1_200)
    switch.hang_up()
    assert line.hung_up == 0
    switch.plug(Line())
    switch.switch(True)
    assert line.calls == []
