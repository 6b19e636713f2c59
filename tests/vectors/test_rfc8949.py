"""RFC 8949, appendix A: what is in the profile decodes, everything else is refused."""

import json
from pathlib import Path

import pytest

from protocol import cbor
from protocol.errors import ProtocolError

EXAMPLES: list[dict[str, str]] = json.loads(Path(__file__).with_name("rfc8949_appendix_a.json").read_text())

IN_PROFILE: dict[str, cbor.Value] = {
    "00": 0,
    "01": 1,
    "0a": 10,
    "17": 23,
    "1818": 24,
    "1819": 25,
    "1864": 100,
    "1903e8": 1000,
    "1a000f4240": 1000000,
    "1b000000e8d4a51000": 1000000000000,
    "1bffffffffffffffff": 18446744073709551615,
    "3bffffffffffffffff": -18446744073709551616,
    "20": -1,
    "29": -10,
    "3863": -100,
    "3903e7": -1000,
    "f4": False,
    "f5": True,
    "f6": None,
    "40": b"",
    "4401020304": b"\x01\x02\x03\x04",
    "60": "",
    "6161": "a",
    "6449455446": "IETF",
    "62225c": '"\\',
    "62c3bc": "\u00fc",
    "63e6b0b4": "\u6c34",
    "64f0908591": "\U00010151",
    "80": [],
    "83010203": [1, 2, 3],
    "8301820203820405": [1, [2, 3], [4, 5]],
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819": list(range(1, 26)),
    "a0": {},
    "a201020304": {1: 2, 3: 4},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "826161a161626163": ["a", {"b": "c"}],
    "a56161614161626142616361436164614461656145": {"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"},
}
OUTSIDE = [example for example in EXAMPLES if example["hex"] not in IN_PROFILE]


def test_all_examples_are_there() -> None:
    assert len(EXAMPLES) == 82
    assert set(IN_PROFILE) <= {example["hex"] for example in EXAMPLES}
    assert len(OUTSIDE) == 82 - len(IN_PROFILE) == 45


@pytest.mark.parametrize("encoded", IN_PROFILE)
def test_what_is_in_the_profile_decodes_and_encodes(encoded: str) -> None:
    value = cbor.decode(bytes.fromhex(encoded))
    assert value == IN_PROFILE[encoded]
    assert type(value) is type(IN_PROFILE[encoded])
    assert cbor.encode(value).hex() == encoded


@pytest.mark.parametrize("example", OUTSIDE, ids=lambda example: example["diagnostic"][:30])
def test_floats_tags_simple_values_and_indefinite_lengths_are_refused(example: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        cbor.decode(bytes.fromhex(example["hex"]))
