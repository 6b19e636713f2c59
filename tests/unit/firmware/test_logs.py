"""The log: one line for each thing that happened, and nothing that must stay secret."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from firmware import logs
from firmware.core.effects import Actuate, HangUp, Report, Tell
from firmware.core.events import Action, LinkOpened, RequestReceived, Ticked
from firmware.core.reports import Point, Record
from protocol.messages import Access, Operation, Phase, Push, PushKind, Request
from protocol.telemetry import Channel, EventKind
from tests.support.core import DRIVING, a_state


@pytest.fixture(autouse=True)
def _configured_anew() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_have_time_level_and_event(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    logs.observe(LinkOpened(7), a_state(), ())
    (line,) = lines(capsys)
    assert line.pop("timestamp", "").__class__ is str
    assert line == {"event": "LinkOpened", "level": "info", "booking": "none"}


def test_lines_for_people_are_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=False)
    logs.observe(LinkOpened(7), a_state(), ())
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert err.count("\n") == 1
    assert "LinkOpened" in err


def test_what_moves_tells_or_cuts_is_logged_and_what_is_only_seen_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    report = Report(Record(channel=Channel.EVENT, kind=EventKind.BOOKING_ENDED, reason="by driver"))
    logs.observe(Ticked(), a_state(), (Actuate(Action.LOCK), HangUp(3), report))
    logs.observe(DRIVING, a_state(), ())
    assert [(line["event"], line.get("action") or line.get("link") or line.get("kind")) for line in lines(capsys)] == [
        ("actuate", "lock"),
        ("hang up", 3),
        ("report", "booking.ended"),
    ]


@pytest.mark.req("PRV-1", "SEC-2")
def test_neither_positions_nor_what_phones_say_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    secret, place = b"top secret token", Point(481_234_567, 115_765_432, 0)
    request = RequestReceived(1, Request(1, Operation.PUT, body=secret))
    track = Report(Record(channel=Channel.TRACK, point=place))
    tell = Tell(1, Push(PushKind.ACCESS, Access(granted=True, phase=Phase.ACTIVE)))
    logs.observe(request, a_state(), (track, tell))
    said = capsys.readouterr().err
    assert "RequestReceived" in said
    assert said.count("\n") == 1
    for hidden in (secret.decode(), secret.hex(), "481234567", "48.12", "115765432"):
        assert hidden not in said


@pytest.mark.req("BLE-2")
def test_trouble_with_an_adapter_is_told_as_a_line_like_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(json=True)
    ours, theirs = logging.getLogger("firmware.adapters.ble"), logging.getLogger("library")
    assert (ours.isEnabledFor(logging.WARNING), ours.isEnabledFor(logging.INFO)) == (True, False)
    handler = logs.Lines()
    try:
        int("a bug")
    except ValueError as error:
        told = (None, (ValueError, error, error.__traceback__))
    for logger, level, exc_info in ((ours, logging.WARNING, told[0]), (theirs, logging.CRITICAL, told[1])):
        handler.emit(logger.makeRecord(logger.name, level, "", 0, "the %s is lost", ("controller",), exc_info))
    lost, failed = lines(capsys)
    assert (lost["event"], lost["level"], lost["logger"]) == ("the controller is lost", "warning", ours.name)
    assert failed["level"] == "error"
    assert "ValueError: invalid literal" in str(failed["exception"])
    assert "exception" not in lost
