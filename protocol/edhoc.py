"""EDHOC (RFC 9528), both roles: methods 0 to 3, cipher suites 2, 3 and 5 (SPEC section 7).

Decides who the peer is and which keys follow. Makes no randomness: ephemeral keys are arguments. Believes no
credential by itself: the caller's resolver does.
"""

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag

from protocol import cbor, cose, keys
from protocol.credential import (
    Credential,
    booking_credential,
    decode_identifier,
    decode_identity,
    encode_identifier,
    encode_identity,
    module_credential,
)
from protocol.errors import Code, ProtocolError
from protocol.schedule import HASH_BYTES, SUITES, Aead, Suite, digest, extract, kdf, shared_secret, xor

__all__ = ["Credential", "EdhocError", "Initiator", "Responder", "booking_credential", "module_credential"]

Resolve = Callable[[int, bytes], Credential]
"""COSE header label and value of ID_CRED_x -> the credential, or ProtocolError when it is not believed."""

METHOD_SIGN_DH: Final = 1
"""The initiator signs, the responder uses static Diffie-Hellman: ours."""
SUITE_CHACHA_P256: Final = 5
MAX_MESSAGE_BYTES: Final = 1024

_X_BYTES: Final = 32
_DEAD: Final = 0
_DONE: Final = 5
_FAILED: Final = Code.HANDSHAKE_FAILED
_NO_PROTECTED_HEADER: Final = b"\x83\x68Encrypt0\x40"


class EdhocError(ProtocolError):
    """The handshake has failed: HANDSHAKE_FAILED, HOLDER_KEY_MISMATCH, or the code of the resolver."""


# ---------------------------------------------------------------- parts of messages
def _point(x: cbor.Value) -> keys.PublicKey:
    """The ephemeral key with coordinate `x`; which of the two points does not matter to ECDH."""
    if type(x) is not bytes or len(x) != _X_BYTES:
        raise EdhocError(_FAILED, f"an ephemeral key is not a byte string of {_X_BYTES} bytes")
    return keys.public_from_bytes(b"\x02" + x)


def _one_byte_string(message: bytes) -> bytes:
    if len(message) > MAX_MESSAGE_BYTES:
        raise EdhocError(_FAILED, f"a message of more than {MAX_MESSAGE_BYTES} bytes")
    value = cbor.decode(message)
    if type(value) is not bytes:
        raise EdhocError(_FAILED, "a message is not one byte string")
    return value


def _check_ead(items: list[cbor.Value]) -> None:
    """External authorization data: none is defined here, so what is critical is refused, the rest ignored."""
    after_label = False
    for item in items:
        if type(item) is int:
            if item < 0:
                raise EdhocError(_FAILED, f"critical external authorization data {-item} is not known here")
            after_label = True
        elif type(item) is bytes and after_label:
            after_label = False
        else:
            raise EdhocError(_FAILED, "external authorization data is not label and value")


class _Proof(NamedTuple):
    """What MAC and signature of a message cover, and the names of its parts in RFC 9528 section 5."""

    transcript: bytes
    id_cred: bytes
    cred: bytes
    ead: bytes

    def context(self) -> bytes:
        return self.id_cred + cbor.encode(self.transcript) + self.cred + self.ead

    def signed(self, mac: bytes) -> bytes:
        aad = cbor.encode(self.transcript) + self.cred + self.ead
        return b"\x84\x6aSignature1" + cbor.encode(self.id_cred) + cbor.encode(aad) + cbor.encode(mac)


def _split_proof(rest: bytes) -> tuple[bytes, bytes]:
    """Signature_or_MAC and the encoded external authorization data that follow ID_CRED_x."""
    proof, end = cbor.decode_first(rest)
    if type(proof) is not bytes:
        raise EdhocError(_FAILED, "the signature or MAC is not a byte string")
    _check_ead(cbor.decode_sequence(rest[end:]))
    return proof, rest[end:]


def _resolved(resolve: Resolve, label: int, value: bytes) -> Credential:
    try:
        return resolve(label, value)
    except ProtocolError as error:
        raise EdhocError(error.code, error.detail) from None


class _Party:
    """What both roles share. Single use: each step once, in order; after an error nothing more."""

    def __init__(self, credential: Credential, ephemeral: keys.PrivateKey, connection_id: bytes) -> None:
        if credential.private is None:
            raise EdhocError(_FAILED, "one's own credential needs its private key")
        self._credential = credential
        self._private = credential.private
        self._ephemeral = ephemeral
        self._connection_id = connection_id
        self._next = 1
        self._method = METHOD_SIGN_DH
        self._suite = SUITES[SUITE_CHACHA_P256]
        self._prk_3e2m = self._prk_4e3m = self._prk_exporter = b""
        self._th_2 = self._th_3 = self._th_4 = b""

    @contextmanager
    def _step(self, number: int, then: int) -> Iterator[None]:
        """Step `number`, with `then` to follow. An exception leaves the object dead."""
        expected, self._next = self._next, _DEAD
        if number != expected:
            raise EdhocError(_FAILED, "a handshake step out of order")
        try:
            yield
        except EdhocError:
            raise
        except ProtocolError as error:
            raise EdhocError(_FAILED, error.detail) from None
        self._next = then

    def _initiator_signs(self) -> bool:
        return self._method in (0, 1)

    def _responder_signs(self) -> bool:
        return self._method in (0, 2)

    def _mac(self, prk: bytes, label: int, context: bytes, *, signs: bool) -> bytes:
        return kdf(prk, label, context, HASH_BYTES if signs else self._suite.mac_bytes)

    def _prove(self, proof: _Proof, mac: bytes, *, signs: bool) -> bytes:
        return cose.ecdsa_sign(proof.signed(mac), self._private) if signs else mac

    def _check(self, peer: Credential, proof: _Proof, mac: bytes, given: bytes, *, signs: bool) -> None:
        """Raises ProtocolError SIGNATURE_INVALID unless the peer holds the key of its credential."""
        if signs:
            cose.ecdsa_verify(given, proof.signed(mac), peer.public)
        elif not hmac.compare_digest(given, mac):
            raise ProtocolError(Code.SIGNATURE_INVALID, "the MAC does not fit")

    def _cipher(self, prk: bytes, label: int, th: bytes) -> tuple[Aead, bytes, bytes]:
        """AEAD, nonce and associated data; the key has `label`, the IV the next."""
        key = kdf(prk, label, th, self._suite.key_bytes)
        nonce = kdf(prk, label + 1, th, self._suite.iv_bytes)
        return self._suite.aead(key), nonce, _NO_PROTECTED_HEADER + cbor.encode(th)

    def _seal(self, prk: bytes, label: int, th: bytes, plaintext: bytes) -> bytes:
        aead, nonce, aad = self._cipher(prk, label, th)
        return cbor.encode(aead.encrypt(nonce, plaintext, aad))

    def _open(self, prk: bytes, label: int, th: bytes, message: bytes) -> bytes:
        ciphertext = _one_byte_string(message)
        aead, nonce, aad = self._cipher(prk, label, th)
        try:
            return aead.decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise EdhocError(_FAILED, "a message does not decrypt") from None

    def _finish(self) -> None:
        prk_out = kdf(self._prk_4e3m, 7, self._th_4, HASH_BYTES)
        self._prk_exporter = kdf(prk_out, 10, b"", HASH_BYTES)

    def export(self, label: int, context: bytes, length: int) -> bytes:
        """EDHOC_Exporter (RFC 9528 section 4.2.1): `length` bytes of key material, after message 4 only."""
        if self._next != _DONE:
            raise EdhocError(_FAILED, "the handshake is not finished")
        return kdf(self._prk_exporter, label, context, length)


class Initiator(_Party):
    """The phone's side. Call message_1, message_2, message_3, message_4 in this order, then export."""

    def __init__(
        self,
        credential: Credential,
        ephemeral: keys.PrivateKey,
        *,
        method: int = METHOD_SIGN_DH,
        suite: int = SUITE_CHACHA_P256,
        suites_offered: tuple[int, ...] | None = None,
        connection_id: bytes = b"\x0e",
    ) -> None:
        """`suites_offered`: all suites liked better than `suite`, best first, and `suite` last; may name
        suites that are not implemented. `ephemeral` must be new for every handshake."""
        super().__init__(credential, ephemeral, connection_id)
        self._method = method
        self._suite = SUITES[suite]
        self._offered = suites_offered or (suite,)
        self._message_1 = b""
        self._g_y: keys.PublicKey | None = None

    def message_1(self) -> bytes:
        """Send this first."""
        with self._step(1, then=2):
            suites: list[cbor.Value] = list(self._offered)
            self._message_1 = (
                cbor.encode(self._method)
                + cbor.encode(suites[0] if len(suites) == 1 else suites)
                + cbor.encode(keys.x_bytes(self._ephemeral.public_key()))
                + encode_identifier(self._connection_id)
            )
        return self._message_1

    def message_2(self, data: bytes, resolve: Resolve) -> None:
        """Take the responder's answer; returns when it has authenticated itself. Raises EdhocError."""
        with self._step(2, then=3):
            body = _one_byte_string(data)
            g_y, ciphertext = body[:_X_BYTES], body[_X_BYTES:]
            self._g_y = _point(g_y)
            self._th_2 = digest(cbor.encode(g_y), cbor.encode(digest(self._message_1)))
            prk_2e = extract(self._th_2, shared_secret(self._ephemeral, self._g_y))
            plaintext = xor(ciphertext, kdf(prk_2e, 0, self._th_2, len(ciphertext)))
            c_r, end = cbor.decode_first(plaintext)
            identity = decode_identity(plaintext[end:])
            given, ead = _split_proof(identity.rest)
            peer = _resolved(resolve, identity.label, identity.value)
            signs = self._responder_signs()
            self._prk_3e2m = (
                prk_2e
                if signs
                else extract(kdf(prk_2e, 1, self._th_2, HASH_BYTES), shared_secret(self._ephemeral, peer.public))
            )
            proof = _Proof(self._th_2, identity.id_cred, peer.cred, ead)
            context = encode_identifier(decode_identifier(c_r)) + proof.context()
            self._check(peer, proof, self._mac(self._prk_3e2m, 2, context, signs=signs), given, signs=signs)
            self._th_3 = digest(cbor.encode(self._th_2), plaintext, peer.cred)

    def message_3(self) -> bytes:
        """Send this next: it carries the credential, encrypted for the responder alone."""
        with self._step(3, then=4):
            own, signs = self._credential, self._initiator_signs()
            assert self._g_y is not None
            self._prk_4e3m = (
                self._prk_3e2m
                if signs
                else extract(kdf(self._prk_3e2m, 5, self._th_3, HASH_BYTES), shared_secret(self._private, self._g_y))
            )
            proof = _Proof(self._th_3, own.id_cred, own.cred, b"")
            mac = self._mac(self._prk_4e3m, 6, proof.context(), signs=signs)
            plaintext = encode_identity(own) + cbor.encode(self._prove(proof, mac, signs=signs))
            message = self._seal(self._prk_3e2m, 3, self._th_3, plaintext)
            self._th_4 = digest(cbor.encode(self._th_3), plaintext, own.cred)
            self._finish()
        return message

    def message_4(self, data: bytes) -> None:
        """Take the responder's confirmation; the keys may be used from here on. Raises EdhocError."""
        with self._step(4, then=_DONE):
            _check_ead(cbor.decode_sequence(self._open(self._prk_4e3m, 8, self._th_4, data)))


class Responder(_Party):
    """The module's side. Call message_1, then message_3, then export."""

    def __init__(
        self,
        credential: Credential,
        ephemeral: keys.PrivateKey,
        *,
        methods: tuple[int, ...] = (METHOD_SIGN_DH,),
        suites: tuple[int, ...] = (SUITE_CHACHA_P256,),
        connection_id: bytes = b"\x27",
    ) -> None:
        """`ephemeral` must be new for every handshake."""
        super().__init__(credential, ephemeral, connection_id)
        self._methods = methods
        self._suites = suites

    def message_1(self, data: bytes) -> bytes:
        """Take the initiator's message_1; returns message_2. Raises EdhocError."""
        with self._step(1, then=3):
            g_x = self._read_message_1(data)
            own, signs = self._credential, self._responder_signs()
            g_y = keys.x_bytes(self._ephemeral.public_key())
            self._th_2 = digest(cbor.encode(g_y), cbor.encode(digest(data)))
            prk_2e = extract(self._th_2, shared_secret(self._ephemeral, g_x))
            self._prk_3e2m = (
                prk_2e if signs else extract(kdf(prk_2e, 1, self._th_2, HASH_BYTES), shared_secret(self._private, g_x))
            )
            c_r = encode_identifier(self._connection_id)
            proof = _Proof(self._th_2, own.id_cred, own.cred, b"")
            mac = self._mac(self._prk_3e2m, 2, c_r + proof.context(), signs=signs)
            plaintext = c_r + encode_identity(own) + cbor.encode(self._prove(proof, mac, signs=signs))
            ciphertext = xor(plaintext, kdf(prk_2e, 0, self._th_2, len(plaintext)))
            self._th_3 = digest(cbor.encode(self._th_2), plaintext, own.cred)
        return cbor.encode(g_y + ciphertext)

    def _read_message_1(self, data: bytes) -> keys.PublicKey:
        """Method and suite from message_1; returns the initiator's ephemeral key."""
        if len(data) > MAX_MESSAGE_BYTES:
            raise EdhocError(_FAILED, f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        items = cbor.decode_sequence(data)
        if len(items) < 4:
            raise EdhocError(_FAILED, "message_1 has fewer than four items")
        method, suites, g_x, c_i = items[:4]
        if type(method) is not int or method not in self._methods:
            raise EdhocError(_FAILED, "the method is not offered here")
        self._method = method
        self._suite = self._select(suites)
        decode_identifier(c_i)
        _check_ead(items[4:])
        return _point(g_x)

    def _select(self, offered: cbor.Value) -> Suite:
        """The suite that the initiator selected: its last, and the first of its list that is offered here."""
        suites = offered if type(offered) is list else [offered]
        if type(offered) is list and len(offered) < 2:
            raise EdhocError(_FAILED, "one suite travels as an integer")
        known = [suite for suite in suites if type(suite) is int and suite in self._suites]
        if len(known) != 1 or known != suites[-1:]:
            raise EdhocError(_FAILED, f"the cipher suites offered here are {self._suites}")
        return SUITES[known[0]]

    def message_3(self, data: bytes, resolve: Resolve) -> bytes:
        """Take message_3; returns message_4 once the initiator has proved to hold its credential's key.

        Raises EdhocError: HOLDER_KEY_MISMATCH when it does not, the resolver's code when that refuses.
        """
        with self._step(3, then=_DONE):
            plaintext = self._open(self._prk_3e2m, 3, self._th_3, data)
            identity = decode_identity(plaintext)
            given, ead = _split_proof(identity.rest)
            peer = _resolved(resolve, identity.label, identity.value)
            signs = self._initiator_signs()
            self._prk_4e3m = (
                self._prk_3e2m
                if signs
                else extract(
                    kdf(self._prk_3e2m, 5, self._th_3, HASH_BYTES), shared_secret(self._ephemeral, peer.public)
                )
            )
            proof = _Proof(self._th_3, identity.id_cred, peer.cred, ead)
            mac = self._mac(self._prk_4e3m, 6, proof.context(), signs=signs)
            try:
                self._check(peer, proof, mac, given, signs=signs)
            except ProtocolError as error:
                raise EdhocError(Code.HOLDER_KEY_MISMATCH, error.detail) from None
            self._th_4 = digest(cbor.encode(self._th_3), plaintext, peer.cred)
            self._finish()
            return self._seal(self._prk_4e3m, 8, self._th_4, b"")
