"""How the demonstration looks: JSON lines, plain lines, and the live screen drawn into memory."""

import io
import json

import pytest
from rich.console import Console

from firmware.demo.screen import (
    Claim,
    JsonScreen,
    LiveScreen,
    PlainScreen,
    Screen,
    View,
    make_screen,
    wrapped,
)

VIEW = View(
    clock="2026-10-30 10:00:03",
    pace="time races",
    car=(("doors", "locked"), ("speed", "50 km/h")),
    booking=(("booking", "active"),),
    slider_blue=True,
    slider="access granted",
    network=(("position", "hidden"),),
)
GREY = View(clock="2026-10-30 10:00:04", slider="BOOKING_CUT_OFF")
CLAIMS = [Claim("ACC-1", "opens without a network", "20 min offline"), Claim("CUT-4", "in time", "1 ms")]
LONG = "word " * 40


def play(screen: Screen) -> None:
    screen.act("First act", "What there is to see.")
    screen.say("phone", "unlocks\nReason: none", code=3)
    screen.refresh()
    screen.summary(CLAIMS, "All held.", checks=2)
    screen.close()


def test_json_lines() -> None:
    out = io.StringIO()
    play(JsonScreen(lambda: VIEW, out))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"type": "begin", "format": "sharebox-demo/1"},
        {"type": "act", "title": "First act", "about": "What there is to see.", "time": VIEW.clock},
        {"type": "say", "time": VIEW.clock, "who": "phone", "text": "unlocks\nReason: none", "code": 3},
        {
            "type": "summary",
            "claims": [
                {"rule": "ACC-1", "what": "opens without a network", "figure": "20 min offline"},
                {"rule": "CUT-4", "what": "in time", "figure": "1 ms"},
            ],
            "text": "All held.",
            "checks": 2,
        },
    ]


def test_plain_lines() -> None:
    out = io.StringIO()
    play(PlainScreen(lambda: VIEW, out))
    assert out.getvalue() == (
        "\n== First act\n   What there is to see.\n"
        "2026-10-30 10:00:03  phone   unlocks\n"
        "                             Reason: none\n"
        "\n== What was shown\n"
        "   ACC-1  opens without a network  20 min offline\n"
        "   CUT-4  in time                  1 ms\n"
        "\nAll held.\n"
    )


def test_long_plain_lines_are_wrapped_at_100_columns() -> None:
    out = io.StringIO()
    PlainScreen(lambda: VIEW, out).say("owner", LONG)
    lines = out.getvalue().splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 100
    assert all(line.startswith(" " * 29 + "word") or "owner" in line for line in lines)


# ---------------------------------------------------------------- live
def console(columns: int, rows: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=columns, height=rows, color_system=None)


def drawn(screen: LiveScreen, columns: int, rows: int) -> list[str]:
    """One frame, without what moves the cursor."""
    page = Console(file=io.StringIO(), width=columns, height=rows, color_system=None)
    with page.capture() as captured:
        page.print(screen._render())
    return captured.get().splitlines()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (100, 30), (200, 60)])
def test_a_frame_fits_however_much_was_said(columns: int, rows: int) -> None:
    screen = LiveScreen(lambda: VIEW, console(columns, rows))
    for number in range(40):
        screen.say("phone", f"{number}: {LONG}")
    frame = drawn(screen, columns, rows)
    screen.close()
    assert len(frame) < rows
    assert max(map(len, frame)) <= min(columns, 100)
    assert "word" in frame[-2], "the latest is at the bottom"


def test_a_frame_shows_where_we_are_and_both_sides() -> None:
    screen = LiveScreen(lambda: VIEW, console(100, 30))
    screen.act("First act", "What there is to see.")
    screen.say("nobody", "says\nReason: " + LONG)
    frame = drawn(screen, 100, 30)
    screen.close()
    text = "\n".join(frame)
    assert frame[0].startswith("Sharebox  2026-10-30 10:00:03 UTC   time races   First act")
    assert frame[1].startswith("What there is to see.")
    for shown in ("the car", "50 km/h", "the driver's phone", "━━━━● access granted", "the owner's view", "hidden"):
        assert shown in text
    assert "10:00:03 nobody  says" in text
    assert "│" + " " * 18 + "Reason: word" in text
    assert "│" + " " * 26 + "word" in text


def test_the_slider_goes_grey() -> None:
    screen = LiveScreen(lambda: GREY, console(100, 30))
    text = "\n".join(drawn(screen, 100, 30))
    screen.close()
    assert "●━━━━ BOOKING_CUT_OFF" in text
    assert "real time" in text


def test_in_the_end_the_table_takes_the_place_of_the_log() -> None:
    screen = LiveScreen(lambda: VIEW, console(80, 24))
    play(screen)
    frame = drawn(screen, 80, 24)
    text = "\n".join(frame)
    assert len(frame) < 24
    assert "what happens" not in text
    assert "What was shown" in frame[0]
    assert [line.split()[0] for line in frame if line.startswith((" ACC", " CUT"))] == ["ACC-1", "CUT-4"]
    assert "20 min offline" in text
    assert "All held." in text


# ---------------------------------------------------------------- choosing and wrapping
def test_what_is_no_terminal_gets_plain_lines_and_json_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    out = io.StringIO()
    assert isinstance(make_screen(lambda: VIEW, json_lines=False, out=out), PlainScreen)
    assert out.getvalue() == ""
    assert isinstance(make_screen(lambda: VIEW, json_lines=True, out=out), JsonScreen)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("term", "columns", "rows", "kind"),
    [
        ("xterm", 80, 24, LiveScreen),
        ("xterm", 79, 24, PlainScreen),
        ("xterm", 80, 23, PlainScreen),
        ("dumb", 120, 40, PlainScreen),
    ],
)
def test_a_terminal_gets_the_live_screen_when_it_is_large_and_able(
    monkeypatch: pytest.MonkeyPatch, term: str, columns: int, rows: int, kind: type[Screen]
) -> None:
    for name, value in (("TERM", term), ("COLUMNS", str(columns)), ("LINES", str(rows))):
        monkeypatch.setenv(name, value)
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    screen = make_screen(lambda: VIEW, json_lines=False, out=Terminal())
    screen.close()
    assert isinstance(screen, kind)
    assert screen.live is (kind is LiveScreen)


def test_a_labelled_line_goes_on_below_its_text() -> None:
    assert wrapped("Remedy: ask the owner", 14) == ["Remedy: ask", "        the", "        owner"]
    assert wrapped("Rule:   CUT-2 and more", 16) == ["Rule:   CUT-2", "        and more"]
    assert wrapped("open: refused at once", 14) == ["open: refused", "at once"]
    assert wrapped("a\n\nb", 10) == ["a", "", "b"]
    assert wrapped("", 10) == [""]
