"""Gaps, explained and unexplained; what comes late, and what comes twice."""

import pytest

from host_tools.backend.reading import Received
from host_tools.backend.sequence import MAX_HOLES, MAX_MODULES, Sequence
from protocol.telemetry import Channel, Stamp, StateReport
from tests.support.reports import (
    MODULE_ID,
    OTHER_ID,
    dropped,
    event,
    health,
    order_result,
    position,
    received,
    stamp,
    state,
)


class Ear:
    """Follows records of one module, and remembers nothing else."""

    def __init__(self) -> None:
        self.sequence = Sequence()

    def state(self, seq: int, boot: int = 1, minute: int = 0) -> Received:
        return self.sequence.follow(received(Channel.STATE, state(seq, boot, minute)))

    def event(self, seq: int) -> Received:
        return self.sequence.follow(received(Channel.EVENT, event(seq)))

    def dropped(self, seq: int, **numbers: int) -> Received:
        return self.sequence.follow(received(Channel.EVENT, dropped(seq, **numbers)))

    @property
    def lost(self) -> tuple[int, int]:
        """Missing, and unexplained."""
        return self.sequence.missing(MODULE_ID), self.sequence.unexplained(MODULE_ID)


@pytest.mark.req("TEL-3")
def test_a_gap_is_counted_for_each_channel_and_module_by_itself() -> None:
    ear = Ear()
    assert [ear.state(seq).missing for seq in (7, 8, 10, 15)] == [0, 0, 1, 4]
    assert [ear.event(seq).missing for seq in (1, 3)] == [0, 1]
    other = ear.sequence.follow(received(Channel.STATE, state(16), OTHER_ID))
    assert (other.missing, ear.state(16).missing) == (0, 0)
    assert ear.lost == (6, 6)
    assert ear.sequence.missing(OTHER_ID) == 0


@pytest.mark.req("TEL-5")
def test_a_repetition_is_marked_and_is_no_gap() -> None:
    ear = Ear()
    followed = [ear.event(seq) for seq in (4, 5, 5, 4, 6)]
    assert [one.repeated for one in followed] == [False, False, True, True, False]
    assert [one.missing for one in followed] == [0, 0, 0, 0, 0]


@pytest.mark.req("TEL-3")
def test_a_record_that_comes_late_fills_its_gap_once() -> None:
    ear = Ear()
    ear.state(1)
    assert ear.state(5).missing == 3
    late = ear.state(3)
    assert (late.late, late.repeated, late.missing) == (True, False, 0)
    assert ear.lost == (2, 2)
    assert ear.state(3).repeated
    assert [ear.state(seq).late for seq in (2, 4)] == [True, True]
    assert ear.lost == (0, 0)
    assert ear.state(4).repeated


@pytest.mark.req("TEL-3")
def test_what_was_made_before_anybody_listened_is_neither_missing_nor_late_nor_repeated() -> None:
    ear = Ear()
    ear.state(100)  # the retained one
    for seq in (90, 91, 95):
        older = ear.state(seq)
        assert (older.missing, older.late, older.repeated) == (0, False, False)
    assert ear.state(91).repeated
    assert ear.state(101).missing == 0
    assert ear.lost == (0, 0)


@pytest.mark.req("TEL-4")
def test_a_gap_that_the_module_has_stated_is_explained_before_and_after() -> None:
    ear = Ear()
    ear.event(1)
    ear.state(1)
    gap = ear.state(5)
    assert (gap.missing, gap.explained) == (3, 0)
    assert ear.lost == (3, 3)
    ear.dropped(2, state=3, total=3)
    assert ear.lost == (3, 0)
    ear.dropped(3, state=5, track=9, total=14)
    later = ear.state(9)
    assert (later.missing, later.explained) == (3, 2), "five in all, three of them known"
    assert ear.lost == (6, 1)


@pytest.mark.req("TEL-4")
def test_what_is_said_of_one_channel_explains_nothing_of_another() -> None:
    ear = Ear()
    ear.state(1)
    ear.dropped(1, track=50, total=50)
    assert ear.state(5).explained == 0
    assert ear.lost == (3, 3)


@pytest.mark.req("TEL-4", "TEL-5")
def test_an_old_statement_that_comes_again_takes_nothing_back() -> None:
    ear = Ear()
    ear.state(1)
    ear.state(5)
    ear.dropped(1, state=1)
    ear.dropped(2, state=3)
    assert ear.lost == (3, 0)
    assert ear.dropped(1, state=1).repeated
    assert ear.lost == (3, 0)


def test_what_was_sent_while_nobody_listened_is_our_own_loss() -> None:
    ear = Ear()
    ear.state(1)
    ear.event(1)
    ear.sequence.interrupted()
    gap = ear.state(5)
    assert (gap.missing, gap.explained, gap.unheard) == (3, 0, True)
    assert ear.lost == (0, 0)
    assert not ear.event(2).unheard, "nothing was missed"
    again = ear.state(7)
    assert (again.missing, again.unheard) == (1, False)
    assert not ear.state(3).late
    assert ear.lost == (1, 1)


@pytest.mark.req("TEL-5")
def test_a_module_that_lost_its_memory_counts_anew_and_nothing_of_it_is_a_repetition() -> None:
    ear = Ear()
    ear.state(50, boot=7, minute=10)
    ear.state(53, boot=7, minute=10)
    ear.dropped(4, state=1)
    anew = ear.state(2, boot=1, minute=11)
    assert (anew.renewed, anew.repeated, anew.missing) == (True, False, 0)
    assert ear.lost == (0, 0)
    after = ear.state(5, boot=1, minute=11)
    assert (after.missing, after.explained) == (2, 0), "what was stated belongs to the old numbers"
    assert ear.state(4, boot=8, minute=0).renewed, "a later boot with lower numbers"


@pytest.mark.req("TEL-5")
def test_the_same_record_after_another_boot_is_still_a_repetition() -> None:
    ear = Ear()
    ear.state(1, boot=1, minute=0)
    ear.state(2, boot=1, minute=1)
    ear.state(3, boot=2, minute=2)
    assert ear.state(2, boot=1, minute=1).repeated


def test_the_answer_to_an_order_is_counted_when_it_is_a_record() -> None:
    ear = Ear()
    ear.sequence.follow(received(Channel.ORDER_RESULT, order_result(1)))
    assert ear.sequence.follow(received(Channel.ORDER_RESULT, order_result())).missing == 0
    assert ear.sequence.follow(received(Channel.ORDER_RESULT, order_result(3))).missing == 1


def test_what_is_no_record_is_left_as_it_is() -> None:
    sequence = Sequence()
    for one in (
        received(Channel.POSITION, position(9)),
        received(Channel.POSITION, position(3)),
        received(Channel.HEALTH, health()),
        received(Channel.STATE, None),
    ):
        assert sequence.follow(one) == one
    assert len(sequence) == 0


def test_memory_is_bounded_and_the_module_that_was_silent_longest_goes_first() -> None:
    sequence = Sequence()
    for number in range(MAX_MODULES + 1):
        sequence.follow(received(Channel.STATE, state(1), number.to_bytes(8, "big")))
    assert len(sequence) == MAX_MODULES
    first, last = (0).to_bytes(8, "big"), MAX_MODULES.to_bytes(8, "big")
    assert sequence.follow(received(Channel.STATE, state(9), last)).missing == 7
    assert sequence.follow(received(Channel.STATE, state(9), first)).missing == 0


def test_so_many_gaps_are_remembered_and_the_oldest_are_forgotten() -> None:
    ear = Ear()
    for number in range(1, 2 * MAX_HOLES + 10, 2):
        ear.state(number)
    assert ear.state(2).repeated, "nobody knows any more"
    assert ear.state(2 * MAX_HOLES).late
    wide = ear.state(100_000)
    assert wide.missing > 90_000
    for number in range(50_000, 50_000 + 4 * MAX_HOLES, 2):
        assert ear.state(number).late, "a gap falls to pieces, and the newest are kept"


@pytest.mark.req("SEC-1")
def test_numbers_that_no_module_would_send_do_no_harm() -> None:
    sequence = Sequence()
    numbers = (-5, 10**30, 0, -(10**30), 1)
    followed = [
        sequence.follow(received(Channel.STATE, StateReport(Stamp(number, -1, "", ""), {}))) for number in numbers
    ]
    assert [one.missing for one in followed] == [0, 10**30 + 4, 0, 0, 0]
    assert sequence.missing(MODULE_ID) > 0
    assert stamp(1).seq == 1
