"""The CBOR profile of SPEC section 2."""

import tracemalloc

import pytest

from protocol import cbor
from protocol.errors import Code, ProtocolError

PAIRS: list[tuple[cbor.Value, str]] = [
    (None, "f6"),
    (False, "f4"),
    (True, "f5"),
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65535, "19ffff"),
    (65536, "1a00010000"),
    (2**32 - 1, "1affffffff"),
    (2**32, "1b0000000100000000"),
    (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"),
    (-70001, "3a00011170"),
    (-(2**64), "3bffffffffffffffff"),
    (b"", "40"),
    (b"\x01\x02", "420102"),
    (bytes(24), "5818" + "00" * 24),
    ("", "60"),
    ("ü", "62c3bc"),
    ([], "80"),
    ([1, [2]], "82018102"),
    ({}, "a0"),
    ({24: 1, -1: 2, "a": 3, b"\x01": 4}, "a418180120024101046161" + "03"),
]


@pytest.mark.parametrize(("value", "encoded"), PAIRS)
def test_each_value_has_one_encoding_and_comes_back_from_it(value: cbor.Value, encoded: str) -> None:
    assert cbor.encode(value).hex() == encoded
    found = cbor.decode(bytes.fromhex(encoded))
    assert found == value
    assert type(found) is type(value)


def test_map_keys_stand_in_the_order_of_their_encodings() -> None:
    assert cbor.encode({-1: 0, 100: 0, 2: 0}).hex() == "a302001864002000"
    assert cbor.encode([{1: {-1: 0, 100: 0}}]).hex() == "81a101a21864002000"


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1, [2**64], {1: 2**64}, {2**64: 1}])
def test_an_integer_beyond_64_bits_is_our_own_bug(value: cbor.Value) -> None:
    with pytest.raises(OverflowError):
        cbor.encode(value)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "ends inside"),
        ("18", "ends inside"),
        ("19ff", "ends inside"),
        ("42aa", "ends inside"),
        ("62aa", "ends inside"),
        ("8201", "ends inside"),
        ("a101", "ends inside"),
        ("a1", "ends inside"),
        ("0000", "bytes follow"),
        ("1817", "shortest"),
        ("1900ff", "shortest"),
        ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"),
        ("580101", "shortest"),
        ("1c", "not CBOR"),
        ("ff", "not CBOR"),
        ("61ff", "not CBOR"),
        ("f800", "not CBOR"),
        ("5f4100ff", "indefinite"),
        ("9fff", "indefinite"),
        ("bfff", "indefinite"),
        ("c000", "tags"),
        ("c24101", "tags"),
        ("d81840", "tags"),
        ("d823612a", "tags"),
        ("d9d9f700", "tags"),
        ("a1c1000000", "tags"),
        ("f7", "floats and other simple values"),
        ("f820", "floats and other simple values"),
        ("f90000", "floats and other simple values"),
        ("fb4045000000000000", "floats and other simple values"),
        ("a100f7", "floats and other simple values"),
        ("81f7", "floats and other simple values"),
        ("a201000100", "a key twice"),
        ("a2010001f5", "a key twice"),
        ("a202000100", "ascending"),
        ("81a202000100", "ascending"),
        ("a22000186400", "ascending"),
        ("a1f500", "not an integer"),
        ("a1f600", "not an integer"),
        ("a1f9000000", "not an integer"),
        ("a18000", "not an integer"),
        ("a1a000", "not an integer"),
        ("81" * 8 + "80", "nested too deeply"),
        ("a100" * 8 + "a0", "nested too deeply"),
    ],
)
@pytest.mark.req("SEC-1")
def test_everything_else_is_refused(encoded: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as refused:
        cbor.decode(bytes.fromhex(encoded))
    assert refused.value.code is Code.MALFORMED


def test_eight_containers_may_hold_each_other() -> None:
    assert cbor.decode(bytes.fromhex("81" * 7 + "80")) == [[[[[[[[]]]]]]]]


@pytest.mark.parametrize("head", ["5b", "7b", "9b", "bb"])
@pytest.mark.req("SEC-1")
def test_a_huge_announced_length_costs_nothing(head: str) -> None:
    for length in ("ffffffffffffffff", "7fffffffffffffff", "00000000ffffffff"):
        tracemalloc.start()
        with pytest.raises(ProtocolError):
            cbor.decode(bytes.fromhex(head + length))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


@pytest.mark.req("SEC-1")
def test_a_cycle_of_shared_values_is_never_built() -> None:
    with pytest.raises(ProtocolError, match="tags"):
        cbor.decode(bytes.fromhex("d81c81d81d00"))


def test_what_a_stranger_sent_is_not_in_the_reason() -> None:
    with pytest.raises(ProtocolError) as refused:
        cbor.decode(bytes.fromhex("a266736563726574006673656372657400"))
    assert "secret" not in refused.value.detail


def test_the_first_item_is_read_from_an_offset() -> None:
    assert cbor.decode_first(b"\xff\x18\x2a\xff", 1) == (42, 3)
    assert cbor.decode_first(b"\x01") == (1, 1)


def test_a_sequence_is_read_to_its_end() -> None:
    assert cbor.decode_sequence(b"") == []
    assert cbor.decode_sequence(b"\x01\x41\x02\x80") == [1, b"\x02", []]
    assert len(cbor.decode_sequence(b"\x00" * 16)) == 16


def test_a_sequence_is_bounded() -> None:
    with pytest.raises(ProtocolError, match="too many items"):
        cbor.decode_sequence(b"\x00" * 17)
