"""The examples of the COSE working group.

They are not of our profile (tags, other headers, key ids elsewhere), so `protocol.cose` refuses the shape of all;
a lenient reader in this file shows that the signatures themselves are judged rightly.
"""

import base64
import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from protocol import cbor, cose
from protocol.errors import Code, ProtocolError
from protocol.keys import PublicKey

EXAMPLES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in Path(__file__).with_name("cose").glob("*.json")
}
SIGNED = sorted(name for name, example in EXAMPLES.items() if "sign0" in example["input"])
_SIGN1_TAG = 18


def coordinate(key: dict[str, str], name: str) -> int:
    if f"{name}_hex" in key:
        return int(key[f"{name}_hex"], 16)
    return int.from_bytes(base64.urlsafe_b64decode(key[name] + "=="), "big")


def public(example: dict[str, Any]) -> PublicKey:
    key = example["input"]["sign0"]["key"]
    return ec.EllipticCurvePublicNumbers(coordinate(key, "x"), coordinate(key, "y"), ec.SECP256R1()).public_key()


def to_be_signed(example: dict[str, Any]) -> tuple[bytes, bytes]:
    """Signature and what it covers. Raises ValueError for what is no ES256 COSE_Sign1."""
    item = cbor2.loads(bytes.fromhex(example["output"]["cbor"]))
    if isinstance(item, cbor2.CBORTag):
        if item.tag != _SIGN1_TAG:
            raise ValueError(f"tag {item.tag}")
        item = item.value
    protected, unprotected, payload, signature = item
    header = {**unprotected, **cbor2.loads(protected or b"\xa0")}
    if header.get(1) != -7:
        raise ValueError(f"algorithm {header.get(1)}")
    external = bytes.fromhex(example["input"]["sign0"].get("external", ""))
    covered = b"" if protected == b"\xa0" else protected
    return signature, cbor.encode(["Signature1", covered, external, payload])


@pytest.mark.parametrize("name", SIGNED)
def test_a_lenient_reader_agrees_with_the_example(name: str) -> None:
    example = EXAMPLES[name]
    try:
        signature, covered = to_be_signed(example)
        cose.ecdsa_verify(signature, covered, public(example))
        genuine = True
    except (ValueError, ProtocolError):
        genuine = False
    assert genuine is not example.get("fail", False)


def test_the_signed_web_token_of_rfc_8392_verifies() -> None:
    example = EXAMPLES["cwt-A_3"]
    signature, covered = to_be_signed(example)
    assert covered.hex().upper() == example["intermediates"]["ToBeSign_hex"]
    cose.ecdsa_verify(signature, covered, public(example))


def test_the_examples_are_all_there() -> None:
    assert len(EXAMPLES) == 13
    assert [name for name in SIGNED if EXAMPLES[name].get("fail")] == [
        f"sign-fail-0{number}" for number in (1, 2, 3, 4, 6, 7)
    ]
    assert sorted(set(EXAMPLES) - set(SIGNED)) == ["cwt-A_4", "cwt-A_7"]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_none_is_of_our_profile(name: str) -> None:
    data = bytes.fromhex(EXAMPLES[name]["output"]["cbor"])
    for container in (data, data[1:]):
        with pytest.raises(ProtocolError) as refused:
            cose.parse_sign1(container)
        assert refused.value.code is Code.TOKEN_MALFORMED
