"""CBOR: one encoding for each value, against a second implementation."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor
from protocol.errors import ProtocolError

KEYS = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=30)
VALUES: st.SearchStrategy[cbor.Value] = st.recursive(
    st.none() | st.booleans() | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def depth(value: cbor.Value) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(VALUES)
def test_a_value_comes_back_and_another_decoder_reads_the_same(value: cbor.Value) -> None:
    encoded = cbor.encode(value)
    assert cbor2.loads(encoded) == value
    if depth(value) <= cbor.MAX_DEPTH:
        assert cbor.decode(encoded) == value


@given(st.binary(max_size=60))
@settings(max_examples=500)
@pytest.mark.req("SEC-1")
def test_random_bytes_decode_to_what_encodes_to_them_or_are_refused(data: bytes) -> None:
    try:
        encoded = cbor.encode(cbor.decode(data))
    except ProtocolError:
        return
    assert encoded == data


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
