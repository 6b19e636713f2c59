"""What Tab does."""

import pytest

from firmware.bench.completion import Completed, completed, in_columns

WORDS = ["start", "state", "stop", "time"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("x", Completed()),
        ("t", Completed("ime ")),
        ("time", Completed(" ")),
        ("s", Completed("t")),
        ("st", Completed("", ("start", "state", "stop"))),
        ("sta", Completed("", ("start", "state"))),
        ("help sto", Completed("p ")),
        ("help ", Completed("", ("start", "state", "stop", "time"))),
        ("", Completed("", ("start", "state", "stop", "time"))),
    ],
)
@pytest.mark.req("BEN-1")
def test_what_is_certain_is_put_in_and_the_rest_is_shown(text: str, result: Completed) -> None:
    assert completed(text, WORDS) == result


def test_choices_stand_in_columns_that_fit() -> None:
    assert in_columns(WORDS, 80) == ["start  state  stop   time"]
    assert in_columns(WORDS, 16) == ["start  stop", "state  time"]
    assert in_columns(WORDS, 3) == WORDS
