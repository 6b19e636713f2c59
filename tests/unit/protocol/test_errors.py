"""The catalogue of refusals."""

import re
from pathlib import Path

import pytest

from protocol.errors import CATALOGUE, FIRST_WARNING, ROLE_REMEDY, Code, ProtocolError, Refusal, Role, one_line, refuse

SPEC = Path("protocol/SPEC.md").read_text()


def test_every_refusal_and_only_a_refusal_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == {code for code in Code if Code.OK < code < FIRST_WARNING}


@pytest.mark.req("ACC-8")
def test_a_refusal_takes_rule_flag_and_remedy_from_the_catalogue() -> None:
    assert refuse(Code.BUSY) == Refusal(
        Code.BUSY, "ACC-7", (), True, False, "Wait for the command that is being carried out."
    )


@pytest.mark.req("ACC-8")
def test_a_refusal_carries_the_numbers_that_decided_it() -> None:
    refusal = refuse(Code.BOOKING_CUT_OFF, numbers=(("overdue_ms", 1_864_000), ("parked_ms", 12_000)))
    assert refusal.number("overdue_ms") == 1_864_000
    assert refusal.number("parked_ms") == 12_000
    assert refusal.number("distance_m") is None


@pytest.mark.req("CUT-6", "ACC-8")
def test_the_remedy_is_for_the_asking_role() -> None:
    ask = "End the current booking and request a new one; contact the owner to have it accepted."
    own = "End the current booking and start a new one."
    assert refuse(Code.BOOKING_CUT_OFF, role=Role.DRIVER).remedy == ask
    assert refuse(Code.BOOKING_CUT_OFF, role=Role.GUEST).remedy == ask
    assert refuse(Code.BOOKING_CUT_OFF, role=Role.OWNER).remedy == own
    assert refuse(Code.BOOKING_CUT_OFF, role=Role.VIP).remedy == own
    assert refuse(Code.BOOKING_CUT_OFF).remedy == "Ask for a new booking."
    assert refuse(Code.BUSY, role=Role.DRIVER).remedy == "Wait for the command that is being carried out."


def test_rule_remedy_and_doubt_can_be_given() -> None:
    refusal = refuse(Code.DOORS_OPEN, rule="BKG-9", remedy="Shut the boot.", may_have_succeeded=True)
    assert (refusal.rule, refusal.remedy, refusal.may_have_succeeded) == ("BKG-9", "Shut the boot.", True)


def test_what_came_from_a_file_is_shown_on_one_line_and_moves_no_cursor() -> None:
    assert one_line("a\nb\x1b[2Jc \u00e4\u2028") == "a b [2Jc \u00e4 "


def test_an_error_shows_its_code_and_detail() -> None:
    error = ProtocolError(Code.FRAMING, "a fragment of 0 bytes")
    assert (str(error), error.code, error.detail) == (
        "FRAMING: a fragment of 0 bytes",
        Code.FRAMING,
        "a fragment of 0 bytes",
    )


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of the specification."""
    section = SPEC.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?m)^\|.*(?:\n\|.*)*", section)
    assert table is not None
    lines = table.group().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.req("ACC-8")
def test_the_specification_has_the_same_table() -> None:
    expected = [
        [str(int(code)), code.name, entry.rule, "yes" if entry.temporary else "no", entry.remedy]
        for code, entry in CATALOGUE.items()
    ]
    assert rows("### 9.2 Codes") == expected


def test_the_specification_has_the_same_warnings() -> None:
    assert [row[:2] for row in rows("### 9.4 Warnings")] == [
        [str(int(code)), code.name] for code in Code if code >= FIRST_WARNING
    ]


def test_the_specification_has_the_same_remedies_by_role() -> None:
    expected = [[code.name, role.name.lower(), remedy] for (code, role), remedy in ROLE_REMEDY.items()]
    assert rows("### 9.3 Remedies that depend on the role") == expected
