"""The table "operation by stack" says what the transcripts say."""

import pytest

from tests.support import stack_table
from tests.support.stack_table import PAGE, STACKS
from tests.support.whole_job import AFTER, JOB, Line


def test_the_written_table_is_that_of_the_transcripts() -> None:
    """To make it anew: python -m tests.support.stack_table."""
    page = PAGE.read_text("utf-8")
    assert stack_table.replaced(page, stack_table.render(stack_table.transcripts())) == page


@pytest.mark.parametrize("stack", stack_table.transcripts())
def test_a_transcript_tells_of_the_job_in_its_order_and_of_no_other_stack(stack: str) -> None:
    lines = stack_table.transcripts()[stack]
    assert {line.stack for line in lines} == {stack}
    told = [line.operation for line in lines]
    assert told == [operation for operation in (*JOB, *AFTER) if operation in told]
    assert {line.outcome for line in lines if line.operation != "reconnect"} == {"ok"}


def test_a_refusal_stands_beside_its_time_and_what_was_not_told_is_left_out() -> None:
    told = {"virtual": [Line("virtual", "scan", 99.6), Line("virtual", "reconnect", 12.0, "BOOKING_CUT_OFF")]}
    table = stack_table.render(told)
    assert f"| operation, ms | {STACKS['virtual']} |\n" in table
    assert "| scan | 100 |\n" in table
    assert "| reconnect | 12 BOOKING_CUT_OFF |\n" in table
    assert "| unlock |  |\n" in table


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        stack_table.replaced("", "")
