"""What the desk says is one line."""

from firmware.bench.results import DeskCode, DeskError


def test_a_message_is_one_line_whatever_was_typed() -> None:
    error = DeskError(DeskCode.USAGE, "a\nb\x1b[31m")
    assert error.message == "a b [31m"
    assert str(error) == error.message
    assert error.code is DeskCode.USAGE
