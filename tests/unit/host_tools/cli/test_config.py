"""`shareboxctl config show`."""

import pytest

from host_tools.cli.settings import DEFAULTS
from tests.support.command import shareboxctl


def test_every_setting_is_shown_with_its_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAREBOXCTL_TIMEOUT", "3")
    run = shareboxctl(capsys)
    assert run("config", "show").out.splitlines()[:2] == ["link = auto", "timeout = 3"]
    lines = run("config", "show", "--origin").out.splitlines()
    assert lines[:2] == ["link = auto  (the default)", "timeout = 3  (the variable SHAREBOXCTL_TIMEOUT)"]
    assert [one["name"] for one in run("config", "show", "--json").objects()] == list(DEFAULTS)
