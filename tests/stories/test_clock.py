"""The clock (CLK-1 to CLK-4) and what it does to bookings (CUT-5), as literal times."""

import pytest

from firmware.core import clock
from tests.support.story import Story, play
from tests.support.story_world import BASE_MS, TIME, World, milliseconds

# In these stories the car is underground unless they say otherwise: no satellite tells the time.


def began(line: str) -> int:
    """When a line of a story is, in ms after BASE."""
    match = TIME.match(line)
    assert match is not None
    return milliseconds(match.group())


def utc_ms(world: World) -> int:
    """What the module takes for the time, in ms after BASE."""
    return clock.utc(world.state.clock, world.mono) - BASE_MS


@pytest.mark.req("CLK-2", "ACC-8")
def test_a_module_that_does_not_know_the_time_says_so_and_the_phone_brings_it() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        00:00:00      car fix lost
        10:00:00      reboot rtc lost
        10:00:03      A presents                            | A denied CLOCK_UNCERTAIN
        10:00:04      A unlock                              | refused CLOCK_UNCERTAIN, rule CLK-2, temporary
        10:00:04.500  A unlock                              | says carry it to the car
        10:00:05      A nonce                               | ok, valid_ms = 300000
        10:00:07      A carries time +0                     | ok, A granted, active
        10:00:08      A unlock                              | ok
    """)


@pytest.mark.req("CLK-2")
def test_an_attestation_counts_once_and_only_for_the_nonce_that_was_given_out_last() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        00:00:00      car fix lost
        10:00:00      reboot rtc lost
        10:00:03      A carries time +0                     | refused NONCE_UNKNOWN, temporary, rule CLK-2
        10:00:04      A nonce                               | ok
        10:00:05      A carries time +0 for another nonce   | refused NONCE_UNKNOWN
        10:00:06      A carries time +0                     | ok, A granted
        10:00:07      A carries what was written            | refused NONCE_UNKNOWN
        10:00:08      A nonce                               | ok
        10:00:09      A carries what was written            | refused NONCE_UNKNOWN
        10:05:08      A nonce                               | ok
        10:10:08.000  A carries time +0                     | ok
        10:10:10.000  A nonce                               | ok
        10:15:10.001  A carries time +0                     | refused NONCE_UNKNOWN
        10:15:11.000  A nonce                               | ok
        10:15:12.000  reboot rtc lost
        10:15:14.000  A carries time +0                     | refused NONCE_UNKNOWN
    """)


@pytest.mark.req("CLK-2", "CLK-4")
def test_a_far_future_attestation_alone_is_not_believed() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        00:00:00      car fix lost
        10:00:00      reboot rtc lost
        10:00:03      A nonce                               | ok
        10:00:04      A carries time +34560000              | refused CLOCK_UNCERTAIN, temporary
        10:00:05      A unlock                              | refused CLOCK_UNCERTAIN
        10:00:06      A nonce                               | ok
        10:00:07      A carries time +0                     | ok
        10:00:08      A unlock                              | ok, active
    """)
    assert abs(utc_ms(story.world) - story.world.now) < 3_000


@pytest.mark.req("CLK-2")
def test_an_old_attestation_does_not_set_the_clock_back() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A nonce                               | ok, A granted
        10:00:04      A carries time -172800                | refused CLOCK_UNCERTAIN, A granted
    """)
    assert abs(utc_ms(story.world) - story.world.now) < 1_000


@pytest.mark.req("CLK-2")
def test_an_uncertain_edge_of_the_window_is_refused() -> None:
    # The RTC is good to 2 s and there is nothing better: the whole interval must be inside.
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        00:00:00      car fix lost
        09:59:00      reboot
        09:59:57.900  A unlock          | refused NOT_YET_VALID
        09:59:59.000  A unlock          | refused CLOCK_UNCERTAIN, uncertainty_ms > 3999
        10:00:01.900  A unlock          | refused CLOCK_UNCERTAIN
        10:00:02.100  A unlock          | ok, active
    """)


# ---------------------------------------------------------------- the floor
@pytest.mark.req("CLK-1")
def test_time_never_falls_below_what_an_issuer_signed() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00 fresh
        bookings: Y driver 09:00:00 - 09:59:00
        00:00:00      car fix lost
        00:00:01      reboot rtc lost
        10:00:10      A presents            | A denied CLOCK_UNCERTAIN
        10:00:11      time rtc -3600
        10:00:12      time network -86400
        10:00:13      Y unlock              | refused BOOKING_OVER
        10:00:14      reboot rtc -3600
        10:00:15      Y unlock              | refused BOOKING_OVER
    """)
    assert utc_ms(story.world) >= 10 * 3600_000


@pytest.mark.req("CLK-1")
@pytest.mark.parametrize("source", ["rtc", "gnss", "network"])
def test_no_untrusted_clock_raises_the_floor(source: str) -> None:
    story = Story()
    story.play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        00:00:00      car fix lost
        00:00:01      reboot rtc lost
        10:00:00      time {source} +8640000
        10:01:30      reboot
        10:01:33      A unlock              | ok, active
    """)
    assert abs(utc_ms(story.world) - story.world.now) < 3_000


# ---------------------------------------------------------------- lies
LIES = [
    "time gnss +86400",
    "time gnss -3600",
    "time gnss +60",
    "time gnss -100",
    "time network +40000000",
    "time network -90000",
    "time rtc +7200",
]


@pytest.mark.req("CLK-3", "CUT-5")
@pytest.mark.parametrize("at", ["10:30:00", "11:59:59", "12:00:01", "12:29:30", "12:35:00", "12:40:03"])
@pytest.mark.parametrize("lie", [*LIES, "both"])
def test_no_clock_moves_a_running_bookings_deadlines(at: str, lie: str) -> None:
    steps = [f"{at} {lie}"] if lie != "both" else [f"{at} time gnss +3600", f"{at} time network +3600"]
    told = [
        "10:00:03      A drive     | ok, released",
        "10:10:00      car drives  | active",
        "11:59:59.999  A unlock    | active",
        "12:00:00.000  A unlock    | overdue",
        "12:30:00.000  A unlock    | overdue",
        "12:30:00.001  A unlock    | cutoff_pending",
        "12:40:00.000  car parks   | cutoff_pending",
        "12:40:04.999  A unlock    | ok, released",
        "12:40:05.000  .           | cut_off, armed",
        "12:40:06.000  A unlock    | refused BOOKING_CUT_OFF, overdue_ms = 2405000",
    ]
    story = Story()
    story.play("bookings: A driver 10:00:00 - 12:00:00")
    for line in sorted([*told, *steps], key=began):
        story.play(line)


@pytest.mark.req("CLK-4")
@pytest.mark.parametrize("first", ["gnss", "network"])
def test_a_far_future_time_needs_a_second_source(first: str) -> None:
    second = {"gnss": "network", "network": "gnss"}[first]
    story = Story()
    story.play(
        f"""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: Y driver D400 10:00:00 - D400 12:00:00
        00:00:00      car fix lost
        09:00:00      reboot rtc lost
        10:00:03      time {first} +34560000
        10:00:04      time {first} +34560000
        10:00:05      Y unlock                  | refused CLOCK_UNCERTAIN
        10:00:06      A unlock                  | refused CLOCK_UNCERTAIN
    """
    )
    assert utc_ms(story.world) < 11 * 3600_000
    story.play(
        f"""
        10:00:07      time {second} +34560000
        10:00:09      Y unlock                  | ok, active
        10:00:10      A unlock                  | refused BOOKING_OVER
    """
    )


@pytest.mark.req("CLK-4", "CLK-3")
def test_a_spoofed_receiver_does_not_move_a_clock_that_runs() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 13:00:00 - 15:00:00
        09:00:00      .
        10:00:03      time gnss +10800
        10:00:04      B unlock          | refused NOT_YET_VALID
        10:00:05      A unlock          | ok
        10:00:06      time gnss -10800
        10:00:07      A unlock          | ok
    """)
    assert abs(utc_ms(story.world) - story.world.now) < 1_000


# ---------------------------------------------------------------- power
@pytest.mark.req("CUT-5", "CLK-3")
def test_hours_without_power_do_not_save_an_overdue_booking() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive               | ok, released
        10:00:05      car fix lost
        11:30:00      power fails
        15:00:00      power                 | cutoff_pending, released
        15:00:04.999  A unlock              | ok, cutoff_pending
        15:00:10.000  .                     | cut_off, armed
    """)


@pytest.mark.req("CUT-5", "CLK-3")
def test_without_any_clock_the_deadline_rests_on_the_floor_until_one_speaks() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 14:59:00 - 18:00:00 fresh
        10:00:03      A drive               | ok, released
        10:00:05      car fix lost
        11:30:00      power fails
        15:00:00      power rtc lost        | active, released
        15:00:10      A unlock              | ok, active
        # What B's token says of the time is enough: it was signed at 14:59.
        15:00:20      B presents            | cut_off, armed, A denied BOOKING_CUT_OFF
    """)


@pytest.mark.req("CUT-5", "CLK-3")
@pytest.mark.parametrize("wrong", ["-3600", "-7200"])
def test_a_slow_rtc_after_a_power_cut_gives_no_time_away_once_the_satellites_speak(wrong: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive               | ok, released
        10:00:05      car fix lost
        11:00:00      power fails
        13:15:00      power rtc {wrong}     | released
        13:15:02      time gnss +0
        13:15:03      time network +0       | cutoff_pending, released
        13:15:10      .                     | cut_off, armed
    """)


@pytest.mark.req("CUT-5", "CUT-1")
def test_a_fast_rtc_after_a_power_cut_takes_nothing_once_two_clocks_agree() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive               | ok, released
        11:45:00      reboot rtc +3600      | cutoff_pending, released
        11:45:01      time network +0
        11:45:30      A unlock              | ok, A granted, released
        12:29:59.999  A unlock              | ok, released
        12:30:01.000  .                     | cut_off, armed
    """)


@pytest.mark.req("CUT-5", "CUT-3")
def test_a_fast_rtc_takes_nothing_from_a_moving_car() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive               | ok, released
        10:10:00      car drives
        11:00:00      reboot rtc +7200      | cutoff_pending, released
        11:30:00      A unlock              | ok, released
    """)
