"""The dashboard as a command: what stops it before it begins."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from firmware import dashboard
from firmware.dashboard.server import listening


@pytest.fixture(autouse=True)
def _configured_anew() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)


def test_a_port_that_is_taken_is_one_line_and_exit_code_6(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(0) as taken:
        port = taken.getsockname()[1]
        assert dashboard.play(port=port, show=False) == 6
    out, err = capsys.readouterr()
    assert out == ""
    assert (
        err
        == f"sharebox dashboard: port {port}: Address already in use; name another with --port, 0 takes a free one\n"
    )


def test_a_scenario_that_does_not_exist_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert dashboard.play(port=0, show=False, scenario="overdue-drivre") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sharebox dashboard: no scenario is called 'overdue-drivre'. Did you mean")
    assert err.count("\n") == 1
