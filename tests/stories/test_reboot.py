"""A whole life with a reboot, a full disk or a lie after every line: the claims hold all the same (CUT-5, ACC-5)."""

import pytest

from tests.support.story import Story
from tests.support.story_world import SPARSE_MS, World

BOOKINGS = """
    bookings: O owner 08:00:00 - 09:30:00
    bookings: A driver 10:00:00 - 12:00:00
    bookings: B driver 12:20:00 - 14:00:00
    bookings: C vip 14:00:00 - 15:00:00
    bookings: D driver 15:30:00 - 20:00:00
    bookings: X driver 15:30:00 - 20:00:00
"""
LIFE = """
    08:00:10      broker up
    08:10:00      O drive                | ok, released, active
    08:20:00      car drives             | released, active
    08:40:00      car parks              | released, active
    08:50:00      O end                  | ok, ended, locked, armed, parking retained
    10:10:00      A unlock               | ok, unlocked, active, position withdrawn
    10:10:10      A drive                | ok, released
    10:20:00      car drives             | released
    10:30:00      broker down            | released
    11:00:00      B unlock               | refused NOT_YET_VALID, nothing moved
    12:00:10      A status               | ok, overdue, A granted
    12:25:00      B unlock               | refused VEHICLE_IN_USE, released
    12:29:50      A unlock               | ok, overdue, released
    12:30:10      A unlock               | ok, cutoff_pending, released
    13:00:00      car parks              | cutoff_pending, released
    13:00:10      .                      | cut_off, armed, position waits
    13:00:20      A drive                | refused BOOKING_CUT_OFF, nothing moved
    13:01:00      B unlock               | ok, active, position withdrawn
    13:01:10      A unlock               | refused BOOKING_CUT_OFF
    13:02:00      B drive                | ok, released
    13:10:00      broker up              | no position published, position withdrawn
    14:10:00      C unlock               | ok, active, armed, A denied BOOKING_CUT_OFF
    14:11:00      B unlock               | refused BOOKING_SUPERSEDED
    14:20:00      C drive                | ok, released
    14:21:00      car drives             | released
    14:30:00      order end C            | active, released
    14:40:00      car parks              | active, released
    14:40:20      .                      | ended, armed, parking retained
    14:41:00      C unlock               | refused BOOKING_ENDED
    15:40:00      D unlock               | ok, active, position withdrawn
    15:40:10      list 3 epoch 1 X       | active
    15:40:20      D end                  | ok, ended, locked, armed
    15:41:00      D unlock               | refused BOOKING_ENDED
    15:41:10      X unlock               | refused TOKEN_REVOKED
    16:00:00      A drive                | refused BOOKING_CUT_OFF, armed, ended, parking retained
"""
LINES = [line.strip() for line in LIFE.strip().splitlines()]
PHASES = {"active", "overdue", "cutoff_pending"}


def play_with(index: int, disturbances: list[str], *, phases: bool = True) -> None:
    """Play the life with `disturbances` right after line `index`."""
    story = Story(World(dense_ms=SPARSE_MS))
    story.play(BOOKINGS)
    for number, line in enumerate(LINES):
        event, _, claims = line.partition("|")
        kept = [claim for claim in claims.split(",") if phases or claim.strip() not in PHASES]
        story.play(f"{event} | {','.join(kept)}")
        if number == index:
            for disturbance in disturbances:
                story.play(f"{line[:8]} {disturbance}")


@pytest.mark.req("CUT-5", "CUT-2", "CUT-3", "ACC-5", "BKG-2", "PRV-3")
@pytest.mark.parametrize("index", range(len(LINES)))
@pytest.mark.parametrize("reboot", ["reboot", "reboot rtc lost", "reboot rtc -172800"])
def test_a_whole_life_with_a_reboot_at_every_step(index: int, reboot: str) -> None:
    play_with(index, [reboot])


@pytest.mark.req("CUT-5", "CUT-2", "CUT-3", "ACC-5", "CLK-3")
@pytest.mark.parametrize("index", range(len(LINES)))
def test_a_whole_life_with_a_reboot_to_a_fast_clock_that_two_others_put_right(index: int) -> None:
    # For the second before they speak, the phases may run ahead; nothing is given or taken because of it.
    play_with(index, ["reboot rtc +3600", "time network +0"], phases=False)


@pytest.mark.req("CLK-3", "CLK-4", "CUT-5")
@pytest.mark.parametrize("index", range(len(LINES)))
@pytest.mark.parametrize("lie", ["time gnss +86400", "time gnss -3600", "time network +40000000", "time rtc -86400"])
def test_a_whole_life_with_a_lie_about_the_time_at_every_step(index: int, lie: str) -> None:
    play_with(index, [lie])


@pytest.mark.req("CUT-5", "ACC-7")
@pytest.mark.parametrize("index", range(len(LINES)))
def test_a_whole_life_with_all_phones_leaving_at_every_step(index: int) -> None:
    story = Story(World(dense_ms=SPARSE_MS))
    story.play(BOOKINGS)
    for number, line in enumerate(LINES):
        story.play(line)
        if number == index:
            for name in list(story.world.links):
                story.play(f"{line[:8]} {name} leaves")


@pytest.mark.req("CUT-5", "CUT-3", "ACC-5")
@pytest.mark.parametrize(
    "reboot", ["reboot", "reboot rtc lost", "reboot rtc -172800", "reboot rtc +3600", "power fails"]
)
def test_a_whole_life_with_a_reboot_after_every_line_at_once(reboot: str) -> None:
    story = Story(World(dense_ms=SPARSE_MS))
    story.play(BOOKINGS)
    for line in LINES:
        event, _, claims = line.partition("|")
        kept = ",".join(claims.split(",")) if reboot != "reboot rtc +3600" else ""
        story.play(f"{event} | {kept}")
        story.play(f"{line[:8]} {reboot}")
        if reboot == "power fails":
            story.play(f"{line[:8]} power")
    story.play("16:00:10 A unlock | refused BOOKING_CUT_OFF, armed, nothing moved")
