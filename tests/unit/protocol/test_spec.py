"""The specification repeats numbers of the code; here it is held to them."""

import hmac
import re

import pytest

from firmware.core.orders import CARRIED
from protocol import (
    beacon,
    cose,
    credential,
    edhoc,
    framing,
    gatt,
    messages,
    msd,
    sealing,
    serial,
    session,
    sharing,
    tokens,
)
from protocol.messages import MessageType, Operation, PublicInfo, PushKind
from protocol.orders import MOST_REMOTE_TTL_S, OrderKind
from protocol.selftest import Part
from protocol.sharing import Deletion
from protocol.telemetry import ACKNOWLEDGEMENT, CALL_BYTES, EMERGENCY, Channel, EventKind
from tests.support import worked_example

SPEC = worked_example.SPEC.read_text("utf-8")


def section(number: int) -> str:
    """The text of one numbered section."""
    found = re.search(rf"(?ms)^## {number} .*?(?=^## |\Z)", SPEC)
    assert found is not None
    return found.group()


def test_the_sections_are_numbered_as_the_code_cites_them() -> None:
    assert [int(number) for number in re.findall(r"(?m)^## (\d+) ", SPEC)] == list(range(1, 15))


def test_the_worked_example_is_what_the_code_does() -> None:
    """To make it anew: python -m tests.support.worked_example."""
    assert worked_example.replaced(SPEC) == SPEC


def test_a_text_without_a_place_for_the_example_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        worked_example.replaced("")


@pytest.mark.req("BLE-1")
def test_the_gatt_table_is_that_of_the_code() -> None:
    for uuid in (gatt.SERVICE_UUID, gatt.TO_MODULE_UUID, gatt.FROM_MODULE_UUID, gatt.PUBLIC_INFO_UUID):
        assert section(3).count(f"`{uuid}`") == 1
    info = PublicInfo()
    assert f"| {info.max_message_bytes} |" in section(3)
    assert f"| {info.max_list_bytes} |" in section(3)
    assert f"up to {gatt.MAX_LINKS} centrals" in section(3)


@pytest.mark.req("PRV-7")
def test_the_beacon_is_that_of_the_code() -> None:
    text = section(3)
    assert f"**beacon** of {beacon.BEACON_BYTES} bytes" in text
    assert f"{beacon.NONCE_BYTES} + {beacon.TAG_BYTES} bytes" in text
    assert f"first {beacon.TAG_BYTES} bytes of HMAC-SHA256" in text
    assert f"info, {beacon.KEY_BYTES} bytes)" in text
    assert f"**radio secret** are {beacon.SECRET_BYTES} random bytes" in text
    secret, nonce = bytes(range(beacon.SECRET_BYTES)), b"nonce"
    prk = hmac.digest(bytes(32), secret, "sha256")
    key = hmac.digest(prk, b"sharebox beacon" + bytes((0, 0, 0, 3)) + b"\x01", "sha256")[:16]
    assert beacon.key_of(secret, 3) == key
    assert beacon.make(key, nonce) == nonce + hmac.digest(key, b"sharebox beacon" + nonce, "sha256")[:8]


def test_the_limits_of_framing_are_those_of_the_code() -> None:
    text = section(4)
    assert f"at most {framing.MAX_MESSAGE_BYTES} bytes, within one at most {framing.MAX_SESSION_MESSAGE_BYTES}" in text
    assert f"min(ATT MTU - 3, {framing.MAX_FRAGMENT_BYTES})" in text
    assert (framing.FRAGMENT_TIMEOUT_MS, framing.MESSAGE_TIMEOUT_MS, framing.MAX_VIOLATIONS) == (1_000, 5_000, 3)
    assert "At most 1 s may pass between two fragments of a message, and 5 s" in text
    assert PublicInfo().max_message_bytes == framing.MAX_MESSAGE_BYTES == cose.MAX_BYTES == edhoc.MAX_MESSAGE_BYTES
    assert PublicInfo().max_list_bytes == tokens.MAX_LIST_BYTES


def rows(text: str, columns: int) -> set[tuple[str, ...]]:
    """The first cells of all tables."""
    lines = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("|"))
    return {tuple(cell.strip() for cell in line[:columns]) for line in lines if len(line) >= columns}


def test_message_types_operations_and_pushes_are_those_of_the_code() -> None:
    assert {(str(int(kind)), kind.name) for kind in MessageType} <= rows(section(5), 2)
    named = {(number, name.partition(":")[0]) for number, name in rows(section(8), 2)}
    assert {(str(int(operation)), operation.name) for operation in Operation} <= named
    assert {(str(int(kind)), kind.name.lower()) for kind in PushKind} <= named


def test_the_kinds_of_credentials_are_those_of_the_code() -> None:
    assert {(str(int(typ)), typ.name.lower().replace("_", " ")) for typ in tokens.Typ} <= {
        (number, name.removesuffix(" token")) for number, name in rows(section(6), 2)
    }


@pytest.mark.req("BKG-2", "OWN-3", "SVC-1")
def test_the_orders_and_who_may_carry_them_are_those_of_the_code() -> None:
    table = section(6).partition("### 6.4 Order")[2].partition("An unknown kind")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(line[0]) for line in lines] == [int(kind) for kind in OrderKind]
    assert {int(line[0]) for line in lines if "any phone" in line[3]} == CARRIED
    assert f"iat is at most {MOST_REMOTE_TTL_S} s" in section(6)


@pytest.mark.req("KEY-2", "KEY-4", "OWN-1")
def test_the_numbers_of_keys_codes_and_reports_are_those_of_the_code() -> None:
    text = section(6)
    assert f"printable text of 1 to {sharing.MOST_NAME_BYTES} bytes" in text
    assert f"the sealed code, {sealing.SEALED_BYTES} bytes" in text
    assert f"the first {sealing.PRINT_BYTES} bytes of\nHMAC-SHA256" in text
    assert {f"`{{{label}: token}}`" for label in (credential.KCWT, credential.STANDING_KEY)} <= set(
        re.findall(r"`\{-?\d+: token\}`", section(7))
    )
    assert f"`{{{credential.SHARED_KEY}: [parent, share]}}`" in section(7)
    assert {(str(int(policy)),) for policy in Deletion} <= rows(text, 1)
    parts = {number for number, name in rows(text.partition("### 6.10")[2], 2) if number.isdigit()}
    assert parts == {str(int(part)) for part in Part}


@pytest.mark.req("SVC-8")
def test_the_topics_of_emergency_calls_are_those_of_the_code() -> None:
    assert {(f"`sharebox/<module id>/{level}`",) for level in (EMERGENCY, ACKNOWLEDGEMENT)} <= rows(section(10), 1)
    assert f"at most {msd.MAX_BYTES} bytes; content type `{msd.CONTENT_TYPE}`" in section(10)
    assert f"the call's number, {CALL_BYTES} bytes" in section(10)


@pytest.mark.req("SEC-2")
def test_the_labels_of_the_record_keys_are_those_of_the_code() -> None:
    assert {
        (str(session.LABEL_KEY_TO_MODULE), "32", "key to the module"),
        (str(session.LABEL_IV_TO_MODULE), "12", "IV to the module"),
        (str(session.LABEL_KEY_FROM_MODULE), "32", "key from the module"),
        (str(session.LABEL_IV_FROM_MODULE), "12", "IV from the module"),
    } <= rows(section(7), 3)
    assert f"`{session.EXPORTER_CONTEXT.decode()}`" in section(7)


@pytest.mark.req("TEL-2")
def test_the_channels_and_events_of_mqtt_are_those_of_the_code() -> None:
    text = section(10)
    assert {(f"`{channel.value}`",) for channel in Channel} <= rows(text, 1)
    kinds = re.search(r"Kinds of event: (.*)\.\n", text)
    assert kinds is not None
    assert kinds.group(1).split(", ") == [f"`{kind.value}`" for kind in EventKind]


@pytest.mark.req("BEN-2")
def test_the_frames_of_serial_lines_are_those_of_the_code() -> None:
    text = section(14)
    assert {(str(int(kind)), kind.name) for kind in serial.Kind} <= rows(text, 2)
    assert f"at most {serial.MAX_FRAGMENT_BYTES} bytes, so a frame has at most {serial.MAX_FRAME_BYTES} between" in text
    assert f"Channels are 0 to {serial.CHANNELS - 1}." in text
    assert f"at most {serial.MAX_OPEN_CHANNELS} are open at once on a line" in text
    assert f"for {serial.MAX_GAP_MS // 1000} s is dropped" in text
    size = serial.encode_size(serial.MAX_FRAGMENT_BYTES)
    frames = [
        serial.Frame(serial.Kind.OPEN, 2, size),
        serial.Frame(serial.Kind.OPENED, 2, size),
        serial.Frame(serial.Kind.FRAGMENT, 2, bytes.fromhex("c0000203aa")),
        serial.Frame(serial.Kind.CLOSE, 2),
        serial.Frame(serial.Kind.CLOSED, 2),
        serial.Frame(serial.Kind.INFO),
        serial.Frame(serial.Kind.INFO, 0, messages.encode_public_info(PublicInfo())),
    ]
    shown = [bytes.fromhex(hexadecimal) for hexadecimal in re.findall(r"\| `(00 [0-9a-f ]+ 00)` \|", text)]
    assert shown == [serial.encode(frame) for frame in frames]
    decoder = serial.Decoder()
    assert [item for line in shown for item in decoder.feed(line)] == frames
