"""Activation codes: counted, made durable, and only then compared."""

import msgspec
import pytest

from firmware.core import activation
from firmware.core.draft import Draft
from firmware.core.effects import AnswerMenu, Tell, TryCode
from firmware.core.events import CodeEntered, CodeTried
from firmware.core.state import DeadKey, KnownKey, State, Trying
from protocol.errors import Code, Refusal
from protocol.messages import Notice, NoticeKind, Push, PushKind
from protocol.telemetry import EventKind
from tests.support.core import (
    BEGINS_MS,
    CODED_KEY,
    DRIVING,
    FLOOR_MS,
    GUEST_KEY,
    NOW,
    OWNER_KEY,
    PRINT,
    a_state,
    draft,
    durably,
    events,
    knowing,
    linked,
    only,
    records,
    seen,
)

replace = msgspec.structs.replace

OTHER_KEY = replace(CODED_KEY, token_id=b"another with one", name="Ida")
WRONG = b"of another code."
WAITING = knowing(a_state(), CODED_KEY, activated=False)
"""One key waits."""
MANY = durably(
    WAITING,
    keys=(
        *WAITING.durable.keys,
        KnownKey(2, OTHER_KEY, BEGINS_MS, b"print of another", 3),
        KnownKey(3, GUEST_KEY, BEGINS_MS, activated=True),
    ),
)
"""Two wait, one is good."""


def entered(state: State, code: bytes = WRONG, now: int = NOW) -> Draft:
    step = draft(state, now)
    activation.entered(step, CodeEntered(code, 4))
    return step


def compared(state: State, code: bytes = WRONG, now: int = NOW) -> Draft:
    """The code was entered and counted, and now the disk has it."""
    step = draft(entered(state, code, now).state, now)
    activation.tried(step, CodeTried(code, 4))
    return step


def said(step: Draft) -> Refusal:
    (answer,) = only(AnswerMenu, step.effects)
    assert answer.ticket == 4
    assert answer.refusal is not None
    return answer.refusal


def tries(step: Draft) -> list[int]:
    return [known.tries for known in step.durable.keys]


# ---------------------------------------------------------------- counting
@pytest.mark.req("KEY-4", "PWR-2")
def test_a_try_is_counted_for_every_key_that_waits_before_anything_is_compared() -> None:
    step = entered(MANY, PRINT)
    assert tries(step) == [1, 4, 0]
    assert step.durable.code_step == 1
    assert step.required
    assert step.effects == [TryCode(PRINT, 4)]
    assert step.state.trying == Trying(PRINT, 4)
    assert step.state.code_paused_until_ms == NOW + 5_000
    assert not any(known.activated for known in step.durable.keys[:2])


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize(
    ("step", "pause_ms"), [(0, 5_000), (1, 30_000), (2, 120_000), (3, 600_000), (4, 3_600_000), (5, 3_600_000)]
)
def test_the_pauses_grow_up_to_an_hour_and_begin_anew_at_power_up(step: int, pause_ms: int) -> None:
    after = entered(durably(WAITING, code_step=step)).state
    assert after.code_paused_until_ms == NOW + pause_ms
    assert after.durable.code_step == min(step + 1, 5)
    assert activation.resumed(after, 77).code_paused_until_ms == 77 + pause_ms
    assert activation.resumed(WAITING, 77).code_paused_until_ms == 77
    assert activation.resumed(durably(WAITING, code_step=99), 77).code_paused_until_ms == 77 + 3_600_000


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize(
    ("state", "code", "numbers"),
    [
        (replace(WAITING, vehicle=seen(DRIVING)), Code.NOT_PARKED, (("parked_ms", 0),)),
        (replace(WAITING, vehicle=seen(still_for_ms=4_999)), Code.NOT_PARKED, (("parked_ms", 4_999),)),
        (replace(WAITING, vehicle=seen(age_ms=2_501)), Code.NOT_PARKED, (("parked_ms", 0),)),
        (replace(WAITING, code_paused_until_ms=NOW + 1), Code.CODE_PAUSED, (("pause_ms", 1),)),
        (a_state(), Code.CODE_UNEXPECTED, ()),
        (knowing(a_state(), CODED_KEY), Code.CODE_UNEXPECTED, ()),
        (durably(WAITING, revoked=((OWNER_KEY.token_id, 2**31),)), Code.CODE_UNEXPECTED, ()),
        (
            replace(WAITING, clock=replace(WAITING.clock, reading_ms=CODED_KEY.expires_s * 1000)),
            Code.CODE_UNEXPECTED,
            (),
        ),
    ],
    ids=["drives", "just stopped", "silent", "paused", "nothing", "activated", "withdrawn", "expired"],
)
def test_a_code_that_is_not_taken_counts_for_nothing(
    state: State, code: Code, numbers: tuple[tuple[str, int], ...]
) -> None:
    step = entered(state)
    assert (said(step).code, said(step).numbers) == (code, numbers)
    assert step.state == state


# ---------------------------------------------------------------- comparing
@pytest.mark.req("KEY-3", "KEY-4", "KEY-5")
def test_the_right_code_activates_its_key_and_was_a_wrong_try_for_none() -> None:
    step = compared(linked(durably(MANY, code_step=3), OWNER_KEY), PRINT)
    assert [known.activated for known in step.durable.keys] == [True, False, True]
    assert tries(step) == [0, 3, 0]
    assert (step.durable.code_step, step.state.code_paused_until_ms, step.state.trying) == (0, 0, None)
    assert step.required
    assert only(AnswerMenu, step.effects) == [AnswerMenu(4)]
    assert events(step.effects) == [EventKind.KEY_ACTIVATED]
    (told,) = records(step.effects)
    assert (told.reason, told.numbers) == ("Max", (("key_number", 1),))
    (notice,) = only(Tell, step.effects)
    assert notice == Tell(1, Push(PushKind.NOTICE, Notice(NoticeKind.KEY_ACTIVATED)))


@pytest.mark.req("KEY-4")
def test_a_wrong_code_tells_how_many_tries_are_left_for_the_one_with_the_fewest() -> None:
    step = compared(MANY)
    no = said(step)
    assert (no.code, no.numbers) == (Code.CODE_WRONG, (("tries_left", 1), ("pause_ms", 5_000)))
    (told,) = records(step.effects)
    assert (told.kind, told.numbers) == (EventKind.CODE_WRONG, (("tries_left", 1),))
    assert not step.required
    assert step.state.trying is None


@pytest.mark.req("KEY-4")
def test_the_fifth_wrong_try_is_the_last() -> None:
    last = compared(knowing(a_state(), CODED_KEY, activated=False, tries=4))
    assert (said(last).code, said(last).numbers) == (Code.CODE_DEAD, (("pause_ms", 5_000),))
    activation.settle(last)
    dead = DeadKey(CODED_KEY.token_id, Code.CODE_DEAD, CODED_KEY.expires_s, CODED_KEY.issued_s)
    assert (last.durable.dead_keys, last.durable.keys) == ((dead,), ())
    right = compared(knowing(a_state(), CODED_KEY, activated=False, tries=4), PRINT)
    activation.settle(right)
    assert right.durable.keys[0].activated


@pytest.mark.req("KEY-4", "PWR-2")
def test_a_key_is_not_buried_while_its_fifth_code_is_compared_and_is_after_a_power_cut() -> None:
    step = entered(knowing(a_state(), CODED_KEY, activated=False, tries=4), PRINT)
    activation.settle(step)
    assert len(step.durable.keys) == 1
    booted = draft(replace(step.state, trying=None))
    activation.settle(booted)
    assert booted.durable.keys == ()
    assert events(booted.effects) == [EventKind.CODE_DEAD]
    few = draft(MANY)
    activation.settle(few)
    assert few.state == MANY


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize("event", [CodeTried(PRINT, 5), CodeTried(WRONG, 4)])
def test_what_nobody_counted_is_not_compared(event: CodeTried) -> None:
    state = entered(WAITING, PRINT).state
    step = draft(state)
    activation.tried(step, event)
    assert (step.state, step.effects) == (state, [])
    untried = draft(WAITING)
    activation.tried(untried, CodeTried(PRINT, 4))
    assert (untried.state, untried.effects) == (WAITING, [])


@pytest.mark.req("KEY-4")
def test_a_key_without_a_print_is_activated_by_nothing() -> None:
    bare = durably(WAITING, keys=(replace(WAITING.durable.keys[0], code=b""),))
    assert said(compared(bare, b"")).code is Code.CODE_WRONG


@pytest.mark.req("KEY-4", "CLK-2")
def test_the_right_code_after_its_end_is_late_and_without_a_clock_uncertain_but_never_wrong() -> None:
    until_ms = CODED_KEY.code_until_s * 1000
    for clock, code, numbers in (
        (replace(WAITING.clock, reading_ms=until_ms + 7), Code.CODE_EXPIRED, (("over_for_ms", 7),)),
        (replace(WAITING.clock, reading_ms=until_ms), Code.CODE_EXPIRED, (("over_for_ms", 0),)),
        (replace(WAITING.clock, reading_ms=until_ms - 5, uncertainty_ms=5), Code.CLOCK_UNCERTAIN, ()),
        (replace(WAITING.clock, reading_ms=None, floor_ms=FLOOR_MS), Code.CLOCK_UNCERTAIN, ()),
    ):
        step = compared(replace(WAITING, clock=clock), PRINT)
        assert (said(step).code, said(step).numbers) == (code, numbers)
        assert tries(step) == [0]
        assert step.durable.code_step == 1
        assert not step.durable.keys[0].activated
    assert compared(replace(WAITING, clock=replace(WAITING.clock, reading_ms=until_ms - 1)), PRINT).required


# ---------------------------------------------------------------- a disk that refuses
@pytest.mark.req("KEY-4", "PWR-2")
@pytest.mark.parametrize("event", [CodeEntered(PRINT, 4), CodeTried(PRINT, 4)])
def test_what_the_disk_refuses_is_not_compared(event: CodeEntered | CodeTried) -> None:
    step = draft(replace(WAITING, trying=Trying(PRINT, 4)))
    activation.undone(step, event)
    assert said(step).code is Code.STORAGE_FAILED
    assert step.state == WAITING


# ---------------------------------------------------------------- what only a small mistake would show
def test_an_activated_key_is_not_buried_for_what_was_tried_before() -> None:
    step = draft(knowing(a_state(), CODED_KEY, tries=5))
    activation.settle(step)
    assert len(step.durable.keys) == 1


@pytest.mark.req("KEY-4")
def test_a_key_that_came_after_the_code_was_entered_has_no_try_too_few() -> None:
    counted = entered(WAITING, PRINT).state
    late = durably(counted, keys=(*counted.durable.keys, KnownKey(2, OTHER_KEY, BEGINS_MS, b"print of another")))
    step = draft(late)
    activation.tried(step, CodeTried(PRINT, 4))
    assert tries(step) == [0, 0]


@pytest.mark.req("KEY-4")
def test_a_pause_that_is_over_when_the_code_was_compared_is_none() -> None:
    later = NOW + 60_000
    state = replace(entered(WAITING).state, vehicle=replace(WAITING.vehicle, at_ms=later))
    step = draft(state, later)
    activation.tried(step, CodeTried(WRONG, 4))
    assert said(step).number("pause_ms") == 0
