"""Which sentences are a fix: only what was measured, whole and undisputed."""

import datetime
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.nmea import DATES, FIXES, ZDA, Moment, date_of, parsed, time_of
from tests.support.sentences import HERE, PLACE, gga, rmc, sentence, zda

pytestmark = pytest.mark.req("HW-1", "BEN-4", "TEL-7")


def places(lines: Iterable[bytes]) -> list[tuple[float, float]]:
    """One moment after the other."""
    moments = [Moment(None)]
    for line in lines:
        message = parsed(line)
        if message is not None:
            if moments[-1].ends_with(message):
                moments.append(Moment(time_of(message)))
            moments[-1].add(message)
    found = [moment.place() for moment in moments]
    return [(round(place[0], 6), round(place[1], 6)) for place in found if place is not None]


@pytest.mark.parametrize(
    "lines",
    [
        [rmc()],
        [gga()],
        [rmc(), gga()],
        [gga(), rmc()],
        [gga(), gga(quality="0"), rmc()],
        [rmc(mode="")],
        [rmc(mode=",D")],
        [gga(quality="2")],
        [gga(satellites="")],
        [b"half a sentence $GPRM" + rmc()],
        [b"\0\0" + rmc().strip()],
        [sentence(f"GNRMC,120000.00,A,{HERE},20.0,0.0,010126,,,A")],
    ],
)
def test_a_fix_is_a_fix(lines: list[bytes]) -> None:
    assert places(lines) == [PLACE]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"$GPRMC,120000.00,A,4807.0380,N,01131.0000,E,20.0,0.0,010126,,,A*00\r\n"],
        [rmc().replace(b"*", b"*0")],
        [rmc()[:30]],
        [rmc().replace(b"*", b"")],
        [rmc(status="V")],
        [rmc(mode=",N")],
        [rmc(mode=",E")],
        [rmc(mode=",S")],
        [rmc(mode=",M")],
        [gga(quality="0")],
        [gga(quality="6")],
        [gga(quality="8")],
        [gga(quality="")],
        [gga(satellites="00")],
        [gga(satellites="02")],
        [rmc(status="V"), gga()],
        [gga(), rmc(status="V")],
        [rmc(), gga(quality="0")],
        [rmc(place=",,,")],
        [rmc(place="0000.0000,N,00000.0000,E")],
        [rmc(place="9960.0000,N,00000.0000,E")],
        [rmc(place="4807.0380,X,01131.0000,E")],
        [rmc(place="4807.0380,N,01131.0000,")],
        [rmc(place="48nan.0,N,01131.0000,E")],
        [sentence("GPVTG,221.54,T,,M,32.000,N,59.295,K,A")],
        [sentence("GPRMC")],
    ],
)
def test_what_is_none_is_none(lines: list[bytes]) -> None:
    assert places(lines) == []


def test_south_and_west_are_negative() -> None:
    assert places([rmc(place="4807.0380,S,01131.0000,W")]) == [(-48.1173, -11.516667)]


@given(st.lists(st.binary(max_size=100)))
def test_garbage_is_never_a_fix(lines: list[bytes]) -> None:
    assert places(lines) == []


@given(st.sampled_from(["RMC", "GGA"]), st.lists(st.text(st.characters(codec="ascii"), max_size=12), max_size=16))
def test_garbage_with_a_right_checksum_raises_nothing(kind: str, fields: list[str]) -> None:
    assert len(places([sentence(",".join((f"GP{kind}", *fields)))])) <= 1


def test_a_moment_has_one_time_and_says_what_came() -> None:
    moment = Moment(datetime.time(12))
    for line in (rmc(), gga(), gga()):
        message = parsed(line)
        assert message is not None
        assert not moment.ends_with(message)
        moment.add(message)
    assert moment.kinds == {"RMC", "GGA"}
    later = parsed(gga("120001.00"))
    assert later is not None
    assert moment.ends_with(later)


@pytest.mark.parametrize(
    ("line", "date"),
    [
        (rmc(), datetime.date(2026, 1, 1)),
        (rmc(status="V"), None),
        (rmc(date=""), None),
        (zda(), datetime.date(2026, 1, 1)),
        (zda(date="31,02,2026"), None),
        (zda(date=",,"), None),
        (gga(), None),
    ],
)
def test_the_day_is_that_of_a_valid_rmc_or_of_a_zda(line: bytes, date: datetime.date | None) -> None:
    message = parsed(line, FIXES | DATES)
    assert message is not None
    assert date_of(message) == date


def test_only_what_is_asked_for_is_read() -> None:
    assert parsed(zda()) is None
    assert parsed(gga(), frozenset({ZDA})) is None
    without_time = parsed(rmc(time=""))
    assert without_time is not None
    assert time_of(without_time) is None
