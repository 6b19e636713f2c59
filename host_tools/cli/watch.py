"""`shareboxctl watch`: what modules report over MQTT, as it comes, and kept in a file if wanted."""

import asyncio
import contextlib
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from rich.console import Console
from rich.live import Live

from host_tools.backend.archive import KEEP, Archive, ArchiveError
from host_tools.backend.ingest import Feed, IngestError
from host_tools.backend.reading import Received, stamp_of
from host_tools.cli.board import Board
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import AT_BROKER, AtBroker
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_hex
from host_tools.cli.settings import Settings, Value
from host_tools.cli.wording import fields_of, line_of
from protocol.telemetry import Health, PositionReport

_REFRESH_S: Final = 0.25
_AT_ONCE: Final = 500
"""Messages that are shown, and kept, together."""

Show = Callable[[list[Received]], None]


async def watch(
    *,
    module: Annotated[str | None, Parameter(help="Only this module: 16 hexadecimal digits.")] = None,
    count: Annotated[
        int | None, Parameter(help="Stop after so many messages.", validator=validators.Number(gte=1))
    ] = None,
    duration: Annotated[
        float | None,
        Parameter(
            "--timeout",
            help="Stop after so many seconds; exit code 4 if `--count` is not reached.",
            validator=validators.Number(gt=0),
        ),
    ] = None,
    save: Annotated[
        Path | None, Parameter(help="Keep what comes in this file, for `shareboxctl history`; it may exist already.")
    ] = None,
    keep: Annotated[
        int, Parameter(help="So many records stay in the file; the oldest go.", validator=validators.Number(gte=1))
    ] = KEEP,
    at: AtBroker = AT_BROKER,
) -> None:
    """Follow what modules report over MQTT: a live board on a terminal, a line a message elsewhere.

    The board has a row for each module: whether it is connected, its booking, what the car is at, the age of its last
    message, how many records wait in the module, and how many never came. `(3 ?)` behind that: so many of them the
    module has not said to have given up. Of a single module it shows every signal, its age, and how often it comes.
    Ctrl-C ends it. With `--json`, `age_s` is how old a message was when it came: a broker may have kept it.
    """
    settings = at.settings()
    host, port = parse_broker(settings.value("broker"))
    module_id = None if module is None else parse_hex(module, 8, "a module's identifier")
    feed = Feed(host, port, module_id, tls=tls_of(settings))
    output = at.output()
    live = not output.json_lines and _is_terminal()
    with ExitStack() as files:
        try:
            kept = _keeping(None if save is None else files.enter_context(Archive(save, keep=keep)), feed)
            async with asyncio.timeout(duration), feed:
                await (_board(feed, kept, count) if live else _lines(feed, kept, output, count))
        except TimeoutError:
            if count is not None:
                raise CliError(
                    Exit.NOT_FOUND,
                    f"fewer than {count} messages came in the time given. Check that the module is connected.",
                ) from None
        except IngestError as error:
            raise CliError(Exit.NOT_FOUND, f"{error}.") from None
        except ArchiveError as error:
            raise CliError(Exit.CONFIGURATION, f"{error}.") from None


def _keeping(archive: Archive | None, feed: Feed) -> Show:
    """What keeps a handful of messages, before they are shown."""
    if archive is None:
        return lambda _: None
    archive.listening(_utc_ms())
    breaks = feed.interruptions

    def keep(handful: list[Received]) -> None:
        nonlocal breaks
        if feed.interruptions != breaks:
            breaks = feed.interruptions
            archive.listening(_utc_ms())
        archive.add(handful, _utc_ms())

    return keep


async def _follow(feed: Feed, count: int | None, show: Show, idle: Callable[[], None]) -> None:
    """Hand over what comes, many at once when they come fast; `idle` when a while has passed without."""
    arrived: asyncio.Queue[Received] = asyncio.Queue(_AT_ONCE)
    taking = asyncio.create_task(_forward(feed, arrived.put))
    left = count
    try:
        while left is None or left > 0:
            handful = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_S):
                    handful.append(await arrived.get())
            most = _AT_ONCE if left is None else min(left, _AT_ONCE)
            while handful and len(handful) < most and not arrived.empty():
                handful.append(arrived.get_nowait())
            if handful:
                show(handful)
            idle()
            left = None if left is None else left - len(handful)
    finally:
        taking.cancel()
        await asyncio.wait([taking])


async def _forward(feed: Feed, put: Callable[[Received], Awaitable[None]]) -> None:
    async for received in feed:
        await put(received)


async def _lines(feed: Feed, keep: Show, output: Output, count: int | None) -> None:
    def show(handful: list[Received]) -> None:
        keep(handful)
        for received in handful:
            fields = fields_of(received) | {"age_s": round(_aged_s(received), 1)}
            output.result("report", fields, line_of(received))

    await _follow(feed, count, show, lambda: None)


async def _board(feed: Feed, keep: Show, count: int | None) -> None:
    loop, board, console = asyncio.get_running_loop(), Board(feed.sequence), Console()

    def show(handful: list[Received]) -> None:
        keep(handful)
        for received in handful:
            board.take(received, loop.time(), _aged_s(received))

    # On a screen of its own: a board is no scroll, and what was there before comes back.
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:

        def draw() -> None:
            live.update(board.render(loop.time(), console.width, console.height), refresh=True)

        draw()
        await _follow(feed, count, show, draw)
    console.print(board.render(loop.time(), console.width, console.height))


def _aged_s(received: Received) -> float:
    """How old a message was when it came: the broker may have kept it for days."""
    if not received.retained:
        return 0.0
    value = received.value
    stamp = value.stamp if isinstance(value, PositionReport) else stamp_of(value)
    made = value.time if isinstance(value, Health) else "" if stamp is None else stamp.time
    try:
        return max(0.0, time.time() - datetime.fromisoformat(made).timestamp())
    except (ValueError, OverflowError):
        return 0.0


def _utc_ms() -> int:
    return time.time_ns() // 1_000_000


def _is_terminal() -> bool:
    return Console(file=sys.stdout).is_terminal and not Console(file=sys.stdout).is_dumb_terminal


def parse_broker(value: Value) -> tuple[str, int]:
    """Host and port of "HOST" or "HOST:PORT". Raises CliError."""
    host, colon, port = value.text.rpartition(":")
    if not colon:
        host, port = value.text, "1883"
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise CliError(
            Exit.CONFIGURATION, f"broker is wrong: '{value.text}' (from {value.origin}). Write HOST or HOST:PORT."
        )
    return host, int(port)


_TLS: Final = ("tls_ca", "tls_cert", "tls_key")


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """How to talk to the broker by these settings; None: without TLS. Raises CliError."""
    return _tls(*(_file(settings.text(name)) for name in _TLS))


def _file(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _tls(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if authority is None:
        if certificate is not None or key is not None:
            raise CliError(Exit.USAGE, "--tls-cert and --tls-key need --tls-ca. Name the broker's authority.")
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            # With an empty password an encrypted key fails; with none OpenSSL would ask on the terminal.
            context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CliError(Exit.CONFIGURATION, f"a TLS file cannot be used: {reason}. Check the three files.") from None
    return context
