"""What a review has found, as literal times: clocks that disagree, phones that stay, arming that comes too late."""

import pytest

from tests.support.story import play
from tests.support.story_world import BASE_MS, milliseconds

ISSUED_S = (BASE_MS + milliseconds("10:00:00")) // 1000


@pytest.mark.req("CLK-1", "CLK-2")
def test_a_backend_whose_clock_is_ahead_does_not_make_every_clock_of_the_car_a_liar() -> None:
    # No satellites, and power comes back at once: the RTC is what there is, and it is 20 s below the floor.
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00 issued_s={ISSUED_S + 25}
        bookings: B driver 10:00:00 - 12:00:00
        09:59:00      car fix lost
        10:00:05      A presents                            | A granted, active
        10:00:10      A end                                 | ok, ended
        10:00:11      reboot
        10:01:10      B presents                            | B granted, active
    """)
