"""CBOR: one encoding for each value, and the same judgement as a second reader."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor
from protocol.errors import ProtocolError
from tests.support import plain_cbor

KEYS = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30)
VALUES: st.SearchStrategy[cbor.Value] = st.recursive(
    st.none() | st.booleans() | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
HEADS = bytes.fromhex("00171819202338404158606178818298a0a1a2b8c0c1c2d81cd8dff4f5f6f7f8f9fb801c1f5f7f9fbfff01")


def judgement(data: bytes) -> tuple[cbor.Value, int] | None:
    try:
        return cbor.decode_first(data)
    except ProtocolError:
        return None


def second_judgement(data: bytes) -> tuple[cbor.Value, int] | None:
    try:
        return plain_cbor.read(data)
    except (ValueError, IndexError):
        return None


@given(VALUES)
def test_a_value_comes_back_and_a_second_reader_reads_the_same(value: cbor.Value) -> None:
    encoded = cbor.encode(value)
    assert plain_cbor.read(encoded, depth=100) == (value, len(encoded))
    assert judgement(encoded) == second_judgement(encoded)


@given(st.binary(max_size=60))
@settings(max_examples=500)
@pytest.mark.req("SEC-1")
def test_random_bytes_decode_to_what_encodes_to_them_or_are_refused(data: bytes) -> None:
    try:
        encoded = cbor.encode(cbor.decode(data))
    except ProtocolError:
        return
    assert encoded == data


@pytest.mark.req("SEC-1")
def test_fifty_thousand_strings_of_heads_are_judged_as_by_the_second_reader() -> None:
    chance = random.Random(8949)
    accepted = 0
    for _ in range(50_000):
        data = bytes(chance.choices(HEADS, k=chance.randrange(1, 16)))
        found = judgement(data)
        assert repr(found) == repr(second_judgement(data)), data.hex()
        accepted += found is not None
    assert accepted > 10_000


@given(VALUES, st.data())
@pytest.mark.req("SEC-1")
def test_a_changed_byte_gives_another_value_or_is_refused(value: cbor.Value, data: st.DataObject) -> None:
    encoded = bytearray(cbor.encode(value))
    index = data.draw(st.integers(0, len(encoded) - 1))
    encoded[index] ^= data.draw(st.integers(1, 255))
    try:
        found = cbor.decode(bytes(encoded))
    except ProtocolError:
        return
    assert cbor.encode(found) == encoded
