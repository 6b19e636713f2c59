"""Orders of the backend: once, in time, and paid for (BKG-2, SUB-1, SUB-2, SVC-3), as literal times."""

import pytest

from tests.support.story import Story, play

SUBSCRIBED = """
        09:00:00      broker up
        09:00:01      subscription 1 sharing 20:00:00 remote 20:00:00     | result OK
"""


@pytest.mark.req("SVC-3")
def test_the_owner_unlocks_and_locks_a_parked_car_from_afar() -> None:
    play(f"""
        {SUBSCRIBED}
        09:00:10      order unlock as r1   | result OK, unlocked, armed, none
        09:00:20      order lock as r2     | result OK, locked
        09:00:30      order flash as r3    | result OK, flashed, locked
        09:00:40      order state as r4    | result OK, state published, nothing moved
        09:00:50      order lock as r5     | result OK, nothing moved
    """)


@pytest.mark.req("SVC-3", "ACC-7")
def test_a_repeated_order_gets_the_same_answer_and_moves_nothing() -> None:
    play(f"""
        {SUBSCRIBED}
        09:00:10      order unlock as r1   | result OK, unlocked
        09:00:20      car key locks        | locked
        09:00:30      order again          | result OK, nothing moved, locked
        09:01:00      order unlock as r1   | result OK, nothing moved, locked
        09:01:10      order unlock as r2   | result OK, unlocked
    """)


@pytest.mark.req("SVC-3")
def test_what_was_refused_once_does_not_happen_later() -> None:
    play(f"""
        {SUBSCRIBED}
        09:00:10      car drives
        09:00:20      order unlock as r1   | result NOT_PARKED, nothing moved
        09:00:30      car parks
        09:00:40      order again          | result NOT_PARKED, nothing moved, locked
        09:00:50      order unlock as r2   | result OK, unlocked
    """)


@pytest.mark.req("SVC-3")
def test_a_late_order_is_dropped_and_reported() -> None:
    play(f"""
        {SUBSCRIBED}
        09:10:00      order unlock as r1 is written
        09:12:04      order again          | result ORDER_LATE, nothing moved, locked
        09:20:00      order flash as r2 is written
        09:21:57      order again          | result OK, flashed
    """)


@pytest.mark.req("SVC-3", "CLK-2")
def test_without_a_certain_time_nothing_moves_from_afar() -> None:
    play(f"""
        {SUBSCRIBED}
        09:10:00      car fix lost
        09:10:01      reboot rtc lost
        09:10:10      order unlock as r1         | result CLOCK_UNCERTAIN, nothing moved
        09:10:20      order state as r2          | result OK
        09:11:00      time network +0
        09:11:10      order unlock as r3         | result OK, unlocked
    """)


@pytest.mark.req("SVC-3", "ACC-3")
@pytest.mark.parametrize("role", ["driver", "vip", "guest"])
def test_while_a_driver_has_the_car_it_is_the_drivers_alone(role: str) -> None:
    play(f"""
        bookings: A {role} 09:30:00 - 12:00:00
        {SUBSCRIBED}
        10:00:00      A presents           | A granted
        10:00:10      order unlock as r1   | result VEHICLE_IN_USE, nothing moved, locked
        10:00:20      order flash as r2    | result VEHICLE_IN_USE, nothing moved
        10:00:30      order state as r3    | result OK, no position published
        10:10:00      car drives
        10:10:10      order lock as r4     | result VEHICLE_IN_USE, nothing moved
        11:00:00      car parks
        11:00:10      A end                | ok, ended
        11:00:20      order unlock as r5   | result OK, unlocked
    """)


@pytest.mark.req("SVC-3", "PRV-4")
def test_the_owners_own_booking_is_no_hindrance_once_parked() -> None:
    play(f"""
        bookings: O owner 09:30:00 - 12:00:00
        {SUBSCRIBED}
        10:00:00      O drive              | ok, released
        10:00:10      car drives
        10:00:20      order lock as r1     | result NOT_PARKED, nothing moved
        10:10:00      car parks
        10:10:06      order lock as r2     | result OK, released
        10:10:10      car doors open
        10:10:11      order flash as r3    | result OK, flashed
        10:10:12      car key unlocks
        10:10:13      order lock as r4     | result DOORS_OPEN, nothing moved
    """)


@pytest.mark.req("SVC-3")
def test_remote_orders_have_to_be_paid_for() -> None:
    play("""
        09:00:00      broker up
        09:00:10      order unlock as r1                                  | result REMOTE_INACTIVE, nothing moved
        09:00:20      subscription 1 sharing 20:00:00 remote 10:00:00     | result OK
        09:59:00      order unlock as r2                                  | result OK, unlocked
        10:00:00      order flash as r3                                   | result REMOTE_INACTIVE, nothing moved
        10:00:10      subscription 2 sharing 20:00:00 remote 11:00:00     | result OK
        10:00:20      order flash as r4                                   | result OK, flashed
    """)


@pytest.mark.req("SVC-3", "PWR-1")
def test_over_a_power_cut_an_order_moves_nothing_a_second_time() -> None:
    play(f"""
        {SUBSCRIBED}
        09:10:00      order unlock as r1   | result OK, unlocked
        09:10:10      reboot               | no result
        09:10:20      car key locks
        09:10:30      order again          | result OK, nothing moved, locked
        09:20:00      car actuators slow
        09:20:01      order unlock as r2   | no result, unlocked
        09:20:02      order again          | result BUSY, nothing moved
        09:20:03      power fails
        09:20:10      power                | result VEHICLE_NO_RESPONSE
        09:20:20      car key locks
        09:20:30      order again          | result VEHICLE_NO_RESPONSE, nothing moved, locked
    """)


@pytest.mark.req("SVC-3", "PWR-2")
def test_what_cannot_be_remembered_is_not_carried_out() -> None:
    play(f"""
        {SUBSCRIBED}
        09:10:00      disk full
        09:10:10      order unlock as r1   | result STORAGE_FAILED, nothing moved, locked
        09:10:20      disk free
        09:10:30      order again          | result OK, unlocked
    """)


@pytest.mark.req("SVC-3", "SEC-2")
@pytest.mark.parametrize(
    "code", ["SIGNATURE_INVALID", "UNKNOWN_ISSUER", "WRONG_VEHICLE", "TOKEN_MALFORMED", "MALFORMED"]
)
def test_what_does_not_verify_is_answered_and_changes_nothing(code: str) -> None:
    story = Story()
    before = story.play(f"""
        bookings: A driver 09:30:00 - 12:00:00
        {SUBSCRIBED}
        10:00:00      A drive                  | released
    """).state.durable
    after = story.play(f"10:00:00.500  order unreadable {code}  | result {code}, nothing moved, active").state.durable
    assert after is before


@pytest.mark.req("BKG-2", "SVC-3")
def test_no_phone_carries_what_is_for_the_broker() -> None:
    play(f"""
        bookings: A driver 09:30:00 - 12:00:00
        {SUBSCRIBED}
        12:30:00      A carries order unlock as r1   | refused ORDER_UNSUPPORTED, nothing moved, locked
        12:30:01      A carries order state as r2    | refused ORDER_UNSUPPORTED, no result
    """)


# ---------------------------------------------------------------- the subscription
@pytest.mark.req("SUB-1", "SUB-2")
def test_after_expiry_nothing_begins_and_what_runs_is_completed() -> None:
    play("""
        bookings: A driver 09:30:00 - 12:00:00
        bookings: B driver 09:30:00 - 14:00:00
        09:00:00      broker up
        09:00:01      subscription 1 sharing 11:00:00 remote 20:00:00     | result OK
        10:00:00      A drive              | ok, released
        11:00:10      A unlock             | ok
        11:30:00      A lock               | ok
        11:30:10      A unlock             | ok, unlocked
        12:10:00      A end                | ok, ended
        12:10:10      B unlock             | refused SUBSCRIPTION_EXPIRED, final, rule SUB-2, locked
        12:10:20      B status             | over_for_ms > 4000000
        12:20:00      subscription 2 sharing 20:00:00 remote 20:00:00     | result OK
        12:20:10      B unlock             | ok, unlocked, active
    """)


@pytest.mark.req("SUB-1", "SUB-2")
def test_a_pause_keeps_new_bookings_out_until_it_is_over() -> None:
    play("""
        bookings: A driver 09:30:00 - 12:00:00
        bookings: B driver 09:30:00 - 14:00:00
        09:00:00      broker up
        10:00:00      A drive              | ok, released
        10:10:00      subscription 4 sharing 20:00:00 remote 20:00:00 paused  | result OK, active
        10:10:10      A unlock             | ok
        10:20:00      A carries order end A  | ok, ended
        10:20:10      B unlock             | refused SUBSCRIPTION_EXPIRED, paused = 1
        10:20:20      order flash as r1    | result OK, flashed
        10:30:00      subscription 3 sharing 20:00:00 remote 20:00:00     | result SUBSCRIPTION_OUTDATED
        10:30:10      B unlock             | refused SUBSCRIPTION_EXPIRED
        10:40:00      B carries subscription 5 sharing 20:00:00 remote 20:00:00  | ok, B granted, active
    """)


@pytest.mark.req("SUB-1", "ACC-5")
def test_numbers_of_lists_and_subscriptions_only_rise() -> None:
    play("""
        bookings: A driver 09:30:00 - 12:00:00
        09:00:00      broker up
        09:00:10      list 7 epoch 1                                      | result OK
        09:00:20      list again                                          | result OK
        09:00:30      list 6 epoch 1 A                                    | result LIST_OUTDATED
        09:00:40      subscription 7 sharing 20:00:00 remote 20:00:00     | result OK
        09:00:50      subscription again                                  | result OK
        09:01:00      subscription 6 sharing 09:00:00 remote 09:00:00     | result SUBSCRIPTION_OUTDATED
        09:01:10      reboot
        09:01:20      subscription 6 sharing 09:00:00 remote 09:00:00     | result SUBSCRIPTION_OUTDATED
        10:00:00      A unlock                                            | ok, unlocked
    """)


@pytest.mark.req("SEC-1", "SEC-2")
def test_a_flood_of_what_does_not_verify_is_answered_ten_times_a_minute_and_counted() -> None:
    lines = "\n".join(f"09:00:{10 + number}  order unreadable SIGNATURE_INVALID" for number in range(30))
    world = play(f"""
        09:00:00      broker up
        {lines}
        09:01:09      order unreadable SIGNATURE_INVALID  | no result
        09:01:10      order unreadable SIGNATURE_INVALID  | result SIGNATURE_INVALID
    """)
    answers = [payload for _, channel, payload in world.published if channel == "order/result"]
    assert len(answers) == 11
    assert b'"unanswered":21' in answers[-1]
