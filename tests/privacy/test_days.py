"""Random days of a shared car at a real broker, a few of the thousand that `make privacy` plays; and that a module
which tells too much, or too little, is found out.
"""

from collections.abc import Callable

import pytest

from firmware.core import reporting
from firmware.core.draft import Draft
from firmware.core.reports import Point
from host_tools.backend.broker import Broker
from tests.privacy.__main__ import NOTHING, day, main
from tests.privacy.judge import Proof
from tests.privacy.schedule import Ending, Mishap, draw

SEEDS = range(5)
SHOWS = 4
"""A seed whose day has a driver who begins and ends with a network, after somebody whose position was told."""

RETAIN = reporting.retain_position


def never_hidden(_state: object) -> bool:
    return False


def never_withdrawn(draft: Draft, point: Point | None, *, parking: bool) -> None:
    if point is not None:
        RETAIN(draft, point, parking=parking)


def never_parked(draft: Draft, point: Point | None, *, parking: bool) -> None:
    if not parking:
        RETAIN(draft, point, parking=parking)


@pytest.mark.req("PRV-1", "PRV-2", "PRV-3", "PRV-4", "PRV-6", "TEL-3")
async def test_random_days_tell_nothing_of_where_a_driver_was_and_all_that_the_owner_may_know() -> None:
    total = NOTHING
    for seed in SEEDS:
        async with Broker() as broker:
            total = Proof(*map(sum, zip(total, await day(broker, seed), strict=True)))
    assert min(total) > 0, total


@pytest.mark.parametrize(
    ("name", "instead"),
    [("position_hidden", never_hidden), ("retain_position", never_withdrawn), ("retain_position", never_parked)],
)
async def test_a_module_that_tells_too_much_or_too_little_is_found_out(
    name: str, instead: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, name, instead)
    async with Broker() as broker:
        with pytest.raises(AssertionError):
            await day(broker, SHOWS)


def test_the_same_seed_draws_the_same_day_and_all_days_together_have_everything_in_them() -> None:
    days = [draw(seed) for seed in range(300)]
    assert days == [draw(seed) for seed in range(300)]
    assert all(any(stay.hidden for stay in stays) for stays in days)
    stays = [stay for stays in days for stay in stays]
    assert {stay.ending for stay in stays if stay.role is not None} == set(Ending)
    assert {mishap for stay in stays for leg in stay.legs for mishap in leg.mishaps} == set(Mishap)


def test_only_a_booking_supersedes_a_booking() -> None:
    for stays in (draw(seed) for seed in range(300)):
        for stay, following in zip(stays, (*stays[1:], None), strict=True):
            if stay.ending is Ending.SUPERSEDED and stay.role is not None:
                assert following is not None
                assert following.role is not None


def test_the_command_counts_days_and_says_that_none_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["privacy", "--seeds", "0..2", "--jobs", "1"])
    assert main() == 0
    assert capsys.readouterr().out.endswith("2 days, 0 failed\n")
