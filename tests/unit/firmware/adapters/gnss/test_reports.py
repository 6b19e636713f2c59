"""What gpsd says as fixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.adapters.gnss.reports import Reports
from firmware.core.events import Fix
from tests.support.sentences import TPV

pytestmark = pytest.mark.req("HW-1", "TEL-7")

FIX = Fix(481_173_000, -115_166_670, 1_767_268_800_250, 7)


def fixes(*lines: str) -> list[Fix]:
    return list(Reports(lambda: 7).feed("".join(f"{line}\r\n" for line in lines).encode()))


def test_a_report_is_a_fix_once() -> None:
    assert fixes('{"class":"VERSION","release":"3.25"}', TPV, TPV) == [FIX]
    assert fixes(TPV, TPV.replace("00.250Z", "01.250Z"), TPV) == [FIX, Fix(*_later(FIX)), FIX]


def _later(fix: Fix) -> tuple[int, int, int, int]:
    return fix.latitude_e7, fix.longitude_e7, fix.utc_ms + 1_000, fix.taken_at_ms


@pytest.mark.parametrize("status", [0, 1, 2, 3, 4, 6, 9])
def test_a_measured_one_may_say_how(status: int) -> None:
    assert fixes(TPV.replace('"mode":3', f'"mode":2,"status":{status}')) == [FIX]


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"mode":3', '"mode":1'),
        ('"mode":3', '"mode":0'),
        ('"mode":3', '"mode":null'),
        ('"mode":3', '"mode":3,"status":5'),
        ('"mode":3', '"mode":3,"status":7'),
        ('"mode":3', '"mode":3,"status":8'),
        ('"lat":48.117300000,', ""),
        ('"lon":-11.516667000,', ""),
        ('"lat":48.117300000', '"lat":98.1'),
        ('"lon":-11.516667000', '"lon":-181'),
        ('"lat":48.117300000,"lon":-11.516667000', '"lat":0,"lon":0'),
        ('"lat":48.117300000', '"lat":NaN'),
        ('"lat":48.117300000', '"lat":"48"'),
        ('"time":"2026-01-01T12:00:00.250Z",', ""),
        ("00.250Z", "00.250"),
        ("2026-01-01T12", "2026-01-01T32"),
        ('"TPV"', '"SKY"'),
        ('"TPV"', '"TPV'),
        ("{", "["),
    ],
)
def test_what_is_none_is_none(said: str, instead: str) -> None:
    assert said in TPV
    assert fixes(TPV.replace(said, instead)) == []


def test_a_report_longer_than_any_is_dropped() -> None:
    assert fixes(TPV.replace("{", "{" + " " * 20_000), TPV) == [FIX]


@given(st.lists(st.binary(max_size=80)))
def test_garbage_never_becomes_a_fix(lines: list[bytes]) -> None:
    reports = Reports(lambda: 0)
    assert [fix for line in lines for fix in reports.feed(line + b"\n")] == []
