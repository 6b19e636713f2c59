"""Answers to orders: for certain, or now and never more than so many."""

import msgspec
import pytest

from firmware.core import results
from firmware.core.draft import Draft
from firmware.core.effects import Say
from firmware.core.reports import Record
from firmware.core.state import Counters, State
from protocol.errors import Code, refuse
from protocol.telemetry import Channel
from tests.support.core import BEGINS_MS, NOW, a_state, draft, only, records

replace = msgspec.structs.replace

ORDER_ID = bytes(range(16))


def said(state: State, now: int = NOW) -> tuple[State, list[Record]]:
    """One answer more."""
    step = Draft(state, now)
    results.say(step, ORDER_ID, Code.SIGNATURE_INVALID, b"")
    assert step.durable is state.durable, "an answer changes nothing that is kept"
    return step.state, [effect.record for effect in only(Say, step.effects)]


@pytest.mark.req("BKG-2", "SVC-3")
def test_an_outcome_is_a_record_with_the_numbers_that_decided_it() -> None:
    step = draft(a_state())
    refusal = refuse(Code.ORDER_LATE, numbers=(("late_by_ms", 7),))
    results.report(step, ORDER_ID, refusal, b"ours")
    results.report(step, ORDER_ID, None, b"", pending=True)
    late, taken = records(step.effects, Channel.ORDER_RESULT)
    assert (late.booking, late.reason, late.correlation) == (ORDER_ID.hex(), "ORDER_LATE", b"ours")
    assert late.numbers == (("code", 33), ("pending", 0), ("late_by_ms", 7))
    assert (taken.reason, taken.numbers) == ("OK", (("code", 0), ("pending", 1)))
    assert (late.number, taken.number) == (1, 2)


@pytest.mark.req("SEC-2")
def test_an_answer_that_is_kept_nowhere_has_no_number() -> None:
    step = draft(a_state(counters=Counters(boot=5)))
    results.say(step, ORDER_ID, Code.OK, b"theirs", pending=True)
    (told,) = only(Say, step.effects)
    expected = Record(
        channel=Channel.ORDER_RESULT,
        utc_ms=BEGINS_MS,
        quality="synced",
        booking=ORDER_ID.hex(),
        reason="OK",
        numbers=(("code", 0), ("pending", 1)),
        boot=5,
        correlation=b"theirs",
    )
    assert told.record == expected
    assert not told.record.number


@pytest.mark.req("SEC-1", "SEC-2")
def test_ten_a_minute_are_answered_and_the_rest_is_counted() -> None:
    state = a_state()
    for number in range(10):
        state, told = said(state, NOW + number)
        assert [record.seq for record in told] == [number]
        assert told[0].numbers == (("code", 6), ("pending", 0))
    for number in range(7):
        state, told = said(state, NOW + 100 + number)
        assert told == []
    assert state.unsaid == 7
    assert len(state.said_ms) == 10
    still, told = said(state, NOW + 59_999)
    assert told == []
    assert still.unsaid == 8
    state, (told_now,) = said(state, NOW + 60_000)
    assert told_now.numbers == (("code", 6), ("pending", 0), ("unanswered", 7))
    assert told_now.seq == 10
    assert state.unsaid == 0
    assert state.said_ms == (*range(NOW + 1, NOW + 10), NOW + 60_000)
    state, told = said(state, NOW + 60_000)
    assert told == []
    assert state.unsaid == 1
