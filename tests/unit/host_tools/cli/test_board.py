"""The live view: a row a module, the signals of a single one, the latest events, and never more than there is room."""

import pytest
from rich.console import Console

from host_tools.backend.reading import Received
from host_tools.backend.sequence import Sequence
from host_tools.cli.board import MAX_EVENTS, MAX_MODULES, MAX_SIGNALS, Board
from protocol import signals
from protocol.telemetry import Channel, EventKind, EventReport, Online, StoreCondition
from tests.support.reports import MODULE_ID, OTHER_ID, Report, dropped, health, order_result, position, stamp, state

CAR: dict[str, bool | int | float | str] = {
    signals.BOOKING_PHASE: "overdue",
    signals.LOCKED: True,
    signals.IGNITION: "OFF",
    signals.DOORS_OPEN: False,
    signals.FUEL: 61,
    signals.RANGE: 412_000,
    signals.VOLTAGE: 12.6,
}


class Wall:
    """A board and a sequence, and what is to be seen on it."""

    def __init__(self) -> None:
        self.sequence = Sequence()
        self.board = Board(self.sequence)

    def take(
        self, channel: Channel, value: Report | None, now_s: float = 0.0, module_id: bytes = MODULE_ID, **more: object
    ) -> None:
        one = Received(module_id, channel, value, **more)  # type: ignore[arg-type]  # any field
        self.board.take(self.sequence.follow(one), now_s)

    def lines(self, now_s: float = 0.0, width: int = 80, height: int = 24) -> list[str]:
        console = Console(width=width, no_color=True)
        with console.capture() as capture:
            console.print(self.board.render(now_s, width, height))
        lines = capture.get().splitlines()
        assert len(lines) <= height - 1
        assert all(len(line) <= width for line in lines)
        return [line.rstrip() for line in lines]


def words(line: str) -> list[str]:
    return [word.strip() for word in line.split("  ") if word.strip()]


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_a_module_has_a_row_with_all_that_matters(wall: Wall) -> None:
    wall.take(Channel.ONLINE, Online(True))
    wall.take(Channel.STATE, state(1, signals=CAR))
    wall.take(Channel.HEALTH, health(), 4.0)
    assert words(wall.lines(130.0)[0]) == ["Module", "Link", "Booking", "Car", "Age", "Queue", "Missing"]
    assert words(wall.lines(130.0)[1]) == [MODULE_ID.hex(), "up", "overdue", "locked", "2 min", "7", "0"]
    wall.take(Channel.ONLINE, Online(False), 130.0)
    assert words(wall.lines(130.0)[1])[1] == "down"


def test_a_wide_terminal_shows_more(wall: Wall) -> None:
    wall.take(Channel.STATE, state(1, signals=CAR))
    wall.take(Channel.POSITION, position(3))
    wall.take(Channel.HEALTH, health())
    lines = wall.lines(width=120)
    assert words(lines[0])[7:] == ["Store", "Fuel %", "km", "Position"]
    assert words(lines[1])[7:] == ["ok", "61", "412", "48.100, 11.500"]
    wall.take(Channel.POSITION, None)
    assert words(wall.lines(width=120)[1])[-1] == "-", "withdrawn"


def test_what_is_not_known_is_not_made_up(wall: Wall) -> None:
    wall.take(Channel.POSITION, None)
    assert words(wall.lines()[1]) == [MODULE_ID.hex(), "?", "-", "-", "0 s", "-", "0"]
    assert words(wall.lines(width=120)[1])[7:] == ["-", "-"]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({signals.IGNITION: "ON"}, "ignition on"),
        ({signals.DOORS_OPEN: True}, "open"),
        ({signals.BOOT_OPEN: True}, "open"),
        ({signals.LOCKED: False}, "unlocked"),
    ],
)
def test_the_most_important_of_the_car_is_shown(
    wall: Wall, change: dict[str, bool | int | float | str], shown: str
) -> None:
    wall.take(Channel.STATE, state(1, signals=CAR | change))
    assert words(wall.lines()[1])[3] == shown


@pytest.mark.req("TEL-4")
def test_what_is_missing_is_counted_and_what_is_unexplained_marked(wall: Wall) -> None:
    wall.take(Channel.EVENT, dropped(1, state=1))
    wall.take(Channel.STATE, state(1))
    wall.take(Channel.STATE, state(5, minute=2))
    assert words(wall.lines()[1])[-1] == "3 (2 ?)"
    assert wall.lines()[-1] == "08:02:00  a1b2c3d4e5f60718  state: 3 missing: 1 given up by the module, 2 unexp…"
    wall.take(Channel.EVENT, dropped(2, state=3))
    assert words(wall.lines()[1])[-1] == "3"


@pytest.mark.req("PWR-2")
def test_a_memory_in_trouble_is_marked(wall: Wall) -> None:
    wall.take(Channel.HEALTH, health(store=StoreCondition.READ_ONLY))
    assert words(wall.lines()[1])[5] == "7 !"
    assert words(wall.lines(width=120)[1])[7] == "read only"


def test_a_message_that_the_broker_had_kept_is_as_old_as_it_is(wall: Wall) -> None:
    wall.board.take(Received(MODULE_ID, Channel.STATE, state(1), retained=True), 10.0, aged_s=7200.0)
    assert words(wall.lines(10.0)[1])[4] == "2 h"
    wall.board.take(Received(MODULE_ID, Channel.ONLINE, Online(True)), 12.0)
    wall.board.take(Received(MODULE_ID, Channel.POSITION, None, retained=True), 13.0, aged_s=3600.0)
    assert words(wall.lines(15.0)[1])[4] == "3 s"


def test_a_single_module_shows_every_signal_with_age_and_rate(wall: Wall) -> None:
    for second in (1, 2, 3):
        wall.take(Channel.STATE, state(second, signals={signals.VOLTAGE: 12.0 + second, "Vehicle.Own": "x"}), second)
    (voltage,) = [line for line in wall.lines(5.0) if "CurrentVoltage" in line]
    assert words(voltage) == ["LowVoltageBattery.CurrentVoltage", "15", "V", "2 s", "1.00/s"]
    wall.take(Channel.STATE, state(4, signals={"Vehicle.Own": "y"}), 6.0)
    (own,) = [line for line in wall.lines(6.0) if line.startswith("Own")]
    assert words(own) == ["Own", "y", "0 s", "0.60/s"]
    wall.take(Channel.ONLINE, Online(True), 6.0, OTHER_ID)
    assert not [line for line in wall.lines(6.0) if "CurrentVoltage" in line], "there are two now"


@pytest.mark.req("TEL-5")
def test_a_repetition_changes_nothing(wall: Wall) -> None:
    wall.take(Channel.STATE, state(1, signals={"Vehicle.N": 1}))
    wall.take(Channel.STATE, state(2, signals={"Vehicle.N": 2}))
    wall.take(Channel.STATE, state(1, signals={"Vehicle.N": 1}))
    (line,) = [line for line in wall.lines() if line.startswith("N ")]
    assert words(line)[1] == "2"
    for _ in range(2):
        wall.take(Channel.ALERT, EventReport(stamp(1), EventKind.LEFT_OPEN))
    assert len([line for line in wall.lines() if "alert.left_open" in line]) == 1


def test_the_latest_events_stand_below_and_all_is_bounded(wall: Wall) -> None:
    assert wall.lines()[-1] == "No event so far"
    for number in range(1, MAX_EVENTS + 3):
        wall.take(Channel.EVENT, EventReport(stamp(number), EventKind.BOOTED, numbers={"n": number}))
    lines = wall.lines(height=300)
    assert f"08:00:00  a1b2c3d4e5f60718  module.booted n={MAX_EVENTS + 2}" in lines
    assert len([line for line in lines if "module.booted" in line]) == MAX_EVENTS
    wall.take(Channel.ORDER_RESULT, order_result())
    wall.take(Channel.STATE, None, error="two\nlines\x1b[2J")
    assert wall.lines()[-2:] == [
        "          a1b2c3d4e5f60718  order ab: OK",
        "          a1b2c3d4e5f60718  state: state unreadable: two lines [2J",
    ]


def test_a_module_that_lost_its_memory_is_told(wall: Wall) -> None:
    wall.take(Channel.STATE, state(9, minute=1))
    wall.take(Channel.STATE, state(2, boot=2, minute=2))
    assert "state: the module counts anew" in wall.lines()[-1]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (40, 10), (200, 12)])
def test_it_fits_into_every_terminal(wall: Wall, width: int, height: int) -> None:
    for number in range(60):
        module_id = bytes([number]) * 8
        wall.take(Channel.STATE, state(1, signals=CAR), 0.0, module_id)
        wall.take(Channel.ALERT, EventReport(stamp(1), EventKind.LEFT_OPEN, "ab" * 40), 0.0, module_id)
    lines = wall.lines(width=width, height=height)
    assert any("more" in line for line in lines)
    assert "alert.left_open" in lines[-1] or width < 60
    alone = Wall()
    alone.take(Channel.STATE, state(1, signals={f"Vehicle.Signal{number}": "x" * 200 for number in range(60)}))
    assert alone.lines(width=width, height=height)


@pytest.mark.req("SEC-1")
def test_memory_is_bounded_whatever_comes(wall: Wall) -> None:
    for number in range(MAX_MODULES + 5):
        wall.take(Channel.ONLINE, Online(True), 0.0, number.to_bytes(8, "big"))
    lines = wall.lines(height=5000)
    assert len([line for line in lines if " up " in line]) == MAX_MODULES
    assert not lines[1].startswith("0" * 16), "who was silent longest has gone"
    alone = Wall()
    for number in range(3):
        told: dict[str, bool | int | float | str] = {f"s{number}.{n:03}": "\x1b[2J" for n in range(MAX_SIGNALS)}
        alone.take(Channel.STATE, state(number + 1, signals=told))
    lines = alone.lines(height=5000)
    assert len([line for line in lines if line.startswith("s2.")]) == MAX_SIGNALS
    assert not [line for line in lines if line.startswith("s1.")]
    assert all(line.isprintable() for line in lines)
