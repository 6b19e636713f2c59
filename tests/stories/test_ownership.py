"""Whose car it is (OWN-1 to OWN-3, OWN-5), who shares it and for how long (SUB-1 to SUB-3), as literal times."""

from datetime import UTC, datetime

import pytest

from tests.support.story import play
from tests.support.story_ownership import VIN, factory
from tests.support.story_world import BASE_MS, World

DEALER = "keys: S service 00:00:00 - D30 00:00:00"


# ---------------------------------------------------------------- before there is an owner
@pytest.mark.req("OWN-1")
def test_a_module_that_nobody_owns_moves_nothing_for_anybody() -> None:
    play(
        """
        bookings: A driver 09:00:00 - 18:00:00
        keys: O owner 00:00:00 - D365 00:00:00
        keys: G guest 09:00:00 - D7 09:00:00 of=O
        09:00:00      broker up
        10:00:00      A presents           | no owner, A denied NOT_COUPLED, none
        10:00:01      A drive              | refused NOT_COUPLED, nothing moved, armed
        10:00:02      O presents           | O denied NOT_COUPLED
        10:00:03      O unlock             | refused NOT_COUPLED, nothing moved, locked
        10:00:04      G unlock             | refused NOT_COUPLED, nothing moved
        10:00:05      O keys               | refused NOT_COUPLED
        10:00:10      order unlock as r1   | result NOT_COUPLED, nothing moved
        10:00:20      order flash as r2    | result NOT_COUPLED, nothing moved
        10:00:30      car drives           | no position published
        10:20:00      car parks            | armed, no position published
        """,
        factory(),
    )


@pytest.mark.req("OWN-1")
def test_a_dealer_has_the_module_show_what_it_can_before_it_has_an_owner() -> None:
    world = play(
        f"""{DEALER}
        09:00:00      broker up
        10:00:00      S presents           | S granted, no report
        10:00:05      S test               | ok, tested well, locked, armed, no owner, no key drives
        10:00:10      S unlock             | refused ROLE_REQUIRED, nothing moved
        10:00:11      S drive              | refused ROLE_REQUIRED, nothing moved
        """,
        factory(),
    )
    assert [result.detail for result in world.reports[-1].results] == [1, None, 0, 1002, 3, 2]


@pytest.mark.req("OWN-1")
@pytest.mark.parametrize(
    ("trouble", "failed"),
    [
        ("broker down", "broker"),
        ("car fix lost", "gnss"),
        ("car actuators dead", "doors immobiliser"),
        ("car actuators mute", "doors immobiliser"),
    ],
)
def test_the_report_names_what_does_not_work(trouble: str, failed: str) -> None:
    play(
        f"""{DEALER}
        09:00:00      broker up
        09:59:58      {trouble}
        10:00:00      S test               | ok, failed {failed}, locked, armed
        """,
        factory(),
    )


@pytest.mark.req("OWN-1")
def test_a_test_needs_a_parked_car_that_nobody_has() -> None:
    play(f"""{DEALER}
        bookings: A driver 09:00:00 - 18:00:00
        keys: O owner 00:00:00 - D365 00:00:00
        09:00:00      broker up
        09:30:00      O test               | refused ROLE_REQUIRED, nothing moved
        09:40:00      car doors open
        09:40:01      S test               | refused DOORS_OPEN, nothing moved, no report
        09:40:02      car doors closed
        10:00:00      A presents           | A granted
        10:00:05      S test               | refused VEHICLE_IN_USE, nothing moved
        10:00:06      A end                | ok
        10:10:00      car drives
        10:10:05      S test               | refused NOT_PARKED, nothing moved
        10:10:06      car parks
        10:10:10      S test               | refused NOT_PARKED, no report
        10:10:12      S test               | ok, tested well, locked, armed
    """)


# ---------------------------------------------------------------- coupling
@pytest.mark.req("OWN-3", "SUB-1")
def test_coupling_makes_one_owner_and_begins_a_year() -> None:
    play(
        """
        bookings: A driver 09:00:00 - 18:00:00
        keys: O owner 00:00:00 - D365 00:00:00
        09:00:00      broker up
        09:30:00      A presents           | A denied NOT_COUPLED
        10:00:00      order couple Ann 1   | result OK, owner Ann, epoch 1, event owner.coupled
        10:00:01      .                    | no events, shared until D366 00:00:00
        10:00:05      A unlock             | ok, unlocked, active
        10:00:10      A end                | ok
        10:00:20      O unlock             | ok, unlocked
        10:00:30      order unlock as r1   | result OK
        """,
        factory(),
    )


@pytest.mark.req("OWN-3")
def test_a_second_owner_is_told_that_there_is_one_and_whether_it_is_the_same_person() -> None:
    play(
        """
        09:00:00      broker up
        09:00:01      order couple Ann 1 person=Anna   | result OK, owner Ann
        09:01:00      order couple Ben 2               | result ALREADY_OWNED, owner Ann
        09:02:00      order couple Amy 3 person=Anna   | result ALREADY_OWNED, owner Ann
        09:03:00      order couple Ann 4               | result ALREADY_OWNED, owner Ann
        09:04:00      order couple Ann 1 person=Anna   | result OK, owner Ann, no events
        """,
        factory(),
    )


@pytest.mark.req("OWN-3", "OWN-5")
def test_any_phone_may_carry_the_coupling_where_there_is_no_network() -> None:
    play(
        f"""{DEALER}
        10:00:00      S presents                              | S granted
        10:00:05      S carries order couple Ben 2 vin={VIN}  | ok, owner Ben, event owner.coupled
        10:00:06      S carries order couple Amy 3            | refused ALREADY_OWNED, same_person = 0
        10:00:07      S carries order couple Ben 3            | refused ALREADY_OWNED, owner Ben
        10:00:08      S carries order couple Bob 4 person=Ben | same_person = 1, says another account of yours
        10:00:09      S carries order take-over Amy 5         | refused ORDER_UNSUPPORTED, owner Ben
        """,
        factory(),
    )


@pytest.mark.req("OWN-2")
def test_a_car_without_the_preparation_is_not_coupled() -> None:
    play(
        """
        09:00:00      broker up
        10:00:00      order couple Ann 1   | result NOT_PREPARED, no owner
        """,
        factory(prepared=False),
    )


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize("vin", ["WMWXU71090TU1234O", "WMWXU71090TU1234", "WMWXU71090TU12346"])
def test_a_vin_that_can_not_be_or_is_another_cars_couples_nothing(vin: str) -> None:
    play(
        f"""
        09:00:00      broker up
        10:00:00      order couple Ann 1 vin={vin}   | result VIN_INVALID, no owner
        10:00:10      order couple Ann 2             | result OK, owner Ann
        """,
        factory(),
    )


@pytest.mark.req("OWN-3", "CLK-2")
def test_nobody_becomes_the_owner_at_a_time_that_is_not_certain() -> None:
    play(
        """
        09:00:00      broker up
        09:00:01      car fix lost
        09:00:02      reboot rtc lost
        10:00:00      order couple Ann 1   | result CLOCK_UNCERTAIN, no owner
        10:00:10      time network +0
        10:00:20      order again          | result OK, owner Ann
        """,
        factory(),
    )


@pytest.mark.req("OWN-3", "PWR-2")
def test_a_disk_that_refuses_makes_nobody_the_owner() -> None:
    play(
        f"""{DEALER}
        09:00:00      broker up
        09:00:01      disk full
        10:00:00      order couple Ann 1             | result STORAGE_FAILED, no owner
        10:00:10      S carries order couple Ann 1   | refused STORAGE_FAILED, no owner
        10:00:20      disk back
        10:00:30      S carries order couple Ann 1   | ok, owner Ann
        10:00:40      disk full
        10:00:50      S carries order remove Ann 2   | refused STORAGE_FAILED, owner Ann
        """,
        factory(),
    )


# ---------------------------------------------------------------- giving it up
@pytest.mark.req("OWN-5")
def test_the_owner_gives_the_car_up_and_the_next_coupling_starts_clean() -> None:
    play(
        """
        bookings: D driver 09:00:00 - 12:00:00
        bookings: W driver 11:00:00 - 18:00:00
        bookings: N driver 12:00:00 - 18:00:00 key_epoch=2
        keys: O owner 00:00:00 - D365 00:00:00
        keys: G guest 09:00:00 - D7 09:00:00 of=O
        keys: P owner 00:00:00 - D365 00:00:00 epoch=2
        08:00:00      broker up
        08:00:01      order couple Ann 1    | result OK, owner Ann
        08:00:02      order home far        | result OK, home far
        09:30:00      G unlock              | ok, unlocked
        09:30:10      car drives
        09:50:00      car parks             | track published
        10:00:00      D unlock              | ok, active, drivers 1
        10:00:10      order remove Ann 2    | result VEHICLE_IN_USE, owner Ann
        10:30:00      D end                 | ok, ended, parking retained
        10:40:00      O presents            | O granted
        10:40:10      order remove Ben 2    | result ROLE_REQUIRED, owner Ann
        10:40:20      order remove Ann 3    | result OK, no owner, epoch 2, event owner.removed, hung up O
        10:40:21      .                     | nothing of the old owner
        10:41:00      O unlock              | refused NOT_COUPLED, nothing moved, home none
        11:00:00      order couple Ben 3    | result ORDER_OUTDATED, no owner
        11:00:01      order couple Ben 4    | result OK, owner Ben, epoch 2, nothing of the old owner, home none
        11:00:10      O unlock              | refused WRONG_KEY_EPOCH, nothing moved
        11:00:20      G unlock              | refused WRONG_KEY_EPOCH, nothing moved
        11:00:30      D unlock              | refused BOOKING_ENDED, nothing moved
        11:00:35      D leaves
        11:00:40      W unlock              | refused WRONG_KEY_EPOCH, nothing moved
        11:00:50      W leaves
        12:00:05      N unlock              | ok, active, drivers 1
        12:00:10      N end                 | ok
        12:00:20      P drive               | ok, released
        """,
        factory(),
    )


@pytest.mark.req("OWN-5")
def test_a_car_that_is_driven_with_a_key_is_not_given_up() -> None:
    play(
        """
        keys: O owner 00:00:00 - D365 00:00:00
        08:00:00      broker up
        08:00:01      order couple Ann 1    | result OK
        09:00:00      O drive               | ok, released
        09:00:10      car drives
        09:10:00      order remove Ann 2    | result VEHICLE_IN_USE, owner Ann, released
        09:20:00      car parks
        09:20:10      O lock                | ok, armed
        09:20:20      order remove Ann 3    | result OK, no owner
        """,
        factory(),
    )


@pytest.mark.req("OWN-5", "PRV-1")
def test_no_position_of_the_old_owner_leaves_after_the_removal() -> None:
    play(
        """
        keys: O owner 00:00:00 - D365 00:00:00
        08:00:00      broker up
        08:00:01      order couple Ann 1                | result OK
        09:00:00      broker down
        09:00:10      O drive                           | ok
        09:00:20      car drives
        09:20:00      car parks                         | position waits
        09:20:10      O lock                            | ok, armed
        09:20:20      O carries order remove Ann 2      | ok, no owner, position unknown
        09:30:00      broker up                         | no position published, nothing of the old owner
        09:30:10      order couple Ben 3                | result OK, no position published
        """,
        factory(),
    )


# ---------------------------------------------------------------- home
@pytest.mark.req("BKG-5")
def test_home_is_where_the_owner_says() -> None:
    play("""
        bookings: A driver 09:00:00 - 12:00:00
        08:00:00      broker up                              | home here
        08:00:10      order home far                         | result OK, home far
        08:00:20      order home here issued=08:00:00        | result ORDER_OUTDATED, home far
        09:00:05      A unlock                               | ok
        09:00:10      A end                                  | warned OUTSIDE_HOME_AREA
    """)


# ---------------------------------------------------------------- subscription
def at(text: str) -> World:
    """A module that nobody owns, in a story whose first day is this date."""
    date = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return factory(int(date.timestamp() * 1000) - BASE_MS)


@pytest.mark.req("SUB-1")
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ("2026-11-02T00:00:00", "2027-11-03T00:00:00"),
        ("2026-11-02T23:59:58", "2027-11-03T00:00:00"),
        ("2026-12-31T23:59:58", "2028-01-01T00:00:00"),
        ("2027-01-01T00:00:00", "2028-01-02T00:00:00"),
        ("2027-02-28T12:00:00", "2028-02-29T00:00:00"),
        ("2028-02-28T12:00:00", "2029-03-01T00:00:00"),
        ("2028-02-29T12:00:00", "2029-03-01T00:00:00"),
        ("2028-03-01T00:00:00", "2029-03-02T00:00:00"),
    ],
)
def test_the_year_is_over_at_the_end_of_the_same_date(begins: str, ends: str) -> None:
    world = at(begins)
    story_day = world.now // 86_400_000
    clock = begins.partition("T")[2]
    play(
        f"""
        D{story_day} {clock}       broker up
        D{story_day} {clock}.500   order couple Ann 1   | result OK, owner Ann
        """,
        world,
    )
    told = world.state.durable.subscription
    assert told is not None
    assert datetime.fromtimestamp(told.sharing_until_s, UTC) == datetime.fromisoformat(ends).replace(tzinfo=UTC)
    assert told.remote_until_s == told.sharing_until_s


@pytest.mark.req("SUB-1", "SUB-2")
def test_the_year_is_not_renewed_by_itself_and_can_be_renewed_paused_and_resumed() -> None:
    play(
        """
        bookings: A driver D365 20:00:00 - D366 08:00:00
        bookings: B driver D366 09:00:00 - D366 18:00:00
        bookings: C driver D366 18:00:00 - D366 22:00:00
        00:00:00              broker up
        00:00:01              order couple Ann 1   | result OK, shared until D366 00:00:00
        D365 20:00:05         A drive              | ok, active, released
        D365 20:00:10         car drives
        D365 23:59:59         A status             | ok, A granted
        D366 00:00:00         .                    | active, released, A granted
        D366 07:00:00         car parks
        D366 07:00:10         A end                | ok, ended
        D366 09:00:05         B presents           | B denied SUBSCRIPTION_EXPIRED
        D366 09:00:06         order flash as r1    | result REMOTE_INACTIVE
        D366 09:00:10         subscription 2 sharing D731T00:00:00 remote D731T00:00:00   | result OK
        D366 09:00:20         B unlock             | ok, active
        D366 09:00:30         B end                | ok
        D366 18:00:05         subscription 3 sharing D731T00:00:00 remote D731T00:00:00 paused   | result OK
        D366 18:00:10         C presents           | C denied SUBSCRIPTION_EXPIRED
        D366 18:00:20         order flash as r2    | result OK, flashed
        D366 18:00:30         subscription 4 sharing D731T00:00:00 remote D731T00:00:00   | result OK
        D366 18:00:40         C unlock             | ok, active
        """,
        factory(),
    )


# ---------------------------------------------------------------- ten drivers
@pytest.mark.req("SUB-3")
def test_ten_share_the_car_and_the_eleventh_is_refused_until_one_leaves() -> None:
    names = [f"D{number}" for number in range(10)]
    declared = "\n".join(f"bookings: {name} driver 10:00:00 - 20:00:00 user={name}" for name in [*names, "Late"])
    had = "\n".join(
        f"10:{minute:02}:05  {name} unlock  | ok\n10:{minute:02}:10  {name} end  | ok, drivers {minute + 1}"
        for minute, name in enumerate(names)
    )
    play(f"""
        bookings: Own owner 09:00:00 - 20:00:00
        bookings: Vip vip 10:00:00 - 20:00:00 user=D3
        09:00:00   broker up
        {declared}
        {had}
        11:00:00   Late unlock           | refused DRIVER_LIST_FULL, says remove a driver, final, nothing moved
        11:00:10   Own unlock            | ok, drivers 10
        11:00:20   Own end               | ok
        11:00:30   Vip unlock            | ok, drivers 10
        11:00:40   Vip end               | ok
        11:01:00   order unlist D7       | result OK, drivers 9
        11:01:10   Late unlock           | ok, active, drivers 10
        11:01:20   reboot                | drivers 10
        11:01:30   order unlist D7       | result OK, drivers 10
        11:01:40   Late carries order unlist Own   | ok, drivers 10
    """)
