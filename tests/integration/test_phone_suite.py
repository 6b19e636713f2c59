"""The phone client against the module, over virtual Bluetooth at every MTU, over a serial line and, in the guest, over
BlueZ: one suite, nothing mocked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import pytest_asyncio
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from firmware.demo.rig import Holder, Rig
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, NotFound, Refused
from host_tools.phone.links import PhoneLink
from host_tools.phone.serial import public_info
from protocol import keys
from protocol.errors import Code, Role
from protocol.framing import Reassembler
from protocol.gatt import FROM_MODULE_UUID, PUBLIC_INFO_UUID, SERVICE_UUID, TO_MODULE_UUID
from protocol.messages import Operation, Phase, decode_error, decode_public_info
from protocol.provisioning import BookingFile
from protocol.serial import Frame, Kind, encode_size
from tests.support.mangled import MangledLink, twice
from tests.support.serial_rig import SerialRig
from tests.support.serial_server import served

MakeRig = Callable[[], Rig]
BLE: dict[str, MakeRig] = {f"mtu{mtu}": partial(Rig, att_mtu=mtu) for mtu in (23, 185, 247, 517)}
SERIAL: dict[str, MakeRig] = {f"serial{size}": partial(SerialRig, largest=size) for size in (20, 514)}
ALL = BLE | SERIAL
NETWORK: dict[str, MakeRig] = {
    "socket": partial(SerialRig, front=served),
    "rfc2217": partial(SerialRig, front=partial(served, rfc2217=True)),
}
"""A line behind a network: slower to set up, so only the main job is done there."""


def over_bluez() -> Rig:
    """With unmodified bleak over BlueZ and the kernel's Bluetooth; imported late, since it is for Linux alone."""
    from tests.support.bluez_rig import BluezRig

    return BluezRig()


IN_THE_GUEST: dict[str, MakeRig] = {"bluez": over_bluez}
BLUEZ = pytest.param("bluez", marks=pytest.mark.guest)
Stranger = tuple[Callable[[bytes], Awaitable[None]], list[bytes], asyncio.Event]


@pytest_asyncio.fixture(params=[*ALL, BLUEZ])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Over each carrier, with each size of fragments."""
    async with (ALL | IN_THE_GUEST)[request.param]() as made:
        yield made


@pytest_asyncio.fixture(params=[*ALL, *NETWORK, BLUEZ])
async def any_rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Over each carrier, and over a line behind a network."""
    async with (ALL | NETWORK | IN_THE_GUEST)[request.param]() as made:
        yield made


@pytest_asyncio.fixture(params=["mtu517", "serial514", BLUEZ])
async def plain_rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Over each carrier, for what does not depend on the size of fragments."""
    async with (ALL | IN_THE_GUEST)[request.param]() as made:
        yield made


@pytest_asyncio.fixture(params=["mtu517", BLUEZ])
async def ble_rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with (ALL | IN_THE_GUEST)[request.param]() as made:
        yield made


@pytest_asyncio.fixture
async def serial_rig() -> AsyncIterator[SerialRig]:
    async with SerialRig() as made:
        yield made


async def break_the_link(rig: Rig) -> None:
    """As no phone and no module would: the radio goes dead, or the cable is pulled out."""
    if isinstance(rig, SerialRig):
        await rig.cable.pull_out()
    else:
        rig.air.drop(rig.module_radio)


def messages_of(heard: list[bytes]) -> list[bytes]:
    """What the module said, put together."""
    reassembler = Reassembler()
    return [message for fragment in heard if (message := reassembler.receive(fragment, 0)) is not None]


def booked(rig: Rig, name: str = "Anna", role: Role = Role.DRIVER, lasts_s: int = 7200) -> tuple[Holder, BookingFile]:
    holder = rig.holder(name, role)
    return holder, rig.book(holder, lasts_s=lasts_s)[1]


@asynccontextmanager
async def mangled(rig: Rig, holder: Holder, file: BookingFile) -> AsyncIterator[tuple[Phone, MangledLink]]:
    links: list[MangledLink] = []

    def link_to(over: BLEDevice | PhoneLink) -> MangledLink:
        links.append(MangledLink(over))
        return links[-1]

    async with rig.phone(holder, file, link_to) as phone:
        yield phone, links[-1]


@asynccontextmanager
async def plain_bleak() -> AsyncIterator[tuple[BleakClient, list[bytes], asyncio.Event]]:
    """Plain bleak code, connected and subscribed; what it heard; and whether it was hung up on."""
    device = (await BleakScanner.discover(1.0, service_uuids=[SERVICE_UUID]))[0]
    heard: list[bytes] = []
    gone = asyncio.Event()
    async with BleakClient(device, disconnected_callback=lambda _: gone.set()) as client:
        await client.start_notify(FROM_MODULE_UUID, lambda _, data: heard.append(bytes(data)))
        yield client, heard, gone


@asynccontextmanager
async def stranger(rig: Rig) -> AsyncIterator[Stranger]:
    """Somebody who knows no more than the carrier: writes fragments, hears fragments, may be hung up on."""
    if not isinstance(rig, SerialRig):
        async with plain_bleak() as (client, heard, gone):
            yield lambda fragment: client.write_gatt_char(TO_MODULE_UUID, fragment, response=True), heard, gone
        return
    link, heard, gone = await rig.link(), list[bytes](), asyncio.Event()
    await link.connect(heard.append, gone.set)
    yield link.write, heard, gone
    await link.close()


# ---------------------------------------------------------------- the main job
@pytest.mark.req("ACC-1", "ACC-2", "ACC-10", "BKG-3", "BLE-1", "BLE-3", "BEN-2")
async def test_a_booking_opens_drives_and_closes_the_car(any_rig: Rig) -> None:
    rig = any_rig
    anna, file = booked(rig)
    async with rig.phone(anna, file) as phone:
        assert phone.access.granted
        assert not (await phone.unlock()).already
        assert not rig.vehicle.snapshot().locked
        assert (await phone.unlock()).already
        assert not rig.vehicle.turn_ignition(True)
        await phone.enable_drive()
        assert rig.vehicle.turn_ignition(True)
        assert rig.vehicle.drive()
        await asyncio.sleep(30)
        position = await phone.locate()
        assert position.latitude_e7 == pytest.approx(rig.vehicle.snapshot().latitude * 1e7, abs=2000)
        with pytest.raises(Refused) as moving:
            await phone.end_booking()
        assert moving.value.refusal.code is Code.END_NOT_POSSIBLE
        rig.vehicle.park()
        await asyncio.sleep(20)
        await phone.lock()
        assert rig.vehicle.snapshot().locked
        ended = await phone.end_booking()
        assert ended.receipt
        with pytest.raises(Refused) as over:
            await phone.unlock()
        assert over.value.refusal.code is Code.BOOKING_ENDED
    assert rig.vehicle.snapshot().immobilised


@pytest.mark.req("ACC-8", "CUT-2", "CUT-4", "CUT-6", "CUT-7")
async def test_the_cutoff_hangs_up_and_refuses_with_rule_numbers_and_remedy(rig: Rig) -> None:
    anna, file = booked(rig, lasts_s=60)
    async with rig.phone(anna, file) as phone:
        await phone.unlock()
        for _ in range(6):
            await asyncio.sleep(300)
            await phone.status()
        assert phone.access.phase is Phase.OVERDUE
        await rig.until(rig.begins_s + 60 + 1799.9)
        assert phone.is_open
        async with asyncio.timeout(1.2):
            await phone.closed.wait()
    async with rig.phone(anna, file) as phone:
        assert not phone.access.granted
        for command in (phone.unlock, phone.enable_drive, phone.lock):
            with pytest.raises(Refused) as refused:
                await command()
            refusal = refused.value.refusal
            assert (refusal.code, refusal.rule) == (Code.BOOKING_CUT_OFF, "CUT-2")
            assert refusal.number("overdue_ms") == 1_800_001
            assert "contact the owner" in refusal.remedy


@pytest.mark.req("CLK-2")
async def test_a_phone_brings_the_time_to_a_module_that_lost_it(rig: Rig) -> None:
    await rig.shut_down()
    rig.vehicle.lose_fix()
    await asyncio.sleep(5)
    await rig.boot(rtc=False)
    anna, file = booked(rig)
    async with rig.phone(anna, file) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.CLOCK_UNCERTAIN
        nonce = await phone.get_nonce()
        attestation = rig.issuer.time_attestation(
            module_id=rig.provisioning.module_id, nonce=nonce.nonce, now_s=rig.now_s
        )
        await phone.put(attestation)
        assert (await phone.status()).access.granted
        with pytest.raises(Refused) as again:
            await phone.put(attestation)
        assert again.value.refusal.code is Code.NONCE_UNKNOWN


@pytest.mark.req("BKG-2", "BLE-1")
async def test_a_phone_carries_an_end_order_and_a_revocation_list_of_full_length(rig: Rig) -> None:
    anna, file = booked(rig)
    bert = rig.holder("Bert")
    booking, bert_file = rig.book(bert, lasts_s=7200)
    async with rig.phone(anna, file) as phone:
        others = [rig.book(rig.holder("Carl"), lasts_s=60)[0] for _ in range(150)]
        listed = rig.issuer.revocation_list(
            module_id=rig.provisioning.module_id, number=1, now_s=rig.now_s, revoked=others, min_key_epoch=1
        )
        assert 3500 < len(listed) <= 4096
        await phone.put(listed)
        await phone.put(rig.issuer.end_order(booking, now_s=rig.now_s))
        assert phone.access.granted
    async with rig.phone(bert, bert_file) as phone:
        assert phone.access.refusal is not None
        assert phone.access.refusal.code is Code.BOOKING_CANCELLED


@pytest.mark.req("ACC-7")
async def test_a_lost_acknowledgement_is_settled_after_reconnecting(rig: Rig) -> None:
    anna, file = booked(rig)
    command = b"unlock-1"
    async with rig.phone(anna, file) as phone:
        asking = asyncio.create_task(phone.unlock(command))
        while rig.pump.state.pending is None:
            await asyncio.sleep(0.001)
        await break_the_link(rig)
        with pytest.raises(LinkClosed) as lost:
            await asking
        assert lost.value.command_id == command
        assert lost.value.may_have_succeeded
    async with rig.phone(anna, file) as phone:
        async with asyncio.timeout(10):
            while (outcome := await phone.outcome(command)).code is Code.BUSY:
                await asyncio.sleep(0.1)
        assert (outcome.operation, outcome.code) == (Operation.UNLOCK, Code.OK)
    assert not rig.vehicle.snapshot().locked


# ---------------------------------------------------------------- what radios do to fragments
@pytest.mark.req("BLE-1")
async def test_duplicated_fragments_change_nothing(rig: Rig) -> None:
    anna, file = booked(rig)
    async with mangled(rig, anna, file) as (phone, link):
        link.mangle = twice
        await phone.unlock()
        await phone.lock()
        assert rig.vehicle.snapshot().locked


@pytest.mark.req("BLE-1")
async def test_a_half_sent_message_is_forgotten(rig: Rig) -> None:
    anna, file = booked(rig)
    async with mangled(rig, anna, file) as (phone, link):
        await link.inject(b"\x80\x00\x40" + bytes(10))
        await asyncio.sleep(1.5)
        await phone.unlock()
        assert phone.is_open


@pytest.mark.req("BLE-1")
@pytest.mark.parametrize(
    "fragment",
    [
        pytest.param(b"\x80\xff\xff" + bytes(12), id="oversized"),
        pytest.param(b"\x05" + bytes(12), id="out of the middle"),
        pytest.param(b"\xc0\x00\x00\x02", id="empty message"),
    ],
)
async def test_three_violations_end_the_connection(rig: Rig, fragment: bytes) -> None:
    async with stranger(rig) as (write, heard, gone):
        for number in range(3):
            assert not gone.is_set()
            await write(fragment + bytes([number]))
            await asyncio.sleep(0.2)
        async with asyncio.timeout(1):
            await gone.wait()
        assert len(heard) >= 3
    anna, file = booked(rig)
    async with rig.phone(anna, file) as phone:
        assert phone.access.granted


@pytest.mark.req("BLE-1")
async def test_a_message_inside_another_is_refused_and_the_next_one_works(rig: Rig) -> None:
    async with stranger(rig) as (write, heard, gone):
        for fragment in (b"\x80\x00\x40" + bytes(10), b"\x80\x00\x30" + bytes(9), b"\xc0\x00\x02\x01\x00"):
            await write(fragment)
            await asyncio.sleep(0.3)
        refused = [decode_error(message[1:]).code for message in messages_of(heard)]
        assert refused == [Code.FRAMING, Code.HANDSHAKE_FAILED]
        assert not gone.is_set()


@pytest.mark.req("BLE-1")
async def test_reordered_fragments_are_refused_never_executed(rig: Rig) -> None:
    anna, file = booked(rig)
    async with mangled(rig, anna, file) as (phone, link):
        held: list[bytes] = []

        def swap(fragment: bytes) -> list[bytes]:
            held.append(fragment)
            return [] if len(held) % 2 else [held[-1], held[-2]]

        link.mangle = swap
        with pytest.raises((LinkClosed, Refused, LinkFailed)):
            await phone.put(bytes(1000))
        assert rig.vehicle.snapshot().locked


# ---------------------------------------------------------------- several centrals, and what a stranger sees
@pytest.mark.req("BLE-1", "BLE-2", "ACC-4")
async def test_three_phones_are_served_and_the_module_advertises_again_within_a_second(ble_rig: Rig) -> None:
    rig = ble_rig
    anna, file = booked(rig)
    bert, bert_file = booked(rig, "Bert")
    carl, carl_file = booked(rig, "Carl")
    async with rig.phone(anna, file) as one, rig.phone(bert, bert_file) as two, rig.phone(carl, carl_file) as three:
        assert [phone.access.granted for phone in (one, two, three)] == [True, False, False]
        for phone in (two, three):
            assert phone.access.refusal is not None
            assert phone.access.refusal.code is Code.VEHICLE_IN_USE
        await one.unlock()
        assert not await BleakScanner.discover(2.0, service_uuids=[SERVICE_UUID])
        await two.close()
        assert await BleakScanner.discover(1.0, service_uuids=[SERVICE_UUID])


@pytest.mark.req("BEN-2", "ACC-4")
async def test_three_phones_share_a_line_and_a_fourth_is_told_that_there_is_no_room(serial_rig: SerialRig) -> None:
    rig = serial_rig
    anna, file = booked(rig)
    bert, bert_file = booked(rig, "Bert")
    carl, carl_file = booked(rig, "Carl")
    async with rig.phone(anna, file) as one, rig.phone(bert, bert_file) as two, rig.phone(carl, carl_file) as three:
        assert [phone.access.granted for phone in (one, two, three)] == [True, False, False]
        await one.unlock()
        with pytest.raises(LinkFailed, match="no channel left"):
            async with rig.phone(anna, file):
                pass
        await two.close()
        async with rig.phone(anna, file) as fourth:
            assert fourth.access.granted


@pytest.mark.req("BEN-2")
async def test_what_a_program_that_died_left_open_on_a_line_keeps_nobody_out(serial_rig: SerialRig) -> None:
    line = await serial_rig.cable.answer()
    for channel in (5, 6, 7):
        await line.send(Frame(Kind.OPEN, channel, encode_size(100)))
    while len(serial_rig.pump.state.links) < 3:
        await asyncio.sleep(0.01)
    anna, file = booked(serial_rig)
    async with serial_rig.phone(anna, file) as phone:
        assert phone.access.granted
        assert len(serial_rig.pump.state.links) == 1


@pytest.mark.req("BEN-2", "ACC-4")
async def test_a_phone_on_the_air_and_one_on_the_line_are_in_the_same_car(serial_rig: SerialRig) -> None:
    rig = serial_rig
    anna, file = booked(rig)
    bert, bert_file = booked(rig, "Bert")
    async with rig.phone(anna, file) as wired, Rig.phone(rig, bert, bert_file) as wireless:
        assert [phone.access.granted for phone in (wired, wireless)] == [True, False]
        await wired.unlock()
        await wired.lock()


@pytest.mark.req("ACC-3", "PRV-7")
async def test_a_stranger_reads_the_public_information_and_nothing_else(ble_rig: Rig) -> None:
    async with plain_bleak() as (client, heard, _):
        info = decode_public_info(bytes(await client.read_gatt_char(PUBLIC_INFO_UUID)))
        assert info.version == 1
        await client.write_gatt_char(TO_MODULE_UUID, b"\xc0\x00\x05\x02\x83\x40\xa0\x40", response=True)
        await asyncio.sleep(1)
        assert [decode_error(message[1:]).code for message in messages_of(heard)] == [Code.SESSION_OVER]
        assert ble_rig.provisioning.module_id not in b"".join(heard)
    assert ble_rig.vehicle.snapshot().locked


@pytest.mark.req("BEN-2", "ACC-3", "PRV-7")
async def test_a_stranger_on_the_line_reads_the_public_information_and_nothing_else(serial_rig: SerialRig) -> None:
    assert (await public_info(await serial_rig.cable.answer())).version == 1
    async with stranger(serial_rig) as (write, heard, _):
        await write(b"\xc0\x00\x05\x02\x83\x40\xa0\x40")
        await asyncio.sleep(1)
        assert [decode_error(message[1:]).code for message in messages_of(heard)] == [Code.SESSION_OVER]
        assert serial_rig.provisioning.module_id not in b"".join(heard)
    assert serial_rig.vehicle.snapshot().locked


@pytest.mark.req("SEC-2")
async def test_a_central_that_says_nothing_is_sent_away_after_ten_seconds(plain_rig: Rig) -> None:
    async with stranger(plain_rig) as (_, _, gone):
        await asyncio.sleep(9)
        assert not gone.is_set()
        async with asyncio.timeout(3):
            await gone.wait()
    assert not plain_rig.pump.state.links


# ---------------------------------------------------------------- credentials that do not fit
Wrong = Callable[[Rig, Holder], BookingFile]


def _other_vehicle(rig: Rig, holder: Holder) -> BookingFile:
    booking, _ = rig.book(holder, lasts_s=60)
    other = type(booking)(**{**{f: getattr(booking, f) for f in booking.__struct_fields__}, "module_id": bytes(8)})
    return rig.booking_file(rig.issuer.token(other))


def _unknown_issuer(rig: Rig, holder: Holder) -> BookingFile:
    stranger = type(rig.issuer)(rig.holder("Mallory").key, rig.entropy)
    booking, _ = rig.book(holder, lasts_s=60)
    return rig.booking_file(stranger.token(booking))


def _foreign_key(rig: Rig, holder: Holder) -> BookingFile:
    return rig.book(rig.holder("Bert"), lasts_s=60)[1]


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (_other_vehicle, Code.WRONG_VEHICLE),
        (_unknown_issuer, Code.UNKNOWN_ISSUER),
        (_foreign_key, Code.HOLDER_KEY_MISMATCH),
    ],
)
async def test_a_credential_that_does_not_fit_is_refused_with_its_own_code(
    plain_rig: Rig, wrong: Wrong, code: Code
) -> None:
    anna = plain_rig.holder("Anna")
    with pytest.raises(HandshakeRefused) as refused:
        async with plain_rig.phone(anna, wrong(plain_rig, anna)):
            pass
    assert refused.value.refusal.code is code


@pytest.mark.req("SEC-2")
async def test_a_phone_does_not_give_its_booking_to_a_fake_module(plain_rig: Rig) -> None:
    anna, file = booked(plain_rig)
    other = plain_rig.holder("fake").key.public_key()
    fake = type(file)(file.token, keys.public_to_bytes(other), file.module_signing_public, file.module_id)
    links: list[MangledLink] = []

    def link_to(over: BLEDevice | PhoneLink) -> MangledLink:
        links.append(MangledLink(over))
        return links[-1]

    with pytest.raises((HandshakeRefused, NotFound)):
        async with plain_rig.phone(anna, fake, link_to):
            pass
    assert 0 < len(b"".join(links[0].sent)) < 64  # the first message of the handshake, and not a byte more
    assert plain_rig.pump.state.durable.trip.phase is Phase.NONE
