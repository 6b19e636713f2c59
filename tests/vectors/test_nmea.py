"""Recordings of real receivers: whatever we take for a fix, gpsd took for one too.

They are not part of this project: these tests are there when SHAREBOX_NMEA_RECORDINGS names a directory with them, each
NAME.log with gpsd's opinion as NAME.log.chk (gpsd's own regression tests are such). What is always shown stands in
`tests/unit/firmware/simulated/test_nmea.py`.
"""

import datetime
import os
from pathlib import Path

import msgspec
import pytest

from firmware.adapters.gnss.sentences import Sentences
from firmware.simulated.nmea import nmea

NEAR = 2e-6
"""Degrees. gpsd prints nine places, the sentences have four to seven of a minute."""

DIRECTORY = os.environ.get("SHAREBOX_NMEA_RECORDINGS")
RECORDINGS = sorted(Path(DIRECTORY).glob("*.log")) if DIRECTORY else []


class Report(msgspec.Struct):
    """One of gpsd's reports."""

    name: str = msgspec.field(name="class")
    mode: int = 0
    lat: float | None = None
    lon: float | None = None
    time: datetime.datetime | None = None


def known_to_gpsd(recording: Path) -> list[tuple[float, float]]:
    lines = recording.with_name(f"{recording.name}.chk").read_bytes().splitlines()
    reports = [msgspec.json.decode(line, type=Report) for line in lines if line.startswith(b'{"class":"TPV"')]
    return [(it.lat, it.lon) for it in reports if it.mode >= 2 and it.lat is not None and it.lon is not None]


def ours(recording: Path) -> list[tuple[float, float]]:
    with recording.open("rb") as file:
        return [signal.value for signal in nmea(file) if isinstance(signal.value, tuple)]


def are_near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) < NEAR and abs(one[1] - other[1]) < NEAR


def strangers(recording: Path) -> list[tuple[float, float]]:
    """Fixes of ours that gpsd has not. It reports a moment when the next one begins: the last of a file is missing."""
    theirs = known_to_gpsd(recording)
    return [place for place in ours(recording)[:-1] if not any(are_near(place, each) for each in theirs)]


def missed(recording: Path) -> list[tuple[float, float]]:
    """Fixes of gpsd's that we have not."""
    found = ours(recording)
    return [place for place in set(known_to_gpsd(recording)) if not any(are_near(place, each) for each in found)]


Timed = tuple[float, float, float]
"""Latitude, longitude, and UTC in ms."""


def reported(recording: Path) -> list[Timed]:
    """gpsd's fixes with their times."""
    lines = recording.with_name(f"{recording.name}.chk").read_bytes().splitlines()
    reports = [msgspec.json.decode(line, type=Report) for line in lines if line.startswith(b'{"class":"TPV"')]
    return [
        (it.lat, it.lon, it.time.timestamp() * 1000)
        for it in reports
        if it.mode >= 2 and it.lat is not None and it.lon is not None and it.time is not None
    ]


def live(recording: Path) -> list[Timed]:
    """What a module makes of it, as it comes."""
    decoder = Sentences(lambda: 0)
    fixes = decoder.feed(recording.read_bytes())
    return [(fix.latitude_e7 / 1e7, fix.longitude_e7 / 1e7, fix.utc_ms) for fix in fixes]


def are_one(one: Timed, other: Timed) -> bool:
    return are_near(one[:2], other[:2]) and abs(one[2] - other[2]) <= 1


if RECORDINGS:

    @pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: str(path.name))
    def test_our_fixes_are_those_of_gpsd(recording: Path) -> None:
        assert strangers(recording) == []
        # One that its own receiver calls none: gpsd goes by another sentence.
        assert len(missed(recording)) <= 1

    @pytest.mark.req("HW-1")
    @pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: str(path.name))
    def test_a_receiver_at_work_says_what_gpsd_says_the_time_included(recording: Path) -> None:
        ours, theirs = live(recording), reported(recording)
        # gpsd reports a moment when the next one begins, so the last of a file is missing; and it leaves one out while
        # it learns in which order a receiver speaks.
        last = max((fix[2] for fix in ours), default=0.0)
        assert len([fix for fix in ours if fix[2] < last and not any(are_one(fix, each) for each in theirs)]) <= 1
        assert len([each for each in set(theirs) if not any(are_one(fix, each) for fix in ours)]) <= 1
