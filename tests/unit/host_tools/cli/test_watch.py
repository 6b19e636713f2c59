"""`shareboxctl watch` against a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiomqtt
import pytest

from host_tools.backend.archive import Archive
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Feed
from host_tools.backend.reading import Received
from host_tools.cli import watch
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.settings import Value
from protocol.telemetry import Channel, Online, PositionReport, Stamp, StateReport, encode, topic
from tests.support.certificates import Authority
from tests.support.command import Ran, in_loop
from tests.support.reports import event, health

MODULE = bytes(range(8))
STATE = encode(StateReport(Stamp(1, 1, "2026-05-28T20:26:40Z", "synced"), {"Vehicle.Speed": 50.0}))


def settings(text: str) -> None:
    Path("shareboxctl.toml").write_text(text)


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
        assert ran.objects()[0]["age_s"] == 0.0


@pytest.mark.asyncio(loop_factories=["real"])
async def test_time_ends_the_watch_and_too_few_messages_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    async with reporting() as address:
        assert (await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.5")).code == 0
        ran = await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.5", "--count", "3")
        assert ran.code == Exit.NOT_FOUND
        assert "fewer than 3 messages" in ran.err


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_terminal_gets_a_live_board(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("LINES", "24")
    async with reporting() as address:
        ran = await in_loop(capsys, "watch", "--broker", address, "--count", "2")
        assert ran.code == 0
        assert "\x1b[?1049h" in ran.out, "on a screen of its own"
        # What is left when the screen is gone.
        left = ran.out.rpartition("\x1b[?1049l")[2]
        assert MODULE.hex() in left
        assert "Rate" in left
        assert "Speed" in left
        assert (await in_loop(capsys, "watch", "--broker", address, "--timeout", "0.6")).code == 0


@pytest.mark.req("TEL-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_what_comes_is_kept_in_a_file_and_shown_as_history(capsys: pytest.CaptureFixture[str]) -> None:
    async with reporting() as address:
        words = ["watch", "--broker", address, "--count", "2", "--timeout", "10", "--json", "--save", "saved.db"]
        assert (await in_loop(capsys, *words)).code == 0
        assert (await in_loop(capsys, *words)).code == 0
    ran = await in_loop(capsys, "history", "saved.db", "--json")
    assert sorted(str(one["channel"]) for one in ran.objects()) == ["online", "state"], "each once"


@pytest.mark.req("TEL-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_gap_while_the_broker_was_away_is_our_own(capsys: pytest.CaptureFixture[str]) -> None:
    with Archive(Path("saved.db"), keep=100) as archive:
        async with Broker() as broker:

            async def tell(seq: int) -> None:
                async with aiomqtt.Client(broker.host, broker.port, bind_address=broker.host) as client:
                    await client.publish(topic(MODULE, Channel.EVENT), encode(event(seq)), 1)
                async with asyncio.timeout(8):
                    handful = [await anext(feed)]
                keep(handful)

            async with Feed(broker.host, broker.port) as feed:
                keep = watch._keeping(archive, feed)
                await tell(1)
                await tell(3)
                await broker.restart(kill=True)
                await feed.resume()
                await tell(5)
                await tell(6)
    ran = await in_loop(capsys, "history", "saved.db", "--gaps", "--json")
    assert [(one["missing"], one["unheard"]) for one in ran.objects()] == [(1, False), (1, True)]


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_file_that_cannot_be_written_is_told_before_anything_is_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with reporting() as address:
        ran = await in_loop(capsys, "watch", "--broker", address, "--save", str(tmp_path / "nowhere" / "x.db"))
    assert ran.code == Exit.CONFIGURATION
    assert "x.db cannot be used" in ran.err
    assert ran.err.count("\n") == 1


def test_a_retained_message_is_as_old_as_it_says() -> None:
    made = datetime.now(UTC) - timedelta(hours=2)
    old = Stamp(1, 1, made.isoformat(), "synced")
    for value in (StateReport(old, {}), PositionReport(old, 1.0, 2.0, "", 0.0, False), health(time=made.isoformat())):
        aged_s = watch._aged_s(Received(MODULE, Channel.STATE, value, retained=True))
        assert 7200 <= aged_s < 7300
        assert watch._aged_s(Received(MODULE, Channel.STATE, value)) == 0
    for unknown in (Online(True), None, StateReport(Stamp(1, 1, "whenever", ""), {})):
        assert watch._aged_s(Received(MODULE, Channel.STATE, unknown, retained=True)) == 0


@pytest.mark.asyncio(loop_factories=["real"])
async def test_without_a_broker_the_exit_code_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    ran = await in_loop(capsys, "watch", "--broker", "127.0.0.1:9")
    assert ran.code == Exit.NOT_FOUND
    assert "127.0.0.1:9" in ran.err


async def test_wrong_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert (await in_loop(capsys, "watch", "--module", "xy")).code == Exit.USAGE
    assert (await in_loop(capsys, "watch", "--count", "0")).code == Exit.USAGE
    assert (await in_loop(capsys, "watch", "--save", "x.db", "--keep", "0")).code == Exit.USAGE
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
    lines = (f'tls_ca = "{authority.certificate}"', f'tls_cert = "{certificate}"', f'tls_key = "{key}"')
    settings("\n".join(lines))
    ran = await in_loop(capsys, "watch", "--broker", "127.0.0.1:9", "--count", "1")
    assert "cannot be listened to" in ran.err, "the files were found where the settings say"
    settings('tls_ca = "gone.pem"\n')
    ran = await in_loop(capsys, "watch", "--broker", "127.0.0.1:9", "--count", "1")
    assert ran.code == Exit.CONFIGURATION


def test_a_broker_is_a_host_with_or_without_a_port() -> None:
    assert watch.parse_broker(Value("example", "x")) == ("example", 1883)
    assert watch.parse_broker(Value("::1:8883", "x")) == ("::1", 8883)
    for text in (":1", "h:0", "h:65536"):
        with pytest.raises(CliError, match="broker is wrong"):
            watch.parse_broker(Value(text, "x"))
