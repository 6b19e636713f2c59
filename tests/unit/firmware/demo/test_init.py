"""Playing the demonstration: exit codes, and one line for what goes wrong."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from firmware import demo


@pytest.fixture(autouse=True)
def _configured_anew() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.disable(logging.NOTSET)


def test_without_a_broker_program_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from host_tools.backend import broker

    monkeypatch.setattr(broker.find_broker, "__defaults__", ((str(tmp_path),), "no_such_package"))
    assert demo.play(json=True) == 6
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert err.startswith("sharebox demo: no MQTT broker on this computer")
    assert err.count("\n") == 1


def test_a_claim_that_does_not_hold_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firmware.demo import acts

    monkeypatch.setattr(acts, "SERVICE_UUID", "00001800-0000-1000-8000-00805f9b34fb")
    assert demo.play(json=True) == 1
    claim = "a scan filtered by the service finds exactly one module"
    assert capsys.readouterr().err == f"sharebox demo: this did not hold: {claim}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    from firmware.demo import acts

    async def stopped_at_once(*_: object) -> None:
        os.kill(os.getpid(), number)
        await asyncio.sleep(3600)

    monkeypatch.setattr(acts, "play", stopped_at_once)
    assert demo.play(json=True) == 130
    assert capsys.readouterr().err == "sharebox demo: stopped\n"
