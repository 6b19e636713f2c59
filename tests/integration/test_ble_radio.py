"""The firmware's radio and unmodified bleak code, over virtual air and over real sockets.

The module answers every message with the same message; what is shown is the way there and back.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource, open_moniker
from host_tools.radio import bleak_backend
from host_tools.radio.air import VirtualAir
from host_tools.radio.bleak_central import Provider
from host_tools.radio.controller import virtual_controller
from host_tools.radio.devices import hub_central, virtual_central
from host_tools.radio.hub import Hub
from protocol import framing, gatt, messages

MESSAGE_BYTES = (1, 2, 17, 18, 19, 100, 509, 512, 1023, 1024)


class Echo:
    """A LinkListener that sends every message back, and closes the link at the third violation."""

    def __init__(self, open_controller: OpenController) -> None:
        self.radio = BumbleRadio(open_controller, entropy=random.Random(5).randbytes)
        self.payloads: dict[int, int] = {}
        self.closed: list[int] = []
        self._partial: dict[int, framing.Reassembler] = {}
        self._sequence: dict[int, int] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def link_opened(self, link: int, payload: int) -> None:
        self.payloads[link] = payload
        self._partial[link] = framing.Reassembler()
        self._sequence[link] = 0

    def payload_changed(self, link: int, payload: int) -> None:
        self.payloads[link] = payload

    def link_closed(self, link: int) -> None:
        self.closed.append(link)

    def fragment_received(self, link: int, fragment: bytes) -> None:
        try:
            message = self._partial[link].receive(fragment, round(asyncio.get_running_loop().time() * 1000))
        except framing.FramingError:
            if self._partial[link].violations >= framing.MAX_VIOLATIONS:
                self._do(self.radio.hang_up(link))
            return
        if message is not None:
            cut = framing.fragments(message, self.payloads[link], self._sequence[link])
            self._sequence[link] += len(cut)
            self._do(self._answer(link, cut))

    async def _answer(self, link: int, cut: list[bytes]) -> None:
        for fragment in cut:
            await self.radio.notify(link, fragment)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def __aenter__(self) -> "Echo":
        await self.radio.start(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.radio.stop()


class Talker:
    """A phone's side in plain bleak."""

    def __init__(self, client: BleakClient) -> None:
        self.client = client
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self._partial = framing.Reassembler()
        self._sequence = 0

    async def listen(self) -> None:
        await self.client.start_notify(gatt.FROM_MODULE_UUID, self._on_fragment)

    def _on_fragment(self, _characteristic: object, fragment: bytearray) -> None:
        message = self._partial.receive(bytes(fragment), round(asyncio.get_running_loop().time() * 1000))
        if message is not None:
            self.messages.put_nowait(message)

    async def say(self, message: bytes, *, response: bool) -> bytes:
        cut = framing.fragments(message, self.client.mtu_size - gatt.ATT_HEADER_BYTES, self._sequence)
        self._sequence += len(cut)
        for fragment in cut:
            await self.client.write_gatt_char(gatt.TO_MODULE_UUID, fragment, response=response)
        async with asyncio.timeout(10):
            return await self.messages.get()


async def find() -> BLEDevice:
    """As a phone does: a scan filtered by the service."""
    found = await BleakScanner.find_device_by_filter(
        lambda _device, advertised: gatt.SERVICE_UUID in advertised.service_uuids,
        timeout=5.0,
        service_uuids=[gatt.SERVICE_UUID],
    )
    assert found is not None
    return found


@contextmanager
def bleak_over(provider: Provider, mtu: int = 517) -> Iterator[None]:
    undo = bleak_backend.install(provider, preferred_mtu=mtu)
    try:
        yield
    finally:
        undo()


@pytest.fixture
async def air() -> VirtualAir:
    return VirtualAir(latency_s=0.004)


@pytest.fixture
async def module(air: VirtualAir) -> AsyncIterator[Echo]:
    async with Echo(virtual_controller(air, "module").attached) as module:
        yield module


@pytest.mark.req("BLE-1", "PRV-7")
async def test_bleak_finds_the_module_by_its_service_and_reads_what_anyone_may_know(
    air: VirtualAir, module: Echo
) -> None:
    with bleak_over(await virtual_central(air)):
        device = await find()
        assert device.name == gatt.LOCAL_NAME
        async with BleakClient(device) as client:
            assert sorted(service.uuid[:8] for service in client.services) == [
                "00001800",
                "00001801",
                "0000180a",
                "70800000",
            ]
            info = bytes(await client.read_gatt_char(gatt.PUBLIC_INFO_UUID))
            assert messages.decode_public_info(info) == messages.PublicInfo()
            assert bytes(await client.read_gatt_char("2a29")) == b"Sharebox"
            with pytest.raises(BleakError):
                await client.read_gatt_char(gatt.TO_MODULE_UUID)
            with pytest.raises(BleakError):
                await client.pair()
            assert client.is_connected


@pytest.mark.req("BLE-1")
@pytest.mark.parametrize("mtu", [23, 185, 247, 517])
@pytest.mark.parametrize("response", [True, False], ids=["write", "write without response"])
async def test_messages_of_every_length_come_back_whole(
    air: VirtualAir, module: Echo, mtu: int, response: bool
) -> None:
    with bleak_over(await virtual_central(air), mtu):
        async with BleakClient(await find()) as client:
            assert client.mtu_size == mtu
            talker = Talker(client)
            await talker.listen()
            for length in MESSAGE_BYTES:
                message = random.Random(length).randbytes(length)
                assert await talker.say(message, response=response) == message
    assert module.payloads == {1: min(mtu - 3, 512)}


@pytest.mark.req("BLE-1")
async def test_three_phones_talk_at_once_and_none_hears_another(air: VirtualAir, module: Echo) -> None:
    talkers = []
    clients = []
    for _ in range(gatt.MAX_LINKS):
        with bleak_over(await virtual_central(air), 23):
            client = BleakClient(await find())
            await client.connect()
            clients.append(client)
            talkers.append(Talker(client))
            await talkers[-1].listen()
    said = [[bytes((who,)) * length for length in MESSAGE_BYTES] for who in range(len(talkers))]

    async def talk(talker: Talker, lines: list[bytes]) -> list[bytes]:
        return [await talker.say(line, response=False) for line in lines]

    assert list(await asyncio.gather(*map(talk, talkers, said))) == said
    for client in clients:
        await client.disconnect()


@pytest.mark.req("BLE-1", "BLE-2")
async def test_a_phone_that_breaks_the_framing_three_times_is_hung_up_on_and_may_come_back(
    air: VirtualAir, module: Echo
) -> None:
    with bleak_over(await virtual_central(air)):
        gone = asyncio.Event()
        client = BleakClient(await find(), disconnected_callback=lambda _client: gone.set())
        await client.connect()
        for number in range(framing.MAX_VIOLATIONS):
            await client.write_gatt_char(gatt.TO_MODULE_UUID, b"\x05nothing began %d" % number, response=True)
        async with asyncio.timeout(5):
            await gone.wait()
        assert module.closed == [1]
        began_s = asyncio.get_running_loop().time()
        device = await find()
        assert asyncio.get_running_loop().time() - began_s < 1.0
        async with BleakClient(device) as again:
            talker = Talker(again)
            await talker.listen()
            assert await talker.say(b"sorry", response=True) == b"sorry"


@pytest.mark.req("BLE-2")
async def test_a_phone_out_of_range_is_forgotten_and_finds_the_module_again(air: VirtualAir, module: Echo) -> None:
    central = await virtual_central(air)
    assert central.radio is not None
    with bleak_over(central):
        gone = asyncio.Event()
        client = BleakClient(await find(), disconnected_callback=lambda _client: gone.set())
        await client.connect()
        air.out_of_range(central.radio)
        async with asyncio.timeout(60):
            await gone.wait()
        air.in_range(central.radio)
        async with BleakClient(await find()) as again:
            assert again.is_connected
            assert module.closed == [1]


# ---------------------------------------------------------------- real sockets
def over_tcp(port: int) -> AbstractAsyncContextManager[tuple[PacketSource, PacketSink]]:
    return open_moniker(f"tcp-client:127.0.0.1:{port}")


@pytest.mark.req("BLE-3", "BLE-1")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_the_same_radio_talks_through_a_controller_behind_a_socket() -> None:
    async with Hub(VirtualAir(), port=0) as hub, Echo(partial(over_tcp, hub.port)) as module:
        async with hub_central(port=hub.port) as central:
            with bleak_over(central, 247):
                async with BleakClient(await find()) as client:
                    talker = Talker(client)
                    await talker.listen()
                    for length in MESSAGE_BYTES:
                        message = random.Random(length).randbytes(length)
                        assert await talker.say(message, response=length % 2 == 0) == message
        assert module.payloads == {1: 244}


@pytest.mark.req("BLE-3")
@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_hub_that_goes_away_and_comes_back_gets_its_module_back() -> None:
    async with Hub(VirtualAir(), port=0) as first:
        port = first.port
        module = Echo(partial(over_tcp, port))
        await module.radio.start(module)
    air = VirtualAir()
    async with Hub(air, port=port):
        with bleak_over(await virtual_central(air)):
            async with asyncio.timeout(20):
                assert (await find()).name == gatt.LOCAL_NAME
        await module.radio.stop()
