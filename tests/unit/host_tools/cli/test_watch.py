"""`shareboxctl watch` against a real broker."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from host_tools.backend.broker import Broker
from host_tools.cli import watch
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.settings import Value
from protocol.telemetry import Channel, Online, Stamp, StateReport, encode, topic
from tests.support.certificates import Authority
from tests.support.command import Ran, in_loop

MODULE = bytes(range(8))
STATE = encode(StateReport(Stamp(1, 1, "2026-05-28T20:26:40Z", "synced"), {"Vehicle.Speed": 50.0}))


@contextlib.asynccontextmanager
async def reporting() -> AsyncIterator[str]:
    """A broker with a module's retained messages."""
    async with Broker() as broker:
        async with aiomqtt.Client(broker.host, broker.port, bind_address=broker.host) as client:
            await client.publish(topic(MODULE, Channel.ONLINE), encode(Online(True)), 1, retain=True)
            await client.publish(topic(MODULE, Channel.STATE), STATE, 1, retain=True)
        yield f"{broker.host}:{broker.port}"


@pytest.mark.asyncio(loop_factories=["real"])
async def test_messages_are_shown_a_line_each_until_the_count_is_reached(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with reporting() as address:
        ran = await in_loop(capsys, "watch", "--broker", address, "--count", "2", "--timeout", "10")
        assert ran == Ran(
            0,
            f"{MODULE.hex()}  online: online yes  (retained)\n{MODULE.hex()}  state: Vehicle.Speed 50  (retained)\n",
            "",
        )
        ran = await in_loop(capsys, "watch", "--broker", address, "--module", MODULE.hex(), "--json", "--count", "1")
        assert ran.objects()[0]["value"] == {"online": True, "time": ""}


@pytest.mark.asyncio(loop_factories=["real"])
async def test_time_ends_the_watch_and_too_few_messages_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    async with reporting() as address:
        assert (await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.5")).code == 0
        ran = await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.5", "--count", "3")
        assert ran.code == Exit.NOT_FOUND
        assert "fewer than 3 messages" in ran.err


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_terminal_gets_a_live_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    async with reporting() as address:
        ran = await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.6")
        assert ran.code == 0
        assert "Vehicle.Speed" in ran.out
        assert "Rate" in ran.out
        ran = await in_loop(capsys, "watch", "--broker", address, "--count", "2")
        assert "Vehicle.Speed" in ran.out


@pytest.mark.asyncio(loop_factories=["real"])
async def test_without_a_broker_the_exit_code_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    ran = await in_loop(capsys, "watch", "--broker", "127.0.0.1:9")
    assert ran.code == Exit.NOT_FOUND
    assert "127.0.0.1:9" in ran.err


async def test_wrong_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert (await in_loop(capsys, "watch", "--module", "xy")).code == Exit.USAGE
    assert (await in_loop(capsys, "watch", "--count", "0")).code == Exit.USAGE
    assert (await in_loop(capsys, "watch", "--tls-cert", "x.pem")).code == Exit.USAGE
    assert (await in_loop(capsys, "watch", "--tls-ca", "missing.pem")).code == Exit.CONFIGURATION
    assert (await in_loop(capsys, "watch", "--broker", "host:port")).code == Exit.CONFIGURATION


@pytest.mark.asyncio(loop_factories=["real"])
async def test_certificates_that_fit_are_accepted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("backend")
    tls = ["--tls-ca", authority.certificate, "--tls-cert", certificate, "--tls-key", key]
    ran = await in_loop(capsys, "watch", "--broker", "127.0.0.1:9", "--count", "1", *tls)
    assert ran.code == Exit.NOT_FOUND
    assert "cannot be listened to" in ran.err


def test_a_broker_is_a_host_with_or_without_a_port() -> None:
    assert watch.parse_broker(Value("example", "x")) == ("example", 1883)
    assert watch.parse_broker(Value("::1:8883", "x")) == ("::1", 8883)
    for text in (":1", "h:0", "h:65536"):
        with pytest.raises(CliError, match="broker is wrong"):
            watch.parse_broker(Value(text, "x"))
