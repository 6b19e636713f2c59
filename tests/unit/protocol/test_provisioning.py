"""The files of SPEC section 11."""

import json

import msgspec
import pytest

from protocol import beacon, keys, provisioning
from protocol.errors import Code, ProtocolError
from tests.support import credentials

MODULE = provisioning.Provisioning(
    module_id=credentials.MODULE_ID,
    handshake_private=keys.private_to_bytes(credentials.HANDSHAKE),
    signing_private=keys.private_to_bytes(credentials.SIGNER),
    key_epoch=3,
    issuers=(keys.public_to_bytes(credentials.ISSUER.public_key()),),
    home=(481_371_540, -115_761_240),
    provisioned_s=1_780_000_000,
)
PHONE = provisioning.BookingFile(
    token=credentials.token(),
    module_handshake_public=keys.public_to_bytes(credentials.HANDSHAKE.public_key()),
    module_signing_public=keys.public_to_bytes(credentials.SIGNER.public_key()),
    module_id=credentials.MODULE_ID,
)

OWNER = provisioning.KeyFile(
    credentials.standing(), PHONE.module_handshake_public, PHONE.module_signing_public, PHONE.module_id
)
GUEST = provisioning.ShareFile(
    OWNER.token, credentials.share(), PHONE.module_handshake_public, PHONE.module_signing_public, PHONE.module_id
)


def test_a_provisioning_file_comes_back() -> None:
    text = provisioning.encode_provisioning(MODULE)
    assert provisioning.decode_provisioning(text) == MODULE
    assert json.loads(text) == {
        "format": "sharebox-provisioning/1",
        "module_id": "0011223344556677",
        "handshake_private": MODULE.handshake_private.hex(),
        "signing_private": MODULE.signing_private.hex(),
        "key_epoch": 3,
        "issuers": [MODULE.issuers[0].hex()],
        "home": {"latitude_e7": 481_371_540, "longitude_e7": -115_761_240},
        "provisioned_s": 1_780_000_000,
        "vehicle": {"vin": "", "market": "", "prepared": True, "digital_keys": True, "legal_ecall": False},
        "coupled": True,
    }


@pytest.mark.req("OWN-1", "OWN-2", "KEY-9")
def test_what_the_dealer_wrote_down_comes_back_and_may_be_left_out() -> None:
    facts = provisioning.VehicleFacts("1M8GDM9AXKP042788", "US", prepared=False, digital_keys=False, legal_ecall=True)
    written = msgspec.structs.replace(MODULE, vehicle=facts, coupled=False)
    text = provisioning.encode_provisioning(written)
    assert provisioning.decode_provisioning(text) == written
    older = {key: value for key, value in json.loads(text).items() if key not in ("vehicle", "coupled")}
    assert provisioning.decode_provisioning(json.dumps(older)) == MODULE


@pytest.mark.req("PRV-7")
def test_what_the_radio_needs_comes_back_and_may_be_left_out() -> None:
    secret = msgspec.structs.replace(MODULE, radio_secret=bytes(range(16)))
    assert provisioning.decode_provisioning(provisioning.encode_provisioning(secret)) == secret
    assert json.loads(provisioning.encode_provisioning(secret))["radio_secret"] == bytes(range(16)).hex()
    key = secret.beacon_key
    assert key == beacon.key_of(secret.radio_secret, 3) == secret.beacon_key_of(3) != secret.beacon_key_of(4)
    for file in (PHONE, OWNER, GUEST):
        known = msgspec.structs.replace(file, beacon_key=key)
        text = provisioning.encode_phone_file(known)
        assert provisioning.decode_phone_file(text) == known
        assert json.loads(text)["beacon_key"] == key.hex()
        assert "beacon_key" not in json.loads(provisioning.encode_phone_file(file))
    assert MODULE.beacon_key == MODULE.beacon_key_of(4) == b""


@pytest.mark.parametrize("wrong", ["", "00" * 15, "00" * 17, "not hexadecimal"])
def test_a_key_of_the_radio_that_has_not_sixteen_bytes_is_refused(wrong: str) -> None:
    text = json.loads(provisioning.encode_provisioning(MODULE)) | {"radio_secret": wrong}
    with pytest.raises(ProtocolError, match="provisioning file: radio_secret"):
        provisioning.decode_provisioning(json.dumps(text))
    for file in (PHONE, OWNER, GUEST):
        text = json.loads(provisioning.encode_phone_file(file)) | {"beacon_key": wrong}
        with pytest.raises(ProtocolError, match="file: beacon_key"):
            provisioning.decode_phone_file(json.dumps(text))


def test_a_module_may_have_no_home() -> None:
    text = provisioning.encode_provisioning(msgspec.structs.replace(MODULE, home=None))
    assert json.loads(text)["home"] is None
    assert provisioning.decode_provisioning(text).home is None


def test_a_booking_file_comes_back() -> None:
    text = provisioning.encode_booking_file(PHONE)
    assert provisioning.decode_booking_file(text) == PHONE
    assert json.loads(text) == {
        "format": "sharebox-booking/1",
        "token": PHONE.token.hex(),
        "module_id": "0011223344556677",
        "module_handshake_public": PHONE.module_handshake_public.hex(),
        "module_signing_public": PHONE.module_signing_public.hex(),
    }


@pytest.mark.req("KEY-1")
def test_a_key_file_and_a_share_file_come_back() -> None:
    text = provisioning.encode_key_file(OWNER)
    assert provisioning.decode_key_file(text) == OWNER
    assert json.loads(text)["format"] == "sharebox-key/1"
    text = provisioning.encode_share_file(GUEST)
    assert provisioning.decode_share_file(text) == GUEST
    assert json.loads(text) == {
        "format": "sharebox-share/1",
        "parent": GUEST.parent.hex(),
        "share": GUEST.share.hex(),
        "module_id": "0011223344556677",
        "module_handshake_public": PHONE.module_handshake_public.hex(),
        "module_signing_public": PHONE.module_signing_public.hex(),
    }


@pytest.mark.req("KEY-4")
def test_no_file_holds_the_activation_code() -> None:
    assert credentials.CODE not in provisioning.encode_share_file(GUEST)
    assert credentials.CODE.encode().hex() not in provisioning.encode_share_file(GUEST)


@pytest.mark.parametrize("shown", [PHONE, OWNER, GUEST])
def test_a_phone_tells_its_files_by_their_formats(shown: provisioning.PhoneFile) -> None:
    assert provisioning.decode_phone_file(provisioning.encode_phone_file(shown)) == shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "booking file: "),
        ('{"format": "sharebox-booking/2"}', "booking file: "),
        ('{"format": "sharebox-key/1"}', "key file: Object missing required field `token`"),
        ('{"format": "sharebox-share/1"}', "share file: Object missing required field `parent`"),
        (provisioning.encode_share_file(GUEST).replace(GUEST.share.hex(), "00"), "share file: share: not an untagged"),
        (provisioning.encode_key_file(OWNER).replace(OWNER.token.hex(), "zz"), "key file: token is not hexadecimal"),
    ],
)
def test_a_wrong_file_of_a_phone_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        provisioning.decode_phone_file(text)
    assert refused.value.code is Code.MALFORMED
    assert refused.value.detail.startswith(why)


def reason(text: str, *, booking: bool = False) -> str:
    decode = provisioning.decode_booking_file if booking else provisioning.decode_provisioning
    with pytest.raises(ProtocolError) as refused:
        decode(text)
    assert refused.value.code is Code.MALFORMED
    assert "\n" not in refused.value.detail
    return refused.value.detail


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": "sharebox-provisioning/2"}, "its format is 'sharebox-provisioning/2'"),
        ({"module_id": "00"}, "module_id has 1 bytes, not 8"),
        ({"module_id": "not hex"}, "module_id is not hexadecimal"),
        ({"handshake_private": "00" * 32}, "handshake_private: a private key is not between"),
        ({"signing_private": "01"}, "signing_private: a private key has 32 bytes"),
        ({"key_epoch": -1}, "key_epoch"),
        ({"key_epoch": 2**32}, "key_epoch"),
        ({"provisioned_s": -1}, "provisioned_s is not a time"),
        ({"provisioned_s": 2**32}, "provisioned_s is not a time"),
        ({"key_epoch": "3"}, "Expected `int`"),
        ({"issuers": []}, "0 issuers"),
        ({"issuers": [MODULE.issuers[0].hex()] * 17}, "17 issuers"),
        ({"issuers": ["02" + "ff" * 32]}, "issuers: a public key is not a compressed point"),
        ({"home": {"latitude_e7": 900_000_001, "longitude_e7": 0}}, "home is not on Earth"),
        ({"home": {"latitude_e7": 0, "longitude_e7": -1_800_000_001}}, "home is not on Earth"),
        ({"home": {"latitude_e7": 0}}, "missing required field `longitude_e7`"),
        ({"colour": "blue"}, "unknown field `colour`"),
        ({"vehicle": {"colour": "blue"}}, "unknown field `colour`"),
        ({"vehicle": {"vin": "1M8GDM9AXKP04278"}}, "vehicle.vin: it has 16 characters"),
        ({"vehicle": {"vin": "IM8GDM9AXKP042788"}}, "vehicle.vin: character 1 is 'I'"),
        ({"vehicle": {"vin": "1M8GDM9A1KP042788", "market": "US"}}, "vehicle.vin: its check digit"),
        ({"vehicle": {"market": "USA"}}, "vehicle.market is not a country"),
        ({"coupled": 1}, "Expected `bool`"),
    ],
)
def test_a_wrong_provisioning_file_is_refused_in_one_line(changes: dict[str, object], expected: str) -> None:
    good = json.loads(provisioning.encode_provisioning(MODULE))
    found = reason(json.dumps({**good, **changes}))
    assert found.startswith("provisioning file: ")
    assert expected in found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"format": "sharebox-provisioning/1"}, "its format is 'sharebox-provisioning/1'"),
        ({"token": "0"}, "token is not hexadecimal"),
        ({"token": "00"}, "token: not an untagged COSE_Sign1"),
        ({"module_handshake_public": "02"}, "module_handshake_public: a public key has 33 bytes"),
        ({"module_signing_public": "zz"}, "module_signing_public is not hexadecimal"),
        ({"module_id": ""}, "module_id has 0 bytes"),
    ],
)
def test_a_wrong_booking_file_is_refused_in_one_line(changes: dict[str, object], expected: str) -> None:
    good = json.loads(provisioning.encode_booking_file(PHONE))
    found = reason(json.dumps({**good, **changes}), booking=True)
    assert found.startswith("booking file: ")
    assert expected in found


def test_a_field_that_no_file_has_is_named_on_one_line() -> None:
    for booking in (False, True):
        found = reason('{"two\\nlines": 1}', booking=booking)
        assert "`two lines`" in found


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"sharebox-booking/1"', "{}"])
def test_what_is_no_such_file_is_refused(text: str) -> None:
    reason(text)
    reason(text, booking=True)
