"""How long services last: literal days, and what holds for all of them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.durations import FOREVER, NEVER, RENEWALS, UNLIMITED, Months, Renewal, last_day, over_at_s

DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.req("SVC-1", "SVC-2")
@pytest.mark.parametrize(
    ("registered", "months", "last"),
    [
        ("2021-05-10", 36, "2024-05-10"),
        ("2021-05-10", 60, "2026-05-10"),
        ("2021-05-10", 12, "2022-05-10"),
        ("2021-05-10", 3, "2021-08-10"),
        ("2020-02-29", 12, "2021-02-28"),
        ("2020-02-29", 36, "2023-02-28"),
        ("2020-02-29", 48, "2024-02-29"),
        ("2020-02-29", 60, "2025-02-28"),
        ("2019-02-28", 12, "2020-02-28"),
        ("2020-11-30", 3, "2021-02-28"),
        ("2023-11-30", 3, "2024-02-29"),
        ("2021-12-31", 3, "2022-03-31"),
        ("2021-08-31", 3, "2021-11-30"),
        ("2021-01-31", 3, "2021-04-30"),
        ("2099-12-31", 36, "2102-12-31"),
        ("2096-02-29", 48, "2100-02-28"),
    ],
)
def test_a_duration_ends_with_the_day_of_the_same_number(registered: str, months: Months, last: str) -> None:
    assert last_day(day(registered), [months]) == day(last)


@pytest.mark.req("SVC-2")
def test_of_several_packs_the_latest_end_counts() -> None:
    assert last_day(day("2021-05-10"), [12, 36, 3]) == day("2024-05-10")
    assert last_day(day("2021-05-10"), [36, UNLIMITED]) == FOREVER
    assert last_day(day("2021-05-10"), []) == NEVER


@pytest.mark.req("SVC-2")
@pytest.mark.parametrize(
    ("renewals", "last"),
    [
        ([(12, "2024-01-15")], "2025-05-10"),
        ([(6, "2024-05-10")], "2024-11-10"),
        ([(1, "2024-05-11")], "2024-06-11"),
        ([(12, "2025-02-28")], "2026-02-28"),
        ([(1, "2024-05-01"), (1, "2024-05-02")], "2024-07-10"),
        ([(1, "2024-05-01"), (6, "2025-01-31")], "2025-07-31"),
        ([(1, "2025-01-31"), (1, "2025-02-10"), (1, "2025-02-10")], "2025-04-30"),
        ([(12, "2028-02-29"), (1, "2029-02-28"), (1, "2029-06-01")], "2029-07-01"),
    ],
    ids=str,
)
def test_a_renewal_goes_on_from_the_end_or_begins_when_it_was_bought(
    renewals: list[tuple[Months, str]], last: str
) -> None:
    bought = [Renewal(months, day(on)) for months, on in renewals]
    assert last_day(day("2021-05-10"), [36], bought) == day(last)


@pytest.mark.req("SVC-2")
def test_a_service_without_a_pack_begins_when_it_was_bought() -> None:
    assert last_day(day("2021-05-10"), [], [Renewal(6, day("2023-08-31"))]) == day("2024-02-29")


def test_a_service_without_an_end_is_not_renewed() -> None:
    assert last_day(day("2021-05-10"), [UNLIMITED], [Renewal(12, day("2022-01-01"))]) == FOREVER


@pytest.mark.req("SVC-2")
@given(DAYS, DAYS)
def test_twice_six_months_are_twelve(registered: date, bought: date) -> None:
    twice = last_day(registered, [3], [Renewal(6, bought), Renewal(6, bought)])
    assert twice == last_day(registered, [3], [Renewal(12, bought)])


@pytest.mark.req("SVC-2")
@given(DAYS, st.lists(st.sampled_from([3, 12, 36, 60])), st.lists(st.tuples(st.sampled_from([*RENEWALS]), DAYS)))
def test_a_renewal_never_takes_anything_away(
    registered: date, granted: list[Months], bought: list[tuple[Months, date]]
) -> None:
    renewals = [Renewal(*each) for each in bought]
    ends = [last_day(registered, granted, renewals[:count]) for count in range(len(renewals) + 1)]
    assert ends == sorted(ends)
    for renewal, end in zip(renewals, ends[1:], strict=True):
        assert end >= renewal.bought + timedelta(days=28 * renewal.months)


def test_what_lies_beyond_the_calendar_has_no_end() -> None:
    assert last_day(day("9998-01-01"), [36]) == FOREVER


@pytest.mark.req("SVC-2")
def test_a_service_is_over_when_its_last_day_is_over() -> None:
    assert over_at_s(day("2024-02-29")) == 1_709_251_200  # 1 March 2024, 00:00 UTC
    assert over_at_s(day("2023-12-31")) == 1_704_067_200  # 1 January 2024, 00:00 UTC
    assert over_at_s(FOREVER) is None
    never = over_at_s(NEVER)
    assert never is not None
    assert never < 0
