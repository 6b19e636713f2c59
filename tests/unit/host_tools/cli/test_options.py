"""Options that several commands share."""

import pytest

from host_tools.cli.exits import CliError
from host_tools.cli.options import CAR, RADIO, SHOWN, Car, Radio, Shown


def test_what_is_not_given_leaves_the_settings_alone() -> None:
    assert CAR.settings().text("booking") == "booking.json"
    assert RADIO.settings().text("link") == "auto"
    assert not SHOWN.output().json_lines


def test_without_input_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(CliError, match="Say --yes"):
        Shown(no_input=True).output().confirm("Really?")


def test_what_is_given_wins() -> None:
    car = Car(json_lines=True, link="virtual", timeout="3", booking="b", key="k")
    settings = car.settings()
    assert [settings.text(name) for name in ("link", "timeout", "booking", "key")] == ["virtual", "3", "b", "k"]
    assert car.output().json_lines
    assert Radio(timeout="4").settings().seconds("timeout") == 4.0
