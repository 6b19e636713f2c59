"""Emergency calls, one event a line. Monday, 2 November 2026 is day 0."""

import pytest

from tests.support.story import play
from tests.support.story_services import belgian, messages
from tests.support.story_world import FAR_AWAY


@pytest.mark.req("SVC-8")
def test_a_crash_calls_until_the_centre_has_it() -> None:
    world = play(
        """
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      order services 1 6AC    | sim active
        10:00:10      A drive                 | ok, released
        10:01:00      car drives
        10:30:00.250  crash                   | called 1, msd automatic, msd trusted, msd place here, msd at 10:30:00
        10:30:05.250  .                       | called 2, msd number 2, msd at 10:30:00
        10:30:29      .                       | called 6
        10:30:30      centre acknowledges 1   | called 6, silent line, event ecall.acknowledged
        10:59:00      .                       | called 6
        """,
        belgian("08:59:00"),
    )
    assert {message.vin for message in messages(world)} == {"WMWXU71090TU12345"}


@pytest.mark.req("SVC-8", "PRV-1")
def test_the_owner_is_told_of_the_crash_of_a_driver_and_not_of_the_place() -> None:
    world = play(
        """
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00  broker up
        10:00:10  A drive     | ok, released, position withdrawn
        10:01:00  car drives
        10:30:00  crash       | called 1, msd place here, event alert.ecall_raised
        10:45:00  .           | calling
        """,
        belgian("08:59:00"),
    )
    since = [payload for at, _, payload in world.published if at >= 36_060_000]
    assert since
    assert not [payload for payload in since if b"atitude" in payload or str(FAR_AWAY[0]).encode() in payload]


@pytest.mark.req("SVC-8")
def test_a_call_by_hand_can_be_taken_back_for_ten_seconds() -> None:
    play(
        """
        10:00:00      sos pressed     | nobody called
        10:00:09.999  sos cancelled   | nobody called, event ecall.cancelled
        10:01:00      .               | nobody called
        10:02:00      sos pressed     | nobody called
        10:02:09.999  .               | nobody called
        10:02:10.000  .               | called 1, msd manual, event alert.ecall_raised
        10:02:11      sos cancelled   | calling
        10:02:12      crash           | called 2, msd automatic
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-8", "PWR-1")
def test_a_call_survives_the_power_cut_of_the_crash() -> None:
    play(
        """
        10:00:00.000  crash                   | called 1
        10:00:00.400  power fails
        10:00:20.000  reboot                  | called 1, calling
        10:00:22.000  .                       | called 2, msd number 3, msd at 10:00:00
        10:00:26      centre acknowledges 1   | silent line
        10:00:30      power fails
        10:00:40      reboot                  | silent line
        10:02:00      .                       | called 2
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-8")
@pytest.mark.parametrize("back", ["10:20:03", "10:45:00", "D1 10:00:00", "D9 10:00:00"])
def test_a_call_that_grew_old_without_power_is_told_and_not_sent(back: str) -> None:
    play(
        f"""
        10:00:00   crash         | called 1
        10:00:01   power fails
        {back}     reboot        | called 1, silent line, event alert.ecall_stale
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-8")
def test_a_call_that_may_still_be_young_enough_is_sent() -> None:
    play(
        """
        10:00:00   crash         | called 1
        10:00:01   power fails
        10:19:55   reboot        | called 1, calling
        10:19:57   .             | called 2
        10:20:03   .             | called 2, silent line, event alert.ecall_stale
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-8")
def test_a_call_that_nobody_answers_for_twenty_minutes_is_told_and_not_sent() -> None:
    play(
        """
        10:00:00      crash   | called 1
        10:19:59.999  .       | called 240, calling
        10:20:00.000  .       | called 240, silent line, event alert.ecall_stale
        11:00:00      crash   | called 241, msd number 1
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-8", "TEL-7")
def test_underground_the_last_place_is_sent_and_not_trusted() -> None:
    play(
        """
        10:00:00  car drives
        10:10:00  car fix aged 600
        10:10:10  crash               | called 1, msd place here, msd doubtful
        """,
        belgian("09:59:00"),
    )


@pytest.mark.req("SVC-4", "SVC-8")
def test_deactivation_ends_a_call_that_was_made_with_what_is_deactivated() -> None:
    play(
        """
        09:00:00  order services 1 6AC       | sim active
        10:00:00  crash                      | called 1
        10:00:02  order services 2 6AC off   | sim blocked, called 1, silent line, event alert.ecall_impossible
        10:05:00  .                          | called 1
        """,
        belgian("08:59:00"),
    )
