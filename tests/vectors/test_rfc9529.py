"""RFC 9529: trace 2 byte for byte, and the 15 invalid messages."""

import json
from pathlib import Path

import pytest

from protocol import cbor, edhoc, schedule
from protocol.keys import private_from_bytes

VECTORS = json.loads(Path(__file__).with_name("rfc9529.json").read_text())
TRACE = VECTORS["trace2_second_exchange"]


def value(name: str) -> bytes:
    return bytes.fromhex(TRACE[name])


def credential(party: str) -> edhoc.Credential:
    private = private_from_bytes(value(f"SK_{party} (Raw Value)"))
    return edhoc.Credential(
        value(f"ID_CRED_{party} (CBOR Data Item)"),
        value(f"CRED_{party} (CBOR Data Item)"),
        private.public_key(),
        private,
    )


def initiator() -> edhoc.Initiator:
    return edhoc.Initiator(
        credential("I"),
        private_from_bytes(value("X (Raw Value)")),
        method=3,
        suite=2,
        suites_offered=(6, 2),
        connection_id=value("C_I (Raw Value)"),
    )


def responder() -> edhoc.Responder:
    ephemeral = private_from_bytes(value("Y (Raw Value)"))
    return edhoc.Responder(
        credential("R"), ephemeral, methods=(3,), suites=(2,), connection_id=value("C_R (raw value)")
    )


def the_other(label: int, kid: bytes) -> edhoc.Credential:
    return {(4, b"\x32"): credential("R"), (4, b"\x2b"): credential("I")}[label, kid]


def test_trace_2_is_reproduced_byte_for_byte() -> None:
    phone, module = initiator(), responder()
    assert phone.message_1() == value("message_1 (CBOR Sequence)")
    assert module.message_1(phone._message_1) == value("message_2 (CBOR Sequence)")
    phone.message_2(value("message_2 (CBOR Sequence)"), the_other)
    assert phone.message_3() == value("message_3 (CBOR Sequence)")
    assert module.message_3(value("message_3 (CBOR Sequence)"), the_other) == value("message_4 (CBOR Sequence)")
    phone.message_4(value("message_4 (CBOR Sequence)"))
    for party in (phone, module):
        assert party._prk_3e2m == value("PRK_3e2m (Raw Value)")
        assert party._prk_4e3m == value("PRK_4e3m (Raw Value)")
        assert party._prk_exporter == value("PRK_exporter (Raw Value)")
        assert party.export(0, b"", 16) == value("OSCORE Master Secret (Raw Value)")
        assert party.export(1, b"", 8) == value("OSCORE Master Salt (Raw Value)")


REASONS = {
    "Surplus array encoding of message": "fewer than four items",
    "Surplus bstr encoding of connection identifier": "short form",
    "Surplus array encoding of ciphersuite": "travels as an integer",
    "Text string encoding of ephemeral key": "ephemeral key is not a byte string",
    "Wrong number of CBOR sequence elements": "bytes follow",
    "Surplus map encoding of ID_CRED field": "short form",
    "Surplus bstr encoding of ID_CRED field": "short form",
    "Error in length of ephemeral key": "cipher suites offered",
    "Error in elliptic curve representation": "not a compressed point",
    "Error in elliptic curve point": "not a compressed point",
    "Curve point of low order": "cipher suites offered",
    "Error in length of MAC": "MAC does not fit",
    "Error in elliptic curve encoding": "not a byte string of 32 bytes",
    "Unnecessary long encoding": "shortest form",
    "Indefinite-length array encoding": "indefinite length",
}


def second_message(plaintext: bytes) -> bytes:
    """PLAINTEXT_2 of an invalid trace, encrypted under the keys of trace 2."""
    keystream = schedule.kdf(value("PRK_2e (Raw Value)"), 0, value("TH_2 (Raw Value)"), len(plaintext))
    return cbor.encode(value("G_Y (Raw Value)") + schedule.xor(plaintext, keystream))


def take(message: str, data: bytes) -> None:
    """Give `data` to whom it is meant for."""
    if message == "message_1":
        responder().message_1(data)
        return
    phone = initiator()
    phone.message_1()
    phone.message_2(data if message == "message_2" else second_message(data), the_other)


@pytest.mark.parametrize("trace", VECTORS["invalid"], ids=lambda trace: trace["what"])
@pytest.mark.req("SEC-1")
def test_an_invalid_message_is_refused_for_its_own_reason(trace: dict[str, str]) -> None:
    with pytest.raises(edhoc.EdhocError) as failed:
        take(trace["message"], bytes.fromhex(trace["hex"]))
    assert REASONS[trace["what"]] in failed.value.detail


def test_there_are_fifteen_invalid_messages() -> None:
    assert sorted(trace["what"] for trace in VECTORS["invalid"]) == sorted(REASONS)
    assert len(REASONS) == 15
