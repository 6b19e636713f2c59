"""Targets of the wire: fragments, handshakes in both roles, tokens, records, requests, answers, orders, telemetry."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Final

import msgspec

from firmware.core import module
from firmware.core.effects import Actuate, Say
from firmware.core.events import OrderReceived, OrderUnreadable, RequestReceived
from firmware.core.state import State
from firmware.gateway import Gateway
from host_tools.backend.reading import Raw, read
from host_tools.backend.sequence import MAX_MODULES, Sequence
from protocol import cbor, cose, edhoc, framing, keys, messages, telemetry, tokens
from protocol.edhoc import EdhocError, Initiator, Responder
from protocol.errors import Code, ProtocolError, refuse
from protocol.framing import FramingError, Reassembler
from protocol.messages import Operation, Request
from protocol.orders import Order
from protocol.schedule import extract, kdf, shared_secret, xor
from protocol.session import SecureChannel, SessionError
from protocol.telemetry import Channel
from protocol.tokens import Typ
from protocol.values import (
    Access,
    Done,
    Ended,
    KeyEntry,
    KeyList,
    Nonce,
    Notice,
    NoticeKind,
    Outcome,
    Phase,
    Position,
    PublicInfo,
    Push,
    PushKind,
    Reply,
    SelfTested,
    Status,
    VehicleState,
)
from tests.fuzz.target import Program, Target, clone, piece, refuses
from tests.support import core, credentials, handshakes
from tests.support.credentials import BOOKING, HANDSHAKE, ISSUER, MODULE_ID, SIGNER, TRUST
from tests.support.phone import chaos

STEPS_MS: Final = (0, 1, 200, 999, 1_001, 5_001, 60_001)
COMMAND: Final = b"commands"
SIGNED: Final[tuple[bytes, ...]] = (
    credentials.token(),
    tokens.mint_order(credentials.ORDER, ISSUER),
    tokens.mint_revocation_list(credentials.REVOCATION_LIST, ISSUER),
    tokens.mint_time_attestation(credentials.ATTESTATION, ISSUER),
    tokens.mint_receipt(credentials.RECEIPT, SIGNER),
)
FADING: Final = tokens.mint_revocation_list(credentials.FADING_LIST, ISSUER)
ALL_SIGNED: Final = (*SIGNED, *(tokens.mint_order(order, ISSUER) for order in credentials.ORDERS[1:]), FADING)
REQUESTS: Final = (
    *(Request(7, operation, command_id=COMMAND) for operation in (*messages.COMMANDS, Operation.OUTCOME)),
    *(
        Request(300, operation)
        for operation in (Operation.STATUS, Operation.GET_NONCE, Operation.LOCATE, Operation.KEYS, Operation.SELF_TEST)
    ),
    Request(65535, Operation.PUT, body=SIGNED[1]),
)
_ACCESS: Final = Access(True, Phase.ACTIVE, 15, 1_790_007_200_000, 1_790_009_000_000, 1_790_000_000_000)
ANSWERS: Final[tuple[Reply | Push, ...]] = (
    Reply(7, Code.OK, Done(already=True)),
    Reply(7, Code.OUTSIDE_HOME_AREA, Ended(1_790_000_000_000, 12, 3, SIGNED[4])),
    Reply(7, Code.OK, Status(_ACCESS, VehicleState(True, False, False, True, True, True, 55, 99_000, 12))),
    Reply(7, Code.OK, Nonce(bytes(16), MODULE_ID, 60_000)),
    Reply(7, Code.OK, Position(481_371_540, -115_761_240, 9)),
    Reply(7, Code.OK, messages.Accepted(pending=True)),
    Reply(7, Code.OK, Outcome(Operation.UNLOCK, Code.BUSY, may_have_succeeded=True)),
    Reply(7, Code.OK, KeyList((KeyEntry(1, bytes(16), "Zoë", 5, 1_790_600_000_000, activated=False),) * 3)),
    Reply(7, Code.OK, SelfTested(bytes(150))),
    Reply(7, Code.NOT_PARKED, refuse(Code.NOT_PARKED, numbers=(("parked_ms", 3),))),
    Push(PushKind.ACCESS, _ACCESS),
    Push(PushKind.NOTICE, Notice(NoticeKind.OVERDUE, 5)),
)


def plain(answer: Reply | Push) -> bytes:
    """An answer as a record carries it."""
    return messages.encode_reply(answer) if isinstance(answer, Reply) else messages.encode_push(answer)


# ---------------------------------------------------------------- fragments
def fragments(data: bytes) -> None:
    """Any fragments at any times: messages within the limit, bounded memory, and a good message gets through after."""
    program, assembler, now_ms = Program(data), Reassembler(), 0
    while program:
        now_ms += STEPS_MS[program.number(len(STEPS_MS))]
        before = assembler.violations
        try:
            message = assembler.receive(program.piece(), now_ms)
        except FramingError as error:
            assert error.code in (Code.FRAMING, Code.MESSAGE_TOO_LARGE)
            assert assembler.violations == before + 1
        else:
            assert assembler.violations == before
            assert message is None or 0 < len(message) <= assembler.max_bytes
        assert len(assembler._message) <= assembler.max_bytes + framing.MAX_FRAGMENT_BYTES
    tries = [framing.fragments(b"hello", 244, number) for number in (1, 2, 3)]
    heard: list[bytes | None] = []
    for (fragment,) in tries:
        refuses(FramingError, lambda fragment=fragment: heard.append(assembler.receive(fragment, now_ms)))  # type: ignore[misc]
    assert b"hello" in heard


def _fragment_seeds() -> list[bytes]:
    found = []
    for size, payload in ((5, 244), (100, 20), (1024, 244), (1024, 512), (2000, 244)):
        parts = framing.fragments(bytes(range(256)) * 8 if size == 2000 else bytes(size), payload, 60)
        found.append(b"".join(b"\x00" + piece(part) for part in parts[:8]))
    return found


# ---------------------------------------------------------------- handshakes
@cache
def _halfway() -> tuple[Initiator, Responder, Initiator, bytes, bytes, bytes]:
    """A phone before message 2, a module before message 3, the phone then, messages 1, 2 and 3."""
    phone, module_side = handshakes.initiator(), handshakes.responder()
    first = phone.message_1()
    second = module_side.message_1(first)
    before = clone(phone)
    phone.message_2(second, handshakes.the_module)
    later = clone(phone)
    return before, module_side, later, first, second, phone.message_3()


@cache
def _plaintexts() -> tuple[bytes, bytes]:
    """What messages 2 and 3 say inside."""
    _, module_side, _, _, second, third = _halfway()
    ciphertext = _string(second)[32:]
    opened = module_side._open(module_side._prk_3e2m, 3, module_side._th_3, third)
    return xor(ciphertext, kdf(_prk_2e(), 0, module_side._th_2, len(ciphertext))), opened


def _string(message: bytes) -> bytes:
    value = cbor.decode(message)
    assert isinstance(value, bytes)
    return value


@cache
def _prk_2e() -> bytes:
    """The key from which the stream over message 2 is made."""
    before, module_side, _, _, second, _ = _halfway()
    g_y = keys.public_from_bytes(b"\x02" + _string(second)[:32])
    return extract(module_side._th_2, shared_secret(before._ephemeral, g_y))


_point: Final = lru_cache(64)(keys.public_from_bytes)
_known: Final[dict[tuple[int, int], tuple[keys.PrivateKey, keys.PublicKey, bytes]]] = {}
"""By the identity of both keys, which are kept with what they agree on, so that no other keys take their identity."""


def _secret(private: keys.PrivateKey, public: keys.PublicKey) -> bytes:
    name = id(private), id(public)
    if name not in _known:
        if len(_known) == 64:
            _known.clear()
        _known[name] = private, public, shared_secret(private, public)
    return _known[name][2]


@contextmanager
def _agreed_once() -> Iterator[None]:
    """Most inputs leave the peer's point as it was: an agreement of the same keys is computed once. A changed point is
    unpacked and agreed with each time."""
    real = keys.public_from_bytes
    vars(edhoc)["shared_secret"], keys.public_from_bytes = _secret, _point
    try:
        yield
    finally:
        vars(edhoc)["shared_secret"], keys.public_from_bytes = shared_secret, real


@_agreed_once()
def edhoc_module(data: bytes) -> None:
    """Message 1 and message 3 of a stranger, and message 3 of one who encrypts any plaintext correctly."""
    _, module_side, later, *_ = _halfway()
    mode, body = data[:1], data[1:]
    if mode == b"\x00":
        party, call = handshakes.responder(), lambda: party.message_1(body)
    else:
        if mode != b"\x01":
            body = later._seal(later._prk_3e2m, 3, later._th_3, body)
        party = clone(module_side)
        call = lambda: party.message_3(body, handshakes.a_booking)  # noqa: E731
    if refuses(EdhocError, call):
        assert refuses(EdhocError, lambda: party.export(0, b"", 16))
        assert refuses(EdhocError, lambda: party.message_3(body, handshakes.a_booking))
    elif mode == b"\x01":
        assert body == _halfway()[5], "a forged message 3"
    elif mode != b"\x00":
        assert data[1:] == _plaintexts()[1], "a plaintext that nobody signed"


def _edhoc_module_seeds() -> list[bytes]:
    *_, first, _, third = _halfway()
    inside = _plaintexts()[1]
    suites = cbor.encode(1) + cbor.encode([2, 3, 5]) + first[2:]
    return [b"\x00" + first, b"\x00" + suites, b"\x00" + first + b"\x01\x41x", b"\x01" + third, b"\x02" + inside]


@cache
def _waiting() -> Initiator:
    """A phone before message 4."""
    later = clone(_halfway()[2])
    later.message_3()
    return later


@_agreed_once()
def edhoc_phone(data: bytes) -> None:
    """Messages 2 and 4 of a module that is none: flipped bits, and any plaintext under the right stream of keys."""
    before, module_side, _, _, second, _ = _halfway()
    mode, body = data[:1], data[1:]
    if mode == b"\x02":
        party = clone(_waiting())
        call: Callable[[], object] = lambda: party.message_4(body)  # noqa: E731
    else:
        if mode != b"\x00":
            stream = kdf(_prk_2e(), 0, module_side._th_2, len(body))
            body = cbor.encode(_string(second)[:32] + xor(body, stream))
        party = clone(before)
        call = lambda: party.message_2(body, handshakes.the_module)  # noqa: E731
    if refuses(EdhocError, call):
        assert refuses(EdhocError, lambda: party.export(0, b"", 16))
        assert refuses(EdhocError, party.message_3)
    elif mode == b"\x00":
        assert body == second, "a forged message 2"


def _edhoc_phone_seeds() -> list[bytes]:
    *_, second, _ = _halfway()
    fourth = handshakes.finished()[2][3]
    return [b"\x00" + second, b"\x01" + _plaintexts()[0], b"\x02" + fourth]


# ---------------------------------------------------------------- tokens, orders, lists
_TYPS: Final = (Typ.BOOKING, Typ.ORDER, Typ.REVOCATION_LIST, Typ.TIME_ATTESTATION)
_MINT: Final[dict[type, Callable[..., bytes]]] = {
    tokens.Booking: tokens.mint_booking,
    Order: tokens.mint_order,
    tokens.RevocationList: tokens.mint_revocation_list,
    tokens.TimeAttestation: tokens.mint_time_attestation,
    tokens.EndReceipt: tokens.mint_receipt,
}


def signed_things(data: bytes) -> None:
    """Containers that nobody signed are refused; of those that an issuer signed, only the one form of each is read."""
    mode, body = data[0] % 8 if data else 0, data[1:]
    try:
        value: object
        match mode:
            case 0:
                value = tokens.verify_booking(body, TRUST)
            case 1:
                value = tokens.verify_signed(body, TRUST)
            case 2:
                value = tokens.verify_receipt(body, SIGNER.public_key())
            case 3:
                value = tokens.verify_receipt(cose.sign1(body, SIGNER, Typ.END_RECEIPT), SIGNER.public_key())
            case 4:
                value = tokens.verify_booking(cose.sign1(body, ISSUER, Typ.BOOKING), TRUST)
            case _:
                value = tokens.verify_signed(cose.sign1(body, ISSUER, _TYPS[mode - 4]), TRUST)
    except ProtocolError as error:
        assert error.code in _TOKEN_CODES, error
        return
    if mode < 3:
        assert body in ALL_SIGNED, "a forged signature"
    else:
        again = _MINT[type(value)](value, SIGNER if mode == 3 else ISSUER)
        assert cose.parse_sign1(again, tokens.MAX_LIST_BYTES).payload == body, "a second encoding of the same claims"


_TOKEN_CODES: Final = {
    Code.TOKEN_MALFORMED,
    Code.UNKNOWN_ISSUER,
    Code.WRONG_VEHICLE,
    Code.SIGNATURE_INVALID,
    Code.ORDER_UNSUPPORTED,
}


def _signed_seeds() -> list[bytes]:
    modes = (0, 1, 1, 1, 2, *(1 for _ in ALL_SIGNED[5:]))
    raw = [bytes([mode]) + container for mode, container in zip(modes, ALL_SIGNED, strict=True)]
    payloads = [cose.parse_sign1(container).payload for container in ALL_SIGNED]
    claimed = (4, 5, 6, 7, 3, *(5 for _ in ALL_SIGNED[6:]), 6)
    # Signing is what costs here: one seed in three is enough.
    return raw * 2 + [bytes([mode]) + payload for mode, payload in zip(claimed, payloads, strict=True)]


# ---------------------------------------------------------------- records, requests, answers
@cache
def _channels() -> tuple[SecureChannel, tuple[bytes, ...], bytes]:
    """A module's channel that has taken two records, those two, and the next one."""
    phone, module_side, _ = handshakes.finished()
    ours = SecureChannel.from_exporter(module_side.export, module_side=True)
    theirs = SecureChannel.from_exporter(phone.export, module_side=False)
    used = (theirs.seal(b"one"), theirs.seal(b"two"))
    for record in used:
        ours.open(record)
    return ours, used, theirs.seal(messages.encode_request(REQUESTS[0]))


def twin(channel: SecureChannel) -> SecureChannel:
    """The same channel, to be used up."""
    return SecureChannel(clone(channel._sending), clone(channel._receiving))


def records(data: bytes) -> None:
    """No record is taken that was not sealed, none twice, and a refused one changes nothing."""
    template, _, honest = _channels()
    channel = twin(template)
    before = channel._receiving.counter
    if refuses(SessionError, lambda: channel.open(data)):
        assert channel._receiving.counter == before
        assert channel.open(honest)
    else:
        assert data == honest, "a forged record"


def _record_seeds() -> list[bytes]:
    _, used, honest = _channels()
    return [*used, honest]


@cache
def _admitted() -> State:
    return core.linked(core.running(), BOOKING)


def requests(data: bytes) -> None:
    """What cannot be read is refused; what can has one form, and the core answers whatever it asks."""
    try:
        request = messages.decode_request(data)
    except ProtocolError as error:
        assert error.code in (Code.MALFORMED, Code.UNKNOWN_OPERATION)
        assert 0 <= messages.readable_request_id(data) <= messages.MAX_REQUEST_ID
        return
    assert messages.encode_request(request) == data, "a second encoding of the same request"
    if request.operation is not Operation.PUT:
        state, effects = module.step(_admitted(), RequestReceived(1, request), core.NOW)
        assert effects
        assert len(state.durable.executed) <= 1


def answers(data: bytes) -> None:
    """What a phone reads: answers, errors and the public information of any module."""
    body = data[1:]
    try:
        match data[:1]:
            case b"\x00":
                error = messages.decode_error(body)
                assert messages.decode_error(messages.encode_error(error)) == error
            case b"\x01":
                info = messages.decode_public_info(body)
                assert messages.decode_public_info(messages.encode_public_info(info)) == info
            case _:
                answer = messages.decode_answer(body)
                assert answer is None or messages.decode_answer(plain(answer)) == answer
    except ProtocolError as error:
        assert error.code is Code.MALFORMED


def _answer_seeds() -> list[bytes]:
    info = PublicInfo(1, 1024, 4096, (5,), (1,))
    refusal = refuse(Code.NOT_PARKED, numbers=(("parked_ms", 3),))
    rest = [b"\x00" + messages.encode_error(refusal), b"\x01" + messages.encode_public_info(info)]
    return [*rest, *(b"\x02" + plain(answer) for answer in ANSWERS)]


# ---------------------------------------------------------------- MQTT
TOPIC: Final = telemetry.topic(MODULE_ID, Channel.ORDER)
_TOPICS: Final = (TOPIC, telemetry.topic(b"another!", Channel.ORDER), telemetry.topic(MODULE_ID, Channel.ORDER_RESULT))


@cache
def _gateway() -> Gateway:
    return Gateway(HANDSHAKE, SIGNER, TRUST, chaos())


def orders(data: bytes) -> None:
    """What the broker delivers becomes a fact: an order only if it was signed, came on this module's topic, and brings
    no more than may go back. What is none changes nothing that is kept, and asks for nothing but an answer."""
    topic, correlation, payload = _delivered(data)
    event = _gateway().order(topic, payload, correlation)
    before = _admitted()
    state, effects = module.step(before, event, core.NOW)
    if isinstance(event, OrderReceived):
        assert payload in ALL_SIGNED, "a forged order"
        assert (topic, event.correlation) == (TOPIC, correlation)
        assert len(correlation) <= 64
        assert state.durable.trip.booking == BOOKING
        assert not any(isinstance(effect, Actuate) for effect in effects), "moved during a booking"
        assert len(state.durable.orders) <= 64
    else:
        assert isinstance(event, OrderUnreadable)
        assert event.correlation == (correlation if len(correlation) <= 64 else b"")
        assert state.durable is before.durable
        assert [type(effect) for effect in effects] == [Say]


def _delivered(data: bytes) -> tuple[str, bytes, bytes]:
    """Which topic, how long the correlation data, these, the topic where it is none of ours, and the payload."""
    where, size = data[0] % 4 if data else 0, data[1] if len(data) > 1 else 0
    correlation, rest = data[2 : 2 + size], data[2 + size :]
    if where < 3:
        return _TOPICS[where], correlation, rest
    size = rest[0] if rest else 0
    return rest[1 : 1 + size].decode("latin-1"), correlation, rest[1 + size :]


def _order_seeds() -> list[bytes]:
    sent = [(b"ours", order) for order in ALL_SIGNED]
    sent += [(correlation, SIGNED[1]) for correlation in (b"", bytes(64), bytes(65))]
    found = [b"\x00" + bytes([len(correlation)]) + correlation + payload for correlation, payload in sent]
    foreign = [bytes([where, 0]) + SIGNED[1] for where in (1, 2)]
    return [*found, *foreign, bytes([3, 0, len(TOPIC)]) + TOPIC.encode() + SIGNED[1]]


_STAMP: Final = telemetry.Stamp(7, 1, "2026-10-30T10:00:00Z", "trusted", 1.5)
_REPORTS: Final = (
    (Channel.ONLINE, telemetry.Online(True, "2026-10-30T10:00:00Z")),
    (Channel.STATE, telemetry.StateReport(_STAMP, {"Vehicle.Speed": 1.5, "Vehicle.IsMoving": True})),
    (Channel.TRACK, telemetry.PositionReport(_STAMP, 48.1, 11.5, "2026-10-30T10:00:00Z", 0.5, False)),
    (Channel.POSITION, telemetry.PositionReport(_STAMP, 48.1, 11.5, "2026-10-30T10:00:00Z", 0.5, True)),
    (Channel.EVENT, telemetry.EventReport(_STAMP, telemetry.EventKind.BOOTED, "00", "driver", "", {"n_ms": 1})),
    (Channel.ALERT, telemetry.EventReport(_STAMP, telemetry.EventKind.LEFT_OPEN, "00", "driver")),
    (Channel.ORDER_RESULT, telemetry.OrderResult("00", 0, "OK")),
    (Channel.ORDER_RESULT, telemetry.OrderResult("00", 0, "OK", stamp=_STAMP)),
    (
        Channel.HEALTH,
        telemetry.Health("2026-10-30T10:00:00Z", 60, 1, 2, 3, telemetry.StoreCondition.READ_ONLY, "1.0"),
    ),
)
_sequence = Sequence()


def telemetry_reading(data: bytes) -> None:
    """Topic and payload of any message of a broker; the sequence follows whatever came."""
    program = Program(data)
    topic = program.piece().decode("utf-8", "replace")
    for received in read(Raw(topic, program.piece(), retained=False)):
        sent_as = Channel.BACKLOG if received.backlog else received.channel
        assert topic == telemetry.topic(received.module_id, sent_as)
        assert not received.error or received.value is None
        followed = _sequence.follow(received)
        assert followed.missing >= followed.explained >= 0
        assert not (followed.missing and followed.repeated)
        missing = _sequence.missing(received.module_id)
        assert missing >= _sequence.unexplained(received.module_id) >= 0
        assert len(_sequence) <= MAX_MODULES
        if received.value is not None:
            assert msgspec.json.decode(telemetry.encode(received.value), type=type(received.value)) == received.value


def _telemetry_seeds() -> list[bytes]:
    reports = [(channel, telemetry.encode(report)) for channel, report in _REPORTS]
    kept = [telemetry.Entry(*one) for one in reports if one[0] in telemetry.RECORD_CHANNELS]
    return [
        piece(telemetry.topic(MODULE_ID, channel).encode()) + piece(payload)
        for channel, payload in (*reports, (Channel.BACKLOG, telemetry.encode_backlog(kept)))
    ]


WIRE: Final = (
    Target("fragments", "BLE fragments", fragments, _fragment_seeds, most_bytes=3_000, one_in=16),
    Target("edhoc_module", "EDHOC messages to the module", edhoc_module, _edhoc_module_seeds),
    Target("edhoc_phone", "EDHOC messages to the phone", edhoc_phone, _edhoc_phone_seeds),
    Target("tokens", "tokens, orders, lists, receipts", signed_things, _signed_seeds, SIGNED, 4_200),
    Target("records", "records of a session", records, _record_seeds),
    Target("requests", "requests to the module", requests, lambda: [*map(messages.encode_request, REQUESTS)]),
    Target("answers", "answers, pushes, errors, public information", answers, _answer_seeds),
    Target("orders", "orders from the broker", orders, _order_seeds, ALL_SIGNED, 4_400),
    Target("telemetry", "telemetry at the backend", telemetry_reading, _telemetry_seeds, (b"null", b"[]", b"1e999")),
)
