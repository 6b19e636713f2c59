"""Bytes of the links <-> events and answers."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from firmware.core.events import (
    HandshakeBegun,
    HandshakeFailed,
    KeyPresented,
    LinkActive,
    OrderReceived,
    OrderUnreadable,
    RequestReceived,
    TokenPresented,
)
from firmware.gateway import CHECKS_AT_ONCE, HANDSHAKE_CHECKS, SHARE_CHECKS, Gateway, Heard
from protocol import cbor, credential, messages, selftest, sharing, tokens
from protocol.errors import Code, refuse
from protocol.keys import PrivateKey
from protocol.messages import Done, MessageType, Notice, NoticeKind, Operation, Push, PushKind, Reply, Request
from protocol.sharing import Key
from tests.support import credentials
from tests.support.credentials import (
    BOOKING,
    CODE,
    DEALER,
    GUEST,
    HANDSHAKE,
    ISSUER,
    ORDER,
    OWNER,
    PLAIN_SHARE,
    SERVICE,
    SHARED,
    SIGNER,
    STANDING,
    STRANGER,
    TRUST,
)
from tests.support.phone import Phone, chaos

LINK = 1
STATUS = Request(7, Operation.STATUS)
DONE = Reply(7, Code.OK, Done())

TOPIC: Final = "sharebox/0011223344556677/order"


def a_gateway(entropy: Callable[[int], bytes] | None = None) -> Gateway:
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, entropy or chaos())
    gateway.opened(LINK, 244)
    return gateway


def say(gateway: Gateway, fragments: list[bytes], now_ms: int = 0) -> Heard:
    """What came of the last fragment; the ones before it say nothing."""
    for fragment in fragments[:-1]:
        assert gateway.received(LINK, fragment, now_ms) == Heard()
    return gateway.received(LINK, fragments[-1], now_ms)


def shake(gateway: Gateway, phone: Phone) -> Heard:
    """A handshake up to what came of message 3."""
    assert say(gateway, phone.message_1()) == Heard([HandshakeBegun(LINK)])
    answer = gateway.continue_handshake(LINK)
    assert (answer.events, answer.hang_up) == ([], False)
    return say(gateway, phone.message_3(answer.fragments))


def session(gateway: Gateway) -> Phone:
    phone = Phone()
    phone.finish(shake(gateway, phone).fragments)
    return phone


@pytest.mark.req("BEN-4")
def test_entropy_that_was_overheard_makes_another_gateway_say_the_same() -> None:
    drawn: list[bytes] = []
    one = a_gateway()
    one.overhear(drawn.append)
    phone = Phone()
    first = phone.message_1()
    say(one, first)
    answer = one.continue_handshake(LINK)
    say(one, phone.message_3(answer.fragments))
    phone = session(one)
    asked = say(one, phone.request(STATUS))
    other = a_gateway(lambda count: drawn.pop(0)[:count])
    say(other, first)
    assert other.continue_handshake(LINK) == answer
    assert [len(each) for each in drawn] == [32, 16]
    assert asked.events


# ---------------------------------------------------------------- handshakes
@pytest.mark.req("ACC-1", "SEC-2")
def test_a_phone_with_a_booking_shakes_hands_and_asks() -> None:
    gateway, phone = a_gateway(), Phone()
    heard = shake(gateway, phone)
    assert heard.events == [TokenPresented(LINK, BOOKING)]
    phone.finish(heard.fragments)
    asked = say(gateway, phone.request(STATUS))
    (event,) = asked.events
    assert isinstance(event, RequestReceived)
    assert (event.link, event.request, event.signed, len(event.entropy)) == (LINK, STATUS, None, 16)
    assert phone.answer(gateway.answer(LINK, DONE)) == DONE
    notice = Push(PushKind.NOTICE, Notice(NoticeKind.OVERDUE, 5))
    assert phone.answer(gateway.answer(LINK, notice)) == notice


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("token", "code"),
    [
        (credentials.token(STRANGER), Code.UNKNOWN_ISSUER),
        (credentials.token(module_id=b"not ours"), Code.WRONG_VEHICLE),
        (credentials.token()[:-1] + bytes([credentials.token()[-1] ^ 1]), Code.SIGNATURE_INVALID),
        (tokens.mint_order(ORDER, ISSUER), Code.TOKEN_MALFORMED),
        (credentials.token(holder=b"\x02" + b"\xff" * 32), Code.TOKEN_MALFORMED),
    ],
)
def test_a_token_that_is_no_good_is_refused_by_its_reason(token: bytes, code: Code) -> None:
    gateway, phone = a_gateway(), Phone(token)
    heard = shake(gateway, phone)
    assert (heard.events, heard.hang_up) == ([HandshakeFailed(LINK)], False)
    assert phone.refusal(heard.fragments).code is code
    assert gateway.answer(LINK, DONE) == []


@pytest.mark.req("ACC-6", "SEC-2")
def test_a_stolen_token_is_worth_nothing_without_its_key() -> None:
    gateway, phone = a_gateway(), Phone(holder=STRANGER)
    heard = shake(gateway, phone)
    assert heard.events == [HandshakeFailed(LINK)]
    assert phone.refusal(heard.fragments).code is Code.HOLDER_KEY_MISMATCH


@pytest.mark.req("ACC-3")
def test_a_peer_that_shows_another_kind_of_credential_is_not_admitted() -> None:
    gateway, phone = a_gateway(), Phone()
    phone.own = credential.module_credential(STRANGER.public_key(), STRANGER)
    heard = shake(gateway, phone)
    assert heard.events == [HandshakeFailed(LINK)]
    assert phone.refusal(heard.fragments).code is Code.NOT_ADMITTED


# ---------------------------------------------------------------- keys
STANDING_TOKEN: Final = credentials.standing()


def an_owner(token: bytes = STANDING_TOKEN, holder: PrivateKey = OWNER) -> Phone:
    return Phone(own=credential.key_credential(token, holder.public_key(), holder))


def a_guest(share: bytes | None = None, parent: bytes = STANDING_TOKEN, holder: PrivateKey = GUEST) -> Phone:
    token = credentials.share() if share is None else share
    return Phone(own=credential.share_credential(parent, token, holder.public_key(), holder))


@pytest.mark.req("KEY-1", "OWN-1")
@pytest.mark.parametrize(
    ("phone", "key"),
    [
        (an_owner(), STANDING),
        (an_owner(sharing.mint_key(SERVICE, ISSUER), DEALER), SERVICE),
        (a_guest(sharing.mint_share(PLAIN_SHARE, STANDING_TOKEN, OWNER)), PLAIN_SHARE),
    ],
)
def test_a_phone_with_a_key_shakes_hands(phone: Phone, key: Key) -> None:
    gateway = a_gateway()
    heard = shake(gateway, phone)
    assert heard.events == [KeyPresented(LINK, key, parent=STANDING if key.parent else None)]
    phone.finish(heard.fragments)
    assert isinstance(say(gateway, phone.request(STATUS)).events[0], RequestReceived)


@pytest.mark.req("KEY-3", "KEY-4")
def test_of_an_activation_code_the_core_learns_only_the_print_that_the_menu_makes_too() -> None:
    gateway = a_gateway()
    (event,) = shake(gateway, a_guest()).events
    assert event == KeyPresented(LINK, SHARED, gateway.code_print(CODE), STANDING)
    assert CODE.encode() not in msgspec.msgpack.encode(event)


@pytest.mark.req("KEY-1", "ACC-6")
@pytest.mark.parametrize(
    ("phone", "code"),
    [
        (an_owner(credentials.standing(STRANGER)), Code.UNKNOWN_ISSUER),
        (an_owner(credentials.standing(module_id=b"not ours")), Code.WRONG_VEHICLE),
        (an_owner(credentials.token()), Code.TOKEN_MALFORMED),
        (an_owner(holder=STRANGER), Code.HOLDER_KEY_MISMATCH),
        (a_guest(holder=STRANGER), Code.HOLDER_KEY_MISMATCH),
        (a_guest(credentials.share(permissions=63)), Code.SHARE_INVALID),
        (a_guest(credentials.share(GUEST, credentials.share()), credentials.share()), Code.SHARE_INVALID),
        (a_guest(credentials.share(sealed_code=bytes(55))), Code.SHARE_INVALID),
        (a_guest(credentials.share(token_id=bytes(16))), Code.SHARE_INVALID),
        (a_guest(b"\x80", b"\x80"), Code.TOKEN_MALFORMED),
    ],
)
def test_a_key_that_is_no_good_is_refused_by_its_reason(phone: Phone, code: Code) -> None:
    gateway = a_gateway()
    heard = shake(gateway, phone)
    assert (heard.events, heard.hang_up) == ([HandshakeFailed(LINK)], False)
    refusal = phone.refusal(heard.fragments)
    assert refusal.code is code
    assert "key" in refusal.remedy
    assert "booking" not in refusal.remedy
    assert gateway.answer(LINK, DONE) == []


@pytest.mark.req("SEC-2")
def test_a_shared_key_costs_its_link_more_than_a_booking() -> None:
    """The main user's signature and the code besides: what comes next waits for them, and this handshake does not."""
    gateway = a_gateway()
    taken = 0
    while True:
        phone = a_guest()
        phone.sequence = 32 * (taken % 2)  # another than the one before ended with
        heard = say(gateway, phone.message_1())
        if not heard.events:
            break
        third = phone.message_3(gateway.continue_handshake(LINK).fragments)
        assert isinstance(say(gateway, third).events[0], KeyPresented)
        taken += 1
    assert taken == CHECKS_AT_ONCE // (HANDSHAKE_CHECKS + SHARE_CHECKS)
    assert phone.refusal(heard.fragments).code is Code.TOO_MANY_HANDSHAKES


@pytest.mark.req("OWN-1")
def test_a_report_of_a_self_test_is_signed_by_the_module() -> None:
    report = a_gateway().self_test(credentials.REPORT)
    assert selftest.verify(report, SIGNER.public_key()) == credentials.REPORT


def test_a_handshake_begins_anew_at_each_first_message() -> None:
    gateway, first, second = a_gateway(), Phone(), Phone(name="second")
    say(gateway, first.message_1())
    stale = gateway.continue_handshake(LINK)
    second.sequence = first.sequence
    say(gateway, second.message_1())
    late = say(gateway, first.message_3(stale.fragments))
    assert late.events == [HandshakeFailed(LINK)]
    second.sequence = first.sequence
    answer = gateway.continue_handshake(LINK)
    assert gateway.continue_handshake(LINK) == Heard()
    assert say(gateway, second.message_3(answer.fragments)).events == [TokenPresented(LINK, BOOKING)]


def test_the_old_session_lasts_until_a_new_handshake_on_the_same_link_is_done() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    again = Phone(name="again")
    again.sequence, again.reassembler = phone.sequence, phone.reassembler
    say(gateway, again.message_1())
    answer = gateway.continue_handshake(LINK)
    third = again.message_3(answer.fragments)
    assert phone.answer(gateway.answer(LINK, DONE)) == DONE
    again.finish(say(gateway, third).fragments)
    phone.sequence = again.sequence
    assert phone.refusal(say(gateway, phone.request(STATUS)).fragments).code is Code.SESSION_OVER
    again.sequence = phone.sequence
    assert isinstance(say(gateway, again.request(STATUS)).events[0], RequestReceived)


def test_the_core_may_refuse_a_handshake() -> None:
    gateway, phone = a_gateway(), Phone()
    say(gateway, phone.message_1())
    refusal = refuse(Code.TOO_MANY_HANDSHAKES, numbers=(("retry_in_ms", 5),))
    assert phone.refusal(gateway.refuse_handshake(LINK, refusal)) == refusal
    assert gateway.continue_handshake(LINK) == Heard()
    assert gateway.refuse_handshake(99, refusal) == []


@pytest.mark.req("SEC-2")
@pytest.mark.parametrize("garbage", [b"", b"\x01", b"\x01\x05\x58\x20" + b"\xff" * 32 + b"\x0e", b"\x00\x00\x00\x00"])
def test_a_first_message_that_is_garbage_is_a_failed_handshake(garbage: bytes) -> None:
    gateway, phone = a_gateway(), Phone()
    assert say(gateway, phone.fragments(MessageType.EDHOC, garbage)).events == [HandshakeBegun(LINK)]
    heard = gateway.continue_handshake(LINK)
    assert heard.events == [HandshakeFailed(LINK)]
    assert phone.refusal(heard.fragments).code is Code.HANDSHAKE_FAILED


@pytest.mark.req("SEC-2")
def test_a_last_message_without_a_first_one_is_a_failed_handshake() -> None:
    gateway, phone = a_gateway(), Phone()
    heard = say(gateway, phone.fragments(MessageType.EDHOC, b"\x58\x20" + bytes(32)))
    assert heard.events == [HandshakeFailed(LINK)]
    assert phone.refusal(heard.fragments).code is Code.HANDSHAKE_FAILED


@pytest.mark.req("SEC-2")
def test_a_last_message_can_not_be_tried_twice() -> None:
    gateway, phone = a_gateway(), Phone(holder=STRANGER)
    shake(gateway, phone)
    again = say(gateway, phone.fragments(MessageType.EDHOC, b"\x58\x20" + bytes(32)))
    assert again.events == [HandshakeFailed(LINK)]


def test_broken_entropy_stops_the_module_instead_of_making_a_weak_key() -> None:
    gateway, phone = a_gateway(lambda size: b"\xff" * size), Phone()
    say(gateway, phone.message_1())
    with pytest.raises(RuntimeError, match="the entropy source is broken"):
        gateway.continue_handshake(LINK)


def test_a_draw_that_is_no_key_is_drawn_again() -> None:
    draws = [b"\xff" * 32, bytes(32), b"k" * 32]
    gateway, phone = a_gateway(lambda _: draws.pop(0)), Phone()
    say(gateway, phone.message_1())
    assert gateway.continue_handshake(LINK).events == []
    assert draws == []


# ---------------------------------------------------------------- violations
@pytest.mark.req("BLE-1", "BLE-2")
def test_the_third_violation_is_the_last() -> None:
    gateway, phone = a_gateway(), Phone()
    heard = [gateway.received(LINK, bytes([0xC0, 0, 0, number]), 0) for number in range(3)]
    assert [each.hang_up for each in heard] == [False, False, True]
    assert [phone.refusal(each.fragments).code for each in heard] == [Code.FRAMING] * 3
    assert [each.events for each in heard] == [[], [], []]


@pytest.mark.req("BLE-1")
def test_a_message_that_is_too_long_is_refused_by_its_length() -> None:
    gateway, phone = a_gateway(), Phone()
    heard = gateway.received(LINK, b"\x80" + (1025).to_bytes(2, "big") + b"\x01", 0)
    assert phone.refusal(heard.fragments).code is Code.MESSAGE_TOO_LARGE


def test_an_unknown_type_of_message_is_a_violation_and_an_error_is_heard_in_silence() -> None:
    gateway, phone = a_gateway(), Phone()
    assert phone.refusal(say(gateway, phone.fragments(9, b"x")).fragments).code is Code.FRAMING
    assert say(gateway, phone.fragments(MessageType.ERROR, b"x")) == Heard()


@pytest.mark.req("ACC-3")
def test_a_record_without_a_session_is_a_violation() -> None:
    gateway, phone = a_gateway(), Phone()
    heard = say(gateway, phone.fragments(MessageType.RECORD, b"x"))
    assert heard.events == []
    assert phone.refusal(heard.fragments).code is Code.SESSION_OVER


@pytest.mark.req("SEC-2")
def test_a_replayed_or_altered_record_is_a_violation_and_changes_nothing() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    assert phone.channel is not None
    record = phone.channel.seal(messages.encode_request(STATUS))
    assert len(say(gateway, phone.fragments(MessageType.RECORD, record)).events) == 1
    altered = record[:-1] + bytes([record[-1] ^ 1])
    for bad in (record, altered, phone.channel.seal(b"")[:-1]):
        heard = say(gateway, phone.fragments(MessageType.RECORD, bad))
        assert heard.events == []
        assert phone.refusal(heard.fragments).code is Code.SESSION_OVER
    assert heard.hang_up
    assert isinstance(say(gateway, phone.request(STATUS)).events[0], RequestReceived)


def test_records_longer_than_a_handshake_are_taken_in_a_session_only() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    long = Request(8, Operation.PUT, body=bytes(3_000))
    heard = say(gateway, phone.request(long))
    assert heard.events == [LinkActive(LINK)]
    answer = phone.answer(heard.fragments)
    assert isinstance(answer, Reply)
    assert (answer.id, answer.code) == (8, Code.TOKEN_MALFORMED)


# ---------------------------------------------------------------- requests
def test_an_unknown_operation_is_answered_to_its_asker() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    heard = say(gateway, phone.record(cbor.encode([5, 99])))
    assert heard.events == [LinkActive(LINK)]
    assert phone.answer(heard.fragments) == Reply(5, Code.UNKNOWN_OPERATION, refuse(Code.UNKNOWN_OPERATION))


@pytest.mark.req("SEC-2")
def test_a_request_whose_number_can_not_be_read_gets_no_answer() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    assert say(gateway, phone.record(b"\xff")) == Heard([LinkActive(LINK)])


@pytest.mark.req("BKG-2")
def test_a_signed_order_is_verified_before_the_core_hears_of_it() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    put = Request(9, Operation.PUT, body=tokens.mint_order(ORDER, ISSUER))
    (event,) = say(gateway, phone.request(put)).events
    assert isinstance(event, RequestReceived)
    assert (event.request, event.signed) == (put, ORDER)


@pytest.mark.req("BKG-2", "SEC-2")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (tokens.mint_order(ORDER, STRANGER), Code.UNKNOWN_ISSUER),
        (tokens.mint_order(ORDER, ISSUER)[:-1] + b"\x00", Code.SIGNATURE_INVALID),
        (
            tokens.mint_order(msgspec.structs.replace(ORDER, module_id=b"not ours"), ISSUER),
            Code.WRONG_VEHICLE,
        ),
        (b"not signed at all", Code.TOKEN_MALFORMED),
    ],
)
def test_an_order_that_does_not_verify_is_refused_here(body: bytes, code: Code) -> None:
    gateway = a_gateway()
    phone = session(gateway)
    heard = say(gateway, phone.request(Request(9, Operation.PUT, body=body)))
    assert heard.events == [LinkActive(LINK)]
    assert phone.answer(heard.fragments) == Reply(9, code, refuse(code))


# ---------------------------------------------------------------- how much a link may cost
@pytest.mark.req("SEC-2")
def test_a_link_that_asks_for_too_many_handshakes_waits_and_costs_nothing() -> None:
    gateway, phone = a_gateway(), Phone()
    for _ in range(CHECKS_AT_ONCE // HANDSHAKE_CHECKS):
        assert say(gateway, phone.message_1(), 500).events == [HandshakeBegun(LINK)]
    heard = say(gateway, phone.message_1(), 600)
    assert (heard.events, heard.hang_up) == ([], False)
    refusal = phone.refusal(heard.fragments)
    assert (refusal.code, refusal.rule, refusal.numbers) == (
        Code.TOO_MANY_HANDSHAKES,
        "SEC-2",
        (("retry_in_ms", 1_900),),
    )
    assert refusal.remedy == "Try again in 2 s."
    assert say(gateway, phone.message_1(), 2_499).events == []
    assert say(gateway, phone.message_1(), 2_500).events == [HandshakeBegun(LINK)]


@pytest.mark.req("SEC-2")
def test_one_signature_a_second_is_checked_once_the_first_ones_are_used_up() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    put = Request(9, Operation.PUT, body=tokens.mint_order(ORDER, ISSUER))
    for _ in range(CHECKS_AT_ONCE - HANDSHAKE_CHECKS):
        assert isinstance(say(gateway, phone.request(put)).events[0], RequestReceived)
    heard = say(gateway, phone.request(put), 250)
    assert (heard.events, heard.hang_up) == ([LinkActive(LINK)], False)
    answer = phone.answer(heard.fragments)
    assert isinstance(answer, Reply)
    assert answer.id == 9
    assert answer.body == refuse(Code.BUSY, rule="SEC-2", numbers=(("retry_in_ms", 750),), remedy="Try again in 1 s.")
    assert isinstance(say(gateway, phone.request(STATUS), 260).events[0], RequestReceived)
    assert isinstance(say(gateway, phone.request(put), 1_000).events[0], RequestReceived)
    assert say(gateway, phone.request(put), 1_999).events == [LinkActive(LINK)]


@pytest.mark.req("SEC-2")
def test_what_one_link_costs_is_not_charged_to_another() -> None:
    gateway, phone = a_gateway(), Phone()
    while say(gateway, phone.message_1()).events:
        pass
    gateway.opened(2, 244)
    assert gateway.received(2, Phone().message_1()[0], 0).events == [HandshakeBegun(2)]


def test_the_secrets_of_a_session_are_told_to_a_key_log_only() -> None:
    lines: list[str] = []
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, chaos(), key_log=lines.append)
    gateway.opened(LINK, 244)
    phone = Phone()
    phone.finish(shake(gateway, phone).fragments)
    assert [line.split(" ")[0] for line in lines] == ["SHAREBOX_SESSION"]


# ---------------------------------------------------------------- links
@pytest.mark.req("BLE-1")
def test_the_smallest_mtu_carries_a_whole_session() -> None:
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, chaos())
    gateway.opened(LINK, 20)
    phone = Phone(payload=20)
    phone.finish(shake(gateway, phone).fragments)
    assert isinstance(say(gateway, phone.request(STATUS)).events[0], RequestReceived)
    answer = gateway.answer(LINK, DONE)
    assert all(len(fragment) <= 20 for fragment in answer)
    assert phone.answer(answer) == DONE


def test_a_negotiated_payload_is_used_from_then_on() -> None:
    gateway, phone = a_gateway(), Phone()
    gateway.payload_changed(LINK, 20)
    gateway.payload_changed(99, 20)
    say(gateway, phone.message_1())
    assert max(map(len, gateway.continue_handshake(LINK).fragments)) == 20


def test_a_link_that_is_gone_says_and_hears_nothing() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    gateway.closed(LINK)
    gateway.closed(LINK)
    assert gateway.received(LINK, phone.request(STATUS)[0], 0) == Heard()
    assert gateway.answer(LINK, DONE) == []
    assert gateway.continue_handshake(LINK) == Heard()


@pytest.mark.req("SEC-2")
def test_links_have_keys_of_their_own() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    gateway.opened(2, 244)
    heard = gateway.received(2, phone.request(STATUS)[0], 0)
    assert (heard.events, phone.refusal(heard.fragments).code) == ([], Code.SESSION_OVER)


def test_a_session_that_is_used_up_says_nothing_more() -> None:
    gateway = a_gateway()
    phone = session(gateway)
    session_of = gateway._sessions[LINK]
    assert session_of.channel is not None
    session_of.channel._sending.counter = 2**20 - 1
    assert len(phone.messages(gateway.answer(LINK, DONE))) == 1
    assert gateway.answer(LINK, DONE) == []


# ---------------------------------------------------------------- signatures
@pytest.mark.req("BKG-4")
def test_a_receipt_is_signed_with_the_modules_signing_key() -> None:
    signed = a_gateway().receipt(credentials.RECEIPT)
    assert tokens.verify_receipt(signed, SIGNER.public_key()) == credentials.RECEIPT


@pytest.mark.req("BKG-2", "ACC-5")
def test_what_comes_from_the_broker_is_a_fact_only_when_it_verifies() -> None:
    gateway = a_gateway()
    assert gateway.order(TOPIC, tokens.mint_order(ORDER, ISSUER), b"") == OrderReceived(ORDER)
    listed = credentials.REVOCATION_LIST
    assert gateway.order(TOPIC, tokens.mint_revocation_list(listed, ISSUER), b"x") == OrderReceived(listed, b"x")
    foreign = tokens.mint_order(ORDER, STRANGER)
    assert gateway.order(TOPIC, foreign, b"x") == OrderUnreadable(Code.UNKNOWN_ISSUER, b"x")
    assert gateway.order(TOPIC, b"", b"") == OrderUnreadable(Code.TOKEN_MALFORMED)


@pytest.mark.req("SVC-3", "SEC-1")
def test_what_goes_back_with_the_answer_has_64_bytes_at_most() -> None:
    gateway, order = a_gateway(), tokens.mint_order(ORDER, ISSUER)
    assert gateway.order(TOPIC, order, bytes(64)) == OrderReceived(ORDER, bytes(64))
    assert gateway.order(TOPIC, order, bytes(65)) == OrderUnreadable(Code.MALFORMED, b"")


@pytest.mark.req("SEC-2", "TEL-8")
@pytest.mark.parametrize(
    "topic",
    ["", "order", TOPIC + "/", TOPIC + "/result", "sharebox/0011223344556678/order", TOPIC.upper(), "sharebox/+/order"],
)
def test_what_the_broker_says_on_another_topic_was_not_asked_for(topic: str) -> None:
    order = tokens.mint_order(ORDER, ISSUER)
    assert a_gateway().order(topic, order, b"x") == OrderUnreadable(Code.MALFORMED, b"x")


@pytest.mark.req("CLK-2")
def test_a_time_attestation_makes_no_sense_on_the_order_topic() -> None:
    attested = tokens.mint_time_attestation(credentials.ATTESTATION, ISSUER)
    assert a_gateway().order(TOPIC, attested, b"") == OrderUnreadable(Code.ORDER_UNSUPPORTED)
