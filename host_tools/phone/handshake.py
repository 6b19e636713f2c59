"""The phone's side of the handshake (SPEC section 7): EDHOC method 1, suite 5, as the initiator.

The module proves that it holds the key of the phone's file before any token leaves the phone.
"""

from collections.abc import Awaitable, Callable
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric import ec

from host_tools.phone.errors import HandshakeRefused
from protocol import keys
from protocol.credential import booking_credential, key_credential, module_credential, share_credential
from protocol.edhoc import Credential, Initiator
from protocol.errors import Code, ProtocolError, refuse
from protocol.provisioning import BookingFile, KeyFile, PhoneFile, ShareFile
from protocol.session import SecureChannel, key_log_line

Exchange = Callable[[bytes, bool], Awaitable[bytes]]
"""Send one handshake message and wait, bounded, for the answer. True: what follows the answer is under the new
keys already. Its exceptions pass through."""

_KID_LABEL = 4
_NAMES: dict[type[PhoneFile], str] = {BookingFile: "booking", KeyFile: "key", ShareFile: "share"}


def fresh_key(entropy: Callable[[int], bytes]) -> ec.EllipticCurvePrivateKey:
    """A P-256 key from `entropy`. A draw above the group order (one in 2^32) is drawn again."""
    for _ in range(8):
        try:
            return keys.private_from_bytes(entropy(32))
        except ProtocolError:
            continue
    raise HandshakeRefused(refuse(Code.HANDSHAKE_FAILED), "the source of randomness is broken")


async def shake_hands(
    exchange: Exchange,
    shown: PhoneFile,
    holder: keys.PrivateKey,
    entropy: Callable[[int], bytes],
    *,
    key_log: Callable[[str], None] | None = None,
) -> SecureChannel:
    """Authenticate both sides and return the session's channel. Raises HandshakeRefused. `shown` was made for the key
    `holder`. `key_log` is given the session's secrets, in one line: for tests only."""
    module = _module_of(shown)
    me = _credential_of(shown, holder)
    initiator = Initiator(me, fresh_key(entropy))

    def resolve(label: int, _value: bytes) -> Credential:
        if label != _KID_LABEL:
            raise ProtocolError(Code.HANDSHAKE_FAILED, "the module offered a credential of an unknown kind")
        return module

    message_1 = initiator.message_1()
    message_2 = await exchange(message_1, False)
    try:
        initiator.message_2(message_2, resolve)
        message_3 = initiator.message_3()
    except ProtocolError as error:
        why = f"this module is not the one of the {_NAMES[type(shown)]}"
        raise HandshakeRefused(refuse(error.code), why, wrong_module=True) from error
    message_4 = await exchange(message_3, True)
    try:
        initiator.message_4(message_4)
    except ProtocolError as error:
        raise HandshakeRefused(refuse(error.code), "the module's confirmation is not genuine") from error
    if key_log is not None:
        key_log(key_log_line(message_1, initiator.export))
    return SecureChannel.from_exporter(initiator.export, module_side=False)


def _credential_of(shown: PhoneFile, holder: keys.PrivateKey) -> Credential:
    public = holder.public_key()
    match shown:
        case BookingFile():
            return booking_credential(shown.token, public, holder)
        case KeyFile():
            return key_credential(shown.token, public, holder)
        case ShareFile():
            return share_credential(shown.parent, shown.share, public, holder)
        case _:
            assert_never(shown)


def _module_of(shown: PhoneFile) -> Credential:
    try:
        return module_credential(keys.public_from_bytes(shown.module_handshake_public))
    except ProtocolError as error:
        why = f"the {_NAMES[type(shown)]} file carries no usable module key"
        raise HandshakeRefused(refuse(error.code), why) from error
