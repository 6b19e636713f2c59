"""Levels are in order, and have words."""

from firmware.bench.levels import Level


def test_a_higher_level_is_greater_and_is_typed_in_small_letters() -> None:
    assert Level.OBSERVE < Level.OPERATE < Level.SERVICE
    assert [level.word for level in Level] == ["observe", "operate", "service"]
