"""What the desk answered."""

from host_tools.bench.answer import Answer, ConsoleRefused


def test_an_answer_needs_no_more_than_its_kind() -> None:
    assert Answer("time") == Answer("time", {}, ())


def test_a_refusal_is_one_line_whatever_came_over_the_wire() -> None:
    refused = ConsoleRefused("US\x1bAGE", "no:\nsuch\x1b[1m thing.")
    assert (refused.code, str(refused)) == ("US AGE", "no: such [1m thing.")
