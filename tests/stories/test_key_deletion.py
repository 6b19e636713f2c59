"""How a shared key dies: deactivated in the vehicle, or deleted by the main user (KEY-6), as literal times."""

import pytest

from tests.support.story import play

KEYS = """
    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 00:00:00 - D30 00:00:00 of=O name=Zoe
    keys: H guest 00:00:00 - D30 00:00:00 of=O name=Max
"""


# ---------------------------------------------------------------- in the vehicle
@pytest.mark.req("KEY-6")
def test_a_key_that_is_deactivated_in_the_vehicle_is_dead_at_once_in_mid_connection() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock           | ok, unlocked
        10:00:01  H unlock           | ok
        10:00:05  menu deactivates G | ok, hung up G, event key.deactivated, keys Max, G pushed KEY_DEACTIVATED
        10:00:06  G lock             | refused KEY_DEACTIVATED, final, says deactivated in the vehicle, H connected
        10:00:07  H lock             | ok
        10:00:08  menu deactivates G | ok, no events
        10:00:09  reboot             |
        10:00:15  G unlock           | refused KEY_DEACTIVATED, keys Max
    """)


@pytest.mark.req("KEY-6")
def test_nobody_deactivates_a_key_that_is_not_listed() -> None:
    play(f"""{KEYS}
        10:00:00  menu deactivates G | refused KEY_DEACTIVATED, says look at the list
        10:00:01  G unlock           | ok
    """)


@pytest.mark.req("KEY-6", "CUT-3")
def test_a_key_that_is_deactivated_on_the_way_takes_nothing_from_the_moving_car() -> None:
    play(f"""{KEYS}
        10:00:00      G drive            | ok, released
        10:01:00      car drives         |
        10:02:00      menu deactivates G | ok, hung up G, released, G drives
        10:02:10      G drive            | refused KEY_DEACTIVATED, released
        10:30:00      car stops          | released
        10:31:00      .                  | released
        10:32:00      car parks          | released
        10:32:04.999  .                  | released
        10:32:05      .                  | armed, no key drives, logged ended key_deactivated
    """)


@pytest.mark.req("KEY-6", "PWR-2")
def test_a_key_is_deactivated_whatever_the_disk_says_and_the_disk_hears_of_it_later() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock           | ok
        10:00:02  disk full          |
        10:00:03  menu deactivates G | keys none, hung up G
        10:00:04  G unlock           | refused KEY_DEACTIVATED
        10:00:05  disk free          |
        10:01:10  .                  |
        10:01:11  reboot             | keys none
        10:01:15  G unlock           | refused KEY_DEACTIVATED
    """)


# ---------------------------------------------------------------- until the key cycle
@pytest.mark.req("KEY-6")
def test_a_deleted_key_goes_on_until_the_car_is_unlocked_and_then_locked_with_a_vehicle_key() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock                  | ok
        10:00:01  list 1 epoch 1 G/cycle    | key Zoe deleted, G connected, G lives until key_cycle expiry
        10:00:02  G lock                    | ok
        10:00:03  G unlock                  | ok, key Zoe deleted
        11:00:00  car key locks             | key Zoe deleted
        11:00:10  G unlock                  | ok
        12:00:00  car key unlocks           | G lives until key_lock expiry
        12:00:10  G drive                   | ok, G can unlock lock enable_drive disable_drive locate open_boot
        12:00:20  G lock                    | ok, armed
        12:30:00  car key locks             | keys none, event key.deleted, no event key.deactivated
        12:30:10  G unlock                  | refused KEY_DELETED, final, G can nothing, locked
        12:30:11  car key unlocks           | unlocked
    """)


@pytest.mark.req("KEY-6", "PWR-1")
@pytest.mark.parametrize("where", ["11:30:00", "12:00:30", "12:30:30"])
def test_half_of_the_key_cycle_is_not_forgotten_over_a_reboot(where: str) -> None:
    story = f"""
        10:00:00  G unlock                | ok
        10:00:01  list 1 epoch 1 G/cycle  | key Zoe deleted
        11:00:00  car key locks           | key Zoe deleted
        {"11:30:00  reboot                  |" if where == "11:30:00" else ""}
        12:00:00  car key unlocks         | key Zoe deleted
        {"12:00:30  reboot                  |" if where == "12:00:30" else ""}
        12:00:40  G unlock                | ok
        12:30:00  car key locks           | keys none
        {"12:30:30  reboot                  |" if where == "12:30:30" else ""}
        12:31:00  G unlock                | refused KEY_DELETED
    """
    play(KEYS + story)


@pytest.mark.req("KEY-6")
@pytest.mark.parametrize(
    ("presses", "fate"),
    [
        (("locks",), "deleted"),
        (("locks", "locks", "locks"), "deleted"),
        (("unlocks",), "deleted"),
        (("locks", "unlocks"), "deleted"),
        (("unlocks", "locks"), "gone"),
        (("unlocks", "unlocks", "locks"), "gone"),
        (("locks", "unlocks", "locks"), "gone"),
    ],
)
def test_only_unlock_and_then_lock_is_a_cycle(presses: tuple[str, ...], fate: str) -> None:
    lines = "\n".join(f"10:{10 + minute}:00 car key {press} |" for minute, press in enumerate(presses))
    claim = "key G gone" if fate == "gone" else "key Zoe deleted"
    play(f"""{KEYS}
        10:00:00  G unlock                | ok
        10:00:01  list 1 epoch 1 G/cycle  |
        {lines}
        11:00:00  .                       | {claim}
    """)


@pytest.mark.req("KEY-6")
def test_a_cycle_before_the_list_counts_for_nothing() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock                | ok
        10:01:00  car key unlocks         |
        10:02:00  list 1 epoch 1 G/cycle  | key Zoe deleted
        10:03:00  car key locks           | key Zoe deleted
        10:04:00  G unlock                | ok
        10:05:00  car key unlocks         |
        10:06:00  list 1 epoch 1 G/cycle  | key Zoe deleted
        10:07:00  list 2 epoch 1 G/cycle  | key Zoe deleted
        10:08:00  car key locks           | keys none
    """)


@pytest.mark.req("KEY-6")
def test_a_deletion_counts_for_a_key_that_was_never_here() -> None:
    play(f"""{KEYS}
        10:00:00  list 1 epoch 1 G/cycle H/drive  |
        10:00:01  H unlock                        | refused KEY_DELETED, keys none
        10:00:02  G unlock                        | ok, key Zoe deleted
        10:00:03  car key unlocks                 |
        10:00:04  car key locks                   | keys none
        10:00:05  G unlock                        | refused KEY_DELETED
    """)


@pytest.mark.req("KEY-6")
def test_a_cycle_counts_for_a_key_that_comes_after_it() -> None:
    play(f"""{KEYS}
        10:00:00  list 1 epoch 1 G/cycle  |
        10:01:00  car key unlocks         |
        10:02:00  car key locks           |
        10:03:00  G unlock                | refused KEY_DELETED, keys none, no events
    """)


@pytest.mark.req("KEY-6", "CUT-3")
def test_a_cycle_on_the_way_takes_nothing_from_the_moving_car() -> None:
    play(f"""{KEYS}
        10:00:00  G drive                 | ok, released
        10:00:01  list 1 epoch 1 G/cycle  |
        10:01:00  car drives              |
        10:02:00  car key unlocks         |
        10:03:00  car key locks           | keys none, released, G drives
        10:10:00  car parks               | released
        10:10:05  .                       | armed, no key drives, logged ended key_deleted
    """)


# ---------------------------------------------------------------- at once, and after the last drive
@pytest.mark.req("KEY-6")
@pytest.mark.parametrize(("by", "code"), [("G", "KEY_DELETED"), ("O", "TOKEN_REVOKED")])
def test_a_deletion_at_once_is_at_once(by: str, code: str) -> None:
    play(f"""{KEYS}
        10:00:00      G drive            | ok, released
        10:01:00      car drives         |
        10:02:00      list 1 epoch 1 {by} | hung up G, released, event key.deleted, G pushed {code}
        10:02:01      G unlock           | refused {code}, released
        10:30:00      car parks          |
        10:30:05      .                  | armed, no key drives
        10:40:00      list 2 epoch 1     |
        10:41:00      G unlock           | refused {code}
    """)


@pytest.mark.req("KEY-6")
def test_a_key_that_may_finish_its_drive_dies_with_it() -> None:
    play(f"""{KEYS}
        10:00:00  G drive                 | ok, released
        10:00:01  H unlock                | ok
        10:01:00  list 1 epoch 1 G/drive H/drive | key Zoe deleted, key H gone, hung up H
        10:02:00  car drives              | G lives until last_drive expiry
        10:03:00  G unlock                | ok
        11:00:00  car parks               | key Zoe deleted
        11:00:10  G lock                  | ok, armed, keys none, hung up G, logged ended G
        11:00:20  G unlock                | refused KEY_DELETED
    """)


@pytest.mark.req("KEY-6", "CUT-3")
def test_two_days_are_the_longest_drive_of_a_deleted_key() -> None:
    play(f"""{KEYS}
        10:00:00         G drive                 | ok, released
        10:00:01         list 1 epoch 1 G/drive  | key Zoe deleted
        10:01:00         car drives              |
        D2 10:00:00.900  .                       | key Zoe deleted, released
        D2 10:00:01      .                       | keys none, released, event key.deleted
        D2 10:00:02      G unlock                | refused KEY_DELETED
        D2 11:00:00      car parks               | released
        D2 11:00:05      .                       | armed, no key drives
    """)


@pytest.mark.req("KEY-6")
@pytest.mark.parametrize(
    ("first", "then", "fate"),
    [
        ("G/cycle", "G/drive", "key G gone"),
        ("G/cycle", "G", "key G gone"),
        ("G/cycle", "", "key Zoe deleted"),
        ("G/cycle", "G/cycle", "key Zoe deleted"),
    ],
)
def test_a_later_list_may_be_stricter_and_never_milder(first: str, then: str, fate: str) -> None:
    play(f"""{KEYS}
        10:00:00  G unlock                | ok
        10:00:01  list 1 epoch 1 {first}  | key Zoe deleted
        10:00:02  list 2 epoch 1 {then}   | {fate}
    """)


@pytest.mark.req("KEY-6")
def test_a_milder_deletion_does_not_lengthen_the_last_drive() -> None:
    play(f"""{KEYS}
        10:00:00  G drive                 | ok
        10:00:01  list 1 epoch 1 G/drive  | key Zoe deleted
        10:00:02  list 2 epoch 1 G/cycle  | G lives until last_drive key_cycle expiry
        10:00:03  G lock                  | keys none
        10:00:04  list 3 epoch 1 G/cycle  |
        10:00:05  G unlock                | refused KEY_DELETED
    """)


@pytest.mark.req("KEY-6", "ACC-5")
def test_a_guests_own_phone_may_carry_the_list_that_deletes_its_key() -> None:
    play(f"""{KEYS}
        10:00:00  G unlock                  | ok
        10:00:01  G carries list 1 epoch 1 G | ok, not pending, hung up G, keys none
        10:00:02  G carries list 1 epoch 1 G | ok
    """)


@pytest.mark.req("ACC-5", "ACC-6", "CUT-3")
def test_a_higher_epoch_ends_every_key_and_a_moving_car_keeps_its_release() -> None:
    play(f"""{KEYS}
        10:00:00  G drive           | ok
        10:01:00  car drives        |
        10:02:00  list 1 epoch 2    | released, G pushed WRONG_KEY_EPOCH
        10:02:01  G unlock          | refused WRONG_KEY_EPOCH
        10:02:02  O unlock          | refused WRONG_KEY_EPOCH
        10:30:00  car parks         |
        10:30:05  .                 | armed, no key drives
    """)


@pytest.mark.req("KEY-6", "ACC-5", "CUT-3")
def test_a_booking_that_a_list_ends_with_the_key_cycle_ends_with_it() -> None:
    play("""
        bookings: A driver 10:00:00 - 12:00:00
        bookings: B driver 13:00:00 - 15:00:00
        10:00:03  A drive                         | ok, active, released
        10:00:04  list 1 epoch 1 A/cycle B/drive  | active, no event booking.ended
        10:01:00  car drives                      |
        10:02:00  car key unlocks                 |
        10:03:00  car key locks                   | active, released
        10:30:00  car parks                       | active, released
        10:30:05  .                               | ended, armed, event booking.ended
        10:31:00  A unlock                        | refused TOKEN_REVOKED
        13:00:03  B unlock                        | refused TOKEN_REVOKED
    """)
