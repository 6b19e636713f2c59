"""A central that means harm, below the session: everything that Bluetooth lets a stranger say to a real module.

A whole module is at the other end, on virtual time. After each attack it is what it was before: nothing moved, nobody
learnt anything, the owner gets in.
"""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from bumble import core, hci, smp
from bumble.device import Connection
from bumble.pairing import PairingConfig, PairingDelegate

from firmware.core.effects import Actuate, Effect
from firmware.core.events import Event
from firmware.core.links import DENIED_IDLE_MS, HANDSHAKE_WITHIN_MS
from firmware.core.state import State
from firmware.demo.rig import Rig
from host_tools.phone.errors import LinkFailed, NotFound
from host_tools.radio.devices import RadioDevice, virtual_central
from protocol.gatt import LOCAL_NAME, MAX_LINKS
from protocol.messages import PublicInfo, encode_public_info
from tests.support.radio_bench import (
    ATT_CID,
    CCCD,
    FROM_MODULE,
    PAIRING_CID,
    PUBLIC_INFO,
    SIGNALLING_CID,
    TO_MODULE,
    RawCentral,
    find,
)

LAST_HANDLE = 0x13
READABLE = {0x03: LOCAL_NAME.encode(), 0x05: b"\x00\x00", 0x09: b"Sharebox", 0x0B: b"Sharebox module"}
"""What a stranger may read of values; `PUBLIC_INFO` besides."""
PAIRING_REFUSED = b"\x05\x05"
ALL = tuple(range(0x10000))
NEAR = (*range(0x100), *range(0x100, 0xFF00, 251), *range(0xFFC0, 0x10000))
"""All handles that there are, their neighbours, and some of the others."""


class Besieged(Rig):
    """A rig that hostile centrals connect to, and a driver's phone that has to get in all the same."""

    def __init__(self) -> None:
        super().__init__("besieged", observer=self._watch)
        self.moved: list[Effect] = []
        self.attackers: list[RadioDevice] = []

    def _watch(self, _event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        self.moved += [effect for effect in effects if isinstance(effect, Actuate)]

    async def attacker(self) -> RawCentral:
        """One more radio of theirs, connected."""
        device = await virtual_central(self.air)
        self.attackers.append(device)
        return await self.again(device)

    async def again(self, device: RadioDevice) -> RawCentral:
        """The same radio connects anew."""
        central = RawCentral(device)
        heard = await find(device, within_s=3.0)
        assert heard is not None, "the module does not advertise"
        await central.connect(heard.address)
        return central

    async def opens_for_its_driver(self, name: str = "Anna") -> None:
        """Whoever has the car finds it, and it does what it should."""
        anna = self.holder(name)
        _, file = self.book(anna, lasts_s=600)
        async with self.phone(anna, file) as phone:
            assert (await phone.status()).access.granted
            await phone.unlock()
            await phone.end_booking()


@pytest.fixture
async def rig() -> AsyncIterator[Besieged]:
    async with Besieged() as rig:
        await asyncio.sleep(6)  # it counts as parked
        rig.moved.clear()
        yield rig
        await rig.opens_for_its_driver("Last")
        for device in rig.attackers:
            await device.power_off()


def le(number: int) -> bytes:
    return number.to_bytes(2, "little")


async def alive(central: RawCentral) -> None:
    """The link stands, and answers."""
    assert await central.ask(b"\x0a" + le(0x03)) == b"\x0b" + LOCAL_NAME.encode()
    assert not central.gone.is_set()


# ---------------------------------------------------------------- attributes
@pytest.mark.req("SEC-1", "PRV-7")
@pytest.mark.parametrize("handles", [NEAR, pytest.param(ALL, marks=pytest.mark.slow)], ids=["near", "all"])
async def test_of_all_handles_a_stranger_reads_five_values_and_none_of_them_tells_the_car(
    rig: Besieged, handles: tuple[int, ...]
) -> None:
    central = await rig.attacker()
    await central.negotiate(517)
    values: dict[int, bytes] = {}
    codes: dict[int, int] = {}
    for handle in handles:
        if central.gone.is_set():  # ten seconds without a handshake: they come back and go on
            central = await rig.again(central.device)
            await central.negotiate(517)
        answer = await central.ask(b"\x0a" + le(handle))
        if answer[0] == 0x0B:
            values[handle] = answer[1:]
        else:
            assert answer[:4] == b"\x01\x0a" + le(handle)
            codes[handle] = answer[4]
    declarations = {handle for handle in values if handle not in {*READABLE, PUBLIC_INFO, CCCD}}
    assert {handle: values[handle] for handle in READABLE} == READABLE
    assert values[PUBLIC_INFO] == encode_public_info(PublicInfo())
    assert values[CCCD] == b"\x00\x00"
    assert max(declarations) < LAST_HANDLE
    assert codes == {h: 0x02 if h in (TO_MODULE, FROM_MODULE) else 0x01 for h in handles if h not in values}
    assert rig.moved == []


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("handles", [NEAR, pytest.param(ALL, marks=pytest.mark.slow)], ids=["near", "all"])
@pytest.mark.parametrize("opcode", [0x12, 0x52])
async def test_of_all_handles_a_stranger_writes_two_and_moves_nothing(
    rig: Besieged, opcode: int, handles: tuple[int, ...]
) -> None:
    central = await rig.attacker()
    written: set[int] = set()
    for handle in handles:
        if handle == TO_MODULE:
            continue
        if central.gone.is_set():
            central = await rig.again(central.device)
        if opcode == 0x52:
            central.send(ATT_CID, b"\x52" + le(handle) + b"\x00\x00")
            if handle % 512 == 0:
                await asyncio.sleep(0.01)
        elif (answer := await central.ask(b"\x12" + le(handle) + b"\x00\x00")) == b"\x13":
            written.add(handle)
        else:
            assert answer == b"\x01\x12" + le(handle) + bytes((0x03 if 0 < handle <= LAST_HANDLE else 0x01,))
    assert written == ({CCCD} if opcode == 0x12 else set())
    if not central.gone.is_set():
        await alive(central)
    assert rig.moved == []


@pytest.mark.req("SEC-1")
async def test_every_opcode_and_every_length_gets_an_answer_or_silence_and_leaves_the_link(rig: Besieged) -> None:
    chance = random.Random(7)
    central = await rig.attacker()
    for opcode in range(0x100):
        if opcode in (0x02, 0x12, 0x52):
            continue  # a write of garbage is a violation of framing; the exchange of the MTU has tests of its own
        for length in (0, 1, 2, 4, 6, 20, 21, 22):
            central.send(ATT_CID, bytes((opcode,)) + chance.randbytes(length))
        await alive_after_noise(central)
    assert rig.moved == []


async def alive_after_noise(central: RawCentral) -> None:
    """What was sent was answered with errors at most, and the link stands."""
    while True:
        answer = await central.ask(b"\x0a" + le(0x03))
        if answer[0] == 0x0B and answer[1:] == LOCAL_NAME.encode():
            return


# ---------------------------------------------------------------- subscriptions
@pytest.mark.req("BLE-1")
async def test_a_subscription_is_of_one_link_and_no_size_or_value_of_it_does_harm(rig: Besieged) -> None:
    """Nobody subscribes for another, listens to another, or ends another's."""
    one, other = await rig.attacker(), await rig.attacker()
    await one.subscribe()
    for size in range(21):
        for byte in (0x00, 0x01, 0x02, 0x03, 0xFF):
            value = bytes((byte,)) + bytes(max(0, size - 1)) if size else b""
            answer = await other.ask(b"\x12" + le(CCCD) + value)
            fine = size == 2 and byte < 2
            assert answer == b"\x13" if fine else answer[:4] == b"\x01\x12" + le(CCCD)
    assert (await other.ask(b"\x12" + le(CCCD) + b"\xff\xff"))[4] == 0x13
    assert (await other.ask(b"\x12" + le(CCCD) + b"\x02\x00"))[4] == 0xFD
    for handle in (0x0000, CCCD - 1, CCCD + 1, LAST_HANDLE + 1, 0xFFFF):
        answer = await other.ask(b"\x12" + le(handle) + b"\x01\x00")
        assert answer[0] == 0x01 or handle == TO_MODULE
    assert await one.ask(b"\x0a" + le(CCCD)) == b"\x0b\x01\x00"
    assert await other.ask(b"\x0a" + le(CCCD)) in (b"\x0b\x00\x00", b"\x0b\x01\x00")
    await rig.opens_for_its_driver()
    assert one.fragments == other.fragments == [], "what the driver was told, nobody else heard"


async def test_switching_notifications_a_thousand_times_leaves_nothing_behind(rig: Besieged) -> None:
    central = await rig.attacker()
    for round_ in range(1_000):
        assert await central.ask(b"\x12" + le(CCCD) + bytes((round_ % 2, 0))) == b"\x13"
    await alive(central)


# ---------------------------------------------------------------- sizes
@pytest.mark.req("BLE-1")
@pytest.mark.parametrize("asked", [0, 1, 22, 23, 516, 517, 518, 1024, 0x7FFF, 0xFFFF])
async def test_an_mtu_of_any_size_is_answered_and_kept_within_bounds(rig: Besieged, asked: int) -> None:
    central = await rig.attacker()
    answer = await central.ask(b"\x02" + le(asked))
    assert answer in (b"\x03" + le(517), b"\x01\x02\x00\x00\x04")
    await central.ask(b"\x02" + le(517 if asked < 300 else 23))  # a second exchange is not allowed, and does no harm
    await alive(central)
    for size in (0, 17, 18, 19, 20, 512, 513, 514, 515, 1000, 4096):
        central.send(ATT_CID, b"\x52" + le(TO_MODULE) + b"\x3f" * size)
    await asyncio.sleep(1)
    assert rig.moved == []


async def test_a_write_longer_than_the_mtu_is_refused_and_never_cut(rig: Besieged) -> None:
    central = await rig.attacker()
    answer = await central.ask(b"\x12" + le(TO_MODULE) + bytes(21))
    assert answer == b"\x01\x12" + le(TO_MODULE) + b"\x0d"
    central.send(ATT_CID, b"\x52" + le(TO_MODULE) + bytes(21))
    await alive(central)


@pytest.mark.req("BLE-1")
async def test_a_prepared_write_is_refused_and_no_queue_grows(rig: Besieged) -> None:
    central = await rig.attacker()
    for number in range(500):
        assert await central.ask(b"\x16" + le(TO_MODULE) + le(18 * number) + bytes(18)) == b"\x01\x16\x00\x00\x06"
    for flags in (0x00, 0x01, 0x02, 0xFF):
        assert await central.ask(bytes((0x18, flags))) == b"\x01\x18\x00\x00\x06"
    await alive(central)
    assert not central.fragments


# ---------------------------------------------------------------- places
@pytest.mark.req("BLE-1", "SEC-2")
async def test_whoever_takes_all_places_and_says_nothing_holds_them_for_ten_seconds(rig: Besieged) -> None:
    """And the driver comes in between: the places are free at once, and a phone that is looking is as fast as they."""
    silent = [await rig.attacker() for _ in range(MAX_LINKS)]
    began_s = asyncio.get_running_loop().time()
    assert await find(await virtual_central(rig.air), within_s=1.0) is None, "there is no fourth place"
    await asyncio.gather(*(central.gone.wait() for central in silent))
    assert asyncio.get_running_loop().time() - began_s <= HANDSHAKE_WITHIN_MS / 1000 + 0.5
    await rig.opens_for_its_driver()


@pytest.mark.req("BLE-1", "SEC-2")
@pytest.mark.parametrize("talking", [False, True])
async def test_a_flood_of_connections_that_never_ends_does_not_keep_the_driver_out(
    rig: Besieged, talking: bool
) -> None:
    """Six radios take every place as soon as it is free, for ten minutes; talking (reads, subscriptions, scraps of
    fragments) holds a place no longer than silence. The driver keeps trying, as a phone does."""
    stop = asyncio.Event()

    async def besiege(device: RadioDevice) -> None:
        while not stop.is_set():
            heard = await find(device, within_s=1.0)
            if heard is None:
                continue
            try:
                async with asyncio.timeout(2):
                    central = RawCentral(device)
                    await central.connect(heard.address)
            except (TimeoutError, hci.HCI_Error):
                continue
            while not central.gone.is_set():
                if talking:
                    central.send(ATT_CID, b"\x0a" + le(0x03), b"\x52" + le(TO_MODULE) + b"\x80\x00\x09x")
                await asyncio.sleep(0.4)

    besiegers = [await virtual_central(rig.air) for _ in range(2 * MAX_LINKS)]
    tasks = [asyncio.create_task(besiege(device)) for device in besiegers]
    await asyncio.sleep(30)
    began_s = asyncio.get_running_loop().time()
    tries = 0
    while True:
        tries += 1
        try:
            await rig.opens_for_its_driver()
            break
        except (NotFound, LinkFailed):
            assert asyncio.get_running_loop().time() - began_s < 600, f"kept out, {tries} tries"
    stop.set()
    await asyncio.gather(*tasks)
    for device in besiegers:
        await device.power_off()


@pytest.mark.req("BLE-2")
async def test_half_open_links_in_all_places_are_gone_four_seconds_later(rig: Besieged) -> None:
    """Radios that connect and fall silent below the link layer: out of range, or on purpose."""
    dead = [await rig.attacker() for _ in range(MAX_LINKS)]
    await asyncio.sleep(1)
    began_s = asyncio.get_running_loop().time()
    for central in dead:
        assert central.device.radio is not None
        rig.air.power_cut(central.device.radio)
    assert await find(await virtual_central(rig.air), within_s=4.5) is not None
    assert asyncio.get_running_loop().time() - began_s < 4.5
    rig.attackers.clear()


# ---------------------------------------------------------------- pairing
@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("bonding", [False, True])
async def test_pairing_of_any_kind_fails_and_a_downgrade_finds_nothing_to_downgrade(
    rig: Besieged, secure: bool, bonding: bool
) -> None:
    device = await virtual_central(rig.air)
    heard = await find(device, within_s=3.0)
    assert heard is not None
    connection = await device.connect(heard.address)
    device.pairing_config_factory = lambda _: PairingConfig(
        sc=secure, mitm=False, bonding=bonding, delegate=PairingDelegate(PairingDelegate.NO_OUTPUT_NO_INPUT)
    )
    with pytest.raises(core.ProtocolError) as caught:
        await connection.pair()
    assert caught.value.error_code == smp.SMP_PAIRING_NOT_SUPPORTED_ERROR
    assert not connection.is_encrypted
    await device.power_off()


@pytest.mark.req("SEC-1")
async def test_no_message_of_pairing_gets_further_than_a_refusal(rig: Besieged) -> None:
    central = await rig.attacker()
    chance = random.Random(3)
    for request in ("01 03 00 01 10 00 00", "01 03 00 0d 10 07 07", "01 04 01 09 07 00 00", "01"):
        assert await central.ask(bytes.fromhex(request), PAIRING_CID) == PAIRING_REFUSED
    for code in range(0x02, 0x100):
        central.send(PAIRING_CID, bytes((code,)) + chance.randbytes(chance.choice((0, 1, 6, 16, 64))))
    central.send(PAIRING_CID, b"")
    await alive(central)
    assert central.received[PAIRING_CID] == [PAIRING_REFUSED] * 4


async def test_encryption_with_a_made_up_key_does_not_come_about(rig: Besieged) -> None:
    central = await rig.attacker()
    assert isinstance(central.connection, Connection)
    command = hci.HCI_LE_Enable_Encryption_Command(
        connection_handle=central.connection.handle,
        random_number=bytes(8),
        encrypted_diversifier=0,
        long_term_key=bytes(16),
    )
    try:
        await central.device.send_async_command(command)
    except hci.HCI_Error:
        return
    await asyncio.sleep(1)
    await alive(central)


# ---------------------------------------------------------------- below
@pytest.mark.req("SEC-1")
async def test_garbage_on_every_channel_of_l2cap_opens_none_and_harms_nobody(rig: Besieged) -> None:
    central, other = await rig.attacker(), await rig.attacker()
    chance = random.Random(11)
    for channel in (0x0000, 0x0001, 0x0002, 0x0003, 0x0007, 0x003F, 0x0040, 0x0041, 0x007F, 0x00FF, 0xFFFF):
        for length in (0, 1, 3, 4, 23, 200):
            central.send(channel, chance.randbytes(length))
    for code in range(0x100):
        body = chance.randbytes(chance.choice((0, 2, 8)))
        central.send(SIGNALLING_CID, bytes((code, 7, len(body), 0)) + body)
        central.send(SIGNALLING_CID, bytes((code, 7, 0xFF, 0xFF)) + body)
    await alive(central)
    await alive(other)
    assert {pdu[0] for pdu in central.received[SIGNALLING_CID]} <= {0x01, 0x12}, "rejects, and the module's own wish"
    assert set(central.received) <= {ATT_CID, SIGNALLING_CID}


async def test_fragments_of_l2cap_that_never_make_a_whole_are_forgotten(rig: Besieged) -> None:
    central = await rig.attacker()
    assert central.connection is not None
    handle = central.connection.handle
    for first, data in ((1, b"x" * 27), (0, b"\xff\xff\x04\x00" + b"x" * 23), (0, b"\x02\x00"), (1, b""), (0, b"")):
        central.device.host.send_hci_packet(hci.HCI_AclDataPacket(handle, first, 0, len(data), data))
    await asyncio.sleep(1)
    await alive_or_gone(central)


async def alive_or_gone(central: RawCentral) -> None:
    """Either will do, for the attacker; the fixture asks for the others."""
    if not central.gone.is_set():
        central.send(ATT_CID, b"\x0a" + le(0x03))
        await asyncio.sleep(1)
    assert DENIED_IDLE_MS > HANDSHAKE_WITHIN_MS
