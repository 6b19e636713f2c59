"""The way to the module that a command was told, and a session with the car of a booking or key over it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.bench import keylog
from host_tools.bench.links import Bluetooth, InProcess, Link, Serial, Virtual
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import Car
from host_tools.cli.output import Output, print_talk
from host_tools.cli.settings import Settings
from host_tools.cli.way import link_of
from host_tools.phone.client import Phone
from host_tools.phone.errors import LinkFailed
from host_tools.phone.keyring import read_key, read_shown
from host_tools.phone.links import PhoneLink
from host_tools.phone.reconnect import Settled, reliably
from protocol.explain import announce, describe
from protocol.messages import Access, Operation, Push

if TYPE_CHECKING:
    from host_tools.bench.capture import Capture
    from host_tools.bench.line import SerialLine


@asynccontextmanager
async def radio(link: Link, capture: "Capture | None" = None) -> AsyncIterator[None]:
    """Make bleak use the radio of `link`; a link without a radio needs nothing. Raises CliError."""
    if capture is not None and not isinstance(link, Virtual | Serial):
        raise CliError(
            Exit.USAGE,
            "this machine's Bluetooth cannot be captured here: the system has it. Try `btmon -w FILE`.",
        )
    if isinstance(link, InProcess):
        raise CliError(Exit.USAGE, "'in-process' is a module for scenarios alone. Name one that runs: --link virtual.")
    if not isinstance(link, Virtual):
        yield
        return
    # Bumble takes a while to import; a real radio does without.
    from host_tools.radio import bleak_backend
    from host_tools.radio.devices import hub_central
    from host_tools.radio.errors import RadioError

    async with AsyncExitStack() as stack:
        try:
            tap = None if capture is None else capture.hci("phone")
            central = await stack.enter_async_context(hub_central(link.host, link.port, tap=tap))
        except RadioError as error:
            what = str(error).rstrip(".")
            raise CliError(Exit.NOT_FOUND, f"{what}. Try `sharebox run`, or --link virtual:HOST:PORT.") from None
        stack.callback(bleak_backend.install(central))
        yield


@contextmanager
def captured(settings: Settings) -> Iterator["Capture | None"]:
    """The capture that the settings ask for; None: they ask for none. Raises CliError."""
    name = settings.text("capture")
    if not name:
        yield None
        return
    # Few ask for one.
    from host_tools.bench.capture import Capture, CaptureError

    try:
        with Capture(Path(name).expanduser(), lambda: time.time_ns() // 1000, noted=print_talk) as capture:
            yield capture
    except CaptureError as error:
        raise CliError(Exit.CONFIGURATION, str(error)) from None


class Session:
    """An open phone for one command, and the way to open it again when the link breaks."""

    def __init__(self, car: Car, output: Output, capture: "Capture | None" = None) -> None:
        settings = car.settings()
        self._shown = read_shown(settings.path("booking"))
        self._key = read_key(settings.path("key"))
        self._timeout_s = settings.seconds("timeout")
        self._link = link_of(settings)
        self._output = output
        self._tap = capture.serial("line") if capture is not None and isinstance(self._link, Serial) else None
        self._key_log = _key_log()
        self._phones: list[Phone] = []
        self._line: SerialLine | None = None

    async def open(self) -> Phone:
        """Find the car and open a session with it."""
        with self._output.waiting("Looking for the car"):
            match self._link:
                case Serial(url=url):
                    phone = await self._open_line(url)
                case Bluetooth(address=address):
                    # bleak takes a while to import.
                    from host_tools.phone.ble import BleakLink

                    phone = self._new_phone(BleakLink(address, timeout_s=self._timeout_s))
                    await phone.open()
                case _:
                    from host_tools.phone.nearby import open_nearest

                    phone = await open_nearest(
                        self._new_phone, beacon_key=self._shown.beacon_key, timeout_s=self._timeout_s
                    )
        self._phones.append(phone)
        return phone

    async def _open_line(self, url: str) -> Phone:
        from host_tools.bench.line import LineError, SerialLine
        from host_tools.phone.serial import SerialLink

        if self._line is not None and self._line.gone.is_set():
            await self._line.close()
            self._line = None
        if self._line is None:
            line = SerialLine(url, tap=self._tap)
            try:
                await line.open()
            except LineError as error:
                if not self._phones:
                    raise
                raise LinkFailed(error.what, error.why, error.remedy) from error  # it may come back
            self._line = line
        phone = self._new_phone(SerialLink(self._line, timeout_s=self._timeout_s))
        await phone.open()
        return phone

    async def command(self, operation: Operation) -> Settled:
        """Carry out a command, whatever the link does meanwhile (ACC-7)."""
        settled = await reliably(operation, self.open)
        self._tell_if_late(self._phones[-1].access)
        return settled

    async def close(self) -> None:
        """Hang up."""
        for phone in self._phones:
            await phone.close()
        if self._line is not None:
            await self._line.close()

    def _new_phone(self, link: PhoneLink) -> Phone:
        return Phone(
            link,
            self._shown,
            self._key,
            on_push=self._pushed,
            timeout_s=self._timeout_s,
            key_log=self._key_log,
        )

    def _pushed(self, push: Push) -> None:
        if not isinstance(push.body, Access):
            self._output.say(announce(push.body))

    def _tell_if_late(self, access: Access) -> None:
        if access.granted and access.ends_at_ms and access.now_ms > access.ends_at_ms:
            self._output.say(describe(access)[-1] + ".")


def _key_log() -> Callable[[str], None] | None:
    try:
        return keylog.from_environment(noted=print_talk)
    except keylog.KeyLogError as error:
        raise CliError(Exit.CONFIGURATION, str(error)) from None


@asynccontextmanager
async def session(car: Car, output: Output) -> AsyncIterator[Session]:
    """A session for one command over the link that its settings name."""
    settings = car.settings()
    with captured(settings) as capture:
        prepared = Session(car, output, capture)
        async with radio(link_of(settings), capture):
            try:
                with output.waiting("Talking to the car"):
                    yield prepared
            finally:
                await prepared.close()
