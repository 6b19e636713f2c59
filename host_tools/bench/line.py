"""One serial line to a module: frames and text on it, each to whoever wants them (SPEC section 14).

Anything that pyserial opens by a name or URL: a tty or pseudo-terminal, `rfc2217://`, `socket://`, `loop://`. Decides
how bytes get from a thread that reads to the event loop and back, and what it means that a port is gone. It knows
neither what a fragment says nor what the text means.

On a `VirtualTimeLoop` time has to be held while the line is open: bytes on a wire take real time.
"""

import asyncio
import contextlib
import errno
import os
import termios
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, cast

import serial

from host_tools.bench.links import is_stale
from host_tools.phone.errors import PhoneError
from protocol.serial import CHANNELS, MAX_GAP_MS, Decoder, Frame, Kind, encode

BAUD: Final = 115_200
WRITE_TIMEOUT_S: Final = 5.0
MAX_WRITES: Final = 64
"""Under way at once; more is a caller who does not wait."""

_CHUNK_BYTES: Final = 4096
_POLL_S: Final = 0.1
"""For ports whose reading cannot be called off."""
_JOIN_S: Final = 8.0
"""Longer than pyserial's own network timeouts."""
_BUSY: Final = frozenset({errno.EAGAIN, errno.EBUSY})
# What pyserial raises, and what escapes from below it when a port goes away under it.
_PORT_ERRORS: Final = (serial.SerialException, OSError, termios.error, ValueError, TypeError, AttributeError)
_GONE: Final = "the port is gone: the module ended, or the cable is out"
_START_AGAIN: Final = "Start it again."


class LineError(PhoneError):
    """The serial line cannot be opened, or it is gone."""


class _Port(Protocol):
    """What all of pyserial's ports have."""

    @property
    def in_waiting(self) -> int: ...
    def read(self, size: int = 1, /) -> bytes: ...
    def write(self, data: bytes, /) -> int | None: ...
    def reset_output_buffer(self) -> None: ...
    def close(self) -> None: ...


class Ear:
    """Somebody who listens to one channel, to the text, or to the public information."""

    def __init__(self, heard: Callable[[Frame], None], lost: Callable[[str], None]) -> None:
        self.heard = heard
        self.lost = lost


class SerialLine:
    """`async with SerialLine(url) as line:`. For one program alone; no call lasts longer than a few seconds.

    `bytes_sent` and `bytes_received` count everything since it was opened. `gone` is set when the port disappeared.
    `tap` sees every frame that is sent (True) or comes whole (False).
    """

    def __init__(self, url: str, *, baud: int = BAUD, tap: Callable[[Frame, bool], None] | None = None) -> None:
        self.url = url
        self.gone = asyncio.Event()
        self.bytes_sent = 0
        self.bytes_received = 0
        self._baud = baud
        self._tap = tap or (lambda _frame, _to_module: None)
        self._port: _Port | None = None
        self._why = "it is not open"
        self._decoder = Decoder()
        self._ears: dict[int, Ear] = {}
        self._info: list[Callable[[bytes], None]] = []
        self._text: list[tuple[Callable[[bytes], None], Callable[[str], None]]] = []
        self._abandoning: asyncio.TimerHandle | None = None
        self._writing = 0

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ opening and closing
    async def open(self) -> None:
        """Take the port for this program alone. Raises LineError."""
        if is_stale(Path(self.url)):
            # Its terminal may be somebody else's by now.
            raise LineError(f"cannot open {self.url}", "the module that made this line has ended", _START_AGAIN)
        self._loop = asyncio.get_running_loop()
        self._stopping = threading.Event()
        self._taken = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="serial write")
        try:
            self._port = await self._loop.run_in_executor(self._worker, self._open)
        except _PORT_ERRORS as error:
            self._worker.shutdown(wait=False)
            raise _cannot_open(self.url, error) from error
        self._reader = threading.Thread(target=self._read, args=(self._port,), name="serial read", daemon=True)
        self._reader.start()

    def _open(self) -> _Port:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pyserial 3.5 calls threads by their old names
            made = serial.serial_for_url(
                self.url, baudrate=self._baud, timeout=_POLL_S, write_timeout=self._write_timeout_s, exclusive=True
            )
        port = cast(_Port, made)
        port.reset_output_buffer()
        return port

    @property
    def _write_timeout_s(self) -> float | None:
        """RFC 2217 ports have one of their own, of the same length, and take none."""
        return None if self.url.startswith("rfc2217:") else WRITE_TIMEOUT_S

    async def close(self) -> None:
        """Give the port back. Closing twice is no error."""
        port, self._port = self._port, None
        self._why = "it was closed"
        self._forget_gap()
        if port is None:
            return
        self._stopping.set()
        self._taken.set()
        try:
            await self._loop.run_in_executor(self._worker, self._close, port)
        finally:
            self._worker.shutdown(wait=False)

    def _close(self, port: _Port) -> None:
        if isinstance(port, serial.Serial):  # the others are asked again and again whether to stop
            with contextlib.suppress(*_PORT_ERRORS):
                port.cancel_read()
        self._reader.join(_JOIN_S)
        with contextlib.suppress(*_PORT_ERRORS):
            port.close()

    # ------------------------------------------------------------ who listens
    def attach(self, channel: int, ear: Ear) -> None:
        """Frames of that channel go to `ear` from now on. Raises LineError when somebody has the channel."""
        if channel in self._ears:
            raise LineError("cannot open a channel", f"channel {channel} of {self.url} is in use", "Choose another.")
        self._ears[channel] = ear

    def detach(self, channel: int, ear: Ear) -> None:
        """`ear` hears no more; twice is no error."""
        if self._ears.get(channel) is ear:
            del self._ears[channel]

    def free_channel(self) -> int:
        """A channel that nobody on this side has. Raises LineError when there is none."""
        free = self.free_channels()
        if not free:
            raise LineError("cannot open a channel", f"all {CHANNELS} channels of {self.url} are in use", "Close one.")
        return free[0]

    def free_channels(self) -> list[int]:
        """All channels that nobody on this side has."""
        return [channel for channel in range(CHANNELS) if channel not in self._ears]

    def listen(self, heard: Callable[[bytes], None], lost: Callable[[str], None]) -> Callable[[], None]:
        """Stretches of text go to `heard`; `lost` hears why when the port is gone. The result ends it."""
        entry = (heard, lost)
        self._text.append(entry)
        return lambda: self._text.remove(entry) if entry in self._text else None

    def listen_info(self, heard: Callable[[bytes], None]) -> Callable[[], None]:
        """The module's public information goes to `heard`, as it was sent. The result ends it."""
        self._info.append(heard)
        return lambda: self._info.remove(heard) if heard in self._info else None

    # ------------------------------------------------------------ sending
    async def send(self, frame: Frame) -> None:
        """Write one frame, whole and in order. Raises LineError."""
        self._tap(frame, True)
        await self._write(encode(frame))

    async def send_text(self, text: bytes) -> None:
        """Write text; a zero byte in it is left out, for it would begin a frame. Raises LineError."""
        await self._write(text.replace(b"\0", b""))

    async def _write(self, data: bytes) -> None:
        port = self._port
        if port is None or self.gone.is_set():
            raise self._error("cannot write to", self._why)
        if self._writing >= MAX_WRITES:
            raise self._error("cannot write to", f"{MAX_WRITES} writes are under way")
        self._writing += 1
        self.bytes_sent += len(data)
        try:
            await self._loop.run_in_executor(self._worker, port.write, data)
        except serial.SerialTimeoutException as error:
            raise self._error("cannot write to", f"nobody read it within {WRITE_TIMEOUT_S:g} s") from error
        except _PORT_ERRORS as error:
            raise self._error("cannot write to", _GONE) from error
        finally:
            self._writing -= 1

    def _error(self, what: str, why: str) -> LineError:
        remedy = _START_AGAIN if why == _GONE else "Check the cable and that the module runs, and connect again."
        return LineError(f"{what} {self.url}", why, remedy)

    # ------------------------------------------------------------ the thread that reads
    def _read(self, port: _Port) -> None:
        try:
            while not self._stopping.is_set():
                chunk = bytearray(port.read(1))
                while chunk and len(chunk) < _CHUNK_BYTES and (more := port.in_waiting):
                    chunk += port.read(min(more, _CHUNK_BYTES - len(chunk)))
                if chunk:
                    self._hand_over(bytes(chunk))
        except _PORT_ERRORS:
            pass  # it is gone
        if not self._stopping.is_set():
            with contextlib.suppress(RuntimeError):  # the loop is gone, and so is everybody who would want to know
                self._loop.call_soon_threadsafe(self._disappeared, _GONE)

    def _hand_over(self, chunk: bytes) -> None:
        """Wait until the loop has taken it: what does not fit stays in the port, and holds up its sender."""
        self._taken.clear()
        try:
            self._loop.call_soon_threadsafe(self._arrived, chunk)
        except RuntimeError:
            self._stopping.set()
        while not self._stopping.is_set() and not self._taken.wait(1.0):
            pass

    # ------------------------------------------------------------ what the loop does with it
    def _arrived(self, chunk: bytes) -> None:
        self.bytes_received += len(chunk)
        self._taken.set()
        self._deal_out(self._decoder.feed(chunk))
        self._forget_gap()
        if self._decoder.pending and self._port is not None:
            self._abandoning = self._loop.call_later(MAX_GAP_MS / 1000, self._abandon)

    def _abandon(self) -> None:
        self._abandoning = None
        self._deal_out(self._decoder.abandon())

    def _forget_gap(self) -> None:
        if self._abandoning is not None:
            self._abandoning.cancel()
            self._abandoning = None

    def _deal_out(self, found: list[Frame | bytes]) -> None:
        for one in found:
            if isinstance(one, bytes):
                for heard, _ in list(self._text):
                    heard(one)
                continue
            self._tap(one, False)
            if one.kind is Kind.INFO:
                for told in list(self._info):
                    told(one.payload)
            elif one.channel in self._ears:
                self._ears[one.channel].heard(one)

    def _disappeared(self, why: str) -> None:
        self._why = why
        self.gone.set()
        ears, self._ears = self._ears, {}
        for ear in ears.values():
            ear.lost(why)
        for _, lost in list(self._text):
            lost(why)


def _cannot_open(url: str, error: BaseException) -> LineError:
    number, why = _cause(error)
    what = f"cannot open {url}"
    if number in _BUSY:
        return LineError(what, "another program has it", "Close it there, or wait until it is done.")
    if number == errno.EACCES:
        return LineError(what, "you may not", "Join the group that owns it, often dialout, and log in again.")
    if number == errno.ENOENT:
        return LineError(what, "there is no such port", "Start the module with `sharebox run`, or correct the name.")
    if number in (errno.ENOTTY, errno.EINVAL):
        return LineError(what, "it is no serial line", "Name one, such as serial:console or /dev/ttyUSB0.")
    if why:
        return LineError(what, why, "Correct the name, or start what should answer there.")
    forms = "Write a path, socket://HOST:PORT or rfc2217://HOST:PORT, and see that the same is spoken there."
    return LineError(what, "no serial line is reached like this", forms)


def _cause(error: BaseException | None) -> tuple[int | None, str]:
    """What the system said, which the library wraps in words of its own: its number, and its words."""
    while error is not None:
        match error:
            case TimeoutError():
                return errno.ETIMEDOUT, "no answer in time"
            case termios.error(args=(int(number), *_)):
                return number, os.strerror(number)
            case OSError(errno=int(number)):
                return number, error.strerror if number < 0 and error.strerror else os.strerror(number)
        error = error.__context__
    return None, ""
