"""Data to standard output, talk to standard error."""

import json
import sys

import pytest

from host_tools.cli.output import FORMAT, Output


def test_people_get_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json_lines=False)
    output.result("key", {"file": "x"}, "one", "two")
    output.say("by the way")
    with output.waiting("Looking"):
        pass
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("one\ntwo\n", "by the way\n")


def test_programs_get_one_object_a_line_and_no_talk(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json_lines=True)
    output.result("key", {"file": "ü"}, "one")
    output.say("by the way")
    with output.waiting("Looking"):
        pass
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"type": "key", "format": FORMAT, "file": "ü"}
    assert captured.err == ""


@pytest.mark.parametrize(("term", "moves"), [("xterm", True), ("dumb", False)])
def test_a_spinner_moves_only_on_a_terminal_that_can_take_it_back(
    term: str, moves: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", term)
    with Output(json_lines=False).waiting("Looking for the car"):
        pass
    assert ("Looking for the car" in capsys.readouterr().err) == moves
