"""`shareboxctl history`: what was kept, filtered, with gaps in place."""

from pathlib import Path

import pytest

from host_tools.backend.archive import Archive
from host_tools.cli.exits import Exit
from host_tools.cli.history import _written
from protocol.telemetry import Channel
from tests.support.command import Ran, shareboxctl
from tests.support.reports import OTHER_ID, dropped, event, received, state

EIGHT_MS = 1_800_000_000_000
NAME = "a1b2c3d4e5f60718"
OTHER = "0" * 16


@pytest.fixture(autouse=True)
def _saved() -> None:
    with Archive(Path("saved.db"), keep=100) as archive:
        archive.listening(EIGHT_MS)
        archive.add([received(Channel.STATE, state(seq, minute=seq)) for seq in (1, 4)], EIGHT_MS)
        archive.add([received(Channel.EVENT, event(1, minute=9))], EIGHT_MS)
        archive.add([received(Channel.EVENT, dropped(2, minute=10, state=1, total=1))], EIGHT_MS)
        archive.add([received(Channel.EVENT, event(1, minute=3), OTHER_ID)], EIGHT_MS)


class Shown:
    """Runs `shareboxctl history saved.db`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._run = shareboxctl(capsys)

    def __call__(self, *words: str) -> Ran:
        ran = self._run("history", "saved.db", *words)
        assert ran.code == 0, ran.err
        return ran


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Shown:
    return Shown(capsys)


@pytest.mark.req("TEL-3", "TEL-4")
def test_records_stand_in_their_order_with_the_gaps_between_them(shown: Shown) -> None:
    ran = shown()
    assert ran.out.splitlines() == [
        f"2027-01-15T08:01:00.000Z  {NAME}  state: Vehicle.IsMoving no",
        f"2027-01-15T08:03:00.000Z  {OTHER}  event: event booking.started left_ms=5",
        f"2027-01-15T08:04:00.000Z  {NAME}  -- state: 2 missing: 1 given up by the module, 1 unexplained",
        f"2027-01-15T08:04:00.000Z  {NAME}  state: Vehicle.IsMoving no",
        f"2027-01-15T08:09:00.000Z  {NAME}  event: event booking.started left_ms=5",
        f"2027-01-15T08:10:00.000Z  {NAME}  event: event telemetry.records_dropped state=1 total=1",
    ]
    assert ran.err == (
        "5 records of 2 modules, 2 missing: 1 given up by the module, 0 while nobody listened, 1 unexplained\n"
    )


@pytest.mark.req("TEL-3")
def test_programs_get_gaps_and_records_as_objects(shown: Shown) -> None:
    ran = shown("--json", "--module", NAME, "--channel", "state")
    assert [one["type"] for one in ran.objects()] == ["report", "gap", "report"]
    _, gap, record = ran.objects()
    assert gap == {
        "type": "gap",
        "format": "shareboxctl/1",
        "module": NAME,
        "channel": "state",
        "before": "2027-01-15T08:04:00.000Z",
        "missing": 2,
        "explained": 1,
        "unheard": False,
    }
    assert (record["made"], record["heard"]) == ("2027-01-15T08:04:00.000Z", "2027-01-15T08:00:00.000Z")
    assert (record["missing"], record["channel"]) == (2, "state")
    assert ran.err == ""


def test_filters_take_modules_channels_and_time(shown: Shown) -> None:
    assert len(shown("--module", NAME, "--module", OTHER).out.splitlines()) == 6
    assert len(shown("--module", OTHER).out.splitlines()) == 1
    assert len(shown("--channel", "event", "--channel", "state", "--since", "2027-01-15T08:05Z").out.splitlines()) == 2
    assert shown("--channel", "order-result").out == ""
    assert shown("--module", OTHER).err == "1 record of 1 module, 0 missing\n"
    assert shown("--gaps").out.count("\n") == 1


def test_what_a_user_got_wrong_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = shareboxctl(capsys)
    Path("text.db").write_text("no database" * 500)
    for words, code, said in (
        (["nothing.db"], Exit.CONFIGURATION, "there is no file nothing.db: make one with `shareboxctl watch --save"),
        (["text.db"], Exit.CONFIGURATION, "cannot be used"),
        (["saved.db", "--module", "xy"], Exit.USAGE, "16 hexadecimal digits"),
        (["saved.db", "--since", "soon"], Exit.USAGE, "'soon' is no time"),
        (["saved.db", "--channel", "gossip"], Exit.USAGE, "gossip"),
    ):
        ran = run("history", *words)
        assert ran.code == code
        assert said in ran.err
        assert ran.err.count("\n") == 1


def test_a_time_beyond_all_calendars_is_shown_all_the_same() -> None:
    assert _written(EIGHT_MS) == "2027-01-15T08:00:00.000Z"
    assert _written(-(10**18)).startswith("0001-01-01")
    assert _written(10**18).startswith("9999-12-31")
