"""What a peer may say to the module below its session: every PDU is looked at here before Bumble sees it.

Decides: which ATT requests exist here and how long they may be, that nothing else is answered with more than
an error, that there is no pairing and no L2CAP channel of the peer's choice. Security rests on the session
inside the fragments, never on Bluetooth; so the less of Bluetooth a stranger can reach, the better.
Refuses to know: Bumble, the GATT table's values, and what a fragment means.

Numbers are those of the Bluetooth Core Specification 5.4: ATT in Vol 3 Part F, L2CAP signalling in Vol 3
Part A section 4, pairing in Vol 3 Part H section 3.
"""

from enum import IntEnum, unique
from typing import Final

import msgspec

ATT_CID: Final = 0x0004
SIGNALLING_CID: Final = 0x0005
PAIRING_CID: Final = 0x0006

_WRITE_COMMAND: Final = 0x52
_COMMAND_BIT: Final = 0x40
_CONFIRMATION: Final = 0x1E
_PRIMARY_SERVICE: Final = b"\x00\x28"
_BASE_UUID: Final = bytes.fromhex("fb349b5f8000008000100000")
"""The Bluetooth base UUID, little-endian, without the 16-bit part and the two zero bytes above it."""


@unique
class Att(IntEnum):
    """Requests that are served (Vol 3 Part F 3.4.8). Long writes and multiple reads are not among them."""

    EXCHANGE_MTU = 0x02
    FIND_INFORMATION = 0x04
    FIND_BY_TYPE_VALUE = 0x06
    READ_BY_TYPE = 0x08
    READ = 0x0A
    READ_BLOB = 0x0C
    READ_BY_GROUP_TYPE = 0x10
    WRITE = 0x12


@unique
class AttError(IntEnum):
    """Error codes this module answers with (Vol 3 Part F 3.4.1.1)."""

    INVALID_HANDLE = 0x01
    READ_NOT_PERMITTED = 0x02
    WRITE_NOT_PERMITTED = 0x03
    INVALID_PDU = 0x04
    REQUEST_NOT_SUPPORTED = 0x06
    ATTRIBUTE_NOT_FOUND = 0x0A
    INVALID_ATTRIBUTE_LENGTH = 0x0D
    UNLIKELY_ERROR = 0x0E
    UNSUPPORTED_GROUP_TYPE = 0x10
    VALUE_NOT_ALLOWED = 0x13
    CCCD_IMPROPERLY_CONFIGURED = 0xFD


class Pass(msgspec.Struct, frozen=True):
    """The PDU is well formed; let the server answer it."""


class Drop(msgspec.Struct, frozen=True):
    """No answer is due, and nothing is to be done."""


class Answer(msgspec.Struct, frozen=True):
    """Send `pdu` back on the same channel; nothing else is to be done."""

    pdu: bytes


Verdict = Pass | Drop | Answer

_PASS: Final = Pass()
_DROP: Final = Drop()

_RANGE_REQUESTS: Final = frozenset(
    {Att.FIND_INFORMATION, Att.FIND_BY_TYPE_VALUE, Att.READ_BY_TYPE, Att.READ_BY_GROUP_TYPE}
)
_LENGTHS: Final[dict[Att, tuple[int, ...]]] = {
    Att.EXCHANGE_MTU: (3,),
    Att.FIND_INFORMATION: (5,),
    Att.READ_BY_TYPE: (7, 21),
    Att.READ: (3,),
    Att.READ_BLOB: (5,),
    Att.READ_BY_GROUP_TYPE: (7, 21),
}
_SHORTEST: Final[dict[Att, int]] = {Att.FIND_BY_TYPE_VALUE: 7, Att.WRITE: 3}


def error_response(opcode: int, handle: int, error: AttError) -> bytes:
    """An ATT Error Response PDU (Vol 3 Part F 3.4.1.1)."""
    return bytes((0x01, opcode)) + handle.to_bytes(2, "little") + bytes((error,))


def long_type(attribute_type: bytes) -> bytes:
    """A 16-bit attribute type (little-endian) in its 128-bit form; a 128-bit one as it is."""
    return _BASE_UUID + attribute_type + b"\x00\x00" if len(attribute_type) == 2 else attribute_type


def screen_att(pdu: bytes, *, mtu: int, known_types: frozenset[bytes]) -> Verdict:
    """What to do with an ATT PDU from a client. `known_types`: the table's attribute types, `long_type`.

    A request that is not served is answered at once, so that no client waits for the 30 s of its timer.
    Types nobody here has are answered without Bumble, which would remember each of them for ever.
    """
    if not pdu:
        return _DROP
    opcode = pdu[0]
    if opcode == _WRITE_COMMAND:
        return _PASS if 3 <= len(pdu) <= mtu else _DROP
    if opcode & 1 or opcode & _COMMAND_BIT or opcode == _CONFIRMATION:
        return _DROP  # responses to requests never made, commands that do not exist here
    try:
        request = Att(opcode)
    except ValueError:
        return Answer(error_response(opcode, 0, AttError.REQUEST_NOT_SUPPORTED))
    if request is Att.WRITE and len(pdu) > mtu:
        handle = int.from_bytes(pdu[1:3], "little")
        return Answer(error_response(opcode, handle, AttError.INVALID_ATTRIBUTE_LENGTH))
    if not _length_fits(request, len(pdu), mtu):
        return Answer(error_response(opcode, 0, AttError.INVALID_PDU))
    if request in _RANGE_REQUESTS:
        return _screen_range(request, pdu, known_types)
    return _PASS


def _length_fits(request: Att, length: int, mtu: int) -> bool:
    if length > mtu:
        return False
    if request in _LENGTHS:
        return length in _LENGTHS[request]
    return length >= _SHORTEST[request]


def _screen_range(request: Att, pdu: bytes, known_types: frozenset[bytes]) -> Verdict:
    first = int.from_bytes(pdu[1:3], "little")
    last = int.from_bytes(pdu[3:5], "little")
    if first == 0 or first > last:
        return Answer(error_response(request, first, AttError.INVALID_HANDLE))
    match request:
        case Att.FIND_BY_TYPE_VALUE if pdu[5:7] != _PRIMARY_SERVICE:
            return Answer(error_response(request, first, AttError.ATTRIBUTE_NOT_FOUND))
        case Att.READ_BY_TYPE if long_type(pdu[5:]) not in known_types:
            return Answer(error_response(request, first, AttError.ATTRIBUTE_NOT_FOUND))
        case Att.READ_BY_GROUP_TYPE if long_type(pdu[5:]) != long_type(_PRIMARY_SERVICE):
            return Answer(error_response(request, first, AttError.UNSUPPORTED_GROUP_TYPE))
        case _:
            return _PASS


_PAIRING_REQUEST: Final = 0x01
_PAIRING_FAILED: Final = 0x05
_PAIRING_NOT_SUPPORTED: Final = 0x05


def screen_pairing(pdu: bytes) -> Answer | Drop:
    """There is no pairing: no display and no keyboard, so it could only be the kind that proves nothing.

    A request is refused at once, legacy and Secure Connections alike; whatever else comes is dropped.
    """
    if pdu[:1] == bytes((_PAIRING_REQUEST,)):
        return Answer(bytes((_PAIRING_FAILED, _PAIRING_NOT_SUPPORTED)))
    return _DROP


_COMMAND_REJECT: Final = 0x01
_NOT_UNDERSTOOD: Final = b"\x00\x00"
_SIGNALLING_REQUESTS: Final = frozenset({0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x14, 0x17, 0x19})


def screen_signalling(pdu: bytes) -> Answer | Drop:
    """No channel is opened for a peer: every signalling request is rejected, every response dropped."""
    if len(pdu) < 4 or pdu[0] not in _SIGNALLING_REQUESTS or pdu[1] == 0:
        return _DROP
    return Answer(bytes((_COMMAND_REJECT, pdu[1], len(_NOT_UNDERSTOOD), 0)) + _NOT_UNDERSTOOD)
