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


@pytest.mark.req("SEC-2", "BLE-1", "ACC-3")
def test_phones_with_dead_bookings_do_not_keep_the_driver_out_by_staying() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: X driver 08:00:00 - 09:00:00
        bookings: Y driver 08:00:00 - 09:00:00
        bookings: Z driver 08:00:00 - 09:00:00
        10:00:00      X presents                            | X denied BOOKING_OVER
        10:00:30      Y presents                            | Y denied BOOKING_OVER
        10:00:50      X status                              | X connected
        10:01:20      Y status                              | Y connected
        10:01:40      X status                              | X connected
        # As long as there is room, asking is staying. Now the last place is taken.
        10:01:41      Z presents                            | hung up X, hung up Y
        10:01:42      X presents                            | X denied BOOKING_OVER
        10:01:43      Y presents                            | Y denied BOOKING_OVER
        10:01:44      A connects                            | hung up A
        10:02:20      Z status                              | Z connected
        10:02:40.999  Z status                              | Z connected
        10:02:41      .                                     | hung up Z, X connected, Y connected
        10:02:41.500  A presents                            | A granted
    """)


@pytest.mark.req("ACC-1", "BLE-1")
def test_the_phone_that_has_the_car_stays_however_crowded_it_is() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: X driver 08:00:00 - 09:00:00
        bookings: Y driver 08:00:00 - 09:00:00
        10:00:10      A presents                            | A granted
        10:05:00      X presents                            | X denied BOOKING_OVER
        10:05:01      Y presents                            | Y denied BOOKING_OVER
        10:06:00      .                                     | hung up X, A connected
        10:06:01      A unlock                              | ok
    """)


@pytest.mark.req("CLK-2")
def test_another_phone_that_asks_for_a_nonce_does_not_spoil_the_time_that_this_one_fetches() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: X driver 08:00:00 - 09:00:00
        00:00:00      car fix lost
        10:00:00      reboot rtc lost
        10:00:03      A nonce                               | ok, valid_ms = 300000
        10:00:04      time +0 is written
        10:00:05      X nonce                               | ok, valid_ms = 298000
        10:00:06      A carries what was written            | ok, A granted
        10:00:07      X carries what was written            | refused NONCE_UNKNOWN
        10:00:08      A nonce                               | ok, valid_ms = 300000
        10:00:38      X nonce                               | ok, valid_ms = 270000
        10:00:38.001  X nonce                               | ok, valid_ms = 300000
    """)


@pytest.mark.req("ACC-5")
def test_a_longer_token_of_a_booking_that_has_ended_does_not_wake_it_when_the_shorter_one_has_expired() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00 booking_id=one user=A
        bookings: L driver 10:00:00 - 20:00:00 booking_id=one user=A
        bookings: C driver 13:00:00 - 14:00:00 fresh
        10:01:00      A presents                            | A granted
        10:02:00      A end                                 | ok, ended
        13:01:00      C presents                            | C granted
        13:02:00      C end                                 | ok, ended
        13:03:00      L presents                            | L denied BOOKING_ENDED, ended
    """)
