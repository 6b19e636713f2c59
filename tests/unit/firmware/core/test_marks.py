"""What must never be forgotten of digital keys."""

import msgspec
import pytest

from firmware.core import marks
from firmware.core.marks import Marks
from firmware.core.state import DEAD_KEYS_KEPT, KEYS_KEPT, DeadKey, Durable, Fading, KnownKey
from protocol.errors import Code
from protocol.sharing import Deletion
from tests.support.core import BEGINS_MS, CODED_KEY, EPOCH, FLOOR_MS, GUEST_KEY, NIGHT, OWNER_KEY, PRINT

replace = msgspec.structs.replace

DEAD = DeadKey(b"a key that died.", Code.KEY_DEACTIVATED, GUEST_KEY.expires_s, GUEST_KEY.issued_s)
FULL = Durable(
    BEGINS_MS,
    EPOCH,
    drive_enabled=True,
    keys=(
        KnownKey(1, replace(GUEST_KEY, hours=NIGHT), BEGINS_MS, activated=True),
        KnownKey(3, CODED_KEY, BEGINS_MS, PRINT, 4),
    ),
    dead_keys=(DEAD,),
    keys_before_s=1_700_000_000,
    deletions=(Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, GUEST_KEY.expires_s, BEGINS_MS, unlocked=True),),
    code_step=4,
    driver_key=GUEST_KEY,
)
NOTED = marks.of(FULL)
NOTHING = Durable(FLOOR_MS, EPOCH)


@pytest.mark.req("KEY-4", "KEY-6", "PWR-1")
def test_a_lost_store_learns_everything_of_keys_but_who_drives() -> None:
    written = msgspec.msgpack.encode(NOTED)
    again = marks.recalled(NOTHING, msgspec.msgpack.decode(written, type=Marks))
    assert again == replace(FULL, floor_ms=FLOOR_MS, driver_key=None, drive_enabled=False)


@pytest.mark.req("KEY-4", "KEY-6", "PWR-1")
def test_an_older_store_is_put_right() -> None:
    older = replace(
        FULL,
        keys=(
            replace(FULL.keys[1], tries=0, activated=True),
            KnownKey(2, replace(GUEST_KEY, token_id=DEAD.token_id), BEGINS_MS, activated=True),
        ),
        dead_keys=(),
        keys_before_s=1_600_000_000,
        deletions=(replace(FULL.deletions[0], unlocked=False),),
        code_step=0,
    )
    assert marks.recalled(older, NOTED) == FULL
    assert marks.recalled(replace(older, keys_before_s=1_800_000_000), NOTED).keys_before_s == 1_800_000_000


@pytest.mark.req("KEY-6", "CUT-4", "PWR-1")
def test_a_release_does_not_come_back_from_an_older_store() -> None:
    for since in (replace(FULL, driver_key=None, drive_enabled=False), replace(FULL, driver_key=OWNER_KEY)):
        known = marks.recalled(FULL, marks.of(since))
        assert (known.driver_key, known.drive_enabled) == (None, False)
    booked = replace(FULL, driver_key=None)
    assert marks.recalled(booked, marks.of(booked)).drive_enabled


def test_they_stay_small() -> None:
    key = replace(CODED_KEY, name="n" * 32, hours=NIGHT, issuer=bytes(8))
    most = replace(
        FULL,
        keys=tuple(KnownKey(number, key, BEGINS_MS, PRINT, 4) for number in range(KEYS_KEPT)),
        dead_keys=tuple(replace(DEAD, token_id=number.to_bytes(16, "big")) for number in range(DEAD_KEYS_KEPT)),
        deletions=FULL.deletions * 64,
    )
    assert len(msgspec.msgpack.encode(marks.of(most))) < 12 * 1024
