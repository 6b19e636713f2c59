"""A password or an activation code in a line is hidden, however the line is written."""

import pytest

from firmware.bench.hush import HIDDEN, hushed, is_secret


@pytest.mark.req("KEY-4")
@pytest.mark.parametrize(
    "line",
    [
        "menu activate 012345",
        "  menu   activate\t012345  ",
        "menu activate 012345 --json",
        "menu activate 01 23 45",
        "menu actvate 012345",
        "'menu' \"activate\" '012345'",
        "menu '' activate 012345",
        "menu 012345",
        "level service 012345",
        "level servcie 012345",
    ],
)
def test_what_follows_a_secret_command_is_hidden(line: str) -> None:
    assert is_secret(line)
    assert "012345" not in hushed(line)
    assert hushed(line).endswith(f" {HIDDEN}")


@pytest.mark.parametrize("line", ["", "menu keys", "menu deactivate 3", "menu", "menu activate", "level service"])
def test_other_lines_are_shown_as_they_are(line: str) -> None:
    assert not is_secret(line)
    assert hushed(line) == line
