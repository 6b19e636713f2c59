"""Somebody near the car without a booking: raw fragments over plain bleak code, and what the module said to them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from firmware.demo.rig import Rig
from host_tools.radio import bleak_backend
from host_tools.radio.devices import virtual_central
from protocol import framing, messages
from protocol.errors import Code
from protocol.gatt import FROM_MODULE_UUID, SERVICE_UUID, TO_MODULE_UUID
from protocol.messages import MessageType
from tests.support.mangled import MangledLink

PATIENCE_S = 30.0
"""Virtual seconds after which an answer that was waited for counts as never coming."""
PAYLOAD = 244

Message = tuple[MessageType, bytes]


class Stranger:
    """Connected and subscribed. `heard`: every message so far; `gone` is set once the module has hung up."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.gone = asyncio.Event()
        self.client: BleakClient
        self._fresh: asyncio.Queue[Message] = asyncio.Queue()
        self._reassembler = framing.Reassembler(framing.MAX_SESSION_MESSAGE_BYTES)
        self._sequence = 0

    def take(self, fragment: bytes) -> None:
        """The module notified."""
        whole = self._reassembler.receive(fragment, 0)
        if whole is not None:
            message = MessageType(whole[0]), whole[1:]
            self.heard.append(message)
            self._fresh.put_nowait(message)

    async def write(self, fragment: bytes) -> None:
        """Any bytes as one fragment."""
        await self.client.write_gatt_char(TO_MODULE_UUID, fragment, response=True)

    async def say(self, kind: MessageType, body: bytes) -> None:
        """A message, well framed."""
        parts = framing.fragments(bytes([kind]) + body, PAYLOAD, self._sequence)
        self._sequence = (self._sequence + len(parts)) % 64
        for part in parts:
            await self.write(part)

    async def answer(self) -> Message:
        """The module's next message."""
        async with asyncio.timeout(PATIENCE_S):
            return await self._fresh.get()

    async def refusal(self) -> Code:
        """The code of the module's next message, an unprotected refusal."""
        kind, body = await self.answer()
        assert kind is MessageType.ERROR, f"{kind.name} instead of a refusal"
        return messages.decode_error(body).code


@asynccontextmanager
async def stranger(rig: Rig, name: str = "Mallory") -> AsyncIterator[Stranger]:
    """A stranger's Bluetooth, connected to the rig's module."""
    central = await virtual_central(rig.air, name=name)
    try:
        with bleak_backend.using(central, preferred_mtu=rig.att_mtu):
            device = await BleakScanner.find_device_by_filter(lambda *_: True, PATIENCE_S, service_uuids=[SERVICE_UUID])
            assert device is not None, "no module is on the air"
            somebody = Stranger()
            somebody.client = BleakClient(device, disconnected_callback=lambda _: somebody.gone.set())
            async with somebody.client:
                await somebody.client.start_notify(FROM_MODULE_UUID, lambda _, data: somebody.take(bytes(data)))
                yield somebody
    finally:
        await central.power_off()


class TappedLink(MangledLink):
    """A phone's link with somebody in the middle: all fragments of both directions are kept."""

    def __init__(self, device: BLEDevice) -> None:
        super().__init__(device)
        self.heard: list[bytes] = []

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """As PhoneLink.connect, listened to."""

        def tapped(fragment: bytes) -> None:
            self.heard.append(fragment)
            on_fragment(fragment)

        await super().connect(tapped, on_closed)


class Taps:
    """Makes tapped links, and keeps them. `mangle`: what is done to the phone's fragments from the first one on."""

    def __init__(self, mangle: Callable[[bytes], list[bytes]] | None = None) -> None:
        self.links: list[TappedLink] = []
        self._mangle = mangle

    def __call__(self, device: BLEDevice) -> TappedLink:
        link = TappedLink(device)
        if self._mangle is not None:
            link.mangle = self._mangle
        self.links.append(link)
        return link

    @property
    def link(self) -> TappedLink:
        """The last one."""
        return self.links[-1]
