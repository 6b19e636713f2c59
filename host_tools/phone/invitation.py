"""Invitations: what somebody sends to the main user who wants a key of the car: a name, and the phone's public key.

It holds no secret, and opens nothing (KEY-7: no account either). Reads and writes no file.
"""

from typing import Final

import msgspec

from protocol import keys
from protocol.errors import Code, ProtocolError, one_line
from protocol.sharing import MOST_NAME_BYTES

FORMAT: Final = "sharebox-invitation/1"


class Invitation(msgspec.Struct, frozen=True):
    """Who asks, and the compressed point of their phone's key."""

    name: str
    holder: bytes


class _Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    name: str
    holder: str


def is_name(text: str) -> bool:
    """Whether a shared key can be called so: text on one line, 32 bytes at most."""
    return text.isprintable() and 0 < len(text.encode()) <= MOST_NAME_BYTES


def encode_invitation(value: Invitation) -> str:
    """Its JSON text."""
    text = _Text(FORMAT, value.name, value.holder.hex())
    return msgspec.json.format(msgspec.json.encode(text), indent=2).decode() + "\n"


def decode_invitation(text: str) -> Invitation:
    """The inverse. Raises ProtocolError MALFORMED with one line that says what is wrong."""
    try:
        found = msgspec.json.decode(text, type=_Text)
    except msgspec.DecodeError as error:
        raise _bad(one_line(str(error))) from None
    if found.format != FORMAT:
        raise _bad(f"its format is {found.format[:40]!r}, not {FORMAT!r}")
    if not is_name(found.name):
        raise _bad(f"the name is no text of 1 to {MOST_NAME_BYTES} bytes")
    try:
        holder = bytes.fromhex(found.holder)
        keys.public_from_bytes(holder)
    except ValueError:
        raise _bad("holder is not hexadecimal") from None
    except ProtocolError as error:
        raise _bad(f"holder: {error.detail}") from None
    return Invitation(found.name, holder)


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.MALFORMED, f"invitation: {what}")
