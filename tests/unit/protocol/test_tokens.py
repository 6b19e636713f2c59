"""Booking tokens, orders, lists, attestations and receipts."""

from collections.abc import Callable

import msgspec
import pytest

from protocol import cbor, cose, keys, tokens
from protocol.errors import Code, ProtocolError, Role
from tests.support import credentials
from tests.support.credentials import ATTESTATION, BOOKING, ISSUER, ORDER, RECEIPT, REVOCATION_LIST, SIGNER, TRUST


def refusal(reading: Callable[[], object]) -> Code:
    with pytest.raises(ProtocolError) as refused:
        reading()
    return refused.value.code


# ---------------------------------------------------------------- booking
def test_a_booking_token_has_230_bytes_and_says_what_was_booked() -> None:
    token = credentials.token()
    assert len(token) == 230
    assert tokens.verify_booking(token, TRUST) == BOOKING


@pytest.mark.parametrize(
    "changes",
    [
        {"role": Role.OWNER, "permissions": 0, "key_epoch": 0, "device_generation": 23},
        {"role": Role.GUEST, "permissions": 24, "key_epoch": 24, "device_generation": 255},
        {"permissions": 255, "key_epoch": 256, "delegation_depth": 1},
        {"permissions": 65535, "key_epoch": 65536, "device_generation": 2**32 - 1},
        {"not_before_s": 0, "ends_at_s": 1, "expires_s": 1801, "issued_s": 23},
        {"holder": b"\x02" + b"\n" * 32, "user": b"\n" * 8},
        {"holder": b"\x03" + b"\n" * 32, "token_id": b"\n" * 16},
    ],
)
def test_every_value_in_its_range_comes_back(changes: dict[str, object]) -> None:
    assert tokens.verify_booking(credentials.token(**changes), TRUST) == msgspec.structs.replace(BOOKING, **changes)


@pytest.mark.req("ACC-6")
def test_a_token_of_an_unknown_issuer_is_refused() -> None:
    token = credentials.token(credentials.STRANGER)
    assert refusal(lambda: tokens.verify_booking(token, TRUST)) is Code.UNKNOWN_ISSUER


@pytest.mark.req("ACC-6")
def test_a_token_for_another_vehicle_is_refused() -> None:
    token = credentials.token(module_id=b"another!")
    assert refusal(lambda: tokens.verify_booking(token, TRUST)) is Code.WRONG_VEHICLE


@pytest.mark.req("ACC-6")
def test_a_token_that_the_named_issuer_did_not_sign_is_refused() -> None:
    payload = cose.parse_sign1(credentials.token()).payload
    token = cose.sign1(payload, credentials.STRANGER, tokens.Typ.BOOKING, keys.key_id(ISSUER.public_key()))
    assert refusal(lambda: tokens.verify_booking(token, TRUST)) is Code.SIGNATURE_INVALID


def test_junk_is_rejected_before_cryptography() -> None:
    """Each of these has a wrong signature as well, and is refused for what is cheaper to see."""
    unsigned = credentials.token()[:-64] + bytes(64)
    elsewhere = credentials.token(module_id=b"another!")[:-64] + bytes(64)
    endless = credentials.token(expires_s=BOOKING.ends_at_s + 1)[:-64] + bytes(64)
    stranger = credentials.token(credentials.STRANGER)[:-64] + bytes(64)
    assert refusal(lambda: tokens.verify_booking(unsigned, TRUST)) is Code.SIGNATURE_INVALID
    assert refusal(lambda: tokens.verify_booking(elsewhere, TRUST)) is Code.WRONG_VEHICLE
    assert refusal(lambda: tokens.verify_booking(endless, TRUST)) is Code.TOKEN_MALFORMED
    assert refusal(lambda: tokens.verify_booking(stranger, TRUST)) is Code.UNKNOWN_ISSUER
    assert refusal(lambda: tokens.verify_booking(bytes(5000), TRUST)) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"not_before_s": BOOKING.ends_at_s},
        {"not_before_s": BOOKING.ends_at_s + 1},
        {"expires_s": BOOKING.ends_at_s + 1799},
        {"expires_s": BOOKING.ends_at_s + 1801},
        {"role": 4},
        {"permissions": 65536},
        {"key_epoch": 2**32},
        {"delegation_depth": 2},
        {"token_id": bytes(15)},
        {"module_id": bytes(9)},
        {"user": b""},
        {"holder": b"\x02" + bytes(31)},
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, object]) -> None:
    token = credentials.token(**changes)
    assert refusal(lambda: tokens.verify_booking(token, TRUST)) is Code.TOKEN_MALFORMED


def test_a_booking_is_no_order_and_an_order_is_no_booking() -> None:
    assert refusal(lambda: tokens.verify_signed(credentials.token(), TRUST)) is Code.TOKEN_MALFORMED
    order = tokens.mint_order(ORDER, ISSUER)
    assert refusal(lambda: tokens.verify_booking(order, TRUST)) is Code.TOKEN_MALFORMED


def test_the_pattern_reads_what_the_general_decoder_reads() -> None:
    claims = cbor.decode(cose.parse_sign1(credentials.token()).payload)
    holder = {1: {1: 2, -1: 1, -2: BOOKING.holder[1:], -3: BOOKING.holder[0] == 3}}
    ours = {
        1: BOOKING.module_id,
        2: BOOKING.booking_id,
        3: 2,
        4: 15,
        5: 3,
        6: 1_790_007_200,
        7: b"a driver",
        8: 0,
        10: 1,
    }
    assert claims == {
        4: 1_790_009_000,
        5: 1_790_000_000,
        6: 1_789_999_000,
        7: BOOKING.token_id,
        8: holder,
        -70001: ours,
    }


@pytest.mark.req("ACC-5")
def test_the_twin_of_a_token_has_the_same_identifier() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    token = credentials.token()
    twin = token[:-32] + (order - int.from_bytes(token[-32:], "big")).to_bytes(32, "big")
    assert twin != token
    assert tokens.verify_booking(twin, TRUST).token_id == BOOKING.token_id


# ---------------------------------------------------------------- orders, lists, time
def test_orders_lists_and_attestations_come_back() -> None:
    for order in credentials.ORDERS:
        assert tokens.verify_signed(tokens.mint_order(order, ISSUER), TRUST) == order
    assert tokens.verify_signed(tokens.mint_revocation_list(REVOCATION_LIST, ISSUER), TRUST) == REVOCATION_LIST
    assert tokens.verify_signed(tokens.mint_time_attestation(ATTESTATION, ISSUER), TRUST) == ATTESTATION


def test_a_list_of_4096_bytes_fits_and_anything_else_must_be_shorter() -> None:
    many = tuple((number.to_bytes(16, "big"), 1_790_009_000) for number in range(160))
    long = tokens.mint_revocation_list(msgspec.structs.replace(REVOCATION_LIST, revoked=many), ISSUER)
    assert 1024 < len(long) <= 4096
    found = tokens.verify_signed(long, TRUST)
    assert isinstance(found, tokens.RevocationList)
    assert found.revoked == many
    assert refusal(lambda: tokens.verify_signed(bytes(4097), TRUST)) is Code.TOKEN_MALFORMED
    order = cose.sign1(bytes(1000), ISSUER, tokens.Typ.ORDER)
    with pytest.raises(ProtocolError, match="more than 1024"):
        tokens.verify_signed(order, TRUST)


def test_what_another_signed_or_is_for_another_car_is_refused() -> None:
    stranger = tokens.mint_order(ORDER, credentials.STRANGER)
    assert refusal(lambda: tokens.verify_signed(stranger, TRUST)) is Code.UNKNOWN_ISSUER
    elsewhere = tokens.mint_order(msgspec.structs.replace(ORDER, module_id=b"another!"), ISSUER)
    assert refusal(lambda: tokens.verify_signed(elsewhere, TRUST)) is Code.WRONG_VEHICLE
    forged = tokens.mint_order(ORDER, ISSUER)[:-1] + b"\x00"
    assert refusal(lambda: tokens.verify_signed(forged, TRUST)) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("entry", [[bytes(16), 3, 5], [bytes(16), 0], [bytes(15), 0, 5], [bytes(16), 1, -1], 7])
@pytest.mark.req("SEC-1")
def test_an_entry_of_a_list_is_a_token_a_policy_and_an_end(entry: cbor.Value) -> None:
    assert refused_list(entry) is Code.TOKEN_MALFORMED


@pytest.mark.req("KEY-6")
def test_a_list_tells_shared_keys_that_go_on_for_a_while_from_what_is_dead_at_once() -> None:
    signed = tokens.mint_revocation_list(credentials.FADING_LIST, ISSUER)
    found = tokens.verify_signed(signed, TRUST)
    assert found == credentials.FADING_LIST
    assert isinstance(found, tokens.RevocationList)
    assert {policy for _, policy, _ in found.fading} == {1, 2}


@pytest.mark.req("KEY-6", "SEC-1")
def test_what_is_dead_at_once_comes_first_in_a_list() -> None:
    assert refused_list([bytes(16), 1, 5], [bytes(16), 0, 5]) is Code.TOKEN_MALFORMED


def refused_list(*entries: cbor.Value) -> Code:
    payload = cbor.encode({1: credentials.MODULE_ID, 2: 1, 3: 1, 4: 0, 5: list(entries)})
    signed = cose.sign1(payload, ISSUER, tokens.Typ.REVOCATION_LIST)
    return refusal(lambda: tokens.verify_signed(signed, TRUST))


def test_a_list_has_a_number_from_one_on() -> None:
    nought = tokens.mint_revocation_list(msgspec.structs.replace(REVOCATION_LIST, number=0), ISSUER)
    assert refusal(lambda: tokens.verify_signed(nought, TRUST)) is Code.TOKEN_MALFORMED


# ---------------------------------------------------------------- receipt
@pytest.mark.req("BKG-4")
def test_a_receipt_is_verified_with_the_module_s_key() -> None:
    receipt = tokens.mint_receipt(RECEIPT, SIGNER)
    assert tokens.verify_receipt(receipt, SIGNER.public_key()) == RECEIPT
    assert refusal(lambda: tokens.verify_receipt(receipt, ISSUER.public_key())) is Code.UNKNOWN_ISSUER
    assert refusal(lambda: tokens.verify_receipt(credentials.token(), ISSUER.public_key())) is Code.TOKEN_MALFORMED
    forged = receipt[:-1] + bytes((receipt[-1] ^ 1,))
    assert refusal(lambda: tokens.verify_receipt(forged, SIGNER.public_key())) is Code.SIGNATURE_INVALID


def test_trust_files_each_issuer_under_its_key_id() -> None:
    one, other = ISSUER.public_key(), credentials.STRANGER.public_key()
    trust = tokens.trust_of(credentials.MODULE_ID, (one, other))
    assert trust.issuers == {keys.key_id(one): one, keys.key_id(other): other}
    assert tokens.verify_booking(credentials.token(credentials.STRANGER), trust).token_id == BOOKING.token_id


# ---------------------------------------------------------------- genuine signatures under what is none of it
@pytest.mark.req("SEC-2")
def test_claims_signed_as_something_else_are_not_what_they_look_like() -> None:
    booking = cose.parse_sign1(credentials.token()).payload
    token = cose.sign1(booking, ISSUER, tokens.Typ.ORDER)
    assert refusal(lambda: tokens.verify_booking(token, TRUST)) is Code.TOKEN_MALFORMED
    receipt = cose.parse_sign1(tokens.mint_receipt(RECEIPT, SIGNER)).payload
    forged = cose.sign1(receipt, SIGNER, tokens.Typ.BOOKING)
    assert refusal(lambda: tokens.verify_receipt(forged, SIGNER.public_key())) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("field", "most"), [("number", 2**32 - 1), ("issued_s", 2**32 - 1), ("min_key_epoch", 2**32 - 1)]
)
def test_the_numbers_of_a_list_have_32_bits(field: str, most: int) -> None:
    full = msgspec.structs.replace(REVOCATION_LIST, **{field: most})
    assert tokens.verify_signed(tokens.mint_revocation_list(full, ISSUER), TRUST) == full
    over = tokens.mint_revocation_list(msgspec.structs.replace(full, **{field: most + 1}), ISSUER)
    assert refusal(lambda: tokens.verify_signed(over, TRUST)) is Code.TOKEN_MALFORMED


def test_the_first_list_has_the_number_one_and_the_first_epoch_is_nought() -> None:
    first = msgspec.structs.replace(REVOCATION_LIST, number=1, min_key_epoch=0)
    assert tokens.verify_signed(tokens.mint_revocation_list(first, ISSUER), TRUST) == first


def test_what_is_no_list_may_be_as_long_as_a_token_and_not_longer() -> None:
    around = len(cose.sign1(bytes(500), credentials.STRANGER, tokens.Typ.ORDER)) - 500
    full = cose.sign1(bytes(cose.MAX_BYTES - around), credentials.STRANGER, tokens.Typ.ORDER)
    assert len(full) == cose.MAX_BYTES
    assert refusal(lambda: tokens.verify_signed(full, TRUST)) is Code.UNKNOWN_ISSUER
    over = cose.sign1(bytes(cose.MAX_BYTES - around + 1), credentials.STRANGER, tokens.Typ.ORDER)
    assert refusal(lambda: tokens.verify_signed(over, TRUST)) is Code.TOKEN_MALFORMED


# ---------------------------------------------------------------- for whom
def test_orders_and_lists_say_for_which_module_they_are_whoever_signed_them() -> None:
    other = msgspec.structs.replace(ORDER, module_id=b"another!")
    assert tokens.addressee(tokens.mint_order(other, credentials.STRANGER)) == b"another!"
    listed = msgspec.structs.replace(REVOCATION_LIST, module_id=b"another!")
    assert tokens.addressee(tokens.mint_revocation_list(listed, credentials.STRANGER)) == b"another!"
    many = tuple((number.to_bytes(16, "big"), 1_790_009_000) for number in range(160))
    long = tokens.mint_revocation_list(msgspec.structs.replace(REVOCATION_LIST, revoked=many), ISSUER)
    assert tokens.addressee(long) == credentials.MODULE_ID
    unsupported = tokens.mint_order(msgspec.structs.replace(ORDER, kind=99), ISSUER)
    assert refusal(lambda: tokens.addressee(unsupported)) is Code.ORDER_UNSUPPORTED
    for none in (credentials.token(), tokens.mint_time_attestation(ATTESTATION, ISSUER), b"", bytes(4097)):
        assert refusal(lambda none=none: tokens.addressee(none)) is Code.TOKEN_MALFORMED  # type: ignore[misc]
