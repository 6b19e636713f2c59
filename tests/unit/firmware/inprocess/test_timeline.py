"""What a module did, in lines."""

import pytest

from firmware.core.effects import AnswerTested
from firmware.core.events import Ticked
from firmware.inprocess.module import Module
from firmware.inprocess.timeline import LINES_KEPT, Timeline
from host_tools.phone.errors import Refused
from protocol.selftest import Part, Report, Result
from tests.support.core import a_state


@pytest.mark.req("BEN-4")
async def test_a_booking_is_told_from_the_first_phone_to_the_last_answer(sharebox_module: Module) -> None:
    booked = await sharebox_module.book("10m")
    async with sharebox_module.phone(booked) as phone:
        await phone.unlock()
        await phone.lock()
        await sharebox_module.wait("9m30s")
        await phone.status()
        await sharebox_module.wait("1m")
        await phone.end_booking()
        with pytest.raises(Refused):
            await phone.unlock()
    text = sharebox_module.timeline.text()
    said = [line[14:] for line in text.splitlines()]
    wanted = [
        "link 1: a phone has connected  [none]",
        "link 1: UNLOCK  [active]",
        "    to the car: unlock",
        "the car has answered  [active]",
        "    link 1: done",
        "    link 1: told overdue",
        "    reported: booking.overdue",
        "    link 1: OUTSIDE_HOME_AREA, the booking has ended",
        "    link 1: told that access is denied, BOOKING_ENDED (ACC-5)",
        "    link 1: BOOKING_ENDED",
        "link 1: the phone is gone  [ended]",
    ]
    assert [line for line in wanted if line not in said] == []
    assert text.startswith("10:00:00.000")


@pytest.mark.req("PRV-1")
async def test_neither_keys_nor_tokens_nor_positions_are_in_it(sharebox_module: Module) -> None:
    booked = await sharebox_module.book("10m")
    async with sharebox_module.phone(booked) as phone:
        found = await phone.locate()
    text = sharebox_module.timeline.text()
    assert "LOCATE" in text
    position = (str(found.latitude_e7), str(found.latitude_e7 / 1e7))
    for secret in (booked.token.hex(), booked.holder_private.hex(), *position):
        assert secret not in text


def test_only_the_last_lines_are_kept_and_it_says_so() -> None:
    timeline = Timeline()
    for number in range(LINES_KEPT + 3):
        timeline.note(number * 1000, f"line {number}")
    lines = timeline.text().splitlines()
    assert lines[0] == "... 3 earlier lines are not kept"
    assert lines[1] == "00:00:03.000  line 3"
    assert len(lines) == LINES_KEPT + 1


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(("passed", "said"), [(True, "passed"), (False, "not passed")])
def test_a_dealers_test_is_told_by_how_it_went(passed: bool, said: str) -> None:
    timeline = Timeline()
    report = Report(bytes(8), 1, (Result(Part.DOORS, passed),))
    timeline.observe(0, Ticked(), a_state(), (AnswerTested(3, 1, report),))
    assert f"link 3: self-test {said}" in timeline.text()
