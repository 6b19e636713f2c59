"""Links on one controller: who is served, in what order the listener hears of it, and how a link ends."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator

import pytest
from bumble import hci
from bumble.core import UUID

from protocol import gatt
from tests.support.radio_bench import (
    ATT_CID,
    PAIRING_CID,
    PUBLIC_INFO,
    SIGNALLING_CID,
    TO_MODULE,
    RadioBench,
    RawCentral,
    find,
)

WRITE = b"\x12" + TO_MODULE.to_bytes(2, "little")
READ_INFO = b"\x0a" + PUBLIC_INFO.to_bytes(2, "little")


@pytest.fixture
async def bench() -> AsyncIterator[RadioBench]:
    async with RadioBench() as bench:
        yield bench


@pytest.mark.req("BLE-1")
async def test_the_listener_hears_of_a_link_in_order_and_of_each_thing_once(bench: RadioBench) -> None:
    central = await bench.connected()
    await central.negotiate(247)
    await central.write(b"one")
    await central.write(b"two")
    assert central.connection is not None
    await central.connection.disconnect()
    await bench.recorder.until("closed", 1)
    await asyncio.sleep(1)
    assert bench.recorder.events == [
        ("opened", 1, 20),
        ("payload", 1, 244),
        ("fragment", 1, b"one"),
        ("fragment", 1, b"two"),
        ("closed", 1),
    ]


@pytest.mark.req("BLE-1")
@pytest.mark.parametrize(
    ("asked", "payload"), [(23, 20), (24, 21), (185, 182), (247, 244), (512, 509), (517, 512), (65535, 512)]
)
async def test_whatever_mtu_is_negotiated_is_reported_as_payload(bench: RadioBench, asked: int, payload: int) -> None:
    central = await bench.connected()
    await central.negotiate(asked)
    assert bench.recorder.events[-1] == ("payload", 1, payload)
    await central.subscribe()
    await bench.radio.notify(1, bytes(payload))
    assert await central.until_fragments(1) == [bytes(payload)]


async def test_an_mtu_below_the_minimum_changes_nothing(bench: RadioBench) -> None:
    central = await bench.connected()
    await central.negotiate(5)
    assert await central.write(bytes(20)) == b"\x13"
    assert not bench.recorder.all_of("payload")


@pytest.mark.req("BLE-1")
async def test_three_centrals_are_served_and_a_fourth_finds_nothing_until_one_leaves(bench: RadioBench) -> None:
    centrals = [await bench.connected() for _ in range(gatt.MAX_LINKS)]
    for number, central in enumerate(centrals, 1):
        assert await central.write(b"from %d" % number) == b"\x13"
    assert bench.recorder.all_of("fragment") == [(n, b"from %d" % n) for n in (1, 2, 3)]

    fourth = await bench.central()
    assert await find(fourth, within_s=5) is None
    await bench.radio.hang_up(2)
    assert await find(fourth, within_s=1) is not None
    await bench.connected()
    assert bench.link() == 4


async def test_a_fourth_central_that_a_controller_lets_in_is_sent_away_unheard(bench: RadioBench) -> None:
    for _ in range(gatt.MAX_LINKS):
        await bench.connected()
    handle = next(iter(bench.controller.advertising_sets))
    bench.controller.on_packet(
        bytes(
            hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
                enable=1, advertising_handles=[handle], durations=[0], max_extended_advertising_events=[0]
            )
        )
    )
    fourth = RawCentral(await bench.central())
    found = await find(fourth.device)
    assert found is not None
    await fourth.connect(found.address)
    fourth.send(ATT_CID, WRITE + b"hello")
    await fourth.gone.wait()
    assert len(bench.recorder.all_of("opened")) == 3
    assert not bench.recorder.all_of("fragment")
    assert not bench.recorder.all_of("closed")


async def test_fragments_to_three_centrals_do_not_mix(bench: RadioBench) -> None:
    centrals = [await bench.connected() for _ in range(3)]
    for central in centrals:
        await central.negotiate(517)
        await central.subscribe()
    order = [(link, bytes((link, n)) * 100) for n in range(50) for link in (1, 2, 3)]
    await asyncio.gather(*(bench.radio.notify(link, fragment) for link, fragment in order))
    for link, central in enumerate(centrals, 1):
        assert await central.until_fragments(50) == [bytes((link, n)) * 100 for n in range(50)]


@pytest.mark.req("BLE-2")
async def test_hanging_up_lets_the_last_words_out_and_ends_the_link(bench: RadioBench) -> None:
    central = await bench.connected()
    await central.subscribe()
    bench.air.set_latency(0.05)
    await bench.radio.notify(1, b"cut off")
    await bench.radio.hang_up(1)
    await central.gone.wait()
    assert central.fragments == [b"cut off"]
    assert bench.recorder.events[-1] == ("closed", 1)


async def test_hanging_up_twice_or_on_nobody_is_no_error(bench: RadioBench) -> None:
    await bench.connected()
    await asyncio.gather(bench.radio.hang_up(1), bench.radio.hang_up(1))
    await bench.radio.hang_up(1)
    await bench.radio.hang_up(99)
    await bench.radio.notify(1, b"nobody")
    assert bench.recorder.all_of("closed") == [(1,)]


async def test_what_a_central_says_after_it_was_hung_up_on_is_not_heard(bench: RadioBench) -> None:
    central = await bench.connected()
    bench.air.set_latency(0.05)
    hanging_up = asyncio.create_task(bench.radio.hang_up(1))
    await asyncio.sleep(0)
    central.send(ATT_CID, WRITE + b"too late")
    await hanging_up
    assert not bench.recorder.all_of("fragment")


@pytest.mark.req("BLE-2")
async def test_a_central_whose_power_fails_is_gone_at_its_supervision_timeout(bench: RadioBench) -> None:
    central = await bench.connected()
    assert central.device.radio is not None
    bench.air.power_cut(central.device.radio)
    await bench.recorder.until("closed", 1)
    again = await bench.connected()
    assert await again.write(b"x") == b"\x13"


@pytest.mark.req("BLE-1")
async def test_a_central_that_asks_and_never_listens_is_hung_up_on(bench: RadioBench) -> None:
    central, other = await bench.connected(), await bench.connected()
    assert central.device.radio is not None
    bench.air.set_latency(60.0, bench.controller, central.device.radio)
    for _ in range(400):
        central.send(ATT_CID, READ_INFO)
        await asyncio.sleep(0.001)
    await bench.recorder.until("closed", 1)
    assert await other.write(b"still served") == b"\x13"


async def test_a_central_that_takes_no_notification_is_hung_up_on_and_others_are_not(bench: RadioBench) -> None:
    deaf, other = await bench.connected(), await bench.connected()
    for central in (deaf, other):
        await central.subscribe()
    assert deaf.device.radio is not None
    bench.air.set_latency(60.0, bench.controller, deaf.device.radio)
    await asyncio.gather(*(bench.radio.notify(link, bytes((n,))) for n in range(40) for link in (1, 2)))
    assert await other.until_fragments(40) == [bytes((n,)) for n in range(40)]
    await bench.recorder.until("closed", 1)
    assert bench.recorder.all_of("closed") == [(1,)]


# ---------------------------------------------------------------- what is not there
@pytest.mark.req("SEC-2")
@pytest.mark.parametrize("request_pdu", ["01030001100000", "01030009100101", "0104000d100101"])
async def test_pairing_is_refused_and_the_link_goes_on_unencrypted(bench: RadioBench, request_pdu: str) -> None:
    central = await bench.connected()
    assert await central.ask(request_pdu, PAIRING_CID) == b"\x05\x05"
    assert await central.write(b"x") == b"\x13"


async def test_no_channel_is_opened_for_a_peer(bench: RadioBench) -> None:
    central = await bench.connected()
    for number, request_pdu in enumerate(
        (
            "14 {:02x} 0a00 2700 4000 0002 0002 0a00",  # LE credit based connection (EATT)
            "17 {:02x} 0a00 2700 0002 0002 0a00 4000",  # enhanced credit based connection
            "02 {:02x} 0400 0100 4000",  # a BR/EDR channel to SDP
            "0a {:02x} 0200 0200",  # information
        ),
        1,
    ):
        answer = await central.ask(request_pdu.format(number), SIGNALLING_CID)
        assert answer == bytes((0x01, number, 2, 0, 0, 0))


@pytest.mark.req("SEC-1")
async def test_five_thousand_random_pdus_change_nothing_and_raise_nothing(
    bench: RadioBench, caplog: pytest.LogCaptureFixture
) -> None:
    central, witness = await bench.connected(), await bench.connected()
    await central.negotiate(517)
    randomness = random.Random(20260101)
    before = [await witness.ask(b"\x0a" + handle.to_bytes(2, "little")) for handle in range(1, 0x14)]
    for _ in range(5000):
        channel = randomness.choice((ATT_CID, ATT_CID, ATT_CID, SIGNALLING_CID, PAIRING_CID, 1, 2, 3, 7, 0x40))
        pdu = randomness.randbytes(randomness.choice((0, 1, 2, 3, 4, 5, 7, 9, 21, 23, 40)))
        if channel == ATT_CID and randomness.random() < 0.7:
            opcode = randomness.choice((0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x10, 0x12, 0x16, 0x18, 0x52, 0xD2))
            pdu = bytes((opcode,)) + bytes((randomness.randrange(0x16), 0)) + pdu
        central.send(channel, pdu)
        await asyncio.sleep(0.001)
    assert await witness.write(b"alive") == b"\x13"
    assert [await witness.ask(b"\x0a" + handle.to_bytes(2, "little")) for handle in range(1, 0x14)] == before
    assert bench.recorder.all_of("closed") == []
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.req("SEC-1")
async def test_made_up_identifiers_are_not_remembered(bench: RadioBench) -> None:
    central = await bench.connected()
    await central.ask("08 0100 ffff 0328")
    remembered = len(UUID.UUIDS)
    for number in range(500):
        kind = number.to_bytes(16, "big").hex() if number % 2 else (0xA000 + number).to_bytes(2, "little").hex()
        await central.ask(f"08 0100 ffff {kind}")
        await central.ask(f"10 0100 ffff {kind}")
        await central.ask(f"06 0100 ffff {kind[:4]} 0000")
    assert len(UUID.UUIDS) == remembered


@pytest.mark.req("SEC-1")
async def test_random_packets_below_l2cap_do_no_harm(bench: RadioBench) -> None:
    central = await bench.connected()
    assert central.connection is not None
    randomness = random.Random(7)
    for _ in range(2000):
        data = randomness.randbytes(randomness.choice((0, 1, 3, 4, 8, 27)))
        packet = hci.HCI_AclDataPacket(central.connection.handle, randomness.randrange(3), 0, len(data), data)
        central.device.host.send_hci_packet(packet)
        await asyncio.sleep(0.001)
    assert await (await bench.connected()).write(b"alive") == b"\x13"
