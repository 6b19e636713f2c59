"""A rig with a serial line beside the radio: the module's own adapter on a real pseudo-terminal, the host's own line.

Both run on one virtual clock. It stands still while bytes are on their way through the kernel, which both ends count:
so a story of hours takes seconds, and goes the same way each time.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from bleak.backends.device import BLEDevice

from firmware.adapters.serial import PseudoTerminal, SerialLine, SerialRadio
from firmware.adapters.serial.outbox import Outbox
from firmware.bench.rack import Parts
from firmware.carriers import Carriers
from firmware.demo.rig import Holder, Rig
from host_tools.bench import line as host
from host_tools.phone.client import Phone
from host_tools.phone.links import PhoneLink
from host_tools.phone.serial import SerialLink
from host_tools.virtual_time import VirtualTimeLoop
from protocol.provisioning import PhoneFile
from protocol.serial import MAX_FRAGMENT_BYTES

Front = Callable[[Path], AbstractContextManager[str]]
"""What stands between a line and its host: from the module's path to the URL that the host opens."""
LinkOver = Callable[[BLEDevice], PhoneLink] | Callable[[PhoneLink], PhoneLink]


def directly(path: Path) -> AbstractContextManager[str]:
    """Nothing stands between them."""
    return nullcontext(str(path))


class CountingOutbox(Outbox):
    """Counts what has left for the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def took(self, count: int) -> None:
        """As Outbox.took."""
        self.taken += count
        super().took(count)


class CountingLine(SerialLine):
    """The module's end, which counts."""

    def __init__(self, device: PseudoTerminal) -> None:
        super().__init__("console", device)
        self.outbox = self.sent = CountingOutbox()
        self.heard_bytes = 0

    def heard(self, data: bytes) -> None:
        """As SerialLine.heard."""
        self.heard_bytes += len(data)
        super().heard(data)


class Cable:
    """A pseudo-terminal with the module at one end and a host at the other. It can be pulled out and put back."""

    def __init__(self, folder: Path, front: Front) -> None:
        self.path = folder / "console"
        self.module = CountingLine(PseudoTerminal(self.path))
        self.host = host.SerialLine(str(self.path))
        self._front = front
        self._between = ExitStack()
        self.plugged = False
        self._pulling = False
        self._carrying: asyncio.Task[None] | None = None
        self._before = (0, 0)

    @property
    def _counted(self) -> tuple[int, int]:
        return self.module.heard_bytes, self.module.sent.taken

    def on_their_way(self) -> bool:
        """Whether bytes, or the news that the cable is out, have not yet come to the other end."""
        if not self.plugged:
            return self._pulling and not self.host.gone.is_set()
        heard, taken = (now - before for now, before in zip(self._counted, self._before, strict=True))
        return self.host.bytes_sent != heard or self.host.bytes_received != taken

    def put_in(self) -> None:
        """Plug the module's end in."""
        self.module.open()
        self._carrying = asyncio.create_task(self.module.run(), name="cable")

    async def answer(self) -> host.SerialLine:
        """The host's end, opened anew if the cable was out."""
        if not self.plugged:
            if self._carrying is None:
                self.put_in()
            await self._hang_up()
            self._before = self._counted
            self.host = host.SerialLine(self._between.enter_context(self._front(self.path)))
            await self.host.open()
            self.plugged = True
        return self.host

    async def pull_out(self) -> None:
        """Both ends find the port gone."""
        self.plugged, self._pulling = False, True
        await self._stop()
        await self.host.gone.wait()
        self._pulling = False

    async def _hang_up(self) -> None:
        await self.host.close()
        self._between.close()

    async def _stop(self) -> None:
        if self._carrying is not None:
            self._carrying.cancel()
            with suppress(asyncio.CancelledError):
                await self._carrying
            self._carrying = None
            self.module.close()

    async def close(self) -> None:
        """Put everything away."""
        self.plugged = False
        await self._hang_up()
        await self._stop()


class SerialRig(Rig):
    """As Rig; its phones come over the serial line, each on a channel of its own. `largest`: what they take at once."""

    def __init__(self, *, largest: int = MAX_FRAGMENT_BYTES, front: Front = directly) -> None:
        super().__init__()
        self._largest = largest
        self._front = front
        self._around = AsyncExitStack()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        folder = self._around.enter_context(tempfile.TemporaryDirectory())
        self.cable = Cable(Path(folder), self._front)
        self.cable.put_in()
        self._around.push_async_callback(self.cable.close)
        self._around.enter_context(loop.awaiting(self.cable.on_their_way))
        try:
            return await super().__aenter__()
        except BaseException:
            await self._around.aclose()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._around.aclose()

    def _parts(self) -> Parts:
        parts = super()._parts()
        return msgspec.structs.replace(
            parts, radio=lambda: Carriers((parts.radio(), SerialRadio((self.cable.module,))))
        )

    async def link(self) -> SerialLink:
        """A fresh link on a channel that is free."""
        return SerialLink(await self.cable.answer(), largest=self._largest)

    @asynccontextmanager
    async def phone(self, holder: Holder, file: PhoneFile, link_to: LinkOver | None = None) -> AsyncIterator[Phone]:
        """The holder's phone on the serial line, with an open session. `link_to` may put another link over its own."""
        link: PhoneLink = await self.link()
        if link_to is not None:
            link = link_to(link)  # type: ignore[arg-type]  # whoever hands one over takes both kinds
        phone = Phone(link, file, holder.key, entropy=self.entropy, on_push=holder.pushes.append)
        await phone.open()
        try:
            yield phone
        finally:
            await phone.close()
