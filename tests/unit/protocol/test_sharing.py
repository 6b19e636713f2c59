"""Standing keys, and what their holders share of them."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from protocol import cbor, cose, keys, sharing, tokens
from protocol.errors import Code, ProtocolError, Role
from protocol.sharing import Activation, Deletion, Hours, Key
from protocol.tokens import Typ
from tests.support import credentials
from tests.support.credentials import GUEST, ISSUER, OWNER, PLAIN_SHARE, SERVICE, SHARED, STANDING, STRANGER, TRUST

TOKEN = credentials.standing()
SHARE = credentials.share()


def refused(call: Callable[[], object]) -> Code:
    with pytest.raises(ProtocolError) as raised:
        call()
    return raised.value.code


def chain(parent: bytes = TOKEN, share: bytes = SHARE) -> Code:
    return refused(lambda: sharing.verify_share(parent, share, TRUST))


@pytest.mark.req("KEY-2", "KEY-6")
def test_the_numbers_on_the_wire_never_change() -> None:
    assert {policy.name: int(policy) for policy in Activation} == {"NONE": 0, "VEHICLE_CODE": 1}
    assert {policy.name: int(policy) for policy in Deletion} == {
        "IMMEDIATE": 0,
        "UNTIL_KEY_CYCLE": 1,
        "AFTER_LAST_DRIVE_OR_48H": 2,
    }
    assert (sharing.MOST_NAME_BYTES, sharing.USER_BYTES, sharing.DAY_MIN) == (32, 8, 1440)


# ---------------------------------------------------------------- standing keys
@pytest.mark.req("KEY-1")
@pytest.mark.parametrize("key", [STANDING, SERVICE])
def test_a_standing_key_comes_back_as_it_was_signed(key: Key) -> None:
    token = sharing.mint_key(key, ISSUER)
    assert sharing.verify_key(token, TRUST) == key
    assert sharing.read_key(token) == key


@pytest.mark.req("KEY-1")
def test_the_largest_and_the_smallest_numbers_come_back() -> None:
    largest = msgspec.structs.replace(
        STANDING,
        expires_s=2**32 - 1,
        issued_s=2**32 - 1,
        permissions=0xFFFF,
        key_epoch=2**32 - 1,
        device_generation=2**32 - 1,
    )
    smallest = msgspec.structs.replace(
        STANDING, not_before_s=0, expires_s=1, issued_s=0, permissions=0, key_epoch=0, device_generation=0
    )
    for key in (largest, smallest):
        assert sharing.verify_key(sharing.mint_key(key, ISSUER), TRUST) == key


@pytest.mark.req("KEY-1", "ACC-6")
@pytest.mark.parametrize(
    ("token", "code"),
    [
        (credentials.standing(STRANGER), Code.UNKNOWN_ISSUER),
        (credentials.standing(module_id=b"not ours"), Code.WRONG_VEHICLE),
        (TOKEN[:-1] + bytes([TOKEN[-1] ^ 1]), Code.SIGNATURE_INVALID),
        (credentials.token(), Code.TOKEN_MALFORMED),
        (SHARE, Code.TOKEN_MALFORMED),
        (credentials.standing(role=Role.DRIVER), Code.TOKEN_MALFORMED),
        (credentials.standing(role=Role.GUEST), Code.TOKEN_MALFORMED),
        (credentials.standing(role=5), Code.TOKEN_MALFORMED),
        (credentials.standing(permissions=0x10000), Code.TOKEN_MALFORMED),
        (credentials.standing(user=b"short"), Code.TOKEN_MALFORMED),
        (credentials.standing(expires_s=STANDING.not_before_s), Code.TOKEN_MALFORMED),
        (credentials.standing(holder=b"\x02" + b"\xff" * 32), Code.TOKEN_MALFORMED),
        (credentials.standing(device_generation=2**32), Code.TOKEN_MALFORMED),
        (credentials.standing(key_epoch=2**32), Code.TOKEN_MALFORMED),
        (credentials.standing(issued_s=2**32), Code.TOKEN_MALFORMED),
        (credentials.standing(issued_s=-1), Code.TOKEN_MALFORMED),
        (credentials.standing(expires_s=2**32), Code.TOKEN_MALFORMED),
        (b"", Code.TOKEN_MALFORMED),
    ],
)
def test_a_standing_key_that_is_no_good_is_refused_by_its_reason(token: bytes, code: Code) -> None:
    assert refused(lambda: sharing.verify_key(token, TRUST)) is code


def test_a_phone_reads_its_own_key_whoever_signed_it() -> None:
    assert sharing.read_key(credentials.standing(STRANGER)).token_id == STANDING.token_id
    assert refused(lambda: sharing.read_key(credentials.token())) is Code.TOKEN_MALFORMED


# ---------------------------------------------------------------- shares
@pytest.mark.req("KEY-1", "KEY-2")
@pytest.mark.parametrize("key", [SHARED, PLAIN_SHARE])
def test_a_share_comes_back_with_what_it_was_shared_from(key: Key) -> None:
    share = sharing.mint_share(key, TOKEN, OWNER)
    assert sharing.verify_share(TOKEN, share, TRUST) == (STANDING, key)
    assert sharing.read_share(TOKEN, share) == (STANDING, key)


@pytest.mark.req("KEY-7")
def test_the_guests_pseudonym_follows_from_the_key_of_the_phone() -> None:
    _, shared = sharing.verify_share(TOKEN, credentials.share(user=b"somebody"), TRUST)
    assert shared.user == sharing.guest_user(keys.public_to_bytes(GUEST.public_key()))
    assert len(shared.user) == sharing.USER_BYTES


@pytest.mark.req("KEY-1")
def test_a_share_that_does_not_follow_from_its_parent_is_refused() -> None:
    other = credentials.standing(token_id=bytes(16))
    assert chain(parent=other) is Code.SHARE_INVALID
    assert chain(share=credentials.share(STRANGER)) is Code.SHARE_INVALID
    assert chain(share=credentials.share(ISSUER)) is Code.SHARE_INVALID
    assert chain(share=SHARE[:-1] + bytes([SHARE[-1] ^ 1])) is Code.SHARE_INVALID
    assert chain(share=credentials.share(module_id=b"not ours")) is Code.SHARE_INVALID
    assert chain(share=credentials.share(key_epoch=STANDING.key_epoch + 1)) is Code.SHARE_INVALID


@pytest.mark.req("KEY-1", "KEY-2")
@pytest.mark.parametrize(
    "wider",
    [
        {"permissions": 32},
        {"permissions": 63},
        {"not_before_s": STANDING.not_before_s - 1},
        {"expires_s": STANDING.expires_s + 1},
    ],
)
def test_a_share_is_never_wider_than_its_parent(wider: dict[str, object]) -> None:
    assert chain(share=credentials.share(OWNER, TOKEN, **wider)) is Code.SHARE_INVALID


@pytest.mark.req("KEY-2")
def test_a_share_may_be_as_wide_as_its_parent() -> None:
    share = credentials.share(
        permissions=STANDING.permissions, not_before_s=STANDING.not_before_s, expires_s=STANDING.expires_s
    )
    _, shared = sharing.verify_share(TOKEN, share, TRUST)
    assert shared.permissions == STANDING.permissions
    every = credentials.standing(permissions=0xFFFF)
    _, shared = sharing.verify_share(every, credentials.share(OWNER, every, permissions=0xFFFF), TRUST)
    assert shared.permissions == 0xFFFF


@pytest.mark.req("KEY-1")
def test_only_an_owners_standing_key_is_shared() -> None:
    dealer = sharing.mint_key(msgspec.structs.replace(SERVICE, permissions=31), ISSUER)
    assert chain(dealer, credentials.share(credentials.DEALER, dealer)) is Code.SHARE_INVALID
    booking = credentials.token()
    assert chain(booking, credentials.share(credentials.HOLDER, booking)) is Code.SHARE_INVALID


@pytest.mark.req("KEY-1")
def test_a_shared_key_is_never_shared_on() -> None:
    onward = credentials.share(GUEST, SHARE, holder=keys.public_to_bytes(STRANGER.public_key()))
    assert chain(SHARE, onward) is Code.SHARE_INVALID
    assert refused(lambda: sharing.read_share(SHARE, onward)) is Code.SHARE_INVALID


@pytest.mark.req("KEY-1", "ACC-6")
def test_the_parent_is_judged_as_a_standing_key() -> None:
    for parent, code in (
        (credentials.standing(STRANGER), Code.UNKNOWN_ISSUER),
        (TOKEN[:-1] + bytes([TOKEN[-1] ^ 1]), Code.SIGNATURE_INVALID),
        (b"", Code.TOKEN_MALFORMED),
    ):
        assert chain(parent, credentials.share(OWNER, parent)) is code
    elsewhere = credentials.standing(module_id=b"not ours")
    assert chain(elsewhere, credentials.share(OWNER, elsewhere, module_id=b"not ours")) is Code.WRONG_VEHICLE


def altered(changes: dict[cbor.Value, cbor.Value], drop: tuple[int, ...] = ()) -> bytes:
    """SHARE with other claims of our own, signed by the owner's phone."""
    claims = cbor.decode(cose.parse_sign1(SHARE).payload)
    assert isinstance(claims, dict)
    ours = claims[-70001]
    assert isinstance(ours, dict)
    ours.update(changes)
    claims[-70001] = {key: value for key, value in ours.items() if key not in drop}
    return cose.sign1(cbor.encode(claims), OWNER, Typ.SHARE)


@pytest.mark.req("KEY-2", "SEC-1")
@pytest.mark.parametrize(
    "share",
    [
        b"",
        TOKEN,
        altered({3: 0}),
        altered({4: 0x10000}),
        altered({2: bytes(16)}),
        altered({8: 1}),
        altered({}, drop=(11,)),
        altered({11: ""}),
        altered({11: "n" * 33}),
        altered({11: "ö" * 17}),
        altered({11: "two\nlines"}),
        altered({12: 2}),
        altered({12: 0}),
        altered({12: 0}, drop=(14,)),
        altered({}, drop=(13,)),
        altered({}, drop=(14,)),
        altered({}, drop=(13, 14)),
        altered({13: 0}),
        altered({13: SHARED.expires_s + 1}),
        altered({14: bytes(54)}),
        altered({15: [1, 1]}),
        altered({15: [1440, 0]}),
        altered({15: [0, 1440]}),
        altered({15: [0]}),
        altered({15: 0}),
        altered({9: bytes(31)}),
    ],
)
def test_claims_of_a_share_that_are_not_those_of_one_are_refused(share: bytes) -> None:
    assert chain(share=share) is Code.TOKEN_MALFORMED


@pytest.mark.req("KEY-2")
@pytest.mark.parametrize("name", ["n", "n" * 32, "ö" * 16])
def test_a_name_has_up_to_32_bytes(name: str) -> None:
    _, shared = sharing.verify_share(TOKEN, credentials.share(name=name), TRUST)
    assert shared.name == name


@pytest.mark.req("KEY-2")
def test_hours_may_go_over_midnight_or_not() -> None:
    for hours in (Hours(0, 1439), Hours(1439, 0), Hours(480, 1200)):
        _, shared = sharing.verify_share(TOKEN, credentials.share(hours=hours), TRUST)
        assert shared.hours == hours


@pytest.mark.req("KEY-2", "KEY-4")
def test_a_share_that_needs_no_code_carries_none() -> None:
    share = credentials.share(activation=Activation.NONE)
    _, shared = sharing.verify_share(TOKEN, share, TRUST)
    assert (shared.activation, shared.code_until_s, shared.sealed_code) == (Activation.NONE, 0, b"")
    assert shared.hours == SHARED.hours


@pytest.mark.req("KEY-2", "KEY-4")
def test_a_code_goes_without_hours_and_may_be_over_long_ago() -> None:
    _, shared = sharing.verify_share(TOKEN, credentials.share(hours=None, code_until_s=1), TRUST)
    assert (shared.hours, shared.code_until_s, shared.sealed_code) == (None, 1, SHARED.sealed_code)


def test_a_share_is_no_other_kind_of_credential() -> None:
    kinds: tuple[Callable[..., object], ...] = (tokens.verify_booking, tokens.verify_signed, sharing.verify_key)
    for verify in kinds:
        with pytest.raises(ProtocolError):
            verify(SHARE, TRUST)


@pytest.mark.req("SEC-1")
def test_the_claims_of_one_kind_in_the_container_of_another_are_nothing() -> None:
    """Domain separation: the kind stands in what is signed, and is looked at."""
    standing, share = cose.parse_sign1(TOKEN).payload, cose.parse_sign1(SHARE).payload
    for typ in (Typ.BOOKING, Typ.SHARE, Typ.ORDER):
        other = cose.sign1(standing, ISSUER, typ)
        assert refused(partial(sharing.verify_key, other, TRUST)) is Code.TOKEN_MALFORMED
        assert refused(partial(sharing.read_key, other)) is Code.TOKEN_MALFORMED
        assert chain(parent=other, share=credentials.share(OWNER, other)) is Code.SHARE_INVALID
    for typ in (Typ.BOOKING, Typ.KEY, Typ.ORDER):
        assert chain(share=cose.sign1(share, OWNER, typ)) is Code.TOKEN_MALFORMED
