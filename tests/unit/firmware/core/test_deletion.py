"""How a digital key dies."""

import msgspec
import pytest

from firmware.core import deletion, keys
from firmware.core.deletion import DELETIONS_KEPT
from firmware.core.draft import Draft
from firmware.core.effects import AnswerMenu
from firmware.core.events import KeyButton, KeyDeactivated, OrderReceived
from firmware.core.state import DeadKey, Fading, State
from protocol.errors import Code
from protocol.sharing import Deletion, Key
from protocol.telemetry import EventKind
from protocol.tokens import RevocationList
from tests.support.core import (
    BEGINS_MS,
    CODED_KEY,
    EPOCH,
    GUEST_KEY,
    NOW,
    OWNER_KEY,
    a_state,
    after,
    draft,
    durably,
    events,
    knowing,
    linked,
    only,
    records,
)
from tests.support.credentials import MODULE_ID

replace = msgspec.structs.replace

ISSUED_S = BEGINS_MS // 1000 - 3_600
TWO_DAYS_MS = 172_800_000
KNOWING = linked(knowing(a_state(), GUEST_KEY, CODED_KEY), GUEST_KEY, CODED_KEY, OWNER_KEY)
NEVER_SEEN = b"never seen here."
CYCLE, DRIVE = Deletion.UNTIL_KEY_CYCLE, Deletion.AFTER_LAST_DRIVE_OR_48H


def dead(key: Key, code: Code = Code.KEY_DELETED) -> DeadKey:
    return DeadKey(key.token_id, code, key.expires_s, key.issued_s)


def fading(key: Key, policy: Deletion = CYCLE, *, unlocked: bool = False, at_ms: int = BEGINS_MS) -> Fading:
    return Fading(key.token_id, policy, key.expires_s, at_ms, unlocked)


def listed(*deleted: tuple[bytes, int], revoked: tuple[bytes, ...] = ()) -> RevocationList:
    return RevocationList(
        MODULE_ID,
        5,
        ISSUED_S,
        EPOCH,
        tuple((token_id, GUEST_KEY.expires_s) for token_id in revoked),
        fading=tuple((token_id, policy, GUEST_KEY.expires_s) for token_id, policy in deleted),
    )


def taken(state: State, told: RevocationList) -> Draft:
    step = draft(durably(state, revoked=told.revoked))
    deletion.take(step, told)
    return step


def pressed(state: State, *buttons: KeyButton) -> Draft:
    step = draft(state)
    for button in buttons:
        deletion.vehicle_key_used(step, button)
    return step


def settled(state: State, now: int = NOW) -> Draft:
    step = draft(state, now)
    deletion.settle(step)
    return step


# ---------------------------------------------------------------- in the vehicle
@pytest.mark.req("KEY-6")
def test_a_deactivated_key_is_dead_and_its_link_hung_up() -> None:
    step = draft(durably(KNOWING, deletions=(fading(GUEST_KEY), fading(CODED_KEY))))
    deletion.deactivated(step, KeyDeactivated(GUEST_KEY.token_id, 9))
    assert step.durable.dead_keys == (dead(GUEST_KEY, Code.KEY_DEACTIVATED),)
    assert [known.key for known in step.durable.keys] == [CODED_KEY]
    assert step.durable.deletions == (fading(CODED_KEY),)
    assert step.hang_ups == [1]
    assert only(AnswerMenu, step.effects) == [AnswerMenu(9)]
    assert not step.required
    (told,) = records(step.effects)
    assert (told.kind, told.reason, told.numbers) == (EventKind.KEY_DEACTIVATED, "Zoe", (("key_number", 1),))


@pytest.mark.req("KEY-6")
def test_once_more_changes_nothing_and_what_is_not_listed_is_refused() -> None:
    step = draft(durably(a_state(), dead_keys=(dead(CODED_KEY), dead(GUEST_KEY, Code.KEY_DEACTIVATED))))
    deletion.deactivated(step, KeyDeactivated(GUEST_KEY.token_id, 9))
    deletion.deactivated(step, KeyDeactivated(NEVER_SEEN, 10))
    again, unknown = only(AnswerMenu, step.effects)
    assert again == AnswerMenu(9)
    assert unknown.refusal is not None
    assert unknown.refusal.code is Code.KEY_DEACTIVATED
    assert len(step.effects) == 2


# ---------------------------------------------------------------- the list
@pytest.mark.req("KEY-6", "ACC-5")
def test_what_is_withdrawn_is_dead_for_ever_and_a_share_with_what_it_came_from() -> None:
    step = taken(KNOWING, listed(revoked=(GUEST_KEY.token_id,)))
    assert step.durable.dead_keys == (dead(GUEST_KEY),)
    assert set(step.hang_ups) == {1}
    assert events(step.effects) == [EventKind.KEY_DELETED]
    step = taken(KNOWING, listed(revoked=(OWNER_KEY.token_id,)))
    assert step.durable.dead_keys == (dead(GUEST_KEY, Code.TOKEN_REVOKED), dead(CODED_KEY, Code.TOKEN_REVOKED))
    assert set(step.hang_ups) == {1, 2, 3}
    assert taken(KNOWING, listed(revoked=(NEVER_SEEN,))).durable.dead_keys == ()


@pytest.mark.req("KEY-6")
def test_a_deletion_that_waits_is_noted_once() -> None:
    told = listed((GUEST_KEY.token_id, 1), (NEVER_SEEN, 1), (GUEST_KEY.token_id, 2))
    step = taken(KNOWING, told)
    expected = (
        fading(GUEST_KEY),
        Fading(NEVER_SEEN, CYCLE, GUEST_KEY.expires_s, BEGINS_MS),
        fading(GUEST_KEY, DRIVE),
    )
    assert step.durable.deletions == expected
    assert step.hang_ups == []
    later = taken(replace(KNOWING, durable=step.durable), replace(told, number=6))
    assert later.durable.deletions == expected


@pytest.mark.req("KEY-6")
def test_a_policy_that_nobody_knows_is_at_once_and_the_dead_stay_as_they_are() -> None:
    step = taken(KNOWING, listed((GUEST_KEY.token_id, 7), (NEVER_SEEN, 0)))
    assert step.durable.dead_keys == (
        dead(GUEST_KEY),
        DeadKey(NEVER_SEEN, Code.KEY_DELETED, GUEST_KEY.expires_s, ISSUED_S),
    )
    was = dead(GUEST_KEY, Code.CODE_DEAD)
    again = taken(durably(a_state(), dead_keys=(was,)), listed((GUEST_KEY.token_id, 0), (GUEST_KEY.token_id, 1)))
    assert (again.durable.dead_keys, again.durable.deletions) == ((was,), ())


@pytest.mark.req("KEY-6")
def test_when_too_many_wait_the_first_ones_wait_no_longer() -> None:
    many = [(number.to_bytes(16, "big"), 1) for number in range(DELETIONS_KEPT + 2)]
    step = taken(KNOWING, listed(*many))
    assert [each.token_id for each in step.durable.deletions] == [token_id for token_id, _ in many[2:]]
    assert [each.token_id for each in step.durable.dead_keys] == [token_id for token_id, _ in many[:2]]
    assert {each.issued_s for each in step.durable.dead_keys} == {ISSUED_S}


# ---------------------------------------------------------------- the key cycle
@pytest.mark.req("KEY-6")
def test_unlocked_and_then_locked_with_a_vehicle_key() -> None:
    waiting = (fading(GUEST_KEY), fading(CODED_KEY, DRIVE))
    state = durably(KNOWING, deletions=waiting)
    assert pressed(state, KeyButton.LOCK).state == state
    half = pressed(state, KeyButton.LOCK, KeyButton.UNLOCK)
    begun = (fading(GUEST_KEY, unlocked=True), fading(CODED_KEY, DRIVE))
    assert half.durable.deletions == begun
    assert pressed(half.state, KeyButton.UNLOCK).state == half.state
    done = pressed(half.state, KeyButton.LOCK)
    assert done.durable.deletions == (fading(CODED_KEY, DRIVE),)
    assert done.durable.dead_keys == (dead(GUEST_KEY),)
    assert events(done.effects) == [EventKind.KEY_DELETED]
    assert not done.required


@pytest.mark.req("KEY-6")
def test_a_key_that_never_came_dies_too_and_is_taken_for_as_old_as_its_deletion() -> None:
    never = Fading(NEVER_SEEN, CYCLE, GUEST_KEY.expires_s, BEGINS_MS, unlocked=True)
    step = pressed(durably(a_state(), deletions=(never,)), KeyButton.LOCK)
    assert step.durable.dead_keys == (DeadKey(NEVER_SEEN, Code.KEY_DELETED, GUEST_KEY.expires_s, BEGINS_MS // 1000),)
    assert step.effects == []


# ---------------------------------------------------------------- the last drive
@pytest.mark.req("KEY-6")
def test_a_key_that_does_not_drive_dies_at_once_and_one_that_drives_after_two_days() -> None:
    state = durably(KNOWING, deletions=(fading(GUEST_KEY, DRIVE), fading(CODED_KEY)))
    assert settled(state).durable.dead_keys == (dead(GUEST_KEY),)
    assert settled(durably(state, driver_key=OWNER_KEY)).durable.dead_keys == (dead(GUEST_KEY),)
    driving = durably(state, driver_key=GUEST_KEY, drive_enabled=True)
    assert settled(driving).state == driving
    assert settled(driving, NOW + TWO_DAYS_MS - 1).durable.dead_keys == ()
    over = settled(driving, NOW + TWO_DAYS_MS)
    assert over.durable.dead_keys == (dead(GUEST_KEY),)
    assert over.durable.driver_key == GUEST_KEY, "nothing is taken from a moving car"


@pytest.mark.req("KEY-6")
def test_the_next_of_these_two_days_to_end_is_a_deadline() -> None:
    assert deletion.due_at_ms(KNOWING, NOW) is None
    heard = (
        fading(GUEST_KEY, DRIVE, at_ms=BEGINS_MS),
        fading(CODED_KEY, DRIVE, at_ms=BEGINS_MS - 5_000),
        fading(OWNER_KEY),
    )
    assert deletion.due_at_ms(durably(KNOWING, deletions=heard), NOW) == NOW + TWO_DAYS_MS - 5_000


@pytest.mark.req("KEY-6", "ACC-5")
@pytest.mark.parametrize("fading", [(), ((NEVER_SEEN, 1, GUEST_KEY.expires_s),)])
def test_a_later_list_takes_no_no_back_from_a_key_that_was_never_here(
    fading: tuple[tuple[bytes, int, int], ...],
) -> None:
    first = RevocationList(MODULE_ID, 5, ISSUED_S, EPOCH, ((NEVER_SEEN, GUEST_KEY.expires_s),))
    second = RevocationList(MODULE_ID, 6, ISSUED_S, EPOCH, (), fading=fading)
    state, _ = after(a_state(), OrderReceived(first), OrderReceived(second))
    no = keys.unfit(state, replace(GUEST_KEY, token_id=NEVER_SEEN))
    assert no is not None
    assert no.code is Code.KEY_DELETED
    assert state.durable.deletions == ()


@pytest.mark.req("KEY-1", "KEY-6")
def test_with_a_main_users_key_dies_what_was_shared_from_it() -> None:
    step = draft(KNOWING)
    deletion.bury(step, DeadKey(GUEST_KEY.parent, Code.KEY_DELETED, 1_800_000_000, ISSUED_S))
    assert [(each.token_id, each.code) for each in step.durable.dead_keys] == [
        (GUEST_KEY.parent, Code.KEY_DELETED),
        (GUEST_KEY.token_id, Code.TOKEN_REVOKED),
        (CODED_KEY.token_id, Code.TOKEN_REVOKED),
    ]
    assert step.durable.keys == ()
