"""NMEA recordings as fixes: only what was measured, whole and undisputed."""

from collections.abc import Iterable
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.simulated.nmea import nmea

pytestmark = pytest.mark.req("BEN-4", "TEL-7")

DRIVE = Path(__file__).resolve().parents[3] / "vectors" / "nmea-drive.log"
HERE = "4807.0380,N,01131.0000,E"
PLACE = (48.1173, 11.516667)


def sentence(content: str) -> bytes:
    return f"${content}*{reduce(xor, content.encode()):02X}\r\n".encode()


def rmc(time: str = "120000.00", status: str = "A", place: str = HERE, mode: str = ",A") -> bytes:
    return sentence(f"GPRMC,{time},{status},{place},20.0,0.0,010126,,{mode}")


def gga(time: str = "120000.00", quality: str = "1", place: str = HERE, satellites: str = "08") -> bytes:
    return sentence(f"GPGGA,{time},{place},{quality},{satellites},1.0,520.0,M,47.0,M,,")


def places(lines: Iterable[bytes]) -> list[tuple[float, ...]]:
    found = [signal.value for signal in nmea(lines)]
    return [tuple(round(degrees, 6) for degrees in value) for value in found if isinstance(value, tuple)]


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


@pytest.mark.parametrize(
    ("times", "at"),
    [
        (["120000.00", "120001.00", "120001.50"], [1.0, 2.0, 2.5]),
        (["235959.00", "000000.00", "000001"], [1.0, 2.0, 3.0]),
        (["", "", "120000.00", "120001.00"], [1.0, 2.0, 3.0, 4.0]),
        (["120000.00", "", "120005.00"], [1.0, 2.0, 6.0]),
        (["120000.00", "115900.00", "115901.00"], [1.0, 2.0, 3.0]),
        (["120000.00", "150000.00", "150001.00"], [1.0, 2.0, 3.0]),
        (["120000.00", "123000.00"], [1.0, 1801.0]),
        (["120000.00", "990000.00"], [1.0, 2.0]),
    ],
)
def test_it_goes_at_the_pace_of_the_recording(times: list[str], at: list[float]) -> None:
    assert [signal.at_s for signal in nmea([rmc(time) for time in times])] == at


@given(st.lists(st.binary(max_size=100)))
def test_garbage_is_never_a_fix(lines: list[bytes]) -> None:
    assert places(lines) == []


@given(st.sampled_from(["RMC", "GGA"]), st.lists(st.text(st.characters(codec="ascii"), max_size=12), max_size=16))
def test_garbage_with_a_right_checksum_raises_nothing(kind: str, fields: list[str]) -> None:
    assert len(places([sentence(",".join((f"GP{kind}", *fields)))])) <= 1


def test_a_whole_drive_is_read() -> None:
    with DRIVE.open("rb") as file:
        signals = list(nmea(file))
    assert len(signals) == 11
    assert [signal.at_s - signals[0].at_s for signal in signals] == [0, 1, 2, 3, 4, 8, 12, 13, 14, 15, 16]
