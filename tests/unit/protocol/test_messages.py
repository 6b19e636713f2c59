"""Requests, replies, pushes, errors and the public information, as bytes."""

import pytest

from protocol import cbor, messages
from protocol.errors import Code, ProtocolError, refuse
from protocol.values import (
    Accepted,
    Access,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Notice,
    NoticeKind,
    Operation,
    Outcome,
    Phase,
    Position,
    PublicInfo,
    Push,
    PushKind,
    Reply,
    Request,
    SelfTested,
    Status,
)

COMMAND = b"command!"


def refused_request(value: cbor.Value) -> Code:
    with pytest.raises(ProtocolError) as refused:
        messages.decode_request(cbor.encode(value))
    return refused.value.code


def refused_answer(value: cbor.Value) -> Code:
    with pytest.raises(ProtocolError) as refused:
        messages.decode_answer(cbor.encode(value))
    return refused.value.code


# ---------------------------------------------------------------- requests
@pytest.mark.parametrize(
    ("request_", "encoded"),
    [
        (Request(1, Operation.STATUS), "820106"),
        (Request(65535, Operation.GET_NONCE), "8219ffff09"),
        (Request(2, Operation.LOCATE), "82020b"),
        (Request(7, Operation.UNLOCK, command_id=COMMAND), "830701" + "48" + COMMAND.hex()),
        (Request(7, Operation.OUTCOME, command_id=COMMAND), "83070c48" + COMMAND.hex()),
        (Request(7, Operation.PUT, body=b"\x84\x00"), "8307074284" + "00"),
    ],
)
def test_a_request_has_its_bytes_and_comes_back(request_: Request, encoded: str) -> None:
    assert messages.encode_request(request_).hex() == encoded
    assert messages.decode_request(bytes.fromhex(encoded)) == request_
    assert messages.readable_request_id(bytes.fromhex(encoded)) == request_.id


@pytest.mark.parametrize(
    "value",
    [
        6,
        [1],
        [1, 6, b"", b""],
        [0, 6],
        [65536, 6],
        [True, 6],
        [1, "status"],
        [1, 6, b"x"],
        [1, 6, 7],
        [1, 1],
        [1, 1, b"short"],
        [1, 12],
        [1, 7],
        [1, 7, b""],
        [1, 7, "x"],
    ],
)
@pytest.mark.req("SEC-1")
def test_another_request_is_refused(value: cbor.Value) -> None:
    assert refused_request(value) is Code.MALFORMED


@pytest.mark.parametrize("operation", [0, 10, 15, 200])
def test_an_unknown_operation_is_told_apart_and_its_id_is_readable(operation: int) -> None:
    assert refused_request([9, operation]) is Code.UNKNOWN_OPERATION
    assert messages.readable_request_id(cbor.encode([9, operation])) == 9


@pytest.mark.parametrize("value", [6, [], [0, 1], [65536, 1], ["x", 1], [True]])
def test_an_id_that_cannot_be_read_is_nought(value: cbor.Value) -> None:
    assert messages.readable_request_id(cbor.encode(value)) == 0


def test_bytes_that_are_no_cbor_are_refused_everywhere() -> None:
    assert messages.readable_request_id(b"\xff") == 0
    for decode in (
        messages.decode_request,
        messages.decode_answer,
        messages.decode_error,
        messages.decode_public_info,
    ):
        with pytest.raises(ProtocolError) as refused:
            decode(b"\xff")
        assert refused.value.code is Code.MALFORMED


# ---------------------------------------------------------------- answers
@pytest.mark.parametrize(
    "reply",
    [
        Reply(1, Code.OK, Done()),
        Reply(1, Code.OVERDUE, Done(already=True)),
        Reply(2, Code.OUTSIDE_HOME_AREA, Ended(1_790_006_000_000, 301, 2_000, b"receipt")),
        Reply(3, Code.OK, Status(Access(True, Phase.ACTIVE, 15, 1, 2, 3))),
        Reply(4, Code.OK, Nonce(bytes(16), bytes(8), 60_000)),
        Reply(5, Code.OK, Position(-1, 1, 0)),
        Reply(6, Code.OK, Accepted(pending=True)),
        Reply(7, Code.OK, Outcome(Operation.UNLOCK, Code.OK)),
        Reply(7, Code.OK, KeyList((KeyEntry(1, bytes(16), "Zoë", 5, 1_790_600_000_000, activated=False),))),
        Reply(7, Code.OK, SelfTested(b"report")),
        Reply(8, Code.NOT_PARKED, refuse(Code.NOT_PARKED, numbers=(("parked_ms", 4_999),))),
    ],
)
def test_a_reply_comes_back(reply: Reply) -> None:
    assert messages.decode_answer(messages.encode_reply(reply)) == reply


def test_a_reply_has_its_bytes() -> None:
    assert messages.encode_reply(Reply(1, Code.OK, Done())).hex() == "84010001a101f4"
    assert messages.encode_reply(Reply(1, Code.OVERDUE, Done(already=True))).hex() == "8401188001a101f5"


@pytest.mark.parametrize(
    "push",
    [
        Push(PushKind.ACCESS, Access(False, Phase.CUT_OFF, refusal=refuse(Code.BOOKING_CUT_OFF))),
        Push(PushKind.NOTICE, Notice(NoticeKind.CUTOFF_SOON, 300_000)),
        Push(PushKind.NOTICE, Notice(NoticeKind.KEY_ACTIVATED)),
    ],
)
@pytest.mark.req("ACC-10", "CUT-7")
def test_a_push_comes_back(push: Push) -> None:
    data = messages.encode_push(push)
    assert messages.decode_answer(data) == push
    assert data[:2] == b"\x83\x00"


@pytest.mark.parametrize(
    "value",
    [
        7,
        [1, 0],
        [1, 0, 1, {1: True}, 5],
        [65536, 0, 1, {1: True}],
        [1, 99, 1, {1: True}],
        [1, 0, 0, {}],
        [1, 3, 1, {1: True}],
        [1, 3, 0, {}],
        [1, 1, {1: 1, 2: 0}],
        [0, 1, {}],
        [0, 2, []],
        [0, 2, {1: 9}],
        [0, "x", {}],
        [False, 2, {1: 1, 2: 0}],
        [1, 0, 10, {1: True}],
        [1, 0, 8, {1: [{}]}],
        [1, 0, 9, {1: "report"}],
    ],
)
@pytest.mark.req("SEC-1")
def test_another_answer_is_refused(value: cbor.Value) -> None:
    assert refused_answer(value) is Code.MALFORMED


@pytest.mark.parametrize("value", [[0, 3, {}], [0, 0, 7], [0, 2, {1: 9, 2: 0}], [0, 2, {1: 0, 2: 0}]])
def test_a_push_of_a_later_version_is_passed_over(value: cbor.Value) -> None:
    assert messages.decode_answer(cbor.encode(value)) is None


# ---------------------------------------------------------------- errors, public information
def test_an_error_comes_back() -> None:
    refusal = refuse(Code.TOO_MANY_HANDSHAKES, numbers=(("wait_ms", 60_000),))
    assert messages.decode_error(messages.encode_error(refusal)) == refusal


@pytest.mark.parametrize("value", [1, [1], [1, {}], [99, {}], [1, {}, 2]])
def test_another_error_is_refused(value: cbor.Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        messages.decode_error(cbor.encode(value))
    assert refused.value.code is Code.MALFORMED


@pytest.mark.req("ACC-3", "PRV-7")
def test_the_public_information_is_the_same_for_every_module() -> None:
    data = messages.encode_public_info(PublicInfo())
    assert cbor.decode(data) == {1: 1, 2: 1024, 3: 4096, 4: [5], 5: [1]}
    assert messages.decode_public_info(data) == PublicInfo()


def test_a_newer_module_may_say_more() -> None:
    data = cbor.encode({1: 2, 2: 2048, 3: 8192, 4: [5, 6], 5: [1, 3], 6: "new"})
    assert messages.decode_public_info(data) == PublicInfo(2, 2048, 8192, (5, 6), (1, 3))


@pytest.mark.parametrize(
    "changes",
    [{1: 256}, {2: -1}, {3: None}, {4: 5}, {4: list(range(17))}, {5: ["x"]}, {5: [256]}],
)
def test_other_public_information_is_refused(changes: dict[cbor.Value, cbor.Value]) -> None:
    with pytest.raises(ProtocolError) as refused:
        messages.decode_public_info(cbor.encode({1: 1, 2: 1024, 3: 4096, 4: [5], 5: [1], **changes}))
    assert refused.value.code is Code.MALFORMED
