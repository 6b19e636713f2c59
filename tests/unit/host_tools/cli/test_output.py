"""Data to standard output, talk to standard error."""

import contextlib
import io
import json
import sys
import threading

import pytest

from host_tools.cli import output
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.output import FORMAT, Output


def test_people_get_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Output(json_lines=False)
    shown.result("key", {"file": "x"}, "one", "two")
    shown.say("by the way")
    with shown.waiting("Looking"):
        pass
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("one\ntwo\n", "by the way\n")


def test_programs_get_one_object_a_line_and_no_talk(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Output(json_lines=True)
    shown.result("key", {"file": "ü"}, "one")
    shown.say("by the way")
    with shown.waiting("Looking"):
        pass
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"type": "key", "format": FORMAT, "file": "ü"}
    assert captured.err == ""


class Screen(io.StringIO):
    """A terminal; `written` is set when something is on it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def on_a_screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(output, "PATIENCE_S", 0.0)
    monkeypatch.setattr(output, "TICK_S", 0.001)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_spinner_moves_on_a_terminal_that_can_take_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_a_screen(monkeypatch)
    monkeypatch.setenv("TERM", "xterm")
    with Output(json_lines=False).waiting("Looking for the car"):
        assert screen.written.wait(10)
    assert "Looking for the car" in screen.getvalue()


def test_nothing_moves_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_a_screen(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with Output(json_lines=False).waiting("Looking for the car"):
        pass
    assert screen.getvalue() == ""


def test_what_takes_long_is_told_to_programs_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = on_a_screen(monkeypatch)
    with Output(json_lines=True).waiting("Looking"):
        while '"progress"' not in screen.getvalue():
            screen.written.clear()
            assert screen.written.wait(10)
    told = [json.loads(line) for line in screen.getvalue().splitlines()]
    assert capsys.readouterr().out == ""
    assert (told[0]["type"], told[-1]["type"]) == ("begin", "end")
    assert {one["type"] for one in told[1:-1]} == {"progress"}
    assert {one["task"] for one in told} == {"Looking"}


def test_a_task_within_another_says_what_that_one_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = on_a_screen(monkeypatch)
    shown = Output(json_lines=True)

    def until(task: str) -> None:
        while f'"progress", "format": "{FORMAT}", "task": "{task}"' not in screen.getvalue().rpartition("begin")[2]:
            screen.written.clear()
            assert screen.written.wait(10)

    with shown.waiting("outer"):
        until("outer")
        with shown.waiting("inner"):
            until("inner")
    told = [json.loads(line) for line in screen.getvalue().splitlines()]
    assert [one["type"] for one in told if one["type"] != "progress"] == ["begin", "end"]
    assert told[-1]["task"] == "outer"


def test_what_is_quick_is_not_worth_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(output, "PATIENCE_S", 600.0)
    with Output(json_lines=True).waiting("Looking"):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("typed", "goes_on"), [("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("no\n", False)]
)
def test_only_a_yes_lets_something_happen_that_cannot_be_undone(
    typed: str, goes_on: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    with contextlib.nullcontext() if goes_on else pytest.raises(CliError, match=r"nothing was done\."):
        Output(json_lines=False).confirm("Really?")
    assert capsys.readouterr().err == "Really? [y/N] "


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(CliError, match=r"Really\? Nobody can be asked here\. Say --yes\.") as caught:
        Output(json_lines=False).confirm("Really?")
    assert caught.value.exit_code is Exit.USAGE
