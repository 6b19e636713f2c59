"""The key schedule, against the values of RFC 9529 section 3 (trace 2)."""

import json
from pathlib import Path

import pytest

from protocol import keys, schedule

TRACE = json.loads(Path("tests/vectors/rfc9529.json").read_text())["trace2_second_exchange"]


def value(name: str, kind: str = "(Raw Value)") -> bytes:
    return bytes.fromhex(TRACE[f"{name} {kind}"])


def test_the_shared_secret_is_the_x_coordinate() -> None:
    private = keys.private_from_bytes(value("X"))
    public = keys.public_from_bytes(b"\x02" + value("G_Y"))
    assert schedule.shared_secret(private, public) == value("G_XY", "(Raw Value) (ECDH shared secret)")


def test_extract_and_hash() -> None:
    assert schedule.digest(bytes.fromhex("58"), b" ", value("G_Y")) != schedule.digest(value("G_Y"))
    assert schedule.digest(value("Input to calculate TH_2", "(CBOR Sequence)")) == value("TH_2")
    secret = value("G_XY", "(Raw Value) (ECDH shared secret)")
    assert schedule.extract(value("TH_2"), secret) == value("PRK_2e")


@pytest.mark.parametrize(
    ("prk", "label", "context", "length", "expected"),
    [
        ("PRK_2e", 1, "TH_2", 32, "SALT_3e2m"),
        ("PRK_3e2m", 3, "TH_3", 16, "K_3"),
        ("PRK_3e2m", 4, "TH_3", 13, "IV_3"),
        ("PRK_3e2m", 5, "TH_3", 32, "SALT_4e3m"),
        ("PRK_4e3m", 7, "TH_4", 32, "PRK_out"),
    ],
)
def test_kdf(prk: str, label: int, context: str, length: int, expected: str) -> None:
    assert schedule.kdf(value(prk), label, value(context), length) == value(expected)


def test_message_2_is_hidden_under_a_keystream() -> None:
    plaintext = value("PLAINTEXT_2", "(CBOR Sequence)")
    keystream = schedule.kdf(value("PRK_2e"), 0, value("TH_2"), len(plaintext))
    assert schedule.xor(plaintext, keystream) == value("CIPHERTEXT_2")


@pytest.mark.parametrize(("suite", "tag_bytes"), [(2, 8), (3, 16), (5, 16)])
def test_each_suite_has_its_cipher(suite: int, tag_bytes: int) -> None:
    parameters = schedule.SUITES[suite]
    aead = parameters.aead(bytes(parameters.key_bytes))
    sealed = aead.encrypt(bytes(parameters.iv_bytes), b"text", None)
    assert len(sealed) == 4 + tag_bytes == 4 + parameters.mac_bytes
    assert aead.decrypt(bytes(parameters.iv_bytes), sealed, None) == b"text"
