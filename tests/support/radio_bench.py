"""The module's radio on virtual air, what it tells its listener, and a central that says what it likes.

The central speaks raw PDUs: what a well-behaved phone library would never send is what has to be tried.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Self

from bumble import hci
from bumble.device import Advertisement, Connection

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.core.airtime import Airtime
from host_tools.radio.air import Frame, VirtualAir
from host_tools.radio.controller import virtual_controller
from host_tools.radio.devices import RadioDevice, virtual_central
from protocol import gatt

ATT_CID = 4
SIGNALLING_CID = 5
PAIRING_CID = 6

TO_MODULE = 0x000E
FROM_MODULE = 0x0010
CCCD = 0x0011
PUBLIC_INFO = 0x0013
"""Handles of the table; `test_table` shows that they are these."""

_NOTIFICATION = b"\x1b" + FROM_MODULE.to_bytes(2, "little")

PATIENCE_S = 30.0
"""Virtual seconds after which an event that was waited for counts as never coming."""


class Recorder:
    """A LinkListener that keeps everything, in order. `broken` makes it raise at fragments."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.broken = False
        self._news = asyncio.Event()

    def link_opened(self, link: int, payload: int) -> None:
        self._tell("opened", link, payload)

    def payload_changed(self, link: int, payload: int) -> None:
        self._tell("payload", link, payload)

    def fragment_received(self, link: int, fragment: bytes) -> None:
        if self.broken:
            raise RuntimeError("the listener has a bug")
        self._tell("fragment", link, fragment)

    def link_closed(self, link: int) -> None:
        self._tell("closed", link)

    def _tell(self, *event: object) -> None:
        self.events.append(event)
        self._news.set()

    def all_of(self, kind: str) -> list[tuple[object, ...]]:
        """What followed the kind in each event of that kind."""
        return [event[1:] for event in self.events if event[0] == kind]

    async def until(self, *event: object) -> None:
        """Return when an event that begins so is there."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(told[: len(event)] == event for told in self.events):
                self._news.clear()
                await self._news.wait()


class RawCentral:
    """A central without a GATT client: sends PDUs as given, keeps what comes back."""

    def __init__(self, device: RadioDevice) -> None:
        self.device = device
        self.received: defaultdict[int, list[bytes]] = defaultdict(list)
        self.fragments: list[bytes] = []
        self.gone = asyncio.Event()
        self.connection: Connection | None = None
        self._news = asyncio.Event()
        device.host.remove_all_listeners("l2cap_pdu")
        device.host.on("l2cap_pdu", self._on_pdu)

    def _on_pdu(self, _handle: int, channel: int, pdu: bytes) -> None:
        if channel == ATT_CID and pdu[:3] == _NOTIFICATION:
            self.fragments.append(pdu[3:])
        else:
            self.received[channel].append(pdu)
        self._news.set()

    async def connect(self, address: hci.Address) -> None:
        self.connection = await self.device.connect(address)
        self.connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: self.gone.set())

    def send(self, channel: int, *pdus: bytes) -> None:
        assert self.connection is not None
        for pdu in pdus:
            self.device.send_l2cap_pdu(self.connection.handle, channel, pdu)

    async def ask(self, pdu: bytes | str, channel: int = ATT_CID) -> bytes:
        """Send one PDU and return the next one that comes back on its channel."""
        before = len(self.received[channel])
        self.send(channel, bytes.fromhex(pdu) if isinstance(pdu, str) else pdu)
        await self._until(lambda: len(self.received[channel]) > before)
        return self.received[channel][before]

    async def until_fragments(self, count: int) -> list[bytes]:
        """The fragments from the module, when there are `count` of them."""
        await self._until(lambda: len(self.fragments) >= count)
        return self.fragments

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not reached():
                self._news.clear()
                await self._news.wait()

    async def negotiate(self, mtu: int) -> None:
        assert await self.ask(b"\x02" + mtu.to_bytes(2, "little")) == b"\x03" + gatt.MAX_ATT_MTU.to_bytes(2, "little")

    async def subscribe(self) -> None:
        assert await self.ask(b"\x12" + CCCD.to_bytes(2, "little") + b"\x01\x00") == b"\x13"

    async def write(self, fragment: bytes) -> bytes:
        return await self.ask(b"\x12" + TO_MODULE.to_bytes(2, "little") + fragment)


class RadioBench:
    """`async with RadioBench() as bench`: a module on the air. `advice`: what its core says before it starts. `legacy`:
    its controller knows no advertising sets, as those of version 4."""

    def __init__(
        self,
        *,
        seed: int = 1,
        radio_secret: bytes = b"",
        advice: Airtime | None = None,
        legacy: bool = False,
        air: VirtualAir | None = None,
    ) -> None:
        self.frames: list[Frame] = []
        self.air = air or VirtualAir(on_frame=self.frames.append)
        self.controller = virtual_controller(self.air, f"module-{seed}")
        if legacy:
            self.controller.le_features &= ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        self.recorder = Recorder()
        self.radio = BumbleRadio(
            self.controller.attached, radio_secret=radio_secret, entropy=random.Random(seed).randbytes
        )
        if advice is not None:
            self.radio.advise(advice)

    async def __aenter__(self) -> Self:
        await self.radio.start(self.recorder)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.radio.stop()

    async def central(self) -> RadioDevice:
        """Another radio in the same air."""
        return await virtual_central(self.air)

    async def connected(self) -> RawCentral:
        """A central that scanned, found the module and connected."""
        central = RawCentral(await self.central())
        links = len(self.recorder.all_of("opened"))
        found = await find(central.device)
        assert found is not None, "the module does not advertise"
        await central.connect(found.address)
        await self.recorder.until("opened", links + 1)
        return central

    def link(self) -> int:
        """The newest link."""
        newest = self.recorder.all_of("opened")[-1][0]
        assert isinstance(newest, int)
        return newest


def _is_the_module(advertisement: Advertisement) -> bool:
    return bytes.fromhex(gatt.SERVICE_UUID.replace("-", ""))[::-1] in bytes(advertisement.data)


async def find(
    device: RadioDevice, within_s: float = 1.0, wanted: Callable[[Advertisement], bool] = _is_the_module
) -> Advertisement | None:
    """The first advertisement heard within `within_s` that is `wanted`, or None."""
    heard: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement: Advertisement) -> None:
        if not heard.done() and wanted(advertisement):
            heard.set_result(advertisement)

    device.on("advertisement", on_advertisement)
    await device.start_scanning()
    try:
        async with asyncio.timeout(within_s):
            return await heard
    except TimeoutError:
        return None
    finally:
        await device.stop_scanning()
        device.remove_listener("advertisement", on_advertisement)
