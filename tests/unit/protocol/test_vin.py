"""Vehicle identification numbers: the example of the rule that brought the check digit, and what people misread."""

import pytest

from protocol import vin
from protocol.errors import Code
from protocol.vin import Fault

TEXTBOOK = "1M8GDM9AXKP042788"
"""The worked example that is printed beside 49 CFR 565; its check digit is X."""
EUROPEAN = "WMWXU710X0TU12345"
ONES = "1" * 17


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize("market", ["US", "CA", "MX", "CN"])
def test_the_check_digit_is_verified_where_the_market_uses_one(market: str) -> None:
    assert vin.check(TEXTBOOK, market) is None
    assert vin.check(ONES, market) is None, "straight ones: each weight counts, and the sum is 89"
    wrong = vin.check(TEXTBOOK.replace("X", "4", 1), market)
    assert wrong == Fault("its check digit, character 9, does not fit the others", 9)


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize("market", ["", "DE", "BE", "LU", "GB"])
def test_elsewhere_the_ninth_character_is_like_any_other(market: str) -> None:
    assert vin.check(TEXTBOOK.replace("X", "4", 1), market) is None
    assert vin.check(EUROPEAN.replace("X0", "Z0"), market) is None


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize("position", range(1, 18))
def test_one_wrong_character_anywhere_is_noticed(position: int) -> None:
    for other in "0123456789X" if position == 9 else "2":
        if other != ONES[position - 1]:
            changed = ONES[: position - 1] + other + ONES[position:]
            assert vin.check(changed, "US") is not None, changed


@pytest.mark.parametrize(("text", "digit"), [(TEXTBOOK, "X"), (ONES, "1"), ("5GZCZ43D13S812715", "1"), ("0" * 17, "0")])
def test_check_digits_are_those_of_the_rule(text: str, digit: str) -> None:
    assert vin.check_digit(text) == digit


@pytest.mark.parametrize("character", "ABCDEFGHJKLMNPRSTUVWXYZ0123456789")
def test_every_other_letter_and_digit_may_be_in_a_vin(character: str) -> None:
    assert vin.check(character * 17) is None


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize(
    ("character", "suggestion"), [("I", "1"), ("O", "0"), ("Q", "0"), ("i", "1"), ("o", "0"), ("w", "W"), ("-", "")]
)
def test_a_character_that_is_in_no_vin_is_named_and_the_likely_one_suggested(character: str, suggestion: str) -> None:
    fault = vin.check(EUROPEAN[:3] + character + EUROPEAN[4:])
    assert fault == Fault(f"character 4 is '{character}', which is in no VIN", 4, suggestion)
    refusal = vin.refusal(fault)
    assert (refusal.code, refusal.numbers) == (Code.VIN_INVALID, (("position", 4),))
    assert fault.what in refusal.remedy
    assert (f"It may be {suggestion}." in refusal.remedy) is bool(suggestion)


@pytest.mark.req("OWN-6")
@pytest.mark.parametrize("text", ["", EUROPEAN[:16], EUROPEAN + "1"])
def test_a_vin_has_17_characters(text: str) -> None:
    assert vin.check(text) == Fault(f"it has {len(text)} characters, and a VIN has 17")


def test_the_first_wrong_character_is_named() -> None:
    fault = vin.check("WMWIO" + EUROPEAN[5:], "US")
    assert fault is not None
    assert fault.position == 4
