"""Targets of digital keys: standing keys, shares, sealed activation codes, reports of self-tests, and whatever a phone
shows in a handshake that it carries through correctly.
"""

from functools import cache
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from firmware.core.events import HandshakeFailed, KeyPresented, TokenPresented
from firmware.gateway import Gateway
from protocol import cbor, cose, credential, edhoc, keys, sealing, selftest, sharing
from protocol.errors import Code, ProtocolError
from protocol.framing import Reassembler, fragments
from protocol.messages import MessageType
from protocol.schedule import shared_secret
from protocol.tokens import Typ
from tests.fuzz.target import Target, clone
from tests.support import credentials
from tests.support.credentials import (
    CODE,
    DEALER,
    GUEST,
    HANDSHAKE,
    HOLDER,
    ISSUER,
    OWNER,
    PLAIN_SHARE,
    REPORT,
    SERVICE,
    SHARED,
    SIGNER,
    STRANGER,
    TRUST,
)
from tests.support.phone import Phone, chaos

STANDING: Final = credentials.standing()
SHARES: Final = (credentials.share(), sharing.mint_share(PLAIN_SHARE, STANDING, OWNER))
STANDINGS: Final = (STANDING, sharing.mint_key(SERVICE, ISSUER))
SIGNED_REPORT: Final = selftest.mint(REPORT, SIGNER)
CHAINS: Final = tuple(b"\x82" + STANDING + share for share in SHARES)

_OF_KEYS: Final = {
    Code.TOKEN_MALFORMED,
    Code.UNKNOWN_ISSUER,
    Code.WRONG_VEHICLE,
    Code.SIGNATURE_INVALID,
    Code.SHARE_INVALID,
}


# ---------------------------------------------------------------- signed and sealed
def key_forms(data: bytes) -> None:
    """Nothing that nobody signed or sealed is taken; of what was signed correctly only the one form is read, and a
    share is never wider than its parent."""
    mode, body = data[0] % 7 if data else 0, data[1:]
    try:
        match mode:
            case 0:
                sharing.verify_key(body, TRUST)
                assert body in STANDINGS, "a forged standing key"
            case 1:
                parent, share = credential.split_chain(body)
                sharing.verify_share(parent, share, TRUST)
                assert body in CHAINS, "a forged share"
            case 2:
                _one_form(sharing.mint_key(sharing.verify_key(cose.sign1(body, ISSUER, Typ.KEY), TRUST), ISSUER), body)
            case 3:
                _shared(body)
            case 4:
                _code(body)
            case 5:
                selftest.verify(body, SIGNER.public_key())
                assert body == SIGNED_REPORT, "a forged report"
            case _:
                report = selftest.verify(cose.sign1(body, SIGNER, Typ.SELF_TEST), SIGNER.public_key())
                _one_form(selftest.mint(report, SIGNER), body)
    except ProtocolError as error:
        assert error.code in _OF_KEYS, error


def _one_form(again: bytes, payload: bytes) -> None:
    assert cose.parse_sign1(again).payload == payload, "a second encoding of the same claims"


def _shared(payload: bytes) -> None:
    """Claims of a share that the owner's phone has signed."""
    parent, share = sharing.verify_share(STANDING, cose.sign1(payload, OWNER, Typ.SHARE), TRUST)
    assert parent.not_before_s <= share.not_before_s < share.expires_s <= parent.expires_s
    assert share.permissions | parent.permissions == parent.permissions
    assert (share.module_id, share.key_epoch, share.parent) == (parent.module_id, parent.key_epoch, parent.token_id)
    _one_form(sharing.mint_share(share, STANDING, OWNER), payload)


@cache
def _sealing() -> tuple[bytes, ChaCha20Poly1305, bytes]:
    """An ephemeral key's point, its cipher, and its nonce."""
    ephemeral, module = credentials.key("ephemeral, fuzz"), HANDSHAKE.public_key()
    public = keys.public_to_bytes(ephemeral.public_key())
    return public, *sealing._cipher(shared_secret(ephemeral, module), public, keys.public_to_bytes(module))


def _code(body: bytes) -> None:
    """Any sealed code, and any plaintext that was sealed correctly."""
    if body[:1] == b"\x00":
        public, cipher, nonce = _sealing()
        code = sealing.unseal(public + cipher.encrypt(nonce, body[1:], SHARED.token_id), HANDSHAKE, SHARED.token_id)
        assert code.encode() == body[1:]
        assert sealing.is_code(code)
    else:
        sealing.unseal(body, HANDSHAKE, SHARED.token_id)
        assert body == SHARED.sealed_code, "a code that nobody sealed"


def _form_seeds() -> list[bytes]:
    payloads = [cose.parse_sign1(each).payload for each in (*STANDINGS, *SHARES, SIGNED_REPORT)]
    modes = (2, 2, 3, 3, 6)
    return [
        *(b"\x00" + each for each in STANDINGS),
        *(b"\x01" + each for each in CHAINS),
        *(bytes([mode]) + payload for mode, payload in zip(modes, payloads, strict=True)),
        b"\x04" + SHARED.sealed_code,
        b"\x04\x00" + CODE.encode(),
        b"\x05" + SIGNED_REPORT,
    ]


# ---------------------------------------------------------------- what a phone shows
HOLDERS: Final = (HOLDER, OWNER, GUEST, DEALER, STRANGER)
IDENTITIES: Final = {
    credential.booking_credential(credentials.token(), HOLDER.public_key()).id_cred: 0,
    credential.key_credential(STANDINGS[0], OWNER.public_key()).id_cred: 1,
    credential.share_credential(STANDING, SHARES[0], GUEST.public_key()).id_cred: 2,
    credential.share_credential(STANDING, SHARES[1], GUEST.public_key()).id_cred: 2,
    credential.key_credential(STANDINGS[1], DEALER.public_key()).id_cred: 3,
}
"""What is genuine, and whose key it needs."""
_REFUSED: Final = _OF_KEYS | {Code.HANDSHAKE_FAILED, Code.HOLDER_KEY_MISMATCH, Code.NOT_ADMITTED}


@cache
def _halfway() -> tuple[Gateway, edhoc.Initiator]:
    """A module that waits for message 3, and the phone that owes it."""
    gateway, phone = Gateway(HANDSHAKE, SIGNER, TRUST, chaos()), Phone()
    gateway.opened(1, 512)
    for fragment in phone.message_1():
        gateway.received(1, fragment, 0)
    phone.message_3(gateway.continue_handshake(1).fragments)
    assert phone.initiator is not None
    return gateway, phone.initiator


def shown(data: bytes) -> None:
    """A phone that does everything else right shows anything, as any holder: nobody is admitted but who was granted it,
    and the code in a share becomes its print."""
    which, identity = data[0] % len(HOLDERS) if data else 0, data[1:]
    third = _third(identity, HOLDERS[which])
    if len(third) >= 1024:
        return
    template, _ = _halfway()
    gateway = clone(template)
    session = gateway._sessions[1]
    gateway._sessions = {1: clone(session)}
    gateway._sessions[1].reassembler = Reassembler()
    gateway._sessions[1].responder = session.responder and clone(session.responder)
    for fragment in fragments(bytes([MessageType.EDHOC]) + third, 512, 40):
        heard = gateway.received(1, fragment, 0)
    (event,) = heard.events
    match event:
        case HandshakeFailed():
            assert gateway._sessions[1].channel is None
            assert Phone().refusal(heard.fragments).code in _REFUSED
        case TokenPresented() | KeyPresented():
            assert IDENTITIES.get(identity) == which, "a credential that nobody granted"
            code = event.code if isinstance(event, KeyPresented) else b""
            assert code == (gateway.code_print(CODE) if SHARED.sealed_code in identity else b"")
        case _:
            raise AssertionError(event)


def _third(identity: bytes, holder: keys.PrivateKey) -> bytes:
    """Message 3 with this ID_CRED_I, which `holder` has signed."""
    _, template = _halfway()
    try:
        cred = credential.decode_identity(identity).value
    except ProtocolError:
        cred = b""
    proof = edhoc._Proof(template._th_3, identity, cred, b"")
    mac = template._mac(template._prk_4e3m, 6, proof.context(), signs=True)
    signature = cose.ecdsa_sign(proof.signed(mac), holder)
    return template._seal(template._prk_3e2m, 3, template._th_3, identity + cbor.encode(signature))


def _shown_seeds() -> list[bytes]:
    return [bytes([which]) + identity for identity, which in IDENTITIES.items()] * 2 + [
        bytes([4]) + next(iter(IDENTITIES)),
        b"\x00\x0a",
    ]


KEYS: Final = (
    Target("keys", "standing keys, shares, codes, reports", key_forms, _form_seeds, (*STANDINGS, *SHARES)),
    Target("shown", "what a phone shows in a handshake", shown, _shown_seeds, (*STANDINGS, *SHARES), one_in=4),
)
