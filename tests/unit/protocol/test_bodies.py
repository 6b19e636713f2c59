"""Bodies of replies, as maps."""

from collections.abc import Callable

import pytest

from protocol import bodies, cbor
from protocol.errors import Code, ProtocolError, Refusal, refuse
from protocol.values import (
    Accepted,
    Access,
    Body,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Operation,
    Outcome,
    Phase,
    Position,
    SelfTested,
    Status,
    VehicleState,
)

REFUSAL = refuse(Code.BOOKING_CUT_OFF, numbers=(("overdue_ms", 1_864_000), ("parked_ms", 12_000)))
ACCESS = Access(True, Phase.OVERDUE, 15, 1_790_007_200_000, 1_790_009_000_000, 1_790_007_300_000)
REFUSAL_MAP: dict[cbor.Value, cbor.Value] = {
    1: "CUT-2",
    2: {"overdue_ms": 1_864_000, "parked_ms": 12_000},
    3: False,
    4: False,
    5: "Ask for a new booking.",
}
ACCESS_MAP: dict[cbor.Value, cbor.Value] = {
    1: True,
    2: 2,
    3: 15,
    4: 1_790_007_200_000,
    5: 1_790_009_000_000,
    6: 1_790_007_300_000,
}

ZOE = KeyEntry(2, bytes(16), "Zoë", 5, 1_790_600_000_000, activated=True)
ZOE_MAP: dict[cbor.Value, cbor.Value] = {
    1: 2,
    2: bytes(16),
    3: "Zoë",
    4: 5,
    5: 1_790_600_000_000,
    6: True,
    7: False,
}
REASON: list[cbor.Value] = [16, REFUSAL_MAP]

PAIRS: list[tuple[Body, dict[cbor.Value, cbor.Value]]] = [
    (Done(), {1: False}),
    (Done(already=True), {1: True}),
    (Ended(5), {1: 5}),
    (Ended(5, 301, 2000, b"receipt"), {1: 5, 2: 301, 3: 2000, 4: b"receipt"}),
    (Status(ACCESS), {1: ACCESS_MAP}),
    (
        Status(ACCESS, VehicleState(True, False, None, False, True, False, 55, 12_345_678, 299)),
        {1: ACCESS_MAP, 2: {1: True, 2: False, 4: False, 5: True, 6: False, 7: 55, 8: 12_345_678, 9: 299}},
    ),
    (Status(ACCESS, VehicleState(boot_open=True)), {1: ACCESS_MAP, 2: {3: True, 5: False, 6: False}}),
    (Nonce(bytes(16), bytes(8), 60_000), {1: bytes(16), 2: bytes(8), 3: 60_000}),
    (Position(481_371_540, -115_761_240, 900), {1: 481_371_540, 2: -115_761_240, 3: 900}),
    (Accepted(), {1: False}),
    (Outcome(Operation.LOCK, Code.VEHICLE_NO_RESPONSE, True), {1: 2, 2: 24, 3: True}),
    (KeyList(), {1: []}),
    (KeyList((ZOE,)), {1: [ZOE_MAP]}),
    (SelfTested(b"report"), {1: b"report"}),
]


@pytest.mark.parametrize(("body", "expected"), PAIRS)
def test_each_body_has_its_map_and_comes_back(body: Body, expected: dict[cbor.Value, cbor.Value]) -> None:
    assert bodies.body_to_map(body) == expected
    assert bodies.body_from_map(bodies.BODY_KINDS.index(type(body)), expected) == body


@pytest.mark.req("ACC-8")
def test_a_refusal_has_its_map_and_comes_back() -> None:
    assert bodies.body_to_map(REFUSAL) == bodies.refusal_to_map(REFUSAL) == REFUSAL_MAP
    assert bodies.refusal_from_map(Code.BOOKING_CUT_OFF, REFUSAL_MAP) == REFUSAL


@pytest.mark.req("ACC-10")
def test_an_access_state_carries_its_reason() -> None:
    denied = Access(False, Phase.CUT_OFF, refusal=REFUSAL)
    expected: dict[cbor.Value, cbor.Value] = {1: False, 2: 4, 3: 0, 4: 0, 5: 0, 6: 0, 7: REASON}
    assert bodies.access_to_map(denied) == expected
    assert bodies.access_from_map(expected) == denied


@pytest.mark.parametrize(
    "reading",
    [
        lambda: bodies.read_uint(-1, "x"),
        lambda: bodies.read_uint(True, "x"),
        lambda: bodies.read_uint(6, "x", 5),
        lambda: bodies.read_int(1.0, "x"),
        lambda: bodies.read_int(2**63 + 1, "x"),
        lambda: bodies.read_bytes("a", "x"),
        lambda: bodies.read_bytes(b"a", "x", 2),
        lambda: bodies.read_bool(1, "x"),
        lambda: bodies.read_text(b"a", "x"),
        lambda: bodies.read_text("a" * 201, "x"),
        lambda: bodies.read_map([], "x"),
        lambda: bodies.read_code(99),
        lambda: bodies.read_code(256),
        lambda: bodies.refusal_from_map(Code.BUSY, {**REFUSAL_MAP, 2: {str(n): n for n in range(17)}}),
        lambda: bodies.refusal_from_map(Code.BUSY, {**REFUSAL_MAP, 2: {1: 1}}),
        lambda: bodies.refusal_from_map(Code.BUSY, {}),
        lambda: bodies.access_from_map({**ACCESS_MAP, 2: 6}),
        lambda: bodies.access_from_map({**ACCESS_MAP, 7: 16}),
        lambda: bodies.access_from_map({**ACCESS_MAP, 7: [16]}),
        lambda: bodies.access_from_map({**ACCESS_MAP, 7: [99, 0]}),
        lambda: bodies.body_from_map(6, {1: 99, 2: 0, 3: False}),
        lambda: bodies.body_from_map(3, {1: bytes(15), 2: bytes(8), 3: 1}),
        lambda: bodies.body_from_map(0, 7),
        lambda: bodies.body_from_map(7, {1: ZOE_MAP}),
        lambda: bodies.body_from_map(7, {1: [ZOE_MAP] * 17}),
        lambda: bodies.body_from_map(7, {1: [{**ZOE_MAP, 2: bytes(15)}]}),
    ],
)
@pytest.mark.req("SEC-1")
def test_what_is_wrong_has_one_error(reading: Callable[[], object]) -> None:
    with pytest.raises(ProtocolError) as refused:
        reading()
    assert refused.value.code is Code.MALFORMED


def test_keys_of_a_later_version_are_ignored() -> None:
    assert bodies.body_from_map(0, {1: True, 9: "new"}) == Done(already=True)
    assert isinstance(bodies.refusal_from_map(Code.BUSY, {**REFUSAL_MAP, 6: "new"}), Refusal)
