"""Activation codes, entered once in the vehicle (KEY-3, KEY-4, KEY-5), as literal times."""

import pytest

from tests.support.story import Story, play

KEYS = """
    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 09:00:00 - D7 09:00:00 of=O name=Zoe code=042917 until=D1T10:00:00
"""
TWO = f"""{KEYS}
    keys: H guest 09:00:00 - D7 09:00:00 of=O name=Max code=700001 until=D1T10:00:00
"""


@pytest.mark.req("KEY-3", "KEY-5")
def test_a_key_with_a_code_opens_nothing_until_that_was_entered_in_the_car() -> None:
    play(f"""{KEYS}
        10:00:00  O presents         |
        10:00:01  G presents         | G denied ACTIVATION_REQUIRED, O told KEY_ACCEPTED, key Zoe waits
        10:00:02  G unlock           | refused ACTIVATION_REQUIRED, temporary, tries_left = 5, says menu, locked
        10:00:03  G drive            | refused ACTIVATION_REQUIRED, armed
        10:00:04  G status           | sees no car
        10:00:30  menu enters 042917 | ok, O told KEY_ACTIVATED, event key.activated, G pushed granted
        10:00:31  G unlock           | ok, key Zoe activated
        10:00:32  reboot             | key Zoe activated
        10:00:40  G drive            | ok, released
    """)


@pytest.mark.req("KEY-4")
def test_a_code_works_once() -> None:
    play(f"""{TWO}
        10:00:01  G presents         |
        10:00:10  menu enters 042917 | ok, key Zoe activated
        10:00:11  menu enters 042917 | refused CODE_UNEXPECTED, temporary
        10:01:00  H presents         | key Max waits
        10:01:10  menu enters 042917 | refused CODE_WRONG, tries_left = 4, key Max waits
    """)


@pytest.mark.req("KEY-4")
def test_five_wrong_tries_kill_the_key_for_ever_and_the_pauses_grow() -> None:
    play(f"""{KEYS}
        10:00:00      O presents         |
        10:00:01      G presents         |
        10:00:10      menu enters 000000 | refused CODE_WRONG, tries_left = 4, pause_ms = 5000, event key.code_wrong
        10:00:14.999  menu enters 042917 | refused CODE_PAUSED, pause_ms = 1, temporary
        10:00:15      menu enters 000001 | refused CODE_WRONG, tries_left = 3, pause_ms = 30000
        10:00:44.999  menu enters 000002 | refused CODE_PAUSED, pause_ms = 1
        10:00:45      menu enters 000002 | refused CODE_WRONG, tries_left = 2, pause_ms = 120000
        10:02:45      menu enters 000003 | refused CODE_WRONG, tries_left = 1, pause_ms = 600000
        10:12:44.999  menu enters 042917 | refused CODE_PAUSED
        10:12:45      menu enters 000004 | refused CODE_DEAD, final, pause_ms = 3600000, event alert.code_dead
        10:12:46      G unlock           | refused CODE_DEAD, final, locked, keys none
        11:13:00      menu enters 042917 | refused CODE_UNEXPECTED
        11:13:01      reboot             |
        11:13:05      G unlock           | refused CODE_DEAD, keys none, no event key.accepted
    """)


@pytest.mark.req("KEY-4")
def test_the_right_code_at_the_fifth_try_is_right() -> None:
    play(f"""{KEYS}
        10:00:01  G presents         |
        10:00:10  menu enters 000000 | refused CODE_WRONG
        10:00:20  menu enters 000000 | refused CODE_WRONG
        10:01:00  menu enters 000000 | refused CODE_WRONG
        10:05:00  menu enters 000000 | refused CODE_WRONG, tries_left = 1
        10:20:00  menu enters 042917 | ok, key Zoe activated
        10:20:01  G unlock           | ok
    """)


@pytest.mark.req("KEY-4")
def test_a_wrong_try_counts_for_every_key_that_waits_and_a_right_one_for_none() -> None:
    play(f"""{TWO}
        10:00:01  G presents         |
        10:00:02  H presents         |
        10:00:10  menu enters 000000 | refused CODE_WRONG, tries_left = 4
        10:00:20  menu enters 042917 | ok, key Zoe activated, key Max waits
        10:00:21  H unlock           | refused ACTIVATION_REQUIRED, tries_left = 4
        10:00:22  menu enters 700001 | ok, key Max activated
    """)


@pytest.mark.req("KEY-4")
def test_the_pauses_grow_across_codes_and_begin_anew_after_a_reboot() -> None:
    play(f"""{TWO}
        10:00:01      G presents         |
        10:00:10      menu enters 000000 | refused CODE_WRONG, pause_ms = 5000
        10:00:20      menu enters 000000 | refused CODE_WRONG, pause_ms = 30000
        10:00:30      reboot             |
        10:00:40      menu enters 042917 | refused CODE_PAUSED, pause_ms = 20000
        10:01:00      menu deactivates G | ok
        10:01:10      H presents         |
        10:01:11      menu enters 000000 | refused CODE_WRONG, tries_left = 4, pause_ms = 120000
        10:03:11      menu enters 700001 | ok
        10:03:12      menu enters 700001 | refused CODE_UNEXPECTED
    """)


@pytest.mark.req("KEY-4", "PWR-2")
@pytest.mark.parametrize("tries", range(1, 5))
def test_a_power_cut_before_the_comparison_leaves_a_try_more_and_never_one_less(tries: int) -> None:
    story = Story()
    story.play(f"{KEYS}\n10:00:01 G presents |")
    for hour in range(tries):
        story.play(f"""
            {12 + hour}:00:00  menu enters 042917 and power fails | no answer
            {12 + hour}:00:05  reboot                             | key Zoe waits
        """)
    story.play(f"""
        {12 + tries}:00:00  G unlock  | refused ACTIVATION_REQUIRED, tries_left = {5 - tries}
        {13 + tries}:00:00  menu enters 042917 | ok
    """)


@pytest.mark.req("KEY-4", "PWR-2")
def test_the_fifth_try_that_a_power_cut_hid_was_the_last() -> None:
    play(f"""{KEYS}
        10:00:01  G presents                         |
        12:00:00  menu enters 000001 and power fails | no answer
        12:00:05  reboot                             |
        13:00:00  menu enters 000002 and power fails | no answer
        13:00:05  reboot                             |
        14:00:00  menu enters 000003 and power fails | no answer
        14:00:05  reboot                             |
        15:00:00  menu enters 000004 and power fails | no answer
        15:00:05  reboot                             |
        16:00:00  menu enters 042917 and power fails | no answer
        16:00:05  reboot                             | event alert.code_dead, keys none
        18:00:00  menu enters 042917                 | refused CODE_UNEXPECTED
        18:00:01  G unlock                           | refused CODE_DEAD
    """)


@pytest.mark.req("KEY-4")
def test_a_code_is_taken_in_a_parked_car_only() -> None:
    play(f"""{KEYS}
        10:00:01      G presents         |
        10:00:10      car ignition on    |
        10:00:11      menu enters 042917 | refused NOT_PARKED, temporary, parked_ms = 0
        10:00:12      car drives         |
        10:00:13      menu enters 042917 | refused NOT_PARKED
        10:00:20      car parks          |
        10:00:24.999  menu enters 042917 | refused NOT_PARKED, parked_ms = 4999
        10:00:25      car silent         |
        10:00:30      menu enters 042917 | refused NOT_PARKED
        10:00:31      car speaks         |
        10:00:40      menu enters 042917 | ok
    """)


@pytest.mark.req("KEY-4")
def test_nothing_waits_for_a_code_before_its_phone_was_here() -> None:
    play(f"""{KEYS}
        10:00:00  menu enters 042917 | refused CODE_UNEXPECTED, says let its phone connect
        10:00:01  G presents         |
        10:00:02  menu enters 042917 | ok
    """)


@pytest.mark.req("KEY-4", "CLK-2")
def test_a_code_has_its_own_end() -> None:
    play(f"""{KEYS}
        09:00:00         time network +0    |
        10:00:01         G presents         |
        D1 09:59:59.900  menu enters 042917 | refused CLOCK_UNCERTAIN, temporary, key Zoe waits
        D1 10:00:30      menu enters 042917 | refused CODE_EXPIRED, final, over_for_ms > 28000, key Zoe waits
        D1 10:00:40      G unlock           | refused ACTIVATION_REQUIRED, tries_left = 5
    """)


@pytest.mark.req("KEY-4", "CLK-2")
def test_without_a_clock_the_right_code_is_no_wrong_try() -> None:
    play(
        f"""{KEYS}
        10:00:01  G presents         |
        10:00:02  car fix lost       |
        10:00:05  reboot rtc lost    |
        10:00:11  menu enters 042917 | refused CLOCK_UNCERTAIN
        10:00:20  time network +0    |
        10:00:21  G presents         | G denied ACTIVATION_REQUIRED
        10:00:22  G status           | refused ACTIVATION_REQUIRED
        10:00:41  menu enters 042917 | ok
    """.replace("| refused ACTIVATION_REQUIRED\n        10:00:41", "| tries_left = 5\n        10:00:41")
    )


@pytest.mark.req("KEY-4", "PWR-2")
def test_a_disk_that_refuses_takes_no_code() -> None:
    play(f"""{KEYS}
        10:00:01  G presents         |
        10:00:02  disk full          |
        10:00:10  menu enters 042917 | refused STORAGE_FAILED, key Zoe waits
        10:00:11  menu enters 000000 | refused STORAGE_FAILED
        10:00:12  disk free          |
        10:00:13  menu enters 042917 | ok, key Zoe activated
    """)


@pytest.mark.req("KEY-4", "KEY-6")
@pytest.mark.parametrize("list_", ["list 1 epoch 1 G", "list 1 epoch 1 O", "list 1 epoch 1 G/drive"])
def test_a_key_that_was_withdrawn_takes_no_code(list_: str) -> None:
    play(f"""{KEYS}
        10:00:01  G presents         |
        10:00:02  {list_}            | keys none, hung up G
        10:00:10  menu enters 042917 | refused CODE_UNEXPECTED
    """)


@pytest.mark.req("KEY-4")
def test_an_expired_key_waits_for_no_code() -> None:
    play("""
        keys: O owner 00:00:00 - D365 00:00:00
        keys: G guest 09:00:00 - 11:00:00 of=O name=Zoe code=042917 until=10:30:00
        09:00:00  time network +0    |
        10:00:01  G presents         | key Zoe waits
        11:30:00  menu enters 042917 | refused CODE_UNEXPECTED
    """)
