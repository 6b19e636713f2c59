"""Which error leads to which exit code."""

import pytest

from host_tools.bench.answer import ConsoleRefused
from host_tools.bench.line import LineError
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.troubles import refusal_fields, trouble_of
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, NotFound, Refused
from host_tools.phone.keyring import KeyringError
from protocol.errors import Code, Refusal, refuse

CUT_OFF = refuse(Code.BOOKING_CUT_OFF, numbers=(("overdue_ms", 1_864_000),))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CliError(Exit.USAGE, "x"), 2),
        (Refused(CUT_OFF), 3),
        (ConsoleRefused("USAGE", "x"), 3),
        (LineError("cannot open x", "another program has it", "Close it there."), 4),
        (NotFound("the car was not found", "silence", "Go nearer."), 4),
        (LinkFailed("cannot connect", "no answer", "Go nearer."), 4),
        (LinkClosed("gone"), 4),
        (HandshakeRefused(refuse(Code.HANDSHAKE_FAILED)), 5),
        (KeyringError("x"), 6),
    ],
)
def test_each_kind_of_error_has_one_exit_code(error: Exception, code: int) -> None:
    trouble = trouble_of(error)
    assert trouble is not None
    assert trouble.exit_code == code
    assert "\n" not in trouble.line


def test_what_is_not_expected_is_a_bug() -> None:
    assert trouble_of(ValueError("x")) is None


@pytest.mark.req("ACC-8")
def test_a_refusal_shows_reason_rule_code_and_remedy_on_one_line_and_all_parts_to_programs() -> None:
    trouble = trouble_of(Refused(CUT_OFF, "unlock refused", "the booking was cut off: overdue 31 min 04 s"))
    assert trouble is not None
    assert trouble.line == (
        "unlock refused: the booking was cut off: overdue 31 min 04 s (rule CUT-2, code BOOKING_CUT_OFF). "
        "Ask for a new booking."
    )
    assert trouble.fields == refusal_fields(CUT_OFF)
    assert trouble.fields["numbers"] == {"overdue_ms": 1_864_000}


def test_a_refusal_without_rule_or_remedy_still_reads_well() -> None:
    trouble = trouble_of(Refused(Refusal(Code.BUSY, "")))
    assert trouble is not None
    assert trouble.line == "the module refused: BUSY (code BUSY)."


@pytest.mark.req("ACC-7")
def test_a_lost_command_shows_its_identifier() -> None:
    trouble = trouble_of(LinkClosed("gone", command_id=b"ABCDEFGH", may_have_succeeded=True))
    assert trouble is not None
    assert trouble.fields == {"may_have_succeeded": True, "command": b"ABCDEFGH".hex()}
