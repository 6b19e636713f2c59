"""A portion of the garbage that `make fuzz-console` types at the console; and that something else would be noticed."""

from collections.abc import Iterator
from random import Random

import pytest
import structlog

from firmware.bench.levels import Level
from tests.fuzz import console
from tests.fuzz.console import Garbage, run_chunk

pytestmark = pytest.mark.req("BEN-1")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize(("number", "lines"), [(0, 300), (1, 4_000)])
def test_garbage_changes_nothing_and_leaves_nothing_behind(number: int, lines: int) -> None:
    report = run_chunk(7, number, lines)
    assert report.troubles == ()
    assert report.lines == lines
    assert report.commands > lines // 100


def test_a_change_would_be_noticed() -> None:
    """Somebody who may do more than look does not leave everything as it was."""
    report = run_chunk(7, 1, 300, Level.OPERATE, ("power cut", "ble off"))
    assert any("changed" in trouble for trouble in report.troubles)


def test_the_same_seed_gives_the_same_lines() -> None:
    one, same, other = (
        [garbage.line() for _ in range(200)]
        for garbage in (Garbage(Random(seed), ["state", "time move"]) for seed in (1, 1, 2))
    )
    assert one == same != other


def test_a_campaign_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert console.main(["--lines", "40", "--workers", "1", "--seed", "3"]) == 0
    assert "40 lines" in capsys.readouterr().out
