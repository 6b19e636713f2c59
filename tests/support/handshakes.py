"""Both sides of a handshake with fixed keys, for tests."""

from protocol import edhoc, tokens
from protocol.credential import KCWT
from protocol.errors import Code, ProtocolError
from protocol.keys import PrivateKey, public_from_bytes
from tests.support import credentials

MODULE = edhoc.module_credential(credentials.HANDSHAKE.public_key(), credentials.HANDSHAKE)


def initiator(token: bytes | None = None, holder: PrivateKey = credentials.HOLDER) -> edhoc.Initiator:
    """A phone with `token`, by default the ordinary one."""
    credential = edhoc.booking_credential(token or credentials.token(), holder.public_key(), holder)
    return edhoc.Initiator(credential, credentials.key("ephemeral, phone"))


def responder() -> edhoc.Responder:
    """A module."""
    return edhoc.Responder(MODULE, credentials.key("ephemeral, module"))


def the_module(_label: int, _value: bytes) -> edhoc.Credential:
    """The phone's resolver: the module's key came with the booking."""
    return edhoc.module_credential(credentials.HANDSHAKE.public_key())


def a_booking(label: int, value: bytes) -> edhoc.Credential:
    """The module's resolver: whoever shows a genuine booking token."""
    if label != KCWT:
        raise ProtocolError(Code.NOT_ADMITTED, "no booking token")
    booking = tokens.verify_booking(value, credentials.TRUST)
    return edhoc.booking_credential(value, public_from_bytes(booking.holder))


def finished() -> tuple[edhoc.Initiator, edhoc.Responder, tuple[bytes, bytes, bytes, bytes]]:
    """Both sides after a handshake, and its four messages."""
    phone, module = initiator(), responder()
    first = phone.message_1()
    second = module.message_1(first)
    phone.message_2(second, the_module)
    third = phone.message_3()
    fourth = module.message_3(third, a_booking)
    phone.message_4(fourth)
    return phone, module, (first, second, third, fourth)
