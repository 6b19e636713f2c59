"""A real MQTT broker as a child process on a free port of the loopback interface, for demo and tests.

Decides: which broker program is used, and how it is configured. mosquitto when it is there; else rumqttd, which
the package `iotcore` carries. Refuses to know: topics and payloads.
"""

import asyncio
import contextlib
import getpass
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from enum import StrEnum, unique
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

HOST: Final = "127.0.0.1"
START_LIMIT_S: Final = 10.0
STOP_LIMIT_S: Final = 5.0
PORT_TRIES: Final = 3
MAX_PAYLOAD_BYTES: Final = 1 << 20

_SYSTEM_DIRECTORIES: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_LOOK_AGAIN_S: Final = 0.02

# MQTT 5 CONNECT: clean start, keep-alive 60 s, no properties, identifier "probe".
_CONNECT: Final = bytes.fromhex("10 12 0004 4d515454 05 02 003c 00 0005") + b"probe"


class BrokerMissing(Exception):
    """There is no broker program on this computer."""


class BrokerFailed(Exception):
    """The broker program did not come up."""


@unique
class Kind(StrEnum):
    """The broker programs that can be used."""

    MOSQUITTO = "mosquitto"
    IOTCORE = "iotcore"


class Program(msgspec.Struct, frozen=True):
    """A broker program and the words that start it; the path of the configuration follows them."""

    kind: Kind
    command: tuple[str, ...]


def find_broker(directories: Sequence[str] | None = None, package: str = "iotcore") -> Program:
    """The broker of this computer: mosquitto, looked for in `directories` (None: the usual), else `package`.

    Raises BrokerMissing.
    """
    if directories is None:
        directories = (*os.get_exec_path(), *_SYSTEM_DIRECTORIES)
    mosquitto = shutil.which("mosquitto", path=os.pathsep.join(directories))
    if mosquitto is not None:
        return Program(Kind.MOSQUITTO, (mosquitto, "-c"))
    if importlib.util.find_spec(package) is not None:
        command = (sys.executable, "-m", package, "--log-level", "CRITICAL", "--config")
        return Program(Kind.IOTCORE, command)
    raise BrokerMissing(
        f"no MQTT broker on this computer: neither the program mosquitto nor the Python package {package} is "
        "there; install one: apt-get install mosquitto, or pip install iotcore"
    )


class Broker:
    """One broker. It keeps its port over `stop`, `kill` and `start`; `async with` starts and closes it.

    `persistent`: retained messages and sessions outlive the process (mosquitto only). `anonymous` False: every
    client without a user is refused (mosquitto only). `settings`: further lines for mosquitto's listener.
    Blocking work is done in a thread, so it takes no virtual time.
    """

    def __init__(
        self,
        program: Program | None = None,
        *,
        persistent: bool = False,
        anonymous: bool = True,
        settings: Sequence[str] = (),
    ) -> None:
        self.host = HOST
        self.port = 0
        """0 until it has been started for the first time."""
        self._program = program or find_broker()
        if self.kind is not Kind.MOSQUITTO and (persistent or settings or not anonymous):
            raise BrokerMissing(f"{self.kind} cannot be set up like this; install mosquitto: apt-get install mosquitto")
        self._persistent = persistent
        self._anonymous = anonymous
        self._settings = tuple(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._last_resort: weakref.finalize[..., Broker] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def kind(self) -> Kind:
        """Which program it is."""
        return self._program.kind

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start it and wait until it answers a client; no effect while it runs. Raises BrokerFailed."""
        await asyncio.to_thread(self._start)

    async def stop(self) -> None:
        """End it in good order: it tells its clients, and writes down what is persistent."""
        await asyncio.to_thread(self._end, kill=False)

    async def kill(self) -> None:
        """End it as a power cut would: nothing is written, no client is told."""
        await asyncio.to_thread(self._end, kill=True)

    async def restart(self, *, kill: bool = False) -> None:
        """`stop` or `kill`, then `start` on the same port."""
        await asyncio.to_thread(self._end, kill=kill)
        await asyncio.to_thread(self._start)

    async def close(self) -> None:
        """Stop it and remove its files."""
        await self.stop()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- below: blocking, in a thread
    def _start(self) -> None:
        if self.running:
            return
        if self.port:
            self._launch(self.port)
            return
        for attempt in range(1, PORT_TRIES + 1):
            port = _free_port()
            try:
                self._launch(port)
            except BrokerFailed:
                # Somebody else may have taken the port in between.
                if attempt == PORT_TRIES:
                    raise
            else:
                self.port = port
                return

    def _launch(self, port: int) -> None:
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="sharebox-broker-")
        directory = Path(self._directory.name)
        configuration = directory / ("broker.conf" if self.kind is Kind.MOSQUITTO else "broker.toml")
        lines = self._mosquitto(port, directory) if self.kind is Kind.MOSQUITTO else _rumqttd(port)
        configuration.write_text("\n".join((*lines, "")), "utf-8")
        with (directory / "output").open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                [*self._program.command, str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us: the broker goes last
            )
        # For a program that ends without `close`: its broker ends with it.
        self._last_resort = weakref.finalize(self, _put_down, self._process)
        try:
            self._wait_until_it_answers(port, self._process)
        except BrokerFailed as failure:
            self._end(kill=True)
            said = (directory / "output").read_text("utf-8", "replace").split("\n")
            raise BrokerFailed(f"{failure}: {' | '.join(filter(None, said[-4:])) or 'no reason given'}") from None

    def _mosquitto(self, port: int, directory: Path) -> tuple[str, ...]:
        # autosave: written after every change, so a kill loses next to nothing.
        kept = (f"persistence_location {directory}/", "autosave_on_changes true", "autosave_interval 1")
        return (
            f"user {getpass.getuser()}",  # as root it would become a user who may not write here
            "log_dest stderr",
            "log_type error",
            f"persistence {str(self._persistent).lower()}",
            *(kept if self._persistent else ()),
            f"listener {port} {HOST}",
            f"allow_anonymous {str(self._anonymous).lower()}",
            *self._settings,
        )

    def _wait_until_it_answers(self, port: int, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            answered = _answers(port)
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(0 if answered else _LOOK_AGAIN_S)
                raise BrokerFailed(f"{self.kind} ended with code {code} when it was started on port {port}")
            if answered:
                return
        raise BrokerFailed(f"{self.kind} did not answer on port {port} within {START_LIMIT_S:.0f} s")

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None or self._last_resort is None:
            return
        self._last_resort.detach()
        (process.kill if kill else process.terminate)()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _put_down(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _rumqttd(port: int) -> tuple[str, ...]:
    return (
        "id = 0",
        "[router]",
        "id = 0",
        "max_connections = 100",
        "max_outgoing_packet_count = 200",
        "max_segment_size = 1048576",
        "max_segment_count = 10",
        "[v5.1]",
        'name = "v5"',
        f'listen = "{HOST}:{port}"',
        "next_connection_delay_ms = 1",
        "[v5.1.connections]",
        "connection_timeout_ms = 60000",
        f"max_payload_size = {MAX_PAYLOAD_BYTES}",
        "max_inflight_count = 100",
        "dynamic_filters = true",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Whether somebody takes a connection and answers a CONNECT, if only by hanging up (a TLS listener)."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as client:
            client.sendall(_CONNECT)
            client.recv(1)
    except ConnectionResetError:
        return True
    except OSError:
        return False
    return True
