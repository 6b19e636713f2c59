"""`shareboxctl watch`: what modules report over MQTT, as it comes."""

import asyncio
import contextlib
import ssl
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators
from rich.console import Console
from rich.live import Live

from host_tools.backend.ingest import Feed, IngestError, Received
from host_tools.cli.board import Board, fields_of, line_of
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_hex
from host_tools.cli.settings import Settings, Value

_REFRESH_S: Final = 0.25
_DRAWN_AT_ONCE: Final = 500


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
    broker: Annotated[str | None, Parameter(help="HOST or HOST:PORT. Default: 127.0.0.1:1883.")] = None,
    tls_ca: Annotated[Path | None, Parameter(help="Certificate of the broker's authority; switches TLS on.")] = None,
    tls_cert: Annotated[Path | None, Parameter(help="Own certificate.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Own private key.")] = None,
    shown: Shown = SHOWN,
) -> None:
    """Follow what modules report over MQTT: a live table on a terminal, a line a message elsewhere."""
    host, port = parse_broker(Settings({"broker": broker}).value("broker"))
    module_id = None if module is None else parse_hex(module, 8, "a module's identifier")
    tls = _tls(tls_ca, tls_cert, tls_key)
    output = shown.output()
    live = not output.json_lines and _is_terminal()
    try:
        async with asyncio.timeout(duration), Feed(host, port, module_id, tls=tls) as feed:
            await (_table(feed, count) if live else _lines(feed, output, count))
    except TimeoutError:
        if count is not None:
            raise CliError(
                Exit.NOT_FOUND,
                f"fewer than {count} messages came in the time given. Check that the module is connected.",
            ) from None
    except IngestError as error:
        raise CliError(Exit.NOT_FOUND, f"{error}.") from None


async def _lines(feed: Feed, output: Output, count: int | None) -> None:
    seen = 0
    async for received in feed:
        output.result("report", fields_of(received), line_of(received))
        seen += 1
        if seen == count:
            return


async def _table(feed: Feed, count: int | None) -> None:
    loop, board = asyncio.get_running_loop(), Board()
    arrived: asyncio.Queue[Received] = asyncio.Queue(_DRAWN_AT_ONCE)
    taking = asyncio.create_task(_forward(feed, arrived))
    seen = 0
    try:
        with Live(board.table(loop.time()), console=Console(), auto_refresh=False) as live:
            while seen != count:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_REFRESH_S):
                        board.take(await arrived.get(), loop.time())
                        seen += 1
                while seen != count and not arrived.empty():
                    board.take(arrived.get_nowait(), loop.time())
                    seen += 1
                live.update(board.table(loop.time()), refresh=True)
    finally:
        taking.cancel()
        await asyncio.wait([taking])


async def _forward(feed: Feed, arrived: "asyncio.Queue[Received]") -> None:
    async for received in feed:
        await arrived.put(received)


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


def _tls(authority: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if authority is None:
        if certificate is not None or key is not None:
            raise CliError(Exit.USAGE, "--tls-cert and --tls-key need --tls-ca. Name the broker's authority.")
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority))
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CliError(Exit.CONFIGURATION, f"a TLS file cannot be used: {reason}. Check the three files.") from None
    return context
