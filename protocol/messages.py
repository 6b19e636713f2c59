"""Requests, replies and pushes inside a session, and the public information (SPEC sections 3, 5 and 8).

Everything here is bytes <-> values. Whether a request is granted is decided in `firmware.core`.
"""

from typing import Final

from protocol import cbor
from protocol.bodies import (
    BODY_KINDS,
    access_from_map,
    access_to_map,
    bad,
    body_from_map,
    body_to_map,
    read_bytes,
    read_code,
    read_map,
    read_uint,
    refusal_from_map,
    refusal_to_map,
)
from protocol.errors import FIRST_WARNING, Code, ProtocolError, Refusal
from protocol.values import (
    COMMAND_ID_BYTES,
    COMMANDS,
    MAX_KEYS,
    MAX_NUMBERS,
    MAX_REQUEST_ID,
    MAX_TEXT_BYTES,
    PROTOCOL_VERSION,
    Accepted,
    Access,
    Body,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    MessageType,
    Nonce,
    Notice,
    NoticeKind,
    Operation,
    Outcome,
    Permission,
    Phase,
    Position,
    PublicInfo,
    Push,
    PushKind,
    Reply,
    Request,
    SelfTested,
    Status,
    VehicleState,
)

__all__ = [
    "COMMANDS",
    "COMMAND_ID_BYTES",
    "MAX_KEYS",
    "MAX_NUMBERS",
    "MAX_REQUEST_ID",
    "MAX_TEXT_BYTES",
    "PROTOCOL_VERSION",
    "Accepted",
    "Access",
    "Body",
    "Done",
    "Ended",
    "KeyEntry",
    "KeyList",
    "MessageType",
    "Nonce",
    "Notice",
    "NoticeKind",
    "Operation",
    "Outcome",
    "Permission",
    "Phase",
    "Position",
    "PublicInfo",
    "Push",
    "PushKind",
    "Reply",
    "Request",
    "SelfTested",
    "Status",
    "VehicleState",
    "decode_answer",
    "decode_error",
    "decode_public_info",
    "decode_request",
    "encode_error",
    "encode_public_info",
    "encode_push",
    "encode_reply",
    "encode_request",
    "readable_request_id",
]

_WITH_COMMAND_ID: Final = COMMANDS | {Operation.OUTCOME}


def _decode(data: bytes) -> cbor.Value:
    try:
        return cbor.decode(data)
    except ProtocolError as error:
        raise bad(error.detail) from None


# ---------------------------------------------------------------- requests
def encode_request(request: Request) -> bytes:
    """[id, operation] or [id, operation, argument] as deterministic CBOR."""
    head: list[cbor.Value] = [request.id, int(request.operation)]
    argument = request.command_id or request.body
    return cbor.encode([*head, argument] if argument else head)


def decode_request(data: bytes) -> Request:
    """The request in `data`. Raises ProtocolError MALFORMED, or UNKNOWN_OPERATION (with a readable id)."""
    value = _decode(data)
    if type(value) is not list or not 2 <= len(value) <= 3:
        raise bad("a request is an array of two or three items")
    request_id = read_uint(value[0], "request id", MAX_REQUEST_ID)
    if request_id == 0:
        raise bad("request id 0 is reserved for pushes")
    try:
        operation = Operation(read_uint(value[1], "operation"))
    except ValueError:
        raise ProtocolError(Code.UNKNOWN_OPERATION, f"operation {value[1]!r}") from None
    argument = read_bytes(value[2], "argument") if len(value) == 3 else b""
    if operation in _WITH_COMMAND_ID:
        return Request(request_id, operation, command_id=read_bytes(argument, "command id", COMMAND_ID_BYTES))
    if operation is Operation.PUT:
        if not argument:
            raise bad("PUT without an object")
        return Request(request_id, operation, body=argument)
    if len(value) == 3:
        raise bad(f"{operation.name} takes no argument")
    return Request(request_id, operation)


def readable_request_id(data: bytes) -> int:
    """The id of a request that `decode_request` refused, so that the refusal reaches its asker; 0 if unreadable."""
    try:
        value = cbor.decode(data)
    except ProtocolError:
        return 0
    if type(value) is list and value and type(value[0]) is int and 0 < value[0] <= MAX_REQUEST_ID:
        return value[0]
    return 0


def encode_error(refusal: Refusal) -> bytes:
    """Body of an unprotected ERROR message: [status, refusal map]."""
    return cbor.encode([int(refusal.code), refusal_to_map(refusal)])


def decode_error(data: bytes) -> Refusal:
    """The inverse of `encode_error`. Raises ProtocolError MALFORMED."""
    value = _decode(data)
    if type(value) is not list or len(value) != 2:
        raise bad("an error is an array of two items")
    return refusal_from_map(read_code(value[0]), value[1])


# ---------------------------------------------------------------- replies and pushes
_NOTICES: Final = frozenset(NoticeKind)


def encode_reply(reply: Reply) -> bytes:
    """[id, status, kind of body, body]; a refusal has kind 0."""
    kind = 0 if isinstance(reply.body, Refusal) else 1 + BODY_KINDS.index(type(reply.body))
    return cbor.encode([reply.id, int(reply.code), kind, body_to_map(reply.body)])


def encode_push(push: Push) -> bytes:
    """[0, kind, body]: three items, so it can not be mistaken for a reply."""
    if isinstance(push.body, Access):
        return cbor.encode([0, int(push.kind), access_to_map(push.body)])
    return cbor.encode([0, int(push.kind), {1: int(push.body.kind), 2: push.body.left_ms}])


def decode_answer(data: bytes) -> Reply | Push | None:
    """What came from the module inside a record. None: a push of a later version, to be ignored. Raises ProtocolError
    MALFORMED."""
    value = _decode(data)
    if type(value) is not list or not 3 <= len(value) <= 4:
        raise bad("an answer is an array of three or four items")
    if len(value) == 3:
        return _push(value)
    request_id = read_uint(value[0], "request id", MAX_REQUEST_ID)
    code = read_code(value[1])
    kind = read_uint(value[2], "kind of body", len(BODY_KINDS))
    if (kind == 0) != (Code.OK < code < FIRST_WARNING):
        raise bad("status and body disagree")
    body = refusal_from_map(code, value[3]) if kind == 0 else body_from_map(kind - 1, value[3])
    return Reply(request_id, code, body)


def _push(value: list[cbor.Value]) -> Push | None:
    read_uint(value[0], "the id of a push", 0)
    kind = read_uint(value[1], "kind of push")
    if kind == PushKind.ACCESS:
        return Push(PushKind.ACCESS, access_from_map(value[2]))
    if kind != PushKind.NOTICE:
        return None
    fields = read_map(value[2], "notice")
    what, left_ms = read_uint(fields.get(1), "notice"), read_uint(fields.get(2), "left")
    return Push(PushKind.NOTICE, Notice(NoticeKind(what), left_ms)) if what in _NOTICES else None


# ---------------------------------------------------------------- public information
def encode_public_info(info: PublicInfo) -> bytes:
    """{1: version, 2: longest message, 3: longest list, 4: suites, 5: methods}."""
    return cbor.encode(
        {
            1: info.version,
            2: info.max_message_bytes,
            3: info.max_list_bytes,
            4: list(info.suites),
            5: list(info.methods),
        }
    )


def decode_public_info(data: bytes) -> PublicInfo:
    """The inverse; unknown keys are ignored so that newer modules can say more."""
    fields = read_map(_decode(data), "public information")

    def numbers(key: int) -> tuple[int, ...]:
        values = fields.get(key)
        if type(values) is not list or len(values) > MAX_NUMBERS:
            raise bad("suites and methods are short arrays")
        return tuple(read_uint(value, "suite or method", 255) for value in values)

    return PublicInfo(
        read_uint(fields.get(1), "version", 255),
        read_uint(fields.get(2), "longest message", 0xFFFF),
        read_uint(fields.get(3), "longest list", 0xFFFF),
        numbers(4),
        numbers(5),
    )
