"""What a digital key may do now, and the first time that it comes."""

import msgspec
import pytest

from firmware.core import keys
from firmware.core.draft import Draft
from firmware.core.effects import Tell
from firmware.core.keys import Until, WhatNow
from firmware.core.state import KEYS_KEPT, DeadKey, Fading, KnownKey, Ownership, State, Vehicle
from protocol.errors import Code, Refusal, Role
from protocol.messages import KeyEntry, Notice, NoticeKind, Operation, Phase, Push, PushKind
from protocol.sharing import Deletion, Hours, Key
from protocol.telemetry import EventKind
from tests.support.core import (
    BEGINS_MS,
    CODED_KEY,
    DEALER_KEY,
    ENDS_MS,
    EPOCH,
    GUEST_KEY,
    NOW,
    OWNER_KEY,
    PRINT,
    PROFILE,
    a_state,
    draft,
    durably,
    events,
    knowing,
    linked,
    only,
    records,
    running,
)
from tests.support.credentials import BOOKING

replace = msgspec.structs.replace

KNOWING = knowing(a_state(), GUEST_KEY)
BOTH = durably(KNOWING, keys=(*KNOWING.durable.keys, KnownKey(2, CODED_KEY, BEGINS_MS, PRINT)))
NOT_THIS_HOUR = Hours(0, 60)


def code(state: State, key: Key) -> Code | None:
    no = keys.refusal(state, key, NOW)
    return None if no is None else no.code


def dead(key: Key, why: Code = Code.KEY_DEACTIVATED) -> DeadKey:
    return DeadKey(key.token_id, why, key.expires_s, key.issued_s)


# ---------------------------------------------------------------- may it
@pytest.mark.req("KEY-1", "KEY-2")
@pytest.mark.parametrize("key", [OWNER_KEY, GUEST_KEY, DEALER_KEY])
def test_a_key_that_nothing_stands_against_may_do_what_its_permissions_allow(key: Key) -> None:
    assert keys.refusal(KNOWING, key, NOW) is None
    assert keys.spent(KNOWING, key, NOW) is None
    assert keys.permissions(key) == (0 if key is DEALER_KEY else 31)


@pytest.mark.req("ACC-6", "KEY-1", "KEY-6", "KEY-9", "OWN-3", "ACC-11")
def test_the_reasons_are_given_in_their_order() -> None:
    """Everything stands against it; one after the other is taken away."""
    other = replace(PROFILE, module_id=b"another_", vehicle=Vehicle(digital_keys=False))
    bad = replace(GUEST_KEY, key_epoch=EPOCH - 1, expires_s=BEGINS_MS // 1000, hours=NOT_THIS_HOUR)
    state = durably(
        replace(running(), profile=other), ownership=Ownership(coupled=False), dead_keys=(dead(bad),), keys=()
    )
    assert code(state, bad) is Code.WRONG_VEHICLE
    state = replace(state, profile=replace(other, module_id=PROFILE.module_id))
    assert code(state, bad) is Code.KEYS_UNAVAILABLE
    state = replace(state, profile=PROFILE)
    assert code(state, bad) is Code.NOT_COUPLED
    state = durably(state, ownership=Ownership())
    assert code(state, bad) is Code.KEY_DEACTIVATED
    state = durably(state, dead_keys=(dead(OWNER_KEY),))
    assert code(state, bad) is Code.TOKEN_REVOKED
    state = durably(state, dead_keys=())
    assert code(state, bad) is Code.WRONG_KEY_EPOCH
    bad = replace(bad, key_epoch=EPOCH)
    assert code(state, bad) is Code.BOOKING_OVER
    bad = replace(bad, expires_s=GUEST_KEY.expires_s)
    assert code(state, bad) is Code.NOT_ADMITTED
    state = knowing(state, bad, activated=False)
    assert code(state, bad) is Code.ACTIVATION_REQUIRED
    state = knowing(state, bad)
    assert code(state, bad) is Code.OUTSIDE_HOURS
    bad = replace(bad, hours=None)
    assert code(state, bad) is Code.VEHICLE_IN_USE
    assert code(durably(state, trip=a_state().durable.trip), bad) is None


@pytest.mark.req("OWN-1", "KEY-9")
def test_a_dealers_key_needs_no_owner_no_digital_keys_and_no_free_car() -> None:
    state = durably(running(), ownership=Ownership(coupled=False))
    state = replace(state, profile=replace(PROFILE, vehicle=Vehicle(digital_keys=False)))
    assert code(state, DEALER_KEY) is None
    assert code(durably(state, dead_keys=(dead(DEALER_KEY),)), DEALER_KEY) is Code.KEY_DEACTIVATED


@pytest.mark.req("ACC-6", "ACC-8")
def test_a_refusal_says_what_decided_it() -> None:
    old = keys.refusal(a_state(), replace(OWNER_KEY, key_epoch=1), NOW)
    assert old is not None
    assert old.numbers == (("key_epoch", 1), ("vehicle_epoch", EPOCH))
    shared = keys.refusal(KNOWING, replace(GUEST_KEY, key_epoch=1), NOW)
    assert shared is not None
    assert shared.remedy == "The car changed hands or its keys: ask the main user for a new key."
    other = keys.refusal(a_state(), replace(OWNER_KEY, module_id=b"another_"), NOW)
    assert other is not None
    assert other.remedy == "This key is for another car: walk to that one."


@pytest.mark.req("ACC-5", "KEY-6")
@pytest.mark.parametrize(
    ("key", "named", "expected", "remedy"),
    [
        (GUEST_KEY, GUEST_KEY, Code.KEY_DELETED, "The main user deleted it: ask for a new key."),
        (GUEST_KEY, OWNER_KEY, Code.TOKEN_REVOKED, "It was withdrawn: Ask the main user for a new key."),
        (OWNER_KEY, OWNER_KEY, Code.TOKEN_REVOKED, "It was withdrawn: Log in anew in the app."),
    ],
)
def test_what_a_list_names_opens_nothing(key: Key, named: Key, expected: Code, remedy: str) -> None:
    no = keys.refusal(durably(KNOWING, revoked=((named.token_id, named.expires_s),)), key, NOW)
    assert no is not None
    assert (no.code, no.rule, no.remedy) == (expected, "KEY-6", remedy)


@pytest.mark.req("ACC-11")
def test_the_main_users_older_phone_is_refused_and_a_share_has_no_generation() -> None:
    state = durably(KNOWING, devices=((b"an owner", 2), (b"a guest_", 9)))
    no = keys.refusal(state, OWNER_KEY, NOW)
    assert no is not None
    assert (no.code, no.numbers) == (Code.DEVICE_REPLACED, (("device_generation", 1), ("newest_generation", 2)))
    assert code(state, replace(OWNER_KEY, device_generation=2)) is None
    assert code(state, GUEST_KEY) is None


@pytest.mark.req("KEY-3", "KEY-4")
def test_a_key_waits_for_its_code_until_its_tries_are_used_up() -> None:
    for tries, expected, left in ((0, Code.ACTIVATION_REQUIRED, 5), (4, Code.ACTIVATION_REQUIRED, 1)):
        no = keys.refusal(knowing(a_state(), CODED_KEY, activated=False, tries=tries), CODED_KEY, NOW)
        assert no is not None
        assert (no.code, no.numbers) == (expected, (("tries_left", left),))
    assert code(knowing(a_state(), CODED_KEY, activated=False, tries=5), CODED_KEY) is Code.CODE_DEAD
    assert code(knowing(a_state(), CODED_KEY), CODED_KEY) is None


@pytest.mark.req("KEY-1", "KEY-5")
def test_a_key_that_was_not_noted_opens_nothing_yet() -> None:
    no = keys.refusal(a_state(), GUEST_KEY, NOW)
    assert no is not None
    assert (no.code, no.temporary, no.rule) == (Code.NOT_ADMITTED, True, "KEY-5")
    assert no.remedy == "The key is noted as soon as you ask for something."
    full = keys.refusal(a_full_list(), GUEST_KEY, NOW)
    assert full is not None
    assert (full.code, full.numbers) == (Code.KEY_LIST_FULL, (("listed", KEYS_KEPT),))


@pytest.mark.req("ACC-4")
def test_ones_own_booking_is_nobody_elses() -> None:
    own = running(replace(BOOKING, user=OWNER_KEY.user))
    assert code(own, OWNER_KEY) is None
    assert code(running(phase=Phase.ENDED), OWNER_KEY) is None
    no = keys.refusal(running(overdue_ms=-1_000), OWNER_KEY, NOW)
    assert no is not None
    assert (no.code, no.numbers) == (Code.VEHICLE_IN_USE, (("ends_in_ms", 1_000),))


@pytest.mark.req("CLK-2", "CUT-3")
def test_an_uncertain_clock_refuses_and_ends_no_drive() -> None:
    blind = replace(KNOWING, clock=replace(KNOWING.clock, reading_ms=None))
    assert code(blind, GUEST_KEY) is Code.CLOCK_UNCERTAIN
    assert keys.spent(blind, GUEST_KEY, NOW) is None
    over = replace(KNOWING, clock=replace(KNOWING.clock, reading_ms=GUEST_KEY.expires_s * 1000))
    no = keys.spent(over, GUEST_KEY, NOW)
    assert no is not None
    assert no.code is Code.BOOKING_OVER


# ---------------------------------------------------------------- which there are
def a_full_list() -> State:
    numbered = (replace(GUEST_KEY, token_id=number.to_bytes(16, "big")) for number in range(KEYS_KEPT))
    return knowing(a_state(), *numbered)


@pytest.mark.req("KEY-6")
def test_the_list_tells_number_name_and_fate() -> None:
    deleted = Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, GUEST_KEY.expires_s, BEGINS_MS)
    assert keys.listed(durably(BOTH, deletions=(deleted,), keys=BOTH.durable.keys[::-1])) == (
        KeyEntry(1, GUEST_KEY.token_id, "Zoe", 31, GUEST_KEY.expires_s * 1000, True, True),
        KeyEntry(2, CODED_KEY.token_id, "Max", 31, CODED_KEY.expires_s * 1000, False, False),
    )


@pytest.mark.req("KEY-6", "CLK-4")
def test_what_has_expired_is_not_listed_if_a_trusted_clock_or_the_floor_says_so() -> None:
    over_ms = GUEST_KEY.expires_s * 1000
    late = replace(KNOWING, clock=replace(KNOWING.clock, reading_ms=over_ms))
    assert keys.listed(late) == ()
    assert len(keys.listed(replace(late, clock=replace(late.clock, trusted=False)))) == 1
    assert keys.listed(replace(late, clock=replace(late.clock, trusted=False, floor_ms=over_ms))) == ()


@pytest.mark.req("KEY-6", "ACC-9")
def test_what_a_key_can_still_do_is_known_and_what_would_end_it() -> None:
    everything = tuple(
        getattr(Operation, name) for name in ("UNLOCK", "LOCK", "ENABLE_DRIVE", "DISABLE_DRIVE", "LOCATE", "OPEN_BOOT")
    )
    assert keys.what_now(KNOWING, GUEST_KEY, NOW) == WhatNow(everything, None, (Until.EXPIRY,))
    no = keys.refusal(BOTH, CODED_KEY, NOW)
    assert keys.what_now(BOTH, CODED_KEY, NOW) == WhatNow((), no, ())
    boot = replace(GUEST_KEY, permissions=16, hours=Hours(0, 1_439))
    state = knowing(a_state(), boot)
    assert keys.what_now(state, boot, NOW) == WhatNow((Operation.OPEN_BOOT,), None, (Until.HOURS,))
    halves = (
        Fading(GUEST_KEY.token_id, Deletion.AFTER_LAST_DRIVE_OR_48H, 1, BEGINS_MS),
        Fading(GUEST_KEY.token_id, Deletion.UNTIL_KEY_CYCLE, 1, BEGINS_MS),
    )
    now = keys.what_now(durably(KNOWING, deletions=halves), GUEST_KEY, NOW)
    assert now.until == (Until.LAST_DRIVE, Until.KEY_CYCLE, Until.EXPIRY)
    begun = (replace(halves[1], unlocked=True),)
    assert keys.what_now(durably(KNOWING, deletions=begun), GUEST_KEY, NOW).until == (Until.KEY_LOCK, Until.EXPIRY)


# ---------------------------------------------------------------- the first time
def come(state: State, key: Key, print_: bytes = b"", parent: Key | None = OWNER_KEY) -> Draft:
    """A phone with this key has authenticated itself on link 1, the main user's is on link 2."""
    link, *others = linked(state, key, OWNER_KEY, GUEST_KEY, DEALER_KEY).links
    mine = replace(link, code=print_, parent=parent if key.parent else None)
    step = draft(replace(state, links=(mine, *others)))
    keys.received(step, mine, key)
    return step


@pytest.mark.req("KEY-5")
def test_a_shared_key_is_noted_and_the_main_user_told() -> None:
    step = come(KNOWING, CODED_KEY, PRINT)
    assert step.durable.keys[1:] == (KnownKey(2, CODED_KEY, BEGINS_MS, PRINT, 0, activated=False),)
    assert step.required
    assert events(step.effects) == [EventKind.KEY_ACCEPTED]
    (told,) = records(step.effects)
    assert (told.booking, told.role, told.reason) == (CODED_KEY.token_id.hex(), "guest", "Max")
    assert told.numbers == (("key_number", 2),)
    assert only(Tell, step.effects) == [Tell(2, Push(PushKind.NOTICE, Notice(NoticeKind.KEY_ACCEPTED)))]
    assert come(KNOWING, replace(GUEST_KEY, token_id=b"no code at all..")).durable.keys[1].activated


@pytest.mark.req("KEY-1", "KEY-5", "ACC-11")
@pytest.mark.parametrize(
    ("state", "key", "parent"),
    [
        (KNOWING, GUEST_KEY, OWNER_KEY),
        (KNOWING, OWNER_KEY, None),
        (KNOWING, DEALER_KEY, None),
        (a_state(), replace(GUEST_KEY, key_epoch=EPOCH + 1), OWNER_KEY),
        (a_state(GUEST_KEY.expires_s * 1000), GUEST_KEY, OWNER_KEY),
        (a_full_list(), GUEST_KEY, OWNER_KEY),
    ],
    ids=["known", "standing", "dealer", "unfit", "expired", "full"],
)
def test_nothing_is_noted_that_is_known_or_no_good(state: State, key: Key, parent: Key | None) -> None:
    state = durably(state, devices=((OWNER_KEY.user, 1), (DEALER_KEY.user, 1)))
    step = come(state, key, parent=parent)
    assert step.durable == state.durable
    assert step.effects == []
    assert not step.required


@pytest.mark.req("ACC-11", "KEY-1")
def test_a_phone_that_was_replaced_grants_no_new_key() -> None:
    state = durably(KNOWING, devices=((OWNER_KEY.user, 2),))
    step = come(state, CODED_KEY)
    assert step.durable == state.durable
    denied = step.state.links[0].denied
    assert isinstance(denied, Refusal)
    assert denied.code is Code.DEVICE_REPLACED
    assert len(come(state, CODED_KEY, parent=None).durable.keys) == 2


@pytest.mark.req("KEY-1")
def test_an_expired_key_makes_room_and_its_number_is_not_given_again_at_once() -> None:
    full = a_full_list()
    short = replace(full.durable.keys[4].key, expires_s=BEGINS_MS // 1000)
    state = durably(
        full, keys=(*full.durable.keys[:4], replace(full.durable.keys[4], key=short), *full.durable.keys[5:])
    )
    step = come(state, GUEST_KEY)
    assert len(step.durable.keys) == KEYS_KEPT
    assert step.durable.keys[-1].number == KEYS_KEPT + 1
    last = replace(state.durable.keys[-1], number=keys.MOST_NUMBER)
    step = come(durably(state, keys=(*state.durable.keys[:-1], last)), GUEST_KEY)
    assert step.durable.keys[-1].number == 5, "the menu has two digits"
    assert short not in [known.key for known in step.durable.keys]


@pytest.mark.req("KEY-5", "ACC-5")
def test_who_is_the_main_user_no_more_is_told_nothing() -> None:
    state = linked(durably(a_state(), dead_keys=(dead(OWNER_KEY),)), OWNER_KEY, None, GUEST_KEY)
    step = draft(state)
    keys.tell_main_user(step, NoticeKind.KEY_ACCEPTED)
    assert step.effects == []


@pytest.mark.req("KEY-1")
def test_the_last_place_is_given_too() -> None:
    nearly = a_full_list()
    assert come(durably(nearly, keys=nearly.durable.keys[:-1]), GUEST_KEY).durable.keys[-1].number == KEYS_KEPT


@pytest.mark.req("ACC-11")
def test_the_main_users_newer_phone_is_remembered() -> None:
    step = come(durably(a_state(), devices=((b"an owner", 1),)), replace(OWNER_KEY, device_generation=3))
    assert step.durable.devices == ((b"an owner", 3),)
    assert come(a_state(), OWNER_KEY).durable.devices == ((b"an owner", 1),)
    assert come(a_state(), replace(OWNER_KEY, device_generation=0)).durable.devices == ()
    assert not step.required


def test_the_times_of_these_tests_fit() -> None:
    assert BEGINS_MS < ENDS_MS
    assert DEALER_KEY.role is Role.SERVICE
