"""Digital keys: what they open, when, beside bookings, and who hears of it (KEY-1, 2, 5, 7, 8, 9), as literal times."""

import msgspec
import pytest

from firmware.core.state import KEYS_KEPT, Profile, Vehicle
from tests.support.story import Story, play
from tests.support.story_world import BASE_MS, HOME, MODULE_ID, World

KEYS = """
    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 09:00:00 - D7 09:00:00 of=O name=Zoe
"""


@pytest.mark.req("KEY-1", "KEY-5", "KEY-7", "KEY-8")
def test_a_shared_key_opens_and_drives_and_the_main_user_hears_that_it_was_accepted() -> None:
    play(f"""{KEYS}
        10:00:00  O presents  | O granted, none, keys none
        10:00:05  G presents  | G granted, O told KEY_ACCEPTED, event key.accepted, keys Zoe, key Zoe number 1
        10:00:06  G unlock    | ok, not already, unlocked
        10:00:07  G drive     | ok, released, G drives, logged started Zoe
        10:01:00  car drives  | released
        10:30:00  car parks   | released
        10:30:10  G lock      | ok, locked, armed, no key drives, logged ended G
        10:30:11  G status    | ok, sees the car, may unlock+drive+lock+locate+boot
        10:30:12  G end       | refused NOT_ADMITTED, says no booking to end
    """)


@pytest.mark.req("KEY-5")
def test_a_key_is_accepted_once_and_told_once() -> None:
    play(f"""{KEYS}
        10:00:00  O presents     |
        10:00:05  G presents     | event key.accepted, O told KEY_ACCEPTED
        10:10:00  G leaves       |
        10:20:00  G presents     | G granted, no events, keys Zoe
        10:20:01  reboot         | keys Zoe
        10:30:00  G unlock       | ok, no event key.accepted, keys Zoe
    """)


@pytest.mark.req("KEY-2", "ACC-2", "ACC-8")
@pytest.mark.parametrize("permissions", range(32))
def test_each_permission_of_a_key_opens_its_own_thing_and_no_other(permissions: int) -> None:
    wants = {"unlock": 1, "drive": 2, "undrive": 2, "lock": 4, "locate": 8, "boot": 16}
    story = Story()
    story.play(f"""{KEYS.replace("name=Zoe", f"name=Zoe permissions={permissions}")}
        10:00:03  G status  | ok, permissions = {permissions}
    """)
    for second, (verb, bit) in enumerate(wants.items(), start=10):
        refused = f"refused PERMISSION_MISSING, missing_permission = {bit}, permissions_held = {permissions}"
        story.play(
            "10:00:{} G {} | {}".format(second, verb, "ok" if permissions & bit else f"{refused}, nothing moved")
        )
        story.play(f"10:00:{second} car boot closed")


@pytest.mark.req("KEY-2")
@pytest.mark.parametrize(("held", "verb", "words"), [(15, "boot", "open the boot"), (16, "drive", "drive")])
def test_the_remedy_names_what_the_key_lacks(held: int, verb: str, words: str) -> None:
    play(f"""{KEYS.replace("name=Zoe", f"name=Zoe permissions={held}")}
        10:00:00  G {verb}  | refused PERMISSION_MISSING, says a key that carries the permission to {words}.
    """)


@pytest.mark.req("KEY-2")
def test_a_key_to_the_boot_opens_it_while_the_car_is_parked_and_nothing_else() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: P guest 09:00:00 - D7 09:00:00 of=O name=Parcel permissions=16
        10:00:00  P boot      | ok, not already, boot open, locked, armed
        10:00:01  P boot      | ok, already, nothing moved
        10:00:02  P unlock    | refused PERMISSION_MISSING, locked
        10:00:03  car boot closed |
        10:05:00  car drives  |
        10:05:01  P boot      | refused NOT_PARKED, boot closed, temporary
        10:06:00  car parks   |
        10:06:04  P boot      | refused NOT_PARKED
        10:06:05  P boot      | ok, boot open
    """)


@pytest.mark.req("KEY-2", "CLK-2")
def test_a_key_is_good_from_its_first_moment_to_its_last() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: G guest 10:00:00 - 12:00:00 of=O name=Zoe
        08:00:00      time network +0  |
        09:59:58      G unlock   | refused NOT_YET_VALID, starts_in_ms < 2001, temporary, rule KEY-2
        10:00:00      G unlock   | refused CLOCK_UNCERTAIN, uncertainty_ms > 999, temporary
        10:00:02      G unlock   | ok, unlocked
        11:59:58      G lock     | ok
        11:59:59.500  G unlock   | refused CLOCK_UNCERTAIN
        12:00:02      G unlock   | refused BOOKING_OVER, final, says Ask the main user for a new key
        12:30:00      G unlock   | refused BOOKING_OVER, over_for_ms > 1700000
    """)


@pytest.mark.req("KEY-2")
def test_a_key_for_working_hours_is_good_at_those_and_its_phone_sees_it_change() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: W guest 00:00:00 - D30 00:00:00 of=O name=Work hours=08:00-18:00
        07:00:00      time network +0  |
        07:59:00      W presents  | W denied OUTSIDE_HOURS
        07:59:01      W unlock    | refused OUTSIDE_HOURS, temporary, opens_in_ms > 58000, opens_in_ms < 60000
        08:00:02      .           | W pushed granted
        08:00:03      W unlock    | ok, W lives until hours
        17:59:50      W lock      | ok
        18:00:02      .           | W pushed OUTSIDE_HOURS
        D1 03:00:00   W unlock    | refused OUTSIDE_HOURS
        D1 09:00:00   W unlock    | ok
    """)


@pytest.mark.req("KEY-2")
def test_hours_may_go_over_midnight() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: N guest 00:00:00 - D30 00:00:00 of=O name=Night hours=22:00-06:00
        04:00:00     time network +0  |
        05:59:00     N unlock  | ok
        06:01:00     N unlock  | refused OUTSIDE_HOURS
        21:59:00     N unlock  | refused OUTSIDE_HOURS
        22:01:00     N unlock  | ok
        D1 00:00:00  N lock    | ok
        D1 05:59:00  N unlock  | ok
        D1 06:01:00  N unlock  | refused OUTSIDE_HOURS
    """)


@pytest.mark.req("KEY-2", "CLK-2")
def test_without_a_clock_no_hour_is_the_right_one() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: W guest 00:00:00 - D30 00:00:00 of=O name=Work hours=08:00-18:00
        09:00:00  W unlock           | ok
        09:00:30  car fix lost       |
        09:01:00  reboot rtc lost    |
        09:01:05  W unlock           | refused CLOCK_UNCERTAIN, temporary
        09:01:06  W carries time +0  | refused NONCE_UNKNOWN
        09:01:07  W nonce            | ok
        09:01:08  W carries time +0  | ok
        09:01:09  W unlock           | ok
    """)


@pytest.mark.req("KEY-2", "CUT-3")
@pytest.mark.parametrize(
    ("key", "ends", "code"),
    [
        ("G guest 09:00:00 - 10:30:00 of=O name=Zoe", "10:30:02", "BOOKING_OVER"),
        ("G guest 09:00:00 - D7 09:00:00 of=O name=Zoe hours=08:00-10:30", "10:30:02", "OUTSIDE_HOURS"),
    ],
)
def test_a_key_whose_time_is_over_on_the_way_takes_nothing_from_the_moving_car(key: str, ends: str, code: str) -> None:
    play(f"""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: {key}
        09:50:00      time network +0 |
        10:25:00      G drive     | ok, released
        10:26:00      car drives  |
        10:29:59      .           | released, G connected
        {ends}      .           | released, G drives, G pushed {code}, G connected
        10:31:00      G drive     | refused {code}, released
        11:00:00      car parks   | released
        11:00:04      .           | released
        11:00:05      .           | armed, no key drives, logged ended {code.lower()}
    """)


@pytest.mark.req("KEY-2", "PWR-1")
def test_a_drive_with_a_key_goes_on_after_a_power_cut() -> None:
    play(f"""{KEYS}
        10:00:00  G drive          | ok, released
        10:01:00  car drives       |
        10:02:00  power fails      |
        10:02:03  reboot           | released, G drives
        10:02:05  reboot rtc lost  | released, G drives
        10:30:00  car parks        |
        11:30:00  .                | released, G drives
        11:30:05  G lock           | armed, no key drives
    """)


# ---------------------------------------------------------------- beside bookings
@pytest.mark.req("ACC-4", "KEY-1")
def test_while_somebody_has_booked_the_car_no_key_opens_it() -> None:
    play(f"""{KEYS}
        bookings: A driver 10:00:00 - 12:00:00
        09:59:00  G presents  | G granted
        09:59:01  O presents  | O granted
        10:00:03  A presents  | A granted, active, G pushed VEHICLE_IN_USE, O pushed VEHICLE_IN_USE
        10:00:05  G unlock    | refused VEHICLE_IN_USE, ends_in_ms < 7200000, temporary, locked
        10:00:06  O locate    | refused VEHICLE_IN_USE
        10:00:07  O status    | ok, sees no car
        10:00:08  O keys      | ok, answer lists Zoe
        10:00:40  A end       | ok, ended, O pushed granted
        10:30:05  G unlock    | ok
    """)


@pytest.mark.req("ACC-4", "KEY-1")
def test_ones_own_booking_and_ones_own_key_go_together() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00 user=olga
        bookings: B owner 10:00:00 - 12:00:00 user=olga
        10:00:03  B presents  | B granted, active
        10:00:05  O unlock    | ok
        10:00:06  O drive     | ok, released, no key drives
        10:00:07  B drive     | ok, already
        10:30:00  B end       | ok, ended, armed
        10:30:05  O drive     | ok, released, O drives
    """)


@pytest.mark.req("ACC-4", "CUT-3")
def test_a_booking_begins_once_the_car_is_parked_that_was_driven_by_key() -> None:
    play(f"""{KEYS}
        bookings: A driver 10:00:00 - 12:00:00
        09:50:00      G drive     | ok, released
        09:51:00      car drives  |
        10:00:03      A presents  | A denied VEHICLE_IN_USE, none, released
        10:00:04      A unlock    | refused VEHICLE_IN_USE, says drives with a digital key, parked_ms = 0
        10:05:00      car parks   |
        10:05:04.999  A unlock    | refused VEHICLE_IN_USE, parked_ms = 4999, released
        10:05:05      A unlock    | ok, active, armed, no key drives, unlocked, logged ended G
        10:05:06      G drive     | refused VEHICLE_IN_USE
    """)


@pytest.mark.req("ACC-4")
def test_a_parked_car_goes_to_the_booking_even_if_a_key_may_still_drive_it() -> None:
    play(f"""{KEYS}
        bookings: A driver 10:00:00 - 12:00:00
        09:50:00  G drive     | ok, released
        10:00:03  A presents  | A granted, active, armed, no key drives
        10:00:04  A drive     | ok, released
    """)


@pytest.mark.req("KEY-7")
def test_the_next_key_takes_the_drive_over_and_the_log_knows() -> None:
    play(f"""{KEYS}
        10:00:00  G drive     | ok, released, G drives, logged started Zoe
        10:01:00  O drive     | ok, not already, released, O drives, logged ended G, logged started O
        10:01:01  O drive     | ok, already, O drives
        10:02:00  O undrive   | ok, armed, no key drives
    """)


@pytest.mark.req("SUB-2", "KEY-1")
def test_keys_go_on_when_sharing_is_over() -> None:
    play(f"""{KEYS}
        bookings: A driver 10:00:00 - 12:00:00
        09:00:00  subscription 1 sharing 09:30:00 remote 09:30:00  |
        10:00:03  A presents  | A denied SUBSCRIPTION_EXPIRED
        10:00:05  G unlock    | ok
    """)


# ---------------------------------------------------------------- which keys
@pytest.mark.req("ACC-6", "ACC-12", "KEY-1")
def test_a_key_of_another_car_or_epoch_opens_nothing_and_is_not_noted() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: X guest 09:00:00 - D7 09:00:00 of=O name=Other module_id=another_
        keys: E guest 09:00:00 - D7 09:00:00 of=O name=Old epoch=2
        10:00:00  X unlock  | refused WRONG_VEHICLE, final, keys none
        10:00:01  E unlock  | refused WRONG_KEY_EPOCH, key_epoch = 2, vehicle_epoch = 1, keys none, no events
    """)


@pytest.mark.req("ACC-11")
def test_the_main_users_newer_phone_replaces_the_older_one_and_shares_go_on() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00 user=olga
        keys: P owner 00:00:00 - D365 00:00:00 user=olga generation=2
        keys: G guest 09:00:00 - D7 09:00:00 of=O name=Zoe
        keys: T guest 09:00:00 - D7 09:00:00 of=O name=Thief
        10:00:00  G unlock    | ok
        10:00:01  O presents  | O granted
        10:00:02  P presents  | P granted, O pushed DEVICE_REPLACED
        10:00:03  O unlock    | refused DEVICE_REPLACED, device_generation = 1, newest_generation = 2, final
        10:00:04  O leaves    |
        10:00:05  G lock      | ok
        10:00:06  T unlock    | refused DEVICE_REPLACED, keys Zoe, no event key.accepted
        10:00:07  reboot      |
        10:00:09  O unlock    | refused DEVICE_REPLACED
        10:00:10  P unlock    | ok
    """)


@pytest.mark.req("KEY-9")
def test_a_vehicle_that_takes_no_digital_keys_says_so() -> None:
    profile = Profile(MODULE_ID, 1, HOME, BASE_MS - 86_400_000, Vehicle(digital_keys=False))
    world = World()
    world.profile = profile
    world.state = msgspec.structs.replace(world.state, profile=profile)
    play(
        f"""{KEYS}
        10:00:00  O unlock  | refused KEYS_UNAVAILABLE, final, rule KEY-9, says Use a booking
        10:00:01  G unlock  | refused KEYS_UNAVAILABLE, keys none
        """,
        world,
    )


@pytest.mark.req("OWN-1", "KEY-1")
def test_a_dealers_key_looks_at_the_module_and_moves_nothing() -> None:
    play("""
        keys: S service 00:00:00 - D1 00:00:00
        10:00:00  S presents  | S granted
        10:00:01  S status    | ok, may nothing, sees no car
        10:00:02  S unlock    | refused ROLE_REQUIRED, nothing moved
        10:00:03  S drive     | refused ROLE_REQUIRED, nothing moved
        10:00:04  S boot      | refused ROLE_REQUIRED, nothing moved
        10:00:05  S locate    | refused ROLE_REQUIRED
        10:00:06  S keys      | refused ROLE_REQUIRED
        10:00:07  S nonce     | ok
        10:00:08  S end       | refused ROLE_REQUIRED
    """)


@pytest.mark.req("KEY-6", "KEY-1")
def test_only_the_main_user_sees_who_has_a_key() -> None:
    play(f"""{KEYS}
        keys: H guest 09:00:00 - D7 09:00:00 of=O name=Max code=042917
        10:00:00  G presents  |
        10:00:01  H presents  |
        10:00:02  O keys      | ok, answer lists Zoe Max
        10:00:03  G keys      | refused ROLE_REQUIRED
        10:00:04  H keys      | refused ACTIVATION_REQUIRED
    """)


@pytest.mark.req("KEY-1")
def test_there_is_room_for_so_many_keys_and_one_that_goes_makes_room() -> None:
    story = Story()
    story.play("keys: O owner 00:00:00 - D365 00:00:00")
    for number in range(KEYS_KEPT + 1):
        story.play(f"keys: K{number} guest 09:00:00 - D7 09:00:00 of=O name=K{number}")
    for number in range(KEYS_KEPT):
        story.play(f"10:{number:02}:00 K{number} unlock | ok\n10:{number:02}:01 K{number} leaves |")
    story.play(
        f"""
        10:30:00  K{KEYS_KEPT} unlock      | refused KEY_LIST_FULL, listed = {KEYS_KEPT}, temporary, locked
        10:30:01  menu deactivates K3     | ok
        10:30:02  K{KEYS_KEPT} unlock      | ok, key K{KEYS_KEPT} number {KEYS_KEPT + 1}, event key.accepted
    """.replace("locked", "unlocked")
    )


@pytest.mark.req("KEY-1")
def test_keys_that_have_expired_make_room_and_leave_the_list() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: G guest 09:00:00 - 11:00:00 of=O name=Zoe
        keys: H guest 09:00:00 - D7 09:00:00 of=O name=Max
        09:59:00  time network +0 |
        10:00:00  G unlock  | ok, keys Zoe
        10:59:00  .         | keys Zoe
        11:03:00  .         | keys none
        11:04:00  H unlock  | ok, keys Max, key Max number 1
        11:05:00  G unlock  | refused BOOKING_OVER, keys Max
    """)


@pytest.mark.req("PWR-2", "KEY-5")
def test_a_key_that_cannot_be_noted_opens_nothing_and_is_noted_as_soon_as_it_can() -> None:
    play(f"""{KEYS}
        10:00:00  disk full   |
        10:00:01  G presents  | G denied STORAGE_FAILED, keys none, no events
        10:00:02  G unlock    | refused STORAGE_FAILED, locked, nothing moved
        10:00:03  G drive     | refused STORAGE_FAILED, armed, no key drives
        10:00:04  disk free   |
        10:00:05  G unlock    | ok, unlocked, keys Zoe, event key.accepted
        10:00:06  disk full   |
        10:00:07  G lock      | ok, locked
        10:00:08  G boot      | refused STORAGE_FAILED, boot closed
        10:00:09  G drive     | refused STORAGE_FAILED, armed, no key drives
    """)


@pytest.mark.req("ACC-7")
def test_a_command_with_a_key_is_carried_out_once() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock as c1   | ok, not already
        10:00:05  G lock           | ok
        10:00:06  G unlock as c1   | ok, already, locked
        10:00:07  G outcome of c1  | outcome OK
        10:00:08  O outcome of c1  | refused OUTCOME_UNKNOWN
        10:00:09  car actuators mute |
        10:00:10  G drive as c2    | refused VEHICLE_NO_RESPONSE, may have succeeded, no key drives
        10:00:11  G outcome of c2  | outcome VEHICLE_NO_RESPONSE
    """)


@pytest.mark.req("SEC-2", "ACC-12")
def test_a_phone_has_one_session_whichever_of_its_credentials_it_shows() -> None:
    play(f"""{KEYS}
        keys: K guest 09:00:00 - D7 09:00:00 of=O name=Boot permissions=16 holder=G
        10:00:00  G unlock    | ok, keys Zoe
        10:00:05  K presents  | K granted, hung up G, keys Zoe Boot
        10:00:06  K unlock    | refused PERMISSION_MISSING
        10:00:07  K boot      | ok
        10:00:10  G lock      | refused DOORS_OPEN, hung up K
        10:20:00  .           | hung up G
    """)


@pytest.mark.req("ACC-4", "CUT-1")
def test_an_overdue_booking_keeps_keys_out_until_it_is_cut_off() -> None:
    play(f"""{KEYS}
        bookings: A driver 10:00:00 - 12:00:00
        10:00:03      A presents  | A granted, active
        12:10:00      G unlock    | refused VEHICLE_IN_USE, overdue_ms = 600000, cutoff_in_ms = 1200000
        12:30:00.001  .           | cut_off
        12:30:05      G unlock    | ok, unlocked
    """)


@pytest.mark.req("CUT-4", "KEY-1")
def test_a_car_locked_by_key_before_it_counts_as_parked_is_armed_when_it_does() -> None:
    play(f"""{KEYS}
        10:00:00  G drive     | ok, released
        10:01:00  car drives  |
        10:10:00  car parks   |
        10:10:02  G lock      | ok, locked, released
        10:10:05  .           | armed, no key drives, logged ended G
    """)


@pytest.mark.req("KEY-1", "ACC-1")
def test_the_vehicle_key_always_works_whatever_the_keys_do() -> None:
    play(f"""{KEYS}
        10:00:00  car key unlocks | unlocked, nothing moved
        10:00:01  G unlock        | ok, already
        10:00:02  car key locks   | locked, nothing moved
        10:00:03  disk full       |
        10:00:04  car key unlocks | unlocked
    """)
