"""Requests and answers from anybody: a value or one error."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor, messages
from protocol.errors import Code, ProtocolError

SMALL: st.SearchStrategy[cbor.Value] = (
    st.integers(-1, 300) | st.booleans() | st.none() | st.binary(max_size=17) | st.text(max_size=9)
)
BODY: st.SearchStrategy[cbor.Value] = st.recursive(
    SMALL,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 9) | st.text(max_size=3), inner, max_size=9)
    ),
    max_leaves=20,
)
ARRAYS: st.SearchStrategy[cbor.Value] = st.lists(SMALL | BODY, max_size=5)
DECODERS: list[Callable[[bytes], object]] = [
    messages.decode_request,
    messages.decode_answer,
    messages.decode_error,
    messages.decode_public_info,
]


def outcome(decode: Callable[[bytes], object], data: bytes) -> Code:
    """OK, or the code of the one error."""
    try:
        decode(data)
    except ProtocolError as error:
        return error.code
    return Code.OK


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=60) | ARRAYS.map(cbor.encode))
@settings(max_examples=400)
@pytest.mark.req("SEC-1")
def test_a_decoder_returns_a_value_or_raises_its_one_error(decode: Callable[[bytes], object], data: bytes) -> None:
    assert outcome(decode, data) in (Code.OK, Code.MALFORMED, Code.UNKNOWN_OPERATION)


@given(st.binary(max_size=60) | ARRAYS.map(cbor.encode))
@pytest.mark.req("SEC-1")
def test_an_id_is_always_in_range(data: bytes) -> None:
    assert 0 <= messages.readable_request_id(data) <= 0xFFFF


@given(
    st.integers(1, 65535), st.sampled_from(sorted(messages.Operation)), st.binary(min_size=8, max_size=8), st.binary()
)
def test_every_request_comes_back(number: int, operation: messages.Operation, command_id: bytes, body: bytes) -> None:
    if operation is messages.Operation.PUT:
        request = messages.Request(number, operation, body=body or b"x")
    elif operation in messages.COMMANDS or operation is messages.Operation.OUTCOME:
        request = messages.Request(number, operation, command_id=command_id)
    else:
        request = messages.Request(number, operation)
    assert messages.decode_request(messages.encode_request(request)) == request
