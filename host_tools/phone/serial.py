"""A phone's link over a serial line (BEN-2): the same fragments as over BLE, in frames of one channel.

Knows channels and frames, no message and no booking. EDHOC protects what goes over the line, as it does over the air.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from host_tools.bench.line import Ear, LineError, SerialLine
from host_tools.phone.errors import LinkFailed, NotFound
from protocol.errors import ProtocolError
from protocol.messages import PublicInfo, decode_public_info
from protocol.serial import MAX_FRAGMENT_BYTES, MIN_FRAGMENT_BYTES, Frame, Kind, encode_size, read_size

CONNECT_TIMEOUT_S: Final = 5.0
ASK_AGAIN_S: Final = 1.0
"""A frame may be lost in noise."""
CLOSE_TIMEOUT_S: Final = 1.0
_NO_ROOM: Final = "it has no channel left on this line"
_REMEDY: Final = "Check the cable and that the module runs, and connect again."


class SerialLink:
    """A `PhoneLink` over an open line. `channel`: 0 to 7, or None for one that is free at the time of connecting.

    `largest`: so many bytes this side takes in one fragment, 20 to 514.
    """

    def __init__(
        self,
        line: SerialLine,
        channel: int | None = None,
        *,
        largest: int = MAX_FRAGMENT_BYTES,
        timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._line = line
        self._wanted = channel
        self._largest = largest
        self._timeout_s = timeout_s
        self._channel = 0
        self._payload = MIN_FRAGMENT_BYTES
        self._ear: Ear | None = None
        self._on_fragment: Callable[[bytes], None] = lambda _: None
        self._on_closed: Callable[[], None] = lambda: None
        self._opened: asyncio.Future[str] | None = None
        self._closed = asyncio.Event()

    @property
    def payload(self) -> int:
        """Bytes that fit one fragment both ways."""
        return min(self._payload, self._largest)

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """Open the channel; see `PhoneLink.connect`."""
        self._on_fragment, self._on_closed = on_fragment, on_closed
        self._closed.clear()
        self._opened = asyncio.get_running_loop().create_future()
        ear = Ear(self._heard, self._lost)
        try:
            self._channel = self._line.free_channel() if self._wanted is None else self._wanted
            self._line.attach(self._channel, ear)
            self._ear = ear
            why = await self._ask(self._opened)
            if why == _NO_ROOM:
                await self._sweep()
                self._opened = asyncio.get_running_loop().create_future()
                why = await self._ask(self._opened)
        except LineError as error:
            self._forget()
            raise LinkFailed("cannot connect to the module", error.why, error.remedy) from error
        except BaseException:
            self._forget()
            raise
        finally:
            self._opened = None
        if why:
            self._forget()
            raise LinkFailed("cannot connect to the module", why, _REMEDY)

    async def _ask(self, opened: asyncio.Future[str]) -> str:
        """Why there is no connection; empty when there is one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                while not opened.done():
                    await self._line.send(Frame(Kind.OPEN, self._channel, encode_size(self._largest)))
                    await asyncio.wait({opened}, timeout=ASK_AGAIN_S)
        return opened.result() if opened.done() else f"no answer on {self._line.url} within {self._timeout_s:g} s"

    async def _sweep(self) -> None:
        """Close what nobody on this side has: the line is ours alone, so somebody left it open who is gone."""
        for channel in self._line.free_channels():
            await self._line.send(Frame(Kind.CLOSE, channel))

    async def write(self, fragment: bytes) -> None:
        """Write one fragment; see `PhoneLink.write`."""
        if self._ear is None:
            raise LinkFailed("cannot write to the module", "not connected", "Connect again.")
        try:
            await self._line.send(Frame(Kind.FRAGMENT, self._channel, fragment))
        except LineError as error:
            raise LinkFailed("cannot write to the module", error.why, error.remedy) from error

    async def close(self) -> None:
        """Hang up, and wait a moment for the module to say that it knows."""
        ear = self._ear
        if ear is None:
            return
        self._on_closed = lambda: None
        try:
            with contextlib.suppress(LineError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._line.send(Frame(Kind.CLOSE, self._channel))
                    await self._closed.wait()
        finally:
            self._forget()

    def _forget(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            self._line.detach(self._channel, ear)

    # ------------------------------------------------------------ what comes
    def _heard(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.FRAGMENT if self._opened is None:
                self._on_fragment(frame.payload)
            case Kind.OPENED if self._opened is not None and not self._opened.done():
                with contextlib.suppress(ProtocolError):  # noise, or a module that cannot count: asked again
                    self._payload = read_size(frame)
                    self._opened.set_result("")
            case Kind.CLOSED if self._opened is not None:
                if not self._opened.done():
                    self._opened.set_result(_NO_ROOM)
            case Kind.CLOSED:
                self._lost("the module hung up")

    def _lost(self, why: str) -> None:
        self._closed.set()
        if self._opened is not None:
            if not self._opened.done():
                self._opened.set_result(why)
            return
        on_closed, self._on_closed = self._on_closed, lambda: None
        self._forget()
        on_closed()


async def public_info(line: SerialLine, timeout_s: float = 3.0) -> PublicInfo:
    """What the module on this line says about itself. Raises NotFound when nothing answers in time."""
    heard: asyncio.Future[PublicInfo] = asyncio.get_running_loop().create_future()

    def told(data: bytes) -> None:
        with contextlib.suppress(ProtocolError):
            if not heard.done():
                heard.set_result(decode_public_info(data))

    stop = line.listen_info(told)
    try:
        async with asyncio.timeout(timeout_s):
            while not heard.done():
                await line.send(Frame(Kind.INFO))
                await asyncio.wait({heard}, timeout=ASK_AGAIN_S)
    except TimeoutError:
        raise NotFound(f"no module on {line.url}", f"no answer within {timeout_s:g} s", _REMEDY) from None
    except LineError as error:
        raise NotFound(f"no module on {line.url}", error.why, error.remedy) from error
    finally:
        stop()
    return heard.result()
