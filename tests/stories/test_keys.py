"""Digital keys (KEY-1 to KEY-9), as literal times."""

import pytest

from tests.support.story import play

KEYS = """
    keys: O owner 00:00:00 - D365 00:00:00
    keys: G guest 09:00:00 - D7 09:00:00 of=O name=Zoe
"""


@pytest.mark.req("KEY-1", "KEY-5", "KEY-8")
def test_a_shared_key_opens_and_drives_and_the_main_user_hears_that_it_was_accepted() -> None:
    play(f"""{KEYS}
        10:00:00  O presents  | O granted, none, keys none
        10:00:05  G presents  | G granted, O told KEY_ACCEPTED, event key.accepted, keys Zoe, key Zoe number 1
        10:00:06  G unlock    | ok, not already, unlocked
        10:00:07  G drive     | ok, released, G drives, logged started Zoe
        10:01:00  car drives  | released
        10:30:00  car parks   | released
        10:30:10  G lock      | ok, locked, armed, no key drives, logged ended Zoe
        10:30:11  G status    | ok, sees the car, may unlock+drive+lock+locate+boot
    """)
