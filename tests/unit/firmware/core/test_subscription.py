"""What the owner has paid for: which subscription counts, and until when remote orders are carried out."""

from datetime import UTC, datetime

import msgspec
import pytest

from firmware.core import subscription
from firmware.core.clock import Clock
from protocol.errors import Code, Refusal
from protocol.messages import Accepted
from protocol.orders import Subscription
from tests.support.core import BEGINS_MS, FLOOR_MS, NOW, a_state, draft

replace = msgspec.structs.replace

BEGINS_S = 1_790_000_000
TOLD = Subscription(7, BEGINS_S + 100, BEGINS_S + 50)


@pytest.mark.req("SUB-1")
def test_the_first_subscription_is_taken_and_numbers_only_rise() -> None:
    step = draft(a_state())
    assert subscription.take(step, TOLD) == Accepted()
    assert step.durable.subscription == TOLD
    newer = replace(TOLD, number=8, paused=True)
    assert subscription.take(step, newer) == Accepted()
    assert step.durable.subscription == newer
    refusal = subscription.take(step, TOLD)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.numbers) == (Code.SUBSCRIPTION_OUTDATED, (("number", 7), ("known_number", 8)))
    assert step.durable.subscription == newer


@pytest.mark.req("SUB-1")
def test_the_same_number_again_is_the_same_subscription() -> None:
    step = draft(a_state(subscription=TOLD))
    assert subscription.take(step, replace(TOLD, sharing_until_s=1)) == Accepted()
    assert step.durable.subscription == TOLD


@pytest.mark.req("SVC-3")
def test_nobody_has_paid_for_remote_orders_of_whom_nobody_told() -> None:
    refusal = subscription.remote_inactive(a_state(), NOW)
    assert refusal is not None
    assert (refusal.code, refusal.numbers, refusal.rule) == (Code.REMOTE_INACTIVE, (), "SVC-3")


@pytest.mark.req("SVC-3")
@pytest.mark.parametrize(("after_ms", "active"), [(-1, True), (0, False), (1, False)])
def test_remote_orders_are_paid_for_until_that_second(after_ms: int, active: bool) -> None:
    state = a_state(BEGINS_MS + 50_000 + after_ms, subscription=TOLD)
    refusal = subscription.remote_inactive(state, NOW)
    assert (refusal is None) is active
    if refusal is not None:
        assert refusal.numbers == (("over_for_ms", after_ms),)


@pytest.mark.req("SVC-3", "CLK-2")
def test_a_clock_that_is_not_certain_that_it_is_paid_for_counts_as_no() -> None:
    unsure = Clock(FLOOR_MS, NOW, BEGINS_MS + 49_000, NOW, 1_000)
    refusal = subscription.remote_inactive(replace(a_state(subscription=TOLD), clock=unsure), NOW)
    assert refusal is not None
    assert refusal.numbers == (("over_for_ms", 0),)
    sure = replace(unsure, uncertainty_ms=999)
    assert subscription.remote_inactive(replace(a_state(subscription=TOLD), clock=sure), NOW) is None
    nothing = Clock(FLOOR_MS, NOW)
    assert subscription.remote_inactive(replace(a_state(subscription=TOLD), clock=nothing), NOW) is not None


@pytest.mark.req("SUB-1", "SVC-3")
def test_pausing_is_about_sharing_alone() -> None:
    assert subscription.remote_inactive(a_state(subscription=replace(TOLD, paused=True)), NOW) is None


@pytest.mark.req("SUB-1")
@pytest.mark.parametrize(
    ("begins", "over"),
    [
        ("2026-11-02T00:00:00", "2027-11-03T00:00:00"),
        ("2026-11-02T23:59:59", "2027-11-03T00:00:00"),
        ("2026-12-31T23:59:59", "2028-01-01T00:00:00"),
        ("2028-02-28T00:00:00", "2029-03-01T00:00:00"),
        ("2028-02-29T00:00:00", "2029-03-01T00:00:00"),
        ("2027-02-28T23:59:59", "2028-02-29T00:00:00"),
        ("2027-03-01T00:00:00", "2028-03-02T00:00:00"),
    ],
)
def test_the_first_year_is_over_at_the_end_of_the_same_date(begins: str, over: str) -> None:
    begins_s, over_s = (int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) for text in (begins, over))
    assert subscription.first(3, begins_s) == Subscription(3, over_s, over_s)


def test_the_first_year_ends_with_the_time_that_tokens_know() -> None:
    assert subscription.first(3, 2**32 - 1).sharing_until_s == 2**32 - 1
