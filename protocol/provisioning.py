"""The two files that bring keys to module and phone: JSON with hex strings (SPEC section 11).

Decides what the files look like. Reads and writes no file.
"""

from typing import Final, TypeVar

import msgspec

from protocol import claims, cose, keys
from protocol.errors import Code, ProtocolError, one_line

PROVISIONING_FORMAT: Final = "sharebox-provisioning/1"
BOOKING_FORMAT: Final = "sharebox-booking/1"
MAX_ISSUERS: Final = 16
_MAX_LATITUDE_E7: Final = 900_000_000
_MAX_LONGITUDE_E7: Final = 1_800_000_000


class Provisioning(msgspec.Struct, frozen=True):
    """What a module is told before its first boot. Private keys as 32 bytes, public keys as 33-byte points;
    `home` is (latitude, longitude) in degrees times 10^7 (WGS 84); `provisioned_s` is when the file was made, UTC in
    seconds: the module never believes in an earlier time."""

    module_id: bytes
    handshake_private: bytes
    signing_private: bytes
    key_epoch: int
    issuers: tuple[bytes, ...]
    home: tuple[int, int] | None = None
    provisioned_s: int = 0


class BookingFile(msgspec.Struct, frozen=True):
    """What a phone is given for one booking: the token, and the keys by which it knows the module."""

    token: bytes
    module_handshake_public: bytes
    module_signing_public: bytes
    module_id: bytes


class _Home(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    latitude_e7: int
    longitude_e7: int


class _ProvisioningText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    module_id: str
    handshake_private: str
    signing_private: str
    key_epoch: int
    issuers: list[str]
    home: _Home | None = None
    provisioned_s: int = 0


class _BookingText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    token: str
    module_id: str
    module_handshake_public: str
    module_signing_public: str


_Text = TypeVar("_Text", _ProvisioningText, _BookingText)


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
        )
    )


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
    )


def encode_booking_file(value: BookingFile) -> str:
    """The JSON text of `value`. It holds no secret: without the phone's private key it opens nothing."""
    return _encode(
        _BookingText(
            BOOKING_FORMAT,
            value.token.hex(),
            value.module_id.hex(),
            value.module_handshake_public.hex(),
            value.module_signing_public.hex(),
        )
    )


def decode_booking_file(text: str) -> BookingFile:
    """The inverse; of the token only the shape is looked at. Raises ProtocolError MALFORMED in one line."""
    found = _decode("booking", text, _BookingText, BOOKING_FORMAT)
    reader = _Reader("booking")
    token = reader.hex("token", found.token)
    try:
        cose.parse_sign1(token)
    except ProtocolError as error:
        raise _bad("booking", f"token: {error.detail}") from None
    return BookingFile(
        token,
        reader.public("module_handshake_public", found.module_handshake_public),
        reader.public("module_signing_public", found.module_signing_public),
        reader.module_id(found.module_id),
    )
