"""NMEA recordings as fixes, at the pace of the recording."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.simulated.nmea import nmea
from tests.support.sentences import gga, rmc

pytestmark = pytest.mark.req("BEN-4", "TEL-7")

DRIVE = Path(__file__).resolve().parents[3] / "vectors" / "nmea-drive.log"


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
    assert list(nmea(lines)) == []


def test_what_is_no_fix_takes_its_time() -> None:
    lines = [rmc("120000.00"), rmc("120001.00"), gga("120001.00", quality="0"), gga("120002.00")]
    assert [signal.at_s for signal in nmea(lines)] == [1.0, 3.0]


def test_a_whole_drive_is_read() -> None:
    with DRIVE.open("rb") as file:
        signals = list(nmea(file))
    assert len(signals) == 11
    assert [signal.at_s - signals[0].at_s for signal in signals] == [0, 1, 2, 3, 4, 8, 12, 13, 14, 15, 16]
