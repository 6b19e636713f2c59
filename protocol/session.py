"""Records: COSE_Encrypt0 under the keys of a finished handshake (SPEC section 7).

Decides whether a record is genuine and new. Knows neither what it carries nor how long a session may last.
"""

from collections.abc import Callable
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol import cbor
from protocol.errors import Code, ProtocolError

Exporter = Callable[[int, bytes, int], bytes]
"""EDHOC_Exporter: label, context, length in bytes -> key material."""

MAX_RECORDS: Final = 2**20
"""Records of one direction of a session."""
EXPORTER_CONTEXT: Final = b"sharebox/1"
# Labels from 32768 on are for private use (IANA, EDHOC Exporter Labels).
LABEL_KEY_TO_MODULE: Final = 32768
LABEL_IV_TO_MODULE: Final = 32769
LABEL_KEY_FROM_MODULE: Final = 32770
LABEL_IV_FROM_MODULE: Final = 32771

KEY_LOG_LABEL: Final = "SHAREBOX_SESSION"

_EPHEMERAL: Final = 2
"""Of the items of message_1: method, suites, ephemeral key, connection identifier."""
_KEY_BYTES: Final = 32
_IV_BYTES: Final = 12
_PARTIAL_IV: Final = 6
_MAX_COUNTER_BYTES: Final = 3
# Enc_structure of RFC 9052 section 5.3: ["Encrypt0", h'', h'']. The counter is bound through the nonce.
_AAD: Final = b"\x83\x68Encrypt0\x40\x40"


class SessionError(ProtocolError):
    """A record was refused, or the session is used up: code SESSION_OVER."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.SESSION_OVER, detail)


def _partial_iv(counter: int) -> bytes:
    return counter.to_bytes(max(1, (counter.bit_length() + 7) // 8), "big")


class _Direction:
    """Key, IV and next counter of one direction."""

    def __init__(self, export: Exporter, key_label: int, iv_label: int) -> None:
        self._cipher = ChaCha20Poly1305(export(key_label, EXPORTER_CONTEXT, _KEY_BYTES))
        self._iv = int.from_bytes(export(iv_label, EXPORTER_CONTEXT, _IV_BYTES), "big")
        self.counter = 0

    def _nonce(self, counter: int) -> bytes:
        return (self._iv ^ counter).to_bytes(_IV_BYTES, "big")

    def encrypt(self, plaintext: bytes) -> bytes:
        return self._cipher.encrypt(self._nonce(self.counter), plaintext, _AAD)

    def decrypt(self, counter: int, ciphertext: bytes) -> bytes:
        try:
            return self._cipher.decrypt(self._nonce(counter), ciphertext, _AAD)
        except InvalidTag:
            raise SessionError("a record does not decrypt") from None


class SecureChannel:
    """Both directions of one session. A refused record changes nothing."""

    def __init__(self, sending: _Direction, receiving: _Direction) -> None:
        self._sending = sending
        self._receiving = receiving

    @classmethod
    def from_exporter(cls, export: Exporter, *, module_side: bool) -> Self:
        """The channel under the keys that `export` gives."""
        to_module = _Direction(export, LABEL_KEY_TO_MODULE, LABEL_IV_TO_MODULE)
        from_module = _Direction(export, LABEL_KEY_FROM_MODULE, LABEL_IV_FROM_MODULE)
        return cls(from_module, to_module) if module_side else cls(to_module, from_module)

    def seal(self, plaintext: bytes) -> bytes:
        """The next record. Raises SessionError once 2^20 have been sent."""
        counter = self._sending.counter
        if counter == MAX_RECORDS:
            raise SessionError("the session is used up")
        record = cbor.encode([b"", {_PARTIAL_IV: _partial_iv(counter)}, self._sending.encrypt(plaintext)])
        self._sending.counter = counter + 1
        return record

    def open(self, record: bytes) -> bytes:
        """The plaintext of `record`. Raises SessionError when it is forged, altered, repeated or late."""
        counter, ciphertext = _parse(record)
        if counter < self._receiving.counter:
            raise SessionError(f"record {counter} is a repetition or out of order")
        plaintext = self._receiving.decrypt(counter, ciphertext)
        self._receiving.counter = counter + 1
        return plaintext


def key_log_line(first_message: bytes, export: Exporter) -> str:
    """What a key log holds of a session: whoever has this line can read the session's records. For tests only.

    `first_message` is the handshake's message_1; its ephemeral key tells the session in a capture. The line is
    `SHAREBOX_SESSION`, that key's x coordinate, then key and IV to the module and from it; all in hexadecimal.
    """
    ephemeral = cbor.decode_sequence(first_message)[_EPHEMERAL]
    assert type(ephemeral) is bytes
    secrets = [
        export(label, EXPORTER_CONTEXT, size)
        for label, size in (
            (LABEL_KEY_TO_MODULE, _KEY_BYTES),
            (LABEL_IV_TO_MODULE, _IV_BYTES),
            (LABEL_KEY_FROM_MODULE, _KEY_BYTES),
            (LABEL_IV_FROM_MODULE, _IV_BYTES),
        )
    ]
    return " ".join([KEY_LOG_LABEL, *(value.hex() for value in (ephemeral, *secrets))])


def _parse(record: bytes) -> tuple[int, bytes]:
    """Counter and ciphertext of [h'', {6: counter}, ciphertext]."""
    try:
        value = cbor.decode(record)
    except ProtocolError as error:
        raise SessionError(f"not a record: {error.detail}") from None
    if type(value) is not list or len(value) != 3 or value[0] != b"":
        raise SessionError("not a record")
    header, ciphertext = value[1], value[2]
    if type(header) is not dict or header.keys() != {_PARTIAL_IV} or type(ciphertext) is not bytes:
        raise SessionError("not a record")
    partial_iv = header[_PARTIAL_IV]
    if type(partial_iv) is not bytes or not 1 <= len(partial_iv) <= _MAX_COUNTER_BYTES:
        raise SessionError("the counter of a record is not 1 to 3 bytes")
    counter = int.from_bytes(partial_iv, "big")
    if partial_iv != _partial_iv(counter) or counter >= MAX_RECORDS:
        raise SessionError("the counter is not in its shortest form, or past the end of the session")
    return counter, ciphertext
