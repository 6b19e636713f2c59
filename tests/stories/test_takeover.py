"""Taking a car over without its previous owner (OWN-4), as literal times: what it needs, and what is left."""

import pytest

from tests.support.story import play
from tests.support.story_ownership import factory, positions_since

OWNED = """
    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 08:00:00 - D7 09:00:00 of=O name=Zoe
    bookings: D driver 08:00:00 - 20:00:00
    08:00:00      broker up
    08:00:01      order couple Ann 1             | result OK, owner Ann, epoch 1
    08:00:02      order home far                 | result OK
    08:00:05      G unlock                       | ok
"""
PREPARED = """
    09:59:00      car has 2 keys
    10:00:00      order take-over Ben 2          | no result, owner Ann, progress 0, event owner.takeover_progress
"""


@pytest.mark.req("OWN-4")
def test_who_has_both_keys_takes_the_car_over_in_three_minutes() -> None:
    play(
        f"""{OWNED}
        08:10:00      D unlock                       | ok, active, drivers 1
        08:20:00      D end                          | ok, ended, parking retained
        {PREPARED}
        10:00:01      .                              | no events
        10:00:30      .                              | just 1 event, event owner.takeover_progress, progress 16
        10:01:00      .                              | event owner.takeover_progress, progress 33, owner Ann
        10:01:30      G unlock                       | ok, keys Zoe
        10:02:30      .                              | event owner.takeover_progress, progress 83
        10:02:59.999  .                              | no events, progress 99, owner Ann, epoch 1
        10:03:00      .                              | owner Ben, epoch 2, result OK, event alert.owner_changed
        10:03:01      .                              | nothing of the old owner, home none, no takeover, armed
        10:03:02      .                              | shared until D366 00:00:00
        10:03:10      G unlock                       | refused WRONG_KEY_EPOCH, nothing moved
        10:03:11      O unlock                       | refused WRONG_KEY_EPOCH, nothing moved
        10:03:12      D unlock                       | refused BOOKING_ENDED, nothing moved
        10:04:00      order again                    | result OK, owner Ben, no events
        """,
        factory(),
    )


@pytest.mark.req("OWN-4", "BKG-7")
def test_a_booking_that_runs_ends_with_the_ownership_and_the_usage_log_says_so() -> None:
    play(
        f"""{OWNED}{PREPARED}
        10:01:00      D drive                        | ok, active, released
        10:01:10      D presents                     | D granted
        10:03:00      .                              | owner Ben, none, armed, hung up D, logged ended D
        10:03:01      .                              | nothing of the old owner, D denied WRONG_KEY_EPOCH
        """,
        factory(),
    )


@pytest.mark.req("OWN-4")
@pytest.mark.parametrize(
    ("happening", "code"),
    [
        ("car has 1 keys", "KEYS_MISSING"),
        ("car has unknown keys", "KEYS_MISSING"),
        ("car drives", "NOT_PARKED"),
        ("car ignition on", "NOT_PARKED"),
        ("car rolls", "NOT_PARKED"),
        ("broker down", "NOT_CONNECTED"),
        ("power fails", "TAKEOVER_INTERRUPTED"),
    ],
)
@pytest.mark.parametrize("when", ["10:00:00.500", "10:01:30", "10:02:59.500"])
def test_what_is_missing_for_a_moment_leaves_the_old_owner(happening: str, code: str, when: str) -> None:
    play(
        f"""{OWNED}{PREPARED}
        {when}        {happening}
        10:03:30      car has 2 keys
        10:03:31      car parks
        10:03:32      reboot                         | owner Ann, epoch 1, no takeover
        10:03:33      broker up                      | owner Ann, keys Zoe, home far
        10:10:00      G unlock                       | ok
        10:10:01      O status                       | ok, O granted
        """,
        factory(),
    )
    world = play(f"{OWNED}{PREPARED}\n{when} {happening}\n10:04:00 reboot\n10:04:01 broker up", factory())
    assert "alert.owner_changed" not in world.events
    assert "owner.takeover_failed" in world.events
    results = [payload for _, channel, payload in world.published if channel == "order/result"]
    assert code.encode() in results[-1]


@pytest.mark.req("OWN-4")
def test_a_car_that_says_nothing_for_three_seconds_is_not_known_to_be_parked() -> None:
    play(
        f"""{OWNED}{PREPARED}
        10:01:00      car silent
        10:01:10      car speaks                     | owner Ann, no takeover, result NOT_PARKED
        """,
        factory(),
    )


@pytest.mark.req("OWN-4")
def test_a_takeover_does_not_begin_with_anything_missing() -> None:
    play(
        f"""{OWNED}
        10:00:00      order take-over Ben 2          | result KEYS_MISSING, no takeover, no events
        10:00:10      car has 2 keys
        10:00:20      car drives
        10:00:30      order take-over Ben 3          | result NOT_PARKED
        10:00:40      car parks
        10:00:46      order take-over Ben 1          | result ORDER_OUTDATED
        10:00:47      order take-over Ann 4          | result ALREADY_OWNED
        10:00:48      order take-over Ben 5 vin=x    | result VIN_INVALID
        10:00:49      order take-over Ben 6 issued=09:50:00   | result ORDER_LATE, owner Ann
        10:00:50      order take-over Ben 7          | no result, progress 0
        10:00:51      order take-over Bob 8          | result BUSY, progress 0
        10:00:52      order take-over Ben 7          | result BUSY
        10:03:51      .                              | owner Ben
        """,
        factory(),
    )
    play(
        """
        08:00:00      broker up
        08:01:00      car has 2 keys
        10:00:00      order take-over Ben 2          | result NOT_COUPLED, no takeover
        """,
        factory(),
    )


@pytest.mark.req("OWN-4", "CLK-2")
def test_a_takeover_needs_a_time_that_is_certain() -> None:
    play(
        f"""{OWNED}
        09:00:00      car fix lost
        09:00:01      car has 2 keys
        09:00:02      reboot rtc lost
        10:00:00      order take-over Ben 2          | result CLOCK_UNCERTAIN, no takeover
        """,
        factory(),
    )


@pytest.mark.req("OWN-4", "OWN-5")
def test_the_old_owner_may_still_give_the_car_up_and_then_there_is_nothing_to_take_over() -> None:
    play(
        f"""{OWNED}{PREPARED}
        10:01:00      order remove Ann 3             | no owner, epoch 2, event owner.takeover_failed, no takeover
        10:01:10      order couple Ben 4             | result OK, owner Ben
        10:04:00      .                              | owner Ben, epoch 2
        """,
        factory(),
    )


@pytest.mark.req("OWN-4", "PWR-2")
def test_a_disk_that_refuses_leaves_the_old_owner() -> None:
    play(
        f"""{OWNED}{PREPARED}
        10:02:30      disk full
        10:03:00      .                              | owner Ann, epoch 1, no takeover, result STORAGE_FAILED
        10:03:10      disk back
        10:03:20      reboot                         | owner Ann, epoch 1, no takeover, keys Zoe
        """,
        factory(),
    )


@pytest.mark.req("OWN-4", "PRV-1")
def test_positions_of_the_old_owner_that_wait_never_leave() -> None:
    world = play(
        f"""{OWNED}
        09:00:00      O drive                        | ok
        09:00:01      broker down
        09:00:10      car drives
        09:20:00      car parks                      | position waits
        09:20:10      O lock                         | ok, armed
        09:30:00      D unlock                       | ok, active
        09:31:00      broker up                      | no position published
        {PREPARED}
        10:02:59      .                              | no position published
        10:03:00      .                              | owner Ben, nothing of the old owner
        10:05:00      .                              | position retained
        """,
        factory(),
    )
    fixed = positions_since(world, "10:02:59")
    assert fixed
    assert min(fixed) >= "2026-11-02T10:02:59"


@pytest.mark.req("OWN-4", "SVC-3", "SEC-2")
def test_what_the_old_owner_ordered_comes_too_late() -> None:
    play(
        f"""{OWNED}{PREPARED}
        10:02:00      order unlock as late is written     | owner Ann
        10:03:00      .                                   | owner Ben, epoch 2
        10:03:01      order again                         | nothing moved, result ORDER_OUTDATED, home none
        """,
        factory(),
    )
