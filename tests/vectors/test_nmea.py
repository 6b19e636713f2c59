"""Recordings of real receivers: whatever we take for a fix, gpsd took for one too.

SHAREBOX_NMEA_RECORDINGS may name a directory with more of them: each NAME.log with gpsd's opinion as NAME.log.chk.
"""

import os
from pathlib import Path

import msgspec
import pytest

from firmware.simulated.nmea import nmea

HERE = Path(__file__).resolve().parent / "nmea"
NEAR = 2e-6
"""Degrees. gpsd prints nine places, the sentences have four to seven of a minute."""

FIXES = {"gps-360.log": 14, "tr737A+.log": 8, "ublox-lea-5q.log": 0, "bt451.log": 14}


class Report(msgspec.Struct):
    """One of gpsd's reports."""

    name: str = msgspec.field(name="class")
    mode: int = 0
    lat: float | None = None
    lon: float | None = None


def known_to_gpsd(recording: Path) -> list[tuple[float, float]]:
    lines = recording.with_name(f"{recording.name}.chk").read_bytes().splitlines()
    reports = [msgspec.json.decode(line, type=Report) for line in lines if line.startswith(b'{"class":"TPV"')]
    return [(it.lat, it.lon) for it in reports if it.mode >= 2 and it.lat is not None and it.lon is not None]


def ours(recording: Path) -> list[tuple[float, float]]:
    with recording.open("rb") as file:
        return [signal.value for signal in nmea(file) if isinstance(signal.value, tuple)]


def are_near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < NEAR and abs(one[1] - other[1]) < NEAR


def recordings() -> list[Path]:
    more = os.environ.get("SHAREBOX_NMEA_RECORDINGS")
    return sorted([*HERE.glob("*.log"), *(Path(more).glob("*.log") if more else ())])


@pytest.mark.req("BEN-4", "TEL-7")
@pytest.mark.parametrize("recording", recordings(), ids=lambda path: str(path.name))
def test_a_fix_of_ours_is_one_of_gpsds(recording: Path) -> None:
    theirs, found = known_to_gpsd(recording), ours(recording)
    # gpsd reports a moment when the next one begins: the last one of a file is missing in its list.
    strangers = [place for place in found[:-1] if not any(are_near(place, each) for each in theirs)]
    assert strangers == []
    if recording.parent == HERE:
        assert len(found) == FIXES[recording.name]


@pytest.mark.req("BEN-4", "TEL-7")
@pytest.mark.parametrize("recording", recordings(), ids=lambda path: str(path.name))
def test_almost_every_fix_of_gpsds_is_one_of_ours(recording: Path) -> None:
    theirs, found = set(known_to_gpsd(recording)), ours(recording)
    missed = [place for place in theirs if not any(are_near(place, each) for each in found)]
    # One that its own receiver calls none: gpsd goes by another sentence.
    assert len(missed) <= 1
