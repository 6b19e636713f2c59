"""Commands and their outcomes (ACC-7, ACC-8), and a disk or actuators that fail (PWR-2), as literal times."""

import pytest

from firmware.core.events import RequestReceived
from protocol.messages import Operation, Request
from tests.support.story import Story, play


@pytest.mark.req("ACC-7")
def test_the_same_identifier_again_moves_nothing_twice() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock as c1      | ok, not already, unlocked
        10:00:04      A lock as c2        | ok, not already, locked
        10:00:05      A unlock as c1      | ok, already, locked, nothing moved
        10:00:06      A unlock as c3      | ok, not already, unlocked
        10:00:07      A unlock as c4      | ok, already, nothing moved
        10:00:08      A lock as c4        | refused COMMAND_ID_REUSED, final, rule ACC-7, unlocked, nothing moved
    """)


@pytest.mark.req("ACC-7")
def test_a_command_right_after_another_does_not_trust_an_older_look_at_the_car() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03.000  A unlock    | ok, not already, unlocked
        10:00:03.100  A lock      | ok, not already, locked
        10:00:03.200  A unlock    | ok, not already, unlocked
        10:00:03.300  A drive     | ok, not already, released
        10:00:03.400  A undrive   | ok, not already, armed
        10:00:03.500  A drive     | ok, not already, released
    """)


@pytest.mark.req("ACC-1", "CUT-3")
def test_a_car_locked_before_it_counts_as_parked_is_armed_when_it_does() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive     | ok, released
        10:10:00      car drives  | active
        10:20:00      A lock      | ok, locked, released
        10:20:30      car parks   | released
        10:20:40      .           | released
        10:20:41      car ignition on | released
        10:20:42      car ignition off | released
        10:20:43      A unlock    | ok, unlocked
        10:20:44      A lock      | ok, locked, released
        10:20:46.999  .           | released
        10:20:47      .           | armed
        10:30:00      A drive     | ok, released
        10:30:01      car ignition on | released
        10:30:10      car ignition off | released
        10:30:11      A unlock    | ok, unlocked
        10:30:12      A lock      | ok, locked, released
        10:30:13      car ignition on | released
        10:30:14      car ignition off | released
        10:30:30      .           | released
        10:31:00      A lock      | ok, armed
    """)


@pytest.mark.req("ACC-7", "CUT-3")
def test_driving_is_not_switched_off_unless_parked() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive     | ok, released
        10:01:00      car drives  | active
        10:02:00      A undrive   | refused NOT_PARKED, parked_ms = 0, temporary, rule CUT-3, released
        10:03:00.000  car parks   | active
        10:03:04.999  A undrive   | refused NOT_PARKED, parked_ms = 4999
        10:03:05.000  A undrive   | ok, armed
    """)


@pytest.mark.req("ACC-7")
@pytest.mark.parametrize("between", ["A leaves", "reboot", "reboot rtc lost", "reboot rtc -86400"])
def test_a_lost_acknowledgement_is_asked_for_after_a_reconnect_or_a_reboot(between: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 12:00:00
        10:00:03      A unlock as c1      | ok
        10:00:04      {between}
        10:00:06      A outcome of c1     | outcome OK, surely not
        10:00:07      A unlock as c1      | ok, already, nothing moved
        10:00:08      A outcome of c9     | refused OUTCOME_UNKNOWN, final
        10:00:09      B outcome of c1     | refused OUTCOME_UNKNOWN
    """)


@pytest.mark.req("ACC-7", "ACC-5")
def test_the_outcome_of_the_end_is_known_after_the_end() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 12:00:00
        10:00:03      A unlock as c1      | ok
        10:00:10      A end as c2         | ok, ended
        10:00:11      reboot
        10:00:13      A outcome of c2     | outcome OK
        10:00:14      A end as c2         | ok, ended
        10:00:15      B unlock            | ok
        10:00:16      A end as c2         | ok, already, active, nothing moved
        10:00:17      A outcome of c1     | outcome OK
    """)


@pytest.mark.req("ACC-7")
def test_sixty_four_commands_are_remembered_and_no_more() -> None:
    story = Story()
    story.play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
    """)
    for number in range(64):
        verb = "lock" if number % 2 else "unlock"
        story.play(f"10:0{1 + number // 60}:{number % 60:02} A {verb} as n{number:02} | ok")
    story.play("""
        10:03:00      A outcome of n00    | outcome OK
        10:03:01      A unlock as n64     | ok
        10:03:02      A outcome of n00    | refused OUTCOME_UNKNOWN
        10:03:03      A outcome of n01    | outcome OK
        10:03:04      reboot
        10:03:06      A outcome of n00    | refused OUTCOME_UNKNOWN
        10:03:07      A outcome of n01    | outcome OK
        10:03:08      A outcome of n64    | outcome OK
    """)


# ---------------------------------------------------------------- actuators
@pytest.mark.req("ACC-7", "ACC-8")
@pytest.mark.parametrize("verb", ["unlock", "lock", "drive"])
def test_a_car_that_does_not_answer_may_have_done_it(verb: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:01      car key unlocks
        10:00:02      car {"key locks" if verb == "unlock" else "doors closed"}
        10:00:03      car actuators dead
        10:00:04      A {verb} as c1        | refused VEHICLE_NO_RESPONSE, may have succeeded, temporary, armed
        10:00:05      A outcome of c1       | outcome VEHICLE_NO_RESPONSE, may have succeeded
        10:00:06      A {verb} as c1        | refused VEHICLE_NO_RESPONSE, may have succeeded, nothing moved
        10:00:07      car actuators alive
        10:00:08      A {verb} as c2        | ok, not already
        10:00:09      A outcome of c1       | outcome VEHICLE_NO_RESPONSE
    """)


@pytest.mark.req("ACC-7")
def test_while_the_car_is_at_it_others_wait() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents             | A granted
        10:00:04      car actuators slow
        10:00:05      A unlock as c1         | no answer
        10:00:05.500  A outcome of c1        | outcome BUSY, may have succeeded
        10:00:05.600  A unlock as c1         | refused BUSY, may have succeeded, temporary
        10:00:05.700  A drive as c2          | refused BUSY, surely not, armed
        10:00:05.800  A end as c3            | refused BUSY, active
        10:00:06      car actuators answer
        10:00:06.100  A outcome of c1        | outcome OK, surely not
    """)


@pytest.mark.req("ACC-7")
def test_a_reboot_in_the_middle_of_a_command_leaves_its_outcome_open() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 12:00:00
        10:00:03      A presents             | A granted
        10:00:04      car actuators slow
        10:00:05      A unlock as c1         | no answer
        10:00:06      reboot
        10:00:07      car actuators alive
        10:00:08      A outcome of c1        | outcome VEHICLE_NO_RESPONSE, may have succeeded
        10:00:09      A unlock as c1         | refused VEHICLE_NO_RESPONSE, may have succeeded
        10:00:20      A end                  | ok
        10:00:21      B unlock as c1         | ok
        10:00:22      B outcome of c1        | outcome OK
        10:00:23      A outcome of c1        | outcome VEHICLE_NO_RESPONSE
    """)


@pytest.mark.req("ACC-7", "BKG-3")
@pytest.mark.parametrize("what", ["doors", "boot"])
def test_an_open_car_is_not_locked(what: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A unlock           | ok
        10:00:04      car {what} open
        10:00:05      A lock             | refused DOORS_OPEN, {what}_open = 1, temporary, unlocked
        10:00:06      car {what} closed
        10:00:07      A lock             | ok, locked
    """)


# ---------------------------------------------------------------- the disk
@pytest.mark.req("PWR-2", "ACC-10", "ACC-8")
def test_on_a_full_disk_nothing_is_permitted_and_everything_can_be_read() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 18:00:00
        10:00:02      disk full
        10:00:03      A presents              | A denied STORAGE_FAILED, none
        10:00:04      A status                | ok, sees no car, may nothing, temporary, rule PWR-2
        10:00:05      A unlock                | refused STORAGE_FAILED, nothing moved, none, temporary
        10:00:06      A nonce                 | ok
        10:00:07      disk free
        10:00:08      A unlock                | ok, active, A granted
        10:00:09      disk full
        10:00:10      A drive as c1           | refused STORAGE_FAILED, armed, nothing moved, A granted
        10:00:11      A lock                  | ok, locked
        10:00:12      A unlock                | refused STORAGE_FAILED, locked
        10:00:13      A outcome of c1         | refused OUTCOME_UNKNOWN
        10:00:14      disk free
        10:00:15      A drive as c1           | ok, released
    """)


@pytest.mark.req("PWR-2", "CUT-2", "BKG-2")
def test_a_full_disk_does_not_stop_an_end_or_the_cutoff() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A drive                 | ok, released
        12:29:00      A presents              | overdue
        12:29:30      disk full
        12:30:00.001  .                       | cut_off, hung up A, armed, event booking.cut_off
        12:30:01      A unlock                | refused BOOKING_CUT_OFF
    """)
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 18:00:00
        10:00:03      A drive                 | ok, released
        11:00:00      disk full
        # B's own booking can not be given the car, but the order that it carries is carried out.
        11:00:03      B carries order end A   | ok, not pending, ended, armed, A denied BOOKING_ENDED
        11:00:04      B unlock                | refused STORAGE_FAILED, ended
        11:00:05      disk free
        11:00:06      B unlock                | ok, active
    """)


@pytest.mark.req("SEC-2")
def test_a_phone_that_comes_again_ends_its_older_session() -> None:
    world = play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted
    """)
    held = world.links["A"]
    del world.links["A"]
    world.present("A")
    assert [link.id for link in world.state.links if link.booking is not None] == [world.links["A"]]
    world.tell(RequestReceived(held, Request(9, Operation.UNLOCK, b"held for"), None, bytes(16)))
    assert world.car.locked
    assert world.access("A").granted
