"""The handshake, both roles."""

from collections.abc import Callable

import pytest

from protocol import cbor, edhoc, schedule
from protocol.errors import Code, ProtocolError
from tests.support import credentials, handshakes
from tests.support.credentials import HANDSHAKE, HOLDER, STRANGER
from tests.support.handshakes import a_booking, initiator, responder, the_module


def failure(step: Callable[[], object]) -> edhoc.EdhocError:
    with pytest.raises(edhoc.EdhocError) as failed:
        step()
    return failed.value


def never(_label: int, _value: bytes) -> edhoc.Credential:
    raise AssertionError("the resolver must not be asked")


def test_both_sides_come_to_the_same_keys() -> None:
    phone, module, messages = handshakes.finished()
    assert phone.export(32768, b"context", 32) == module.export(32768, b"context", 32)
    assert phone.export(32768, b"context", 32) != phone.export(32769, b"context", 32)
    assert [len(message) for message in messages] == [37, 53, 317, 17]


@pytest.mark.parametrize("suite", [2, 3, 5])
@pytest.mark.parametrize("method", [0, 1, 2, 3])
def test_every_method_works_with_every_suite(method: int, suite: int) -> None:
    booking = edhoc.booking_credential(credentials.token(), HOLDER.public_key(), HOLDER)
    phone = edhoc.Initiator(booking, credentials.key("x"), method=method, suite=suite, suites_offered=(6, suite))
    module = edhoc.Responder(handshakes.MODULE, credentials.key("y"), methods=(method,), suites=(suite,))
    phone.message_2(module.message_1(phone.message_1()), the_module)
    phone.message_4(module.message_3(phone.message_3(), a_booking))
    assert phone.export(0, b"", 16) == module.export(0, b"", 16)


# ---------------------------------------------------------------- order of steps
def test_a_step_out_of_order_kills() -> None:
    phone, module = initiator(), responder()
    first = phone.message_1()
    assert failure(phone.message_1).code is Code.HANDSHAKE_FAILED
    assert "out of order" in failure(phone.message_3).detail
    assert "out of order" in failure(lambda: module.message_3(b"", never)).detail
    assert "out of order" in failure(lambda: module.message_1(first)).detail


def test_keys_are_given_out_only_at_the_end() -> None:
    phone, module = initiator(), responder()
    assert "not finished" in failure(lambda: module.export(0, b"", 16)).detail
    phone.message_2(module.message_1(phone.message_1()), the_module)
    third = phone.message_3()
    assert "not finished" in failure(lambda: phone.export(0, b"", 16)).detail
    fourth = module.message_3(third, a_booking)
    assert "not finished" in failure(lambda: phone.export(0, b"", 16)).detail
    phone.message_4(fourth)
    assert len(phone.export(0, b"", 16)) == 16


def test_an_own_credential_needs_its_private_key() -> None:
    public_only = edhoc.module_credential(HANDSHAKE.public_key())
    assert "private key" in failure(lambda: edhoc.Responder(public_only, HOLDER)).detail


# ---------------------------------------------------------------- message 1
G_X = cbor.encode(bytes.fromhex("8af6f430ebe18d34184017a9a11bf511c8dff8f834730b96c1b7c8dbca2fc3b6"))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bytes(1025), "more than 1024"),
        (b"\x01\x05" + G_X, "fewer than four"),
        (b"\x03\x05" + G_X + b"\x0e", "method"),
        (b"\x40\x05" + G_X + b"\x0e", "method"),
        (b"\x01\x02" + G_X + b"\x0e", "cipher suites"),
        (b"\x01\x40" + G_X + b"\x0e", "cipher suites"),
        (b"\x01\x81\x05" + G_X + b"\x0e", "travels as an integer"),
        (b"\x01\x82\x05\x02" + G_X + b"\x0e", "cipher suites"),
        (b"\x01\x82\x05\x05" + G_X + b"\x0e", "cipher suites"),
        (b"\x01\x82\x05\x40" + G_X + b"\x0e", "cipher suites"),
        (b"\x01\x05\x41\x00\x0e", "ephemeral key"),
        (b"\x01\x05\x58\x20" + b"\xff" * 32 + b"\x0e", "compressed point"),
        (b"\x01\x05" + G_X + b"\x41\x0e", "identifier"),
        (b"\x01\x05" + G_X + b"\x0e\x20", "critical"),
        (b"\x01\x05" + G_X + b"\x0e\x40", "label and value"),
        (b"\x01\x05" + G_X + b"\x0e\x00\x40\x40", "label and value"),
        (b"\x01\x05" + G_X + b"\x0e\x60", "label and value"),
        (b"\x01\x05" + G_X + b"\x0e\xff", "not CBOR"),
        (b"\x01\x05" + G_X + b"\x0e" + bytes(20), "too many items"),
    ],
)
@pytest.mark.req("SEC-1")
def test_another_message_1_is_refused(message: bytes, reason: str) -> None:
    failed = failure(lambda: responder().message_1(message))
    assert failed.code is Code.HANDSHAKE_FAILED
    assert reason in failed.detail


@pytest.mark.parametrize("tail", [b"", b"\x00", b"\x00\x40", b"\x00\x41\xe9\x05\x41\x01\x06"])
def test_padding_and_what_is_not_critical_is_ignored(tail: bytes) -> None:
    assert len(responder().message_1(b"\x01\x82\x06\x05" + G_X + b"\x0e" + tail)) == 53


# ---------------------------------------------------------------- message 2
def test_a_module_without_the_private_key_is_found_out() -> None:
    phone = initiator()
    fake = edhoc.Responder(edhoc.module_credential(HANDSHAKE.public_key(), STRANGER), credentials.key("y"))
    failed = failure(lambda: phone.message_2(fake.message_1(phone.message_1()), the_module))
    assert failed.code is Code.HANDSHAKE_FAILED
    assert "MAC" in failed.detail
    assert "out of order" in failure(phone.message_3).detail


def test_a_fake_module_learns_nothing_of_the_token() -> None:
    """The token is in message 3, and there is none without a genuine message 2."""
    _, _, messages = handshakes.finished()
    assert credentials.token()[20:60] not in b"".join(messages)
    other = initiator()
    failure(lambda: other.message_2(messages[1][:-1] + b"\x00", the_module))
    assert "out of order" in failure(other.message_3).detail


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bytes(1025), "more than 1024"),
        (b"\x01", "one byte string"),
        (b"\x41\x00\x00", "bytes follow"),
        (b"\x41\x00", "ephemeral key"),
        (b"\x58\x20" + b"\xff" * 32, "compressed point"),
        (G_X, "ends inside"),
    ],
)
def test_another_message_2_is_refused(message: bytes, reason: str) -> None:
    phone = initiator()
    phone.message_1()
    failed = failure(lambda: phone.message_2(message, never))
    assert failed.code is Code.HANDSHAKE_FAILED
    assert reason in failed.detail


def second_message(phone: edhoc.Initiator, plaintext: bytes) -> bytes:
    """A message_2 with `plaintext`, as any stranger can make one."""
    first = phone.message_1()
    ephemeral = credentials.key("y")
    g_y = ephemeral.public_key().public_numbers().x.to_bytes(32, "big")
    g_x = cbor.decode_sequence(first)[2]
    assert isinstance(g_x, bytes)
    th_2 = schedule.digest(cbor.encode(g_y), cbor.encode(schedule.digest(first)))
    secret = schedule.shared_secret(ephemeral, credentials.key("ephemeral, phone").public_key())
    keystream = schedule.kdf(schedule.extract(th_2, secret), 0, th_2, len(plaintext))
    return cbor.encode(g_y + schedule.xor(plaintext, keystream))


@pytest.mark.parametrize(
    ("plaintext", "reason"),
    [
        ("27", "ends inside"),
        ("270a", "ends inside"),
        ("270a01", "signature or MAC"),
        ("270a4100" + "20", "critical"),
        ("270a4100", "MAC does not fit"),
        ("41270a48" + "00" * 8, "identifier"),
    ],
)
def test_another_plaintext_2_is_refused(plaintext: str, reason: str) -> None:
    phone = initiator()
    message = second_message(phone, bytes.fromhex(plaintext))
    failed = failure(lambda: phone.message_2(message, the_module))
    assert failed.code is Code.HANDSHAKE_FAILED
    assert reason in failed.detail


# ---------------------------------------------------------------- message 3
def third_message(phone: edhoc.Initiator, module: edhoc.Responder) -> bytes:
    phone.message_2(module.message_1(phone.message_1()), the_module)
    return phone.message_3()


@pytest.mark.req("ACC-6")
def test_another_phone_with_a_stolen_token_is_found_out() -> None:
    thief, module = initiator(holder=STRANGER), responder()
    third = third_message(thief, module)
    assert failure(lambda: module.message_3(third, a_booking)).code is Code.HOLDER_KEY_MISMATCH
    assert "not finished" in failure(lambda: module.export(0, b"", 16)).detail


def test_a_wrong_mac_3_is_a_wrong_holder_too() -> None:
    public = HOLDER.public_key()
    thief = edhoc.Initiator(
        edhoc.booking_credential(credentials.token(), public, STRANGER), credentials.key("x"), method=3
    )
    module = edhoc.Responder(handshakes.MODULE, credentials.key("y"), methods=(3,))
    third = third_message(thief, module)
    assert failure(lambda: module.message_3(third, a_booking)).code is Code.HOLDER_KEY_MISMATCH


@pytest.mark.req("ACC-6")
@pytest.mark.parametrize(
    ("token", "code"),
    [
        (credentials.token(STRANGER), Code.UNKNOWN_ISSUER),
        (credentials.token(module_id=b"another!"), Code.WRONG_VEHICLE),
        (credentials.token(expires_s=1_790_007_200), Code.TOKEN_MALFORMED),
    ],
)
def test_the_refusal_of_a_token_keeps_its_code(token: bytes, code: Code) -> None:
    phone, module = initiator(token), responder()
    third = third_message(phone, module)
    assert failure(lambda: module.message_3(third, a_booking)).code is code


def test_a_holder_key_off_the_curve_is_refused_in_the_handshake() -> None:
    phone, module = initiator(credentials.token(holder=b"\x02" + b"\xff" * 32)), responder()
    third = third_message(phone, module)
    assert failure(lambda: module.message_3(third, a_booking)).code is Code.MALFORMED


@pytest.mark.parametrize("message", [b"\x01", b"\x40", b"\x50" + bytes(16), bytes(1025)])
def test_another_message_3_is_refused(message: bytes) -> None:
    phone, module = initiator(), responder()
    third_message(phone, module)
    assert failure(lambda: module.message_3(message, never)).code is Code.HANDSHAKE_FAILED


# ---------------------------------------------------------------- message 4, replay
def test_a_forged_message_4_is_refused() -> None:
    phone, module = initiator(), responder()
    third_message(phone, module)
    assert failure(lambda: phone.message_4(b"\x50" + bytes(16))).code is Code.HANDSHAKE_FAILED
    assert "out of order" in failure(lambda: phone.message_4(b"\x50" + bytes(16))).detail


@pytest.mark.req("SEC-2")
def test_a_recorded_handshake_cannot_be_replayed() -> None:
    _, _, (first, _, third, _) = handshakes.finished()
    module = edhoc.Responder(handshakes.MODULE, credentials.key("another ephemeral key"))
    module.message_1(first)
    assert failure(lambda: module.message_3(third, never)).code is Code.HANDSHAKE_FAILED


@pytest.mark.req("SEC-2")
def test_a_message_reflected_to_its_sender_is_refused() -> None:
    phone, module = initiator(), responder()
    first = phone.message_1()
    second = module.message_1(first)
    assert failure(lambda: phone.message_2(first, never)).code is Code.HANDSHAKE_FAILED
    assert failure(lambda: module.message_3(second, never)).code is Code.HANDSHAKE_FAILED


@pytest.mark.req("SEC-2")
def test_a_downgraded_list_of_suites_is_found_out() -> None:
    """Somebody in the middle takes suite 3 from the offer; both sides hash what they saw."""
    booking = edhoc.booking_credential(credentials.token(), HOLDER.public_key(), HOLDER)
    phone = edhoc.Initiator(booking, credentials.key("x"), suite=2, suites_offered=(6, 2))
    module = edhoc.Responder(handshakes.MODULE, credentials.key("y"), suites=(2,))
    downgraded = phone.message_1().replace(b"\x82\x06\x02", b"\x02")
    second = module.message_1(downgraded)
    with pytest.raises(ProtocolError):
        phone.message_2(second, the_module)
