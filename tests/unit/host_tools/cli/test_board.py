"""What `watch` shows of a message."""

from rich.console import Console

from host_tools.backend.ingest import Received
from host_tools.cli.board import MAX_EVENTS, MAX_ROWS, Board, fields_of, line_of
from protocol.telemetry import (
    Channel,
    EventKind,
    EventReport,
    Online,
    OrderResult,
    PositionReport,
    Stamp,
    StateReport,
)

MODULE = bytes(range(8))
STAMP = Stamp(7, 1, "2026-05-28T20:26:40Z", "synced")


def received(channel: Channel, value: object, **more: object) -> Received:
    return Received(MODULE, channel, value, **more)  # type: ignore[arg-type]  # any kind of report


STATE = received(Channel.STATE, StateReport(STAMP, {"Vehicle.Speed": 50.0, "Vehicle.IsLocked": True, "n": 3}))
POSITION = received(Channel.POSITION, PositionReport(STAMP, 52.5, 13.4, "2026-05-28T20:26:40Z", 2.0, True))


def test_each_kind_of_message_is_one_line() -> None:
    prefix = "0001020304050607  "
    event = EventReport(STAMP, EventKind.BOOKING_ENDED, reason="driver", numbers={"overdue_ms": 5})
    cases = {
        "online: online yes": received(Channel.ONLINE, Online(True)),
        "online: online no  (retained)": received(Channel.ONLINE, Online(False), retained=True),
        "state: Vehicle.IsLocked yes; Vehicle.Speed 50; n 3": STATE,
        "position: position 52.500000, 13.400000, parked, fix 2 s old": POSITION,
        "position: position withdrawn": received(Channel.POSITION, None),
        "event: event booking.ended (driver) overdue_ms=5  (2 missing before)": received(
            Channel.EVENT, event, missing=2
        ),
        "order/result: order ab: OK  (repeated)": received(
            Channel.ORDER_RESULT, OrderResult("ab", 0, "OK"), repeated=True
        ),
        "order/result: order unreadable: TOKEN_MALFORMED (pending)": received(
            Channel.ORDER_RESULT, OrderResult("", 7, "TOKEN_MALFORMED", True)
        ),
        "state: state unreadable: bad JSON": received(Channel.STATE, None, error="bad JSON"),
    }
    for line, message in cases.items():
        assert line_of(message) == prefix + line


def test_programs_get_the_payload_as_it_was_sent() -> None:
    fields = fields_of(STATE)
    assert (fields["module"], fields["channel"], fields["missing"]) == (MODULE.hex(), "state", 0)
    value = fields["value"]
    assert isinstance(value, dict)
    assert value["signals"]["Vehicle.Speed"] == 50.0
    assert fields_of(received(Channel.POSITION, None))["value"] is None


def shown(board: Board, now_s: float) -> str:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(board.table(now_s))
    return capture.get()


def test_the_table_shows_the_latest_value_with_age_and_rate() -> None:
    board = Board()
    for second in (0.0, 1.0, 2.0):
        board.take(STATE, second)
    board.take(POSITION, 2.0)
    text = shown(board, 5.0)
    (speed,) = [line for line in text.splitlines() if "Vehicle.Speed" in line]
    assert "3 s" in speed
    assert "1.00/s" in speed
    (position,) = [line for line in text.splitlines() if "52.500000" in line]
    assert " - " in position


def test_events_stand_below_the_table_and_all_is_bounded() -> None:
    board = Board()
    for number in range(MAX_EVENTS + 2):
        event = EventReport(STAMP, EventKind.BOOTED, numbers={"n": number})
        board.take(received(Channel.EVENT, event), 0.0)
    for number in range(MAX_ROWS + 5):
        board.take(received(Channel.STATE, StateReport(STAMP, {f"s{number:04}": number})), 0.0)
    text = shown(board, 0.0)
    assert "n=0" not in text
    assert f"n={MAX_EVENTS + 1}" in text
    assert text.count("s0") == MAX_ROWS
    assert "s0004" not in text
