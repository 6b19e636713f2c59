"""Captures read with Wireshark's tshark and the project's dissector: what it shows is what was said."""

import random
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from firmware.demo.rig import BEGINS_S, Rig
from host_tools.bench.capture import Capture, Tap
from host_tools.bench.keylog import key_log
from protocol import framing, serial
from protocol.gatt import FROM_MODULE_UUID, PUBLIC_INFO_UUID, SERVICE_UUID, TO_MODULE_UUID
from protocol.messages import NoticeKind, Operation
from protocol.serial import Frame, Kind
from protocol.session import SecureChannel, key_log_line
from tests.support import handshakes
from tests.support.wire_vectors import KINDS
from tests.support.wireshark import Packet, captured, complaints, mangled, read

pytestmark = pytest.mark.needs("tshark")

MESSAGES = (
    "frame.time_epoch",
    "sharebox.direction",
    "sharebox.message.fragments",
    "sharebox.message.type",
    "sharebox.edhoc.message",
    "sharebox.record.counter",
    "sharebox.record.decrypted",
    "sharebox.request.operation",
    "sharebox.reply.code",
)


ATT_OPCODE, ATT_VALUE = 13, 16
"""In a packet of a capture, behind its direction, H4, ACL and L2CAP."""
CARRIERS = (b"\x52", b"\x12", b"\x1b")


async def a_visit(tap: Tap, keys: Path, *, mtu: int = 517) -> None:
    """A driver opens the car, asks where it is a minute later, and ends; then a stranger says nonsense."""
    async with Rig(tap=tap, key_log=key_log(keys), att_mtu=mtu) as rig:
        anna = rig.holder("Anna")
        _, file = rig.book(anna, lasts_s=7200)
        async with rig.phone(anna, file) as phone:
            await phone.unlock()
            await rig.until(BEGINS_S + 60)
            await phone.locate()
            await phone.lock()
            await phone.end_booking()
        found = await BleakScanner.find_device_by_filter(lambda *_: True, service_uuids=[SERVICE_UUID])
        assert found is not None
        async with BleakClient(found) as client:
            await client.read_gatt_char(PUBLIC_INFO_UUID)
            await client.start_notify(FROM_MODULE_UUID, lambda *_: None)
            await client.write_gatt_char(TO_MODULE_UUID, b"garbage", response=False)
            await client.read_gatt_char(PUBLIC_INFO_UUID)


def values(packets: list[Packet], name: str) -> list[int]:
    """A field's numbers, over all packets that have it."""
    return [int(value, 0) for packet in packets for value in packet.get(name, [])]


@pytest.mark.req("BLE-1")
@pytest.mark.parametrize(("mtu", "ending"), [(23, ".btsnoop"), (517, ".pcapng")])
async def test_a_whole_visit_is_read_message_by_message(mtu: int, ending: str, tmp_path: Path) -> None:
    path, keys = tmp_path / f"visit{ending}", tmp_path / "keys"
    with captured(path) as capture:
        await a_visit(capture.hci("module"), keys, mtu=mtu)
    packets = read(path, MESSAGES, keys=keys, only="sharebox.message.type")
    assert values(packets, "sharebox.edhoc.message") == [1, 2, 3, 4]
    assert values(packets, "sharebox.message.type") == [1] * 4 + [2] * 11 + [3]
    to_module = [packet for packet in packets if packet["sharebox.direction"] == ["0"]]
    assert values(to_module, "sharebox.record.counter") == [0, 1, 2, 3, 4]
    assert values(to_module, "sharebox.request.operation") == [6, 1, 11, 2, 5]
    assert values(packets, "sharebox.reply.code") == [0, 0, 0, 0, 129]
    assert set(values(packets, "sharebox.record.decrypted")) == {1}
    assert (max(values(packets, "sharebox.message.fragments")) > 10) is (mtu == 23)
    located = next(packet for packet in to_module if packet.get("sharebox.request.operation") == ["11"])
    assert float(located["frame.time_epoch"][0]) == BEGINS_S + 60


@pytest.mark.req("SEC-2")
async def test_without_a_key_log_a_capture_tells_no_more_than_the_air_does(tmp_path: Path) -> None:
    path, keys = tmp_path / "visit.pcapng", tmp_path / "keys"
    with captured(path) as capture:
        await a_visit(capture.hci("module"), keys)
    named = (*MESSAGES, "sharebox.cbor", "sharebox.refusal.rule", "sharebox.record.plaintext", "sharebox.info.version")
    packets = read(path, named)
    assert values(packets, "sharebox.edhoc.message") == [1, 2, 3, 4]
    assert set(values(packets, "sharebox.record.decrypted")) == {0}
    assert [packet for packet in packets if "sharebox.record.plaintext" in packet] == []
    assert [value for packet in packets for value in packet.get("sharebox.refusal.rule", [])] == ["BLE-1"]
    assert values(packets, "sharebox.info.version") == [1, 1]
    keys.write_text(keys.read_text()[:-5] + "0000\n")
    wrong = read(path, ("_ws.expert.message",), keys=keys, only="_ws.expert && sharebox.record.decrypted == 0")
    assert {note for packet in wrong for note in packet["_ws.expert.message"]} == {
        "the key log's key does not open this record"
    }


def a_serial_session(capture: Capture) -> str:
    """A session on a serial line; its line of a key log."""
    tap = capture.serial("console")
    initiator, _, messages = handshakes.finished()
    phone = SecureChannel.from_exporter(initiator.export, module_side=False)
    module = SecureChannel.from_exporter(initiator.export, module_side=True)
    said = [(b"\x01" + message, number % 2 == 0) for number, message in enumerate(messages)]
    said += [(b"\x02" + phone.seal(bytes.fromhex("83010148c0ffee0123456789")), True)]
    said += [(b"\x02" + module.seal(bytes.fromhex("84010001a101f4")), False)]
    tap(Frame(Kind.OPEN, 2, serial.encode_size(514)), True)
    tap(Frame(Kind.OPENED, 2, serial.encode_size(200)), False)
    sequence = {True: 0, False: 0}
    for message, to_module in said:
        parts = framing.fragments(message, 200, sequence[to_module])
        sequence[to_module] += len(parts)
        for part in parts:
            tap(Frame(Kind.FRAGMENT, 2, part), to_module)
    tap(Frame(Kind.CLOSE, 2, b""), True)
    tap(Frame(Kind.CLOSED, 2, b""), False)
    return key_log_line(messages[0], initiator.export)


@pytest.mark.req("BEN-2")
def test_the_frames_of_a_serial_line_are_read_as_those_of_the_air(tmp_path: Path) -> None:
    path, keys = tmp_path / "line.pcapng", tmp_path / "keys"
    with Capture(path, lambda: BEGINS_S * 1_000_000) as capture:
        keys.write_text(a_serial_session(capture) + "\n")
    names = (*MESSAGES, "sharebox_serial.kind", "sharebox_serial.channel", "sharebox_serial.largest")
    packets = read(path, (*names, "sharebox_serial.crc_good"), keys=keys, only="sharebox_serial")
    assert values(packets, "sharebox_serial.kind") == [1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5]
    assert set(values(packets, "sharebox_serial.channel")) == {2}
    assert values(packets, "sharebox_serial.largest") == [514, 200]
    assert set(values(packets, "sharebox_serial.crc_good")) == {1}
    assert values(packets, "sharebox.edhoc.message") == [1, 2, 3, 4]
    assert values(packets, "sharebox.request.operation") == [1]
    assert values(packets, "sharebox.reply.code") == [0]
    broken = tmp_path / "broken.pcapng"
    mangled(path, broken, lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    packets = read(broken, names, only="sharebox_serial.crc_good == 0")
    assert len(packets) == 11
    assert values(packets, "sharebox.message.type") == []


@pytest.mark.req("BEN-2")
def test_every_request_answer_and_push_is_read(tmp_path: Path) -> None:
    path, keys = tmp_path / "line.pcapng", tmp_path / "keys"
    initiator, _, (first, *_) = handshakes.finished()
    keys.write_text(key_log_line(first, initiator.export) + "\n")
    phone = SecureChannel.from_exporter(initiator.export, module_side=False)
    module = SecureChannel.from_exporter(initiator.export, module_side=True)
    said = [(b"\x01" + first, True)]
    said += [(b"\x02" + phone.seal(plain), True) for (plain,) in KINDS["request"].accepted]
    said += [(b"\x02" + module.seal(plain), False) for (plain,) in KINDS["answer"].accepted]
    with Capture(path, lambda: BEGINS_S * 1_000_000) as capture:
        tap = capture.serial("console")
        for number, (message, to_module) in enumerate(said):
            for part in framing.fragments(message, 514, number % 2 * 32):
                tap(Frame(Kind.FRAGMENT, 0, part), to_module)
    assert complaints(path, keys) == ""
    shown = ("sharebox.key", "sharebox.self_test.report", "sharebox.notice.kind", "sharebox.refusal.numbers")
    packets = read(path, (*MESSAGES, *shown), keys=keys)
    assert values(packets, "sharebox.request.operation") == [int(operation) for operation in Operation]
    assert len(values(packets, "sharebox.reply.code")) == 10
    of_later = 7
    assert values(packets, "sharebox.notice.kind") == [*(int(kind) for kind in NoticeKind), of_later]
    said_of = {name: [value for packet in packets for value in packet.get(name, [])] for name in shown}
    assert len(said_of["sharebox.key"]) == len(said_of["sharebox.self_test.report"]) == 1
    assert 'name "Zo' in said_of["sharebox.key"][0]
    assert len(said_of["sharebox.refusal.numbers"]) == 2


def nonsense(chance: random.Random) -> bytes:
    """Bytes that are CBOR in part: arrays and maps of the sizes that messages have, with anything inside."""

    def item(depth: int) -> bytes:
        kind = chance.randrange(9 if depth else 5)
        if kind < 5:
            return chance.choice(
                [b"\x00", b"\x07", b"\x18\xff", b"\x1b" + b"\xff" * 8, b"\x20", b"\x43abc", b"\x62hi", b"\xf5"]
            )
        if kind == 5 and chance.random() < 0.1:
            return chance.randbytes(chance.randrange(4))
        inside = [item(depth - 1) for _ in range(chance.randrange(5))]
        return bytes([0x80 + len(inside)]) + b"".join(inside) if kind < 8 else _map(inside)

    def _map(inside: list[bytes]) -> bytes:
        return bytes([0xA0 + len(inside)]) + b"".join(bytes([key]) + value for key, value in enumerate(inside, 1))

    body = b"".join(bytes([chance.randrange(13)]) for _ in range(chance.randrange(1, 4)))
    shaped = bytes([0x81 + len(body)]) + body + _map([item(3) for _ in range(9)])
    return shaped if chance.random() < 0.7 else item(4)


@pytest.mark.req("SEC-1")
def test_messages_that_say_nonsense_are_shown_as_such(tmp_path: Path) -> None:
    path, keys, chance = tmp_path / "line.pcapng", tmp_path / "keys", random.Random(3)
    initiator, _, (first, *_) = handshakes.finished()
    keys.write_text(key_log_line(first, initiator.export) + "\n")
    phone = SecureChannel.from_exporter(initiator.export, module_side=False)
    module = SecureChannel.from_exporter(initiator.export, module_side=True)
    with Capture(path, lambda: BEGINS_S * 1_000_000) as capture:
        tap = capture.serial("console")
        for number in range(400):
            to_module = chance.random() < 0.5
            kind = chance.choice([1, 2, 2, 2, 2, 3, 9])
            body = nonsense(chance)
            if kind == 2 and chance.random() < 0.9:
                body = (phone if to_module else module).seal(body)
            message = b"\x01" + first if number == 0 else bytes([kind]) + body
            for part in framing.fragments(message, 514, chance.randrange(64)):
                tap(Frame(Kind.FRAGMENT, 0 if kind > 1 or number == 0 else 1, part), to_module or number == 0)
            tap(Frame(Kind.INFO, 0, nonsense(chance)[:500]), False)
    assert complaints(path, keys) == ""
    packets = read(path, ("sharebox.cbor", "_ws.expert.message"), keys=keys)
    assert len([packet for packet in packets if "sharebox.cbor" in packet]) > 150
    assert {"the plaintext is not CBOR", "not a record", "unknown type of message", "not public information"} <= {
        said for packet in packets for said in packet.get("_ws.expert.message", [])
    }


@pytest.mark.req("SEC-1")
async def test_garbage_and_what_is_cut_off_is_shown_as_such_and_breaks_nothing(tmp_path: Path) -> None:
    whole, keys = tmp_path / "whole.pcapng", tmp_path / "keys"
    with captured(whole) as capture:
        await a_visit(capture.hci("module"), keys, mtu=64)
        keys.write_text(keys.read_text() + a_serial_session(capture) + "\n")
    chance = random.Random(5)

    def noise(data: bytes) -> bytes:
        """In what is ours, more often in the first bytes: writes, notifications, serial frames."""
        changed = bytearray(data)
        serial_frame = data[1] != 0
        start = 1 if serial_frame else ATT_VALUE if data[ATT_OPCODE : ATT_OPCODE + 1] in CARRIERS else len(data)
        for _ in range(chance.choice([0, 1, 1, 2, 8]) if start < len(data) else 0):
            changed[min(len(data) - 1, start + int(chance.expovariate(0.1)))] = chance.randrange(256)
        return bytes(changed)

    for number in range(3):
        noisy = tmp_path / f"noisy{number}.pcapng"
        assert mangled(whole, noisy, noise) > 100
        assert complaints(noisy, keys) == ""
        assert read(noisy, ("frame.number",), keys=keys, only="_ws.expert && sharebox") != []
    data = whole.read_bytes()
    (tmp_path / "cut.pcapng").write_bytes(data[: len(data) * 2 // 3 + 1])
    assert values(read(tmp_path / "cut.pcapng", MESSAGES, keys=keys), "sharebox.edhoc.message") == [1, 2, 3, 4]
