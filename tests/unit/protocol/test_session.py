"""Records."""

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol import cbor
from protocol.errors import Code
from protocol.session import SecureChannel, SessionError, key_log_line
from tests.support import handshakes


def export(label: int, context: bytes, length: int) -> bytes:
    return hashlib.shake_256(label.to_bytes(4, "big") + context).digest(length)


def pair() -> tuple[SecureChannel, SecureChannel]:
    """A phone's channel and a module's, as after one handshake."""
    return (
        SecureChannel.from_exporter(export, module_side=False),
        SecureChannel.from_exporter(export, module_side=True),
    )


def refused(channel: SecureChannel, record: bytes) -> str:
    with pytest.raises(SessionError) as over:
        channel.open(record)
    assert over.value.code is Code.SESSION_OVER
    return over.value.detail


def test_records_go_both_ways() -> None:
    phone, module = pair()
    assert module.open(phone.seal(b"unlock")) == b"unlock"
    assert phone.open(module.seal(b"done")) == b"done"
    assert module.open(phone.seal(b"")) == b""


def test_the_keys_of_a_handshake_fit_each_other() -> None:
    initiator, responder, _ = handshakes.finished()
    phone = SecureChannel.from_exporter(initiator.export, module_side=False)
    module = SecureChannel.from_exporter(responder.export, module_side=True)
    assert module.open(phone.seal(b"request")) == b"request"
    assert phone.open(module.seal(b"reply")) == b"reply"


def test_a_record_is_cose_encrypt0_with_its_counter() -> None:
    phone, _ = pair()
    first, second = cbor.decode(phone.seal(b"text")), cbor.decode(phone.seal(b"text"))
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[:2] == [b"", {6: b"\x00"}]
    assert second[:2] == [b"", {6: b"\x01"}]
    assert first[2] != second[2]
    assert isinstance(first[2], bytes)
    assert len(first[2]) == 4 + 16


@pytest.mark.req("SEC-2")
def test_every_altered_byte_is_noticed() -> None:
    phone, module = pair()
    record = phone.seal(b"unlock")
    for index in range(len(record)):
        for flip in (0x01, 0x80):
            refused(module, record[:index] + bytes((record[index] ^ flip,)) + record[index + 1 :])
    assert module.open(record) == b"unlock"


@pytest.mark.req("SEC-2")
def test_repeated_reordered_and_reflected_records_are_refused() -> None:
    phone, module = pair()
    first, second, third = phone.seal(b"1"), phone.seal(b"2"), phone.seal(b"3")
    assert module.open(first) == b"1"
    assert "repetition" in refused(module, first)
    assert module.open(third) == b"3"
    assert "out of order" in refused(module, second)
    assert "decrypt" in refused(phone, phone.seal(b"4"))


def test_another_session_s_record_is_refused() -> None:
    phone, _ = pair()

    def other(label: int, context: bytes, length: int) -> bytes:
        return export(label, context + b"!", length)

    module = SecureChannel.from_exporter(other, module_side=True)
    assert "decrypt" in refused(module, phone.seal(b"1"))


@pytest.mark.parametrize(
    "value",
    [
        1,
        [],
        [b"", {6: b"\x00"}],
        [b"\x00", {6: b"\x00"}, bytes(16)],
        [b"", [], bytes(16)],
        [b"", {}, bytes(16)],
        [b"", {5: b"\x00"}, bytes(16)],
        [b"", {5: b"", 6: b"\x00"}, bytes(16)],
        [b"", {6: b"\x00"}, "text"],
        [b"", {6: 0}, bytes(16)],
        [b"", {6: b""}, bytes(16)],
        [b"", {6: bytes(4)}, bytes(16)],
        [b"", {6: b"\x00\x01"}, bytes(16)],
        [b"", {6: b"\x10\x00\x00"}, bytes(16)],
        [b"", {6: b"\x00"}, b""],
    ],
)
@pytest.mark.req("SEC-1")
def test_what_is_no_record_is_refused(value: cbor.Value) -> None:
    _, module = pair()
    refused(module, cbor.encode(value))


def test_what_is_not_cbor_is_refused() -> None:
    _, module = pair()
    assert "not a record" in refused(module, b"\xff")


def test_a_session_ends_after_a_million_records() -> None:
    phone, module = pair()
    phone._sending.counter = 2**20 - 1
    last = phone.seal(b"the last one")
    assert cbor.encode({6: b"\x0f\xff\xff"}) in last
    assert module.open(last) == b"the last one"
    with pytest.raises(SessionError, match="used up"):
        phone.seal(b"")


# ---------------------------------------------------------------- genuine bytes in a form that nobody sends
def genuine(counter: int, partial_iv: bytes, first: cbor.Value = b"") -> bytes:
    """What the phone would encrypt as its record `counter`, with anything around it."""
    key, iv = export(32768, b"sharebox/1", 32), export(32769, b"sharebox/1", 12)
    nonce = (int.from_bytes(iv, "big") ^ counter).to_bytes(12, "big")
    ciphertext = ChaCha20Poly1305(key).encrypt(nonce, b"text", b"\x83\x68Encrypt0\x40\x40")
    return cbor.encode([first, {6: partial_iv}, ciphertext])


def test_a_genuine_record_is_opened() -> None:
    _, module = pair()
    assert module.open(genuine(1, b"\x01")) == b"text"
    assert module.open(genuine(2**20 - 1, b"\x0f\xff\xff")) == b"text"


@pytest.mark.req("SEC-2")
@pytest.mark.parametrize(
    "record",
    [
        genuine(1, b"\x00\x01"),
        genuine(0, b""),
        genuine(0, b"\x00\x00\x00\x00"),
        genuine(1, b"\x01", b"\x00"),
        genuine(1, b"\x01", None),
        genuine(2**20, b"\x10\x00\x00"),
        genuine(2**24 - 1, b"\xff\xff\xff"),
    ],
)
def test_the_form_of_a_genuine_record_is_fixed_too(record: bytes) -> None:
    _, module = pair()
    refused(module, record)


def test_counters_are_as_short_as_they_can_be() -> None:
    phone, module = pair()
    for counter in range(258):
        record = phone.seal(b"")
        value = cbor.decode(record)
        assert isinstance(value, list)
        assert value[1] == {6: counter.to_bytes(1 if counter < 256 else 2, "big")}
        assert module.open(record) == b""


def test_a_key_log_line_names_the_session_and_opens_its_records() -> None:
    initiator, responder, (first, *_) = handshakes.finished()
    line = key_log_line(first, initiator.export)
    assert line == key_log_line(first, responder.export)
    label, ephemeral, key, iv, *from_module = line.split(" ")
    assert label == "SHAREBOX_SESSION"
    assert bytes.fromhex(ephemeral) == cbor.decode_sequence(first)[2]
    assert [len(value) for value in (key, iv, *from_module)] == [64, 24, 64, 24]
    record = SecureChannel.from_exporter(initiator.export, module_side=False).seal(b"unlock")
    ciphertext = cbor.decode(record)
    assert type(ciphertext) is list
    assert type(ciphertext[2]) is bytes
    aad = cbor.encode(["Encrypt0", b"", b""])
    assert ChaCha20Poly1305(bytes.fromhex(key)).decrypt(bytes.fromhex(iv), ciphertext[2], aad) == b"unlock"
