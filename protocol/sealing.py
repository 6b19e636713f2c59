"""Activation codes of shared keys: sealed to one module, and the print by which it compares them (SPEC section 6.9).

Decides how six digits are kept from everybody but the main user and the vehicle. Makes no randomness: the ephemeral
key is an argument. Refuses to know whether a code is right, late or used: that is `firmware.core.activation`.
"""

import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol import keys
from protocol.errors import Code, ProtocolError
from protocol.schedule import shared_secret

CODE_DIGITS: Final = 6
SEALED_BYTES: Final = keys.PUBLIC_BYTES + CODE_DIGITS + 16
"""Ephemeral key, digits, and the tag."""
PRINT_BYTES: Final = 16

_SEAL: Final = b"sharebox sealed code"
_PRINT: Final = b"sharebox activation code"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_DIGITS: Final = re.compile(r"[0-9]{6}")


def is_code(text: str) -> bool:
    """Whether `text` has the form of an activation code: six digits; leading zeros count."""
    return _DIGITS.fullmatch(text) is not None


def seal(code: str, module: keys.PublicKey, token_id: bytes, ephemeral: keys.PrivateKey) -> bytes:
    """`code` for the module with the handshake key `module`, in the share `token_id`: 55 bytes. `ephemeral` must be new
    for each. Raises ValueError for what is no code."""
    if not is_code(code):
        raise ValueError(f"an activation code has {CODE_DIGITS} digits")
    public = keys.public_to_bytes(ephemeral.public_key())
    cipher, nonce = _cipher(shared_secret(ephemeral, module), public, keys.public_to_bytes(module))
    return public + cipher.encrypt(nonce, code.encode(), token_id)


def unseal(sealed: bytes, module: keys.PrivateKey, token_id: bytes) -> str:
    """The code that was sealed for this module and this share. Raises ProtocolError SHARE_INVALID."""
    public, ciphertext = sealed[: keys.PUBLIC_BYTES], sealed[keys.PUBLIC_BYTES :]
    try:
        ephemeral = keys.public_from_bytes(public)
    except ProtocolError as error:
        raise _bad(error.detail) from None
    cipher, nonce = _cipher(shared_secret(module, ephemeral), public, keys.public_to_bytes(module.public_key()))
    try:
        digits = cipher.decrypt(nonce, ciphertext, token_id)
    except InvalidTag:
        raise _bad("a code was sealed for another module or another share") from None
    code = digits.decode("latin-1")
    if not is_code(code):
        raise _bad(f"what was sealed are not {CODE_DIGITS} digits")
    return code


def code_print(code: str, module: keys.PrivateKey) -> bytes:
    """What stands for `code` wherever it is kept or compared: 16 bytes that tell nothing without the module's handshake
    key, since six digits alone could be tried out."""
    key = _derived(keys.private_to_bytes(module), _PRINT, _KEY_BYTES)
    return hmac.digest(key, code.encode(), "sha256")[:PRINT_BYTES]


def _cipher(secret: bytes, ephemeral: bytes, module: bytes) -> tuple[ChaCha20Poly1305, bytes]:
    """Cipher and nonce. Both depend on the ephemeral key, so that they are used once."""
    derived = _derived(secret, _SEAL + ephemeral + module, _KEY_BYTES + _NONCE_BYTES)
    return ChaCha20Poly1305(derived[:_KEY_BYTES]), derived[_KEY_BYTES:]


def _derived(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, None, info).derive(secret)


def _bad(what: str) -> ProtocolError:
    return ProtocolError(Code.SHARE_INVALID, what)
