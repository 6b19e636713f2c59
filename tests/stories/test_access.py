"""Access by booking (ACC-1 to ACC-6, ACC-9 to ACC-12), as literal times."""

import pytest

from protocol.errors import Code, Refusal
from protocol.messages import Operation
from tests.support.story import Story, play
from tests.support.story_world import World


@pytest.mark.req("ACC-1", "ACC-2")
def test_a_car_without_any_network_is_opened_driven_and_closed() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted, active, nothing published
        10:00:04      A unlock    | ok, not already, unlocked
        10:00:05      A drive     | ok, not already, released
        10:01:00      car drives  | released
        10:02:00      A lock      | ok, locked, released
        10:03:00      car parks   | locked, released
        10:03:10      A lock      | ok, locked, armed
        10:03:11      A end       | ok, ended, nothing published
    """)


@pytest.mark.req("ACC-2", "ACC-8", "PRV-5")
@pytest.mark.parametrize("permissions", range(16))
def test_each_permission_opens_its_own_thing_and_no_other(permissions: int) -> None:
    wants = {"unlock": 1, "drive": 2, "undrive": 2, "lock": 4, "locate": 8}
    story = Story()
    story.play(f"""
        bookings: A driver 10:00:00 - 12:00:00 permissions={permissions}
        10:00:03      A presents  | A granted, active
        10:00:04      A status    | ok, permissions = {permissions}
    """)
    for second, (verb, bit) in enumerate(wants.items(), start=10):
        refused = (
            f"refused PERMISSION_MISSING, rule ACC-2, missing_permission = {bit}, permissions_held = {permissions}"
        )
        claims = "ok" if permissions & bit else f"{refused}, final, nothing moved"
        story.play(f"10:00:{second} A {verb} | {claims}")
    # Ending one's own booking needs no permission.
    story.play("10:00:30 A end | ok, ended, locked, armed")


@pytest.mark.req("ACC-2")
@pytest.mark.parametrize(
    ("held", "verb", "missing"),
    [(14, "unlock", "unlock"), (13, "drive", "drive"), (11, "lock", "lock"), (7, "locate", "locate")],
)
def test_the_remedy_names_the_permission_that_is_missing(held: int, verb: str, missing: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00 permissions={held}
        10:00:04  A {verb}  | refused PERMISSION_MISSING, says the permission to {missing}
    """)


@pytest.mark.req("ACC-3")
def test_who_has_no_booking_reads_nothing_and_moves_nothing() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 14:00:00 - 16:00:00
        10:00:03      A unlock    | ok
        10:00:04      B connects
        10:00:05      B presents  | B denied NOT_YET_VALID
        10:00:06      B status    | ok, sees no car, may nothing
        10:00:07      B unlock    | refused NOT_YET_VALID, nothing moved
        10:00:08      B locate    | refused NOT_YET_VALID
        10:00:09      B end       | refused NOT_YET_VALID, active
        10:00:10      A status    | sees the car
    """)


@pytest.mark.req("ACC-3")
@pytest.mark.parametrize("verb", ["unlock", "lock", "drive", "undrive", "end", "status", "locate", "nonce", "outcome"])
def test_a_link_without_a_session_gets_no_answer_at_all(verb: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A connects  | none
        10:00:04      A {verb}    | no answer, nothing moved, none
        10:00:14      .           | hung up A
    """)


# ---------------------------------------------------------------- one at a time
@pytest.mark.req("ACC-4", "ACC-8")
def test_a_second_booking_waits_and_takes_over_from_a_parked_car_past_its_end() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 14:00:00
        10:00:03      A drive     | ok, released
        11:59:00.000  B unlock    | refused VEHICLE_IN_USE, rule ACC-4, temporary, ends_in_ms = 60000
        11:59:59.999  B unlock    | refused VEHICLE_IN_USE, ends_in_ms = 1
        11:59:59.999  A status    | active, A granted
        12:00:00.000  B unlock    | ok, unlocked, active, B granted, A denied BOOKING_SUPERSEDED, event booking.started
        12:00:00.001  A unlock    | refused BOOKING_SUPERSEDED, rule ACC-4, final, nothing moved
        12:00:01.000  B drive     | ok, released
        12:01:00.000  A presents  | A denied BOOKING_SUPERSEDED, B granted
    """)


@pytest.mark.req("ACC-4")
@pytest.mark.parametrize("moving", ["car drives", "car rolls", "car ignition unknown", "car silent"])
def test_nobody_takes_over_a_car_that_is_not_parked(moving: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 18:00:00
        10:00:03      A drive     | ok, released
        11:59:00      {moving}    | active
        12:01:04      B unlock    | refused VEHICLE_IN_USE, overdue_ms = 64000, parked_ms = 0, cutoff_in_ms = 1736000
        12:40:00      B unlock    | refused VEHICLE_IN_USE, overdue_ms = 2400000, cutoff_in_ms = 0, cutoff_pending
        12:41:00      A unlock    | ok, released
    """)


@pytest.mark.req("ACC-4", "ACC-8")
def test_taking_over_needs_five_seconds_of_standing() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 14:00:00
        10:00:03      A drive     | ok
        11:00:00      car drives  | active
        12:10:00.000  car parks   | overdue
        12:10:04.999  B unlock    | refused VEHICLE_IN_USE, parked_ms = 4999, overdue_ms = 604999, released
        12:10:05.000  B unlock    | ok, active, B granted, A denied BOOKING_SUPERSEDED, armed
    """)


@pytest.mark.req("ACC-4", "CUT-6")
def test_after_a_late_arrival_the_next_booking_gets_the_car_from_the_cutoff() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 12:00:00 - 18:00:00
        10:00:03      A drive     | ok
        11:00:00      car drives  | active
        12:31:00.000  B presents  | B denied VEHICLE_IN_USE, cutoff_pending
        12:31:10.000  car parks   | cutoff_pending
        12:31:15.000  .           | cut_off, B connected, B pushed NOT_ADMITTED
        12:31:15.001  B unlock    | ok, active, B granted
    """)


@pytest.mark.req("ACC-4")
def test_two_phones_wait_and_the_first_to_ask_has_the_car() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 14:00:00
        bookings: C driver 11:00:00 - 15:00:00
        11:50:00      A presents  | A granted
        11:59:10      B presents  | B denied VEHICLE_IN_USE
        11:59:20      C presents  | C denied VEHICLE_IN_USE, A connected, B connected
        11:59:30      A end       | ok, ended, B pushed NOT_ADMITTED, C pushed NOT_ADMITTED
        11:59:31      C unlock    | ok, C granted, B pushed VEHICLE_IN_USE
        11:59:32      B unlock    | refused VEHICLE_IN_USE, ends_in_ms = 10828000
        11:59:33      A unlock    | refused BOOKING_ENDED
    """)


# ---------------------------------------------------------------- dead for ever
DEAD = {
    "ended": ("11:00:10 A end | ok, ended", "BOOKING_ENDED"),
    "ordered": ("11:00:10 order end A | ended", "BOOKING_ENDED"),
    "cut off": ("12:30:00.001 . | cut_off", "BOOKING_CUT_OFF"),
    "superseded": ("12:00:10 B presents | B granted", "BOOKING_SUPERSEDED"),
    "revoked": ("11:00:10 list 1 epoch 1 A | ended", "TOKEN_REVOKED"),
}


@pytest.mark.req("ACC-5", "CUT-5")
@pytest.mark.parametrize("reboot", ["reboot", "reboot rtc lost", "reboot rtc -86400", "reboot rtc -3000"])
@pytest.mark.parametrize("how", list(DEAD))
def test_what_once_is_over_is_dead_for_ever(how: str, reboot: str) -> None:
    line, code = DEAD[how]
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 11:00:00 - 12:40:00
        10:00:03      A presents  | A granted
        11:00:00      A drive     | released
        {line}
        12:31:00      A unlock    | refused {code}, final, nothing moved
        12:32:00      {reboot}
        12:32:02      A unlock    | refused {code}, final, nothing moved
        12:33:00      {reboot}
        12:33:02      A presents  | A denied {code}
        12:33:03      A drive     | refused {code}
    """)


@pytest.mark.req("ACC-5", "BKG-2")
def test_a_booking_that_was_cancelled_before_it_began_never_begins() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      broker up
        09:00:01      order end A | none, result OK
        10:00:01      A presents  | A denied BOOKING_CANCELLED, none
        10:00:02      A unlock    | refused BOOKING_CANCELLED, rule ACC-5
        10:00:03      reboot
        10:00:05      A unlock    | refused BOOKING_CANCELLED
    """)


@pytest.mark.req("ACC-5")
def test_a_revoked_booking_never_begins_and_a_new_list_keeps_it_out() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 12:00:00
        09:00:00      list 7 epoch 1 A
        10:00:01      A unlock    | refused TOKEN_REVOKED, rule ACC-5, final
        10:00:02      reboot rtc lost
        10:00:04      A unlock    | refused TOKEN_REVOKED
        10:00:05      B unlock    | ok, B granted
    """)


# ---------------------------------------------------------------- wrong credentials
@pytest.mark.req("ACC-6", "ACC-8")
@pytest.mark.parametrize(
    ("field", "claims"),
    [
        ("module_id=another", "refused WRONG_VEHICLE, final, says another car"),
        ("key_epoch=0", "refused WRONG_KEY_EPOCH, booking_epoch = 0, vehicle_epoch = 1, final"),
        ("key_epoch=2", "refused WRONG_KEY_EPOCH, booking_epoch = 2, vehicle_epoch = 1, final"),
    ],
)
def test_a_booking_for_other_keys_or_another_car_is_refused(field: str, claims: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00 {field}
        10:00:03  A unlock  | {claims}, rule ACC-6, none, nothing moved
    """)


@pytest.mark.req("ACC-6", "BKG-1", "ACC-8")
def test_the_window_opens_and_closes_to_the_second() -> None:
    # The satellites' time is good to 0.5 s: until both edges of it are inside, the module is not sure.
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 12:00:00
        09:59:00.000  A unlock    | refused NOT_YET_VALID, starts_in_ms = 60000, temporary, none
        09:59:59.000  A unlock    | refused NOT_YET_VALID, starts_in_ms = 1000
        10:00:02.000  A unlock    | ok, active
        10:00:10.000  A end       | ok, ended
        12:00:02.000  B unlock    | refused BOOKING_OVER, over_for_ms = 2000, final, says contact the owner
    """)


# ---------------------------------------------------------------- the physical key
@pytest.mark.req("ACC-9", "CUT-7")
@pytest.mark.parametrize(
    "state", ["reboot", "reboot rtc lost", "disk full", "broker up", "power fails", "car actuators dead"]
)
def test_the_physical_key_works_whatever_the_module_thinks(state: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00      .                 | none
        09:00:01      car key unlocks   | unlocked, nothing moved
        09:00:10      {state}
        09:00:20      car drives        | nothing moved, unlocked
        09:30:00      car parks         | nothing moved, unlocked
        09:30:10      car key locks     | nothing moved, locked
        09:30:20      .                 | nothing moved, none, locked
    """)


@pytest.mark.req("ACC-9")
def test_after_the_cutoff_the_physical_key_drives_the_car_and_the_module_lets_it() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents       | A granted
        12:30:00.001  .                | cut_off, armed
        12:31:00      car key unlocks  | unlocked, nothing moved
        12:31:10      car drives       | nothing moved
        13:31:10      car parks        | nothing moved, unlocked
    """)


# ---------------------------------------------------------------- the access state
@pytest.mark.req("ACC-10")
def test_the_access_state_is_read_at_any_time_and_pushed_when_it_changes() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        09:59:30      A presents  | A denied NOT_YET_VALID
        09:59:58      A status    | may nothing
        10:00:02      .           | A pushed NOT_ADMITTED
        10:00:03      A status    | active, A granted, may unlock+drive+lock+locate
        10:00:04      .           | nobody told
        11:59:30      A status    | active
        12:00:00      .           | A pushed granted, overdue
        12:00:10      B presents  | A pushed BOOKING_SUPERSEDED, B granted
        12:00:11      A status    | ok, may nothing, sees no car
    """)


@pytest.mark.req("ACC-8", "ACC-10")
def test_a_phone_that_waited_is_told_that_asking_again_helps() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 10:00:00 - 18:00:00
        11:00:00      A presents   | A granted
        11:00:10      B presents   | B denied VEHICLE_IN_USE
        11:00:20      A end        | ok, B pushed NOT_ADMITTED, B denied NOT_ADMITTED
        11:00:21      B status     | B granted, may unlock+drive+lock+locate
    """)


# ---------------------------------------------------------------- devices and cars
@pytest.mark.req("ACC-11")
def test_a_newer_phone_takes_the_booking_over_and_the_older_one_is_out() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00 user=anna
        bookings: N driver 10:00:00 - 18:00:00 user=anna booking_id=Abbbbbbbbbbbbbbb device_generation=2 permissions=1
        bookings: L driver 12:35:00 - 14:00:00 user=anna device_generation=1
        bookings: M driver 12:35:00 - 14:00:00 user=anna device_generation=2
        10:00:03      A drive     | ok, released
        10:30:00      car drives  | released
        11:00:00      A presents  | A granted
        11:00:01      N presents  | N granted, active, released, no event booking.started, A pushed DEVICE_REPLACED
        11:00:02      A unlock    | refused DEVICE_REPLACED, device_generation = 1, newest_generation = 2, rule ACC-11
        # The booking stays as it was first accepted: window, permissions.
        11:00:03      N lock      | ok
        11:59:59.999  N status    | active, N granted, may unlock+drive+lock+locate
        12:00:00.000  .           | overdue
        12:30:00.001  .           | cutoff_pending
        12:30:10.000  car parks   | cutoff_pending
        12:30:15.000  .           | cut_off, armed
        12:31:00.000  N unlock    | refused BOOKING_CUT_OFF
        12:31:01.000  A unlock    | refused DEVICE_REPLACED
        12:36:00.000  L unlock    | refused DEVICE_REPLACED
        12:36:01.000  reboot
        12:36:03.000  L unlock    | refused DEVICE_REPLACED
        12:36:04.000  M unlock    | ok
    """)


@pytest.mark.req("ACC-5", "ACC-11")
def test_a_newer_phones_longer_token_does_not_bring_an_ended_booking_back() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00 user=anna
        bookings: N driver 10:00:00 - 20:00:00 user=anna booking_id=Abbbbbbbbbbbbbbb device_generation=2
        bookings: X driver 13:00:00 - 14:00:00
        10:00:03      A unlock    | ok
        11:00:01      N unlock    | ok
        11:00:10      N end       | ok, ended
        13:00:03      X unlock    | ok
        13:00:10      X end       | ok, ended
        13:00:20      N unlock    | refused BOOKING_ENDED
    """)


@pytest.mark.req("ACC-5", "ACC-11")
def test_a_revoked_token_does_not_come_in_as_a_newer_phone() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00 user=anna
        bookings: N driver 10:00:00 - 12:00:00 user=anna booking_id=Abbbbbbbbbbbbbbb device_generation=2
        10:00:03      A unlock           | ok
        10:00:04      list 1 epoch 1 N   | active
        10:00:05      N unlock           | refused TOKEN_REVOKED
        10:00:06      A unlock           | ok
    """)


@pytest.mark.req("ACC-4", "ACC-11")
@pytest.mark.parametrize("other", ["user=bert device_generation=2", "user=anna", "user=anna device_generation=1"])
def test_another_token_for_the_running_booking_is_not_let_in(other: str) -> None:
    play(f"""
        bookings: A driver 10:00:00 - 12:00:00 user=anna
        bookings: N driver 10:00:00 - 12:00:00 booking_id=Abbbbbbbbbbbbbbb {other}
        10:00:03      A unlock    | ok
        10:00:05      N unlock    | refused VEHICLE_IN_USE
    """)


@pytest.mark.req("ACC-12", "ACC-6")
def test_one_phone_is_owner_of_one_car_and_driver_of_another() -> None:
    mine = Story(World(module_id=b"my car.."))
    hers = Story(World(module_id=b"her car."))
    mine.play("""
        bookings: O owner 10:00:00 - 12:00:00 user=anna
        10:00:03  O unlock  | ok, O granted
    """)
    hers.play("""
        bookings: D driver 10:00:00 - 12:00:00 user=anna
        10:00:03  D unlock  | ok, D granted
    """)
    hers.world.bookings["O"] = mine.world.bookings["O"]
    answer = hers.world.ask("O", Operation.UNLOCK)
    assert answer is not None
    assert isinstance(answer.body, Refusal)
    assert answer.body.code is Code.WRONG_VEHICLE
