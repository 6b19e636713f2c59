"""The files that bring keys to module and phone: JSON with hex strings (SPEC section 11).

Decides what the files look like. Reads and writes no file.
"""

import re
from typing import Final, TypeVar, assert_never

import msgspec

from protocol import beacon, claims, cose, keys, vin
from protocol.errors import Code, ProtocolError, one_line

PROVISIONING_FORMAT: Final = "sharebox-provisioning/1"
BOOKING_FORMAT: Final = "sharebox-booking/1"
KEY_FORMAT: Final = "sharebox-key/1"
SHARE_FORMAT: Final = "sharebox-share/1"
MAX_ISSUERS: Final = 16
_MARKET: Final = re.compile(r"[A-Z]{2}")
_MAX_LATITUDE_E7: Final = 900_000_000
_MAX_LONGITUDE_E7: Final = 1_800_000_000


class VehicleFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the dealer wrote down about the vehicle. `vin` empty: not known; `market`: ISO 3166-1 alpha-2, or empty;
    `prepared`: it has the option 5GE (OWN-2); `digital_keys`: country, model and equipment allow them (KEY-9);
    `legal_ecall`: it has the mandatory EU eCall."""

    vin: str = ""
    market: str = ""
    prepared: bool = True
    digital_keys: bool = True
    legal_ecall: bool = False


class Provisioning(msgspec.Struct, frozen=True):
    """What a module is told before its first boot. Private keys as 32 bytes, public keys as 33-byte points;
    `home` is (latitude, longitude) in degrees times 10^7 (WGS 84); `provisioned_s` is when the file was made, UTC in
    seconds: the module never believes in an earlier time. `coupled`: an owner is taken for granted, as on a bench;
    otherwise nothing moves before one is coupled (OWN-1). `radio_secret`: what its beacons are made from, 16 bytes;
    empty: nobody can tell the module on the air (PRV-7)."""

    module_id: bytes
    handshake_private: bytes
    signing_private: bytes
    key_epoch: int
    issuers: tuple[bytes, ...]
    home: tuple[int, int] | None = None
    provisioned_s: int = 0
    vehicle: VehicleFacts = VehicleFacts()
    coupled: bool = True
    radio_secret: bytes = b""

    @property
    def beacon_key(self) -> bytes:
        """The beacon key of its key epoch, for those who may know the module on the air; empty without a secret."""
        return self.beacon_key_of(self.key_epoch)

    def beacon_key_of(self, key_epoch: int) -> bytes:
        """The beacon key of another key epoch: a coupling or a takeover may have raised it since."""
        return beacon.key_of(self.radio_secret, key_epoch) if self.radio_secret else b""


class BookingFile(msgspec.Struct, frozen=True):
    """What a phone is given for one booking: the token, and the keys by which it knows the module. `beacon_key`: by
    which it knows the module on the air (SPEC section 3.1), empty when it can not."""

    token: bytes
    module_handshake_public: bytes
    module_signing_public: bytes
    module_id: bytes
    beacon_key: bytes = b""


class KeyFile(msgspec.Struct, frozen=True):
    """What a phone is given for a standing key; the rest as in a booking file."""

    token: bytes
    module_handshake_public: bytes
    module_signing_public: bytes
    module_id: bytes
    beacon_key: bytes = b""


class ShareFile(msgspec.Struct, frozen=True):
    """What a phone is given for a shared key: the share, and the token of the standing key that it was shared from.
    The activation code is not in it: that goes another way."""

    parent: bytes
    share: bytes
    module_handshake_public: bytes
    module_signing_public: bytes
    module_id: bytes
    beacon_key: bytes = b""


PhoneFile = BookingFile | KeyFile | ShareFile
"""What a phone can show to a module, with the keys by which it knows that module. None of them opens anything without
the holder's private key."""


class _Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    latitude_e7: int
    longitude_e7: int


_Optional = str | msgspec.UnsetType
"""Hex; a file without it is one that older programs read as well."""


class _ProvisioningText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    module_id: str
    handshake_private: str
    signing_private: str
    key_epoch: int
    issuers: list[str]
    home: _Home | None = None
    provisioned_s: int = 0
    vehicle: VehicleFacts = VehicleFacts()
    coupled: bool = True
    radio_secret: _Optional = msgspec.UNSET


class _TokenText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A booking file or a key file."""

    format: str
    token: str
    module_id: str
    module_handshake_public: str
    module_signing_public: str
    beacon_key: _Optional = msgspec.UNSET


class _ShareText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    parent: str
    share: str
    module_id: str
    module_handshake_public: str
    module_signing_public: str
    beacon_key: _Optional = msgspec.UNSET


class _AnyText(msgspec.Struct, frozen=True):
    format: str


_Text = TypeVar("_Text", _ProvisioningText, _TokenText, _ShareText)


def _bad(kind: str, what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, f"{kind} file: {what}")


def _encode(text: _Text) -> str:
    return msgspec.json.format(msgspec.json.encode(text), indent=2).decode() + "\n"


def _decode(kind: str, text: str, into: type[_Text], wanted: str) -> _Text:
    try:
        found = msgspec.json.decode(text, type=into)
    except msgspec.DecodeError as error:
        raise _bad(kind, f"{one_line(str(error))}; write it anew") from None
    if found.format != wanted:
        raise _bad(kind, f"its format is {found.format[:40]!r}, not {wanted!r}; update this program or the file")
    return found


class _Reader:
    """Reads the hex fields of one kind of file."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def hex(self, field: str, text: str) -> bytes:
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise _bad(self._kind, f"{field} is not hexadecimal") from None

    def module_id(self, text: str) -> bytes:
        found = self.hex("module_id", text)
        if len(found) != claims.MODULE_ID_BYTES:
            raise _bad(self._kind, f"module_id has {len(found)} bytes, not {claims.MODULE_ID_BYTES}")
        return found

    def sixteen(self, field: str, text: _Optional) -> bytes:
        """A secret or a key of the radio; empty when the file has none."""
        if isinstance(text, msgspec.UnsetType):
            return b""
        found = self.hex(field, text)
        if len(found) != beacon.KEY_BYTES:
            raise _bad(self._kind, f"{field} has {len(found)} bytes, not {beacon.KEY_BYTES}")
        return found

    def token(self, field: str, text: str) -> bytes:
        """A signed container: of which only the shape is looked at."""
        found = self.hex(field, text)
        try:
            cose.parse_sign1(found)
        except ProtocolError as error:
            raise _bad(self._kind, f"{field}: {error.detail}") from None
        return found

    def public(self, field: str, text: str) -> bytes:
        found = self.hex(field, text)
        try:
            keys.public_from_bytes(found)
        except ProtocolError as error:
            raise _bad(self._kind, f"{field}: {error.detail}") from None
        return found

    def private(self, field: str, text: str) -> bytes:
        found = self.hex(field, text)
        try:
            keys.private_from_bytes(found)
        except ProtocolError as error:
            raise _bad(self._kind, f"{field}: {error.detail}") from None
        return found


def encode_provisioning(value: Provisioning) -> str:
    """The JSON text of `value`. It holds private keys: keep it out of everybody's reach."""
    return _encode(
        _ProvisioningText(
            PROVISIONING_FORMAT,
            value.module_id.hex(),
            value.handshake_private.hex(),
            value.signing_private.hex(),
            value.key_epoch,
            [issuer.hex() for issuer in value.issuers],
            None if value.home is None else _Home(*value.home),
            value.provisioned_s,
            value.vehicle,
            value.coupled,
            _optional(value.radio_secret),
        )
    )


def _optional(value: bytes) -> _Optional:
    return value.hex() if value else msgspec.UNSET


def decode_provisioning(text: str) -> Provisioning:
    """The inverse. Raises ProtocolError MALFORMED with one line that names the field."""
    found = _decode("provisioning", text, _ProvisioningText, PROVISIONING_FORMAT)
    reader = _Reader("provisioning")
    if not 0 <= found.key_epoch < 2**32:
        raise _bad("provisioning", "key_epoch is not a number of 32 bits")
    if not 0 <= found.provisioned_s < 2**32:
        raise _bad("provisioning", "provisioned_s is not a time in seconds")
    if not 1 <= len(found.issuers) <= MAX_ISSUERS:
        raise _bad("provisioning", f"{len(found.issuers)} issuers; it needs 1 to {MAX_ISSUERS}")
    home = None if found.home is None else (found.home.latitude_e7, found.home.longitude_e7)
    if home is not None and (abs(home[0]) > _MAX_LATITUDE_E7 or abs(home[1]) > _MAX_LONGITUDE_E7):
        raise _bad("provisioning", "home is not on Earth; it is in degrees times 10^7")
    return Provisioning(
        reader.module_id(found.module_id),
        reader.private("handshake_private", found.handshake_private),
        reader.private("signing_private", found.signing_private),
        found.key_epoch,
        tuple(reader.public("issuers", issuer) for issuer in found.issuers),
        home,
        found.provisioned_s,
        _vehicle(found.vehicle),
        found.coupled,
        reader.sixteen("radio_secret", found.radio_secret),
    )


def _vehicle(found: VehicleFacts) -> VehicleFacts:
    if found.vin and (fault := vin.check(found.vin, found.market)):
        raise _bad("provisioning", f"vehicle.vin: {one_line(fault.what)}")
    if found.market and _MARKET.fullmatch(found.market) is None:
        raise _bad("provisioning", "vehicle.market is not a country of two capital letters")
    return found


# ---------------------------------------------------------------- for phones
def encode_booking_file(value: BookingFile) -> str:
    """The JSON text of `value`. It opens nothing without the phone's private key."""
    return _encode(_token_text(BOOKING_FORMAT, value))


def decode_booking_file(text: str) -> BookingFile:
    """The inverse; of the token only the shape is looked at. Raises ProtocolError MALFORMED in one line."""
    return BookingFile(*_token_file("booking", text, BOOKING_FORMAT))


def encode_key_file(value: KeyFile) -> str:
    """The JSON text of `value`. It opens nothing without the phone's private key, as a booking file."""
    return _encode(_token_text(KEY_FORMAT, value))


def decode_key_file(text: str) -> KeyFile:
    """The inverse; of the token only the shape is looked at. Raises ProtocolError MALFORMED in one line."""
    return KeyFile(*_token_file("key", text, KEY_FORMAT))


def encode_share_file(value: ShareFile) -> str:
    """The JSON text of `value`. It opens nothing without the phone's private key, as a booking file."""
    return _encode(
        _ShareText(
            SHARE_FORMAT,
            value.parent.hex(),
            value.share.hex(),
            value.module_id.hex(),
            value.module_handshake_public.hex(),
            value.module_signing_public.hex(),
            _optional(value.beacon_key),
        )
    )


def decode_share_file(text: str) -> ShareFile:
    """The inverse; of the tokens only the shape is looked at. Raises ProtocolError MALFORMED in one line."""
    found = _decode("share", text, _ShareText, SHARE_FORMAT)
    reader = _Reader("share")
    return ShareFile(
        reader.token("parent", found.parent),
        reader.token("share", found.share),
        reader.public("module_handshake_public", found.module_handshake_public),
        reader.public("module_signing_public", found.module_signing_public),
        reader.module_id(found.module_id),
        reader.sixteen("beacon_key", found.beacon_key),
    )


def encode_phone_file(value: PhoneFile) -> str:
    """The JSON text of a booking, a key or a share."""
    match value:
        case BookingFile():
            return encode_booking_file(value)
        case KeyFile():
            return encode_key_file(value)
        case ShareFile():
            return encode_share_file(value)
        case _:
            assert_never(value)


def decode_phone_file(text: str) -> PhoneFile:
    """The inverse, by the format that the text names; what names none is taken for a booking. Raises ProtocolError
    MALFORMED in one line."""
    try:
        said = msgspec.json.decode(text, type=_AnyText).format
    except msgspec.DecodeError:
        said = BOOKING_FORMAT
    match said:
        case said if said == KEY_FORMAT:
            return decode_key_file(text)
        case said if said == SHARE_FORMAT:
            return decode_share_file(text)
        case _:
            return decode_booking_file(text)


def _token_text(wanted: str, value: BookingFile | KeyFile) -> _TokenText:
    return _TokenText(
        wanted,
        value.token.hex(),
        value.module_id.hex(),
        value.module_handshake_public.hex(),
        value.module_signing_public.hex(),
        _optional(value.beacon_key),
    )


def _token_file(kind: str, text: str, wanted: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Token, handshake key, signing key, module id, beacon key."""
    found = _decode(kind, text, _TokenText, wanted)
    reader = _Reader(kind)
    return (
        reader.token("token", found.token),
        reader.public("module_handshake_public", found.module_handshake_public),
        reader.public("module_signing_public", found.module_signing_public),
        reader.module_id(found.module_id),
        reader.sixteen("beacon_key", found.beacon_key),
    )
