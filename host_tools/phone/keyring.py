"""Private keys, and the files of bookings and digital keys, on disk, for many vehicles (ACC-12).

A key file that others may read is refused: it is no longer a secret. Knows files, not radio.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from protocol.errors import ProtocolError
from protocol.keys import PrivateKey
from protocol.provisioning import (
    BookingFile,
    PhoneFile,
    decode_booking_file,
    decode_phone_file,
    encode_booking_file,
    encode_phone_file,
)

MAX_FILE_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyringError(Exception):
    """A file that is missing, unreadable, unsafe or not what it should be. One line: what, why, what to do."""


def new_key() -> PrivateKey:
    """A fresh P-256 key from the operating system's randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def write_key(path: Path, private: PrivateKey) -> None:
    """Store `private` as PEM (PKCS 8), readable by its owner alone. Never overwrites. Raises KeyringError."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_new(path, pem, 0o600)


def read_key(path: Path) -> PrivateKey:
    """The key in `path`. Raises KeyringError, also when anybody but the owner may read the file."""
    data = read_file(path, private=True)
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyringError(
            f"{path} is no key: it is not an unencrypted PEM file. Make one with `shareboxctl module key new`."
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise KeyringError(
            f"{path} is no key for this use: it is not on P-256. Make one with `shareboxctl module key new`."
        )
    return private


def write_booking(path: Path, booking: BookingFile) -> None:
    """Store a booking file, replacing an older one whole. Raises KeyringError."""
    write_replacing(path, encode_booking_file(booking).encode(), 0o600)


def read_booking(path: Path) -> BookingFile:
    """The booking file in `path`. Raises KeyringError."""
    try:
        return decode_booking_file(read_file(path).decode())
    except (ProtocolError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, ProtocolError) else "booking file: it is not text"
        raise KeyringError(f"{path} is wrong: {detail}. Fetch the booking anew.") from None


def write_shown(path: Path, shown: PhoneFile) -> None:
    """Store a booking, key or share file, replacing an older one whole. Raises KeyringError."""
    write_replacing(path, encode_phone_file(shown).encode(), 0o600)


def read_shown(path: Path) -> PhoneFile:
    """The booking, key or share file in `path`. Raises KeyringError."""
    try:
        return decode_phone_file(read_file(path).decode())
    except (ProtocolError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, ProtocolError) else "booking file: it is not text"
        raise KeyringError(f"{path} is wrong: {detail}. Fetch it anew.") from None


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Create `path` with `mode` from the first moment on. Raises KeyringError, also when it exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeyringError(_trouble("write", path, error)) from None
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except FileExistsError:
        raise KeyringError(f"{path} exists: it is not overwritten. Choose another name or remove it.") from None
    except OSError as error:
        raise KeyringError(_trouble("write", path, error)) from None


def write_replacing(path: Path, data: bytes, mode: int) -> None:
    """Create `path` or replace it whole: a reader finds the old content or the new. Raises KeyringError."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write_new(partial, data, mode)
    try:
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise KeyringError(_trouble("write", path, error)) from None


def read_file(path: Path, *, private: bool = False) -> bytes:
    """What is in `path`. `private`: nobody but the owner may be able to read it. Raises KeyringError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if private and mode & 0o077:
                raise KeyringError(f"{path} is not safe: others may read it. Run `chmod 600 {path}`.")
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyringError(_trouble("read", path, error)) from None
    if len(data) > MAX_FILE_BYTES:
        raise KeyringError(f"{path} is too long: more than {MAX_FILE_BYTES} bytes. Is it the right file?")
    return data


def _trouble(verb: str, path: Path, error: OSError) -> str:
    return f"cannot {verb} {path}: {error.strerror or error}. Check the path and its permissions."


class Held(msgspec.Struct, frozen=True):
    """A booking, a standing or a shared key in the keyring, and the name of the private key that it was made for."""

    shown: PhoneFile
    key_name: str
    path: Path


class Keyring:
    """A directory: `keys/<name>.pem`, and `shown/<module id>/<key name>.<number>.json` for what is shown with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self, name: str) -> PrivateKey:
        """A new private key under `name`. Raises KeyringError when there is one."""
        private = new_key()
        write_key(self._key_path(name), private)
        return private

    def key(self, name: str) -> PrivateKey:
        """The private key called `name`. Raises KeyringError."""
        return read_key(self._key_path(name))

    def names(self) -> list[str]:
        """The names of all private keys, sorted."""
        return sorted(path.stem for path in (self.directory / "keys").glob("*.pem"))

    def add(self, shown: PhoneFile, key_name: str) -> Path:
        """Keep a file for one of this keyring's private keys. The same one twice is kept once."""
        self.key(key_name)
        for held in self.held(shown.module_id):
            if held.shown == shown:
                return held.path
        folder = self.directory / "shown" / shown.module_id.hex()
        number = 1 + max((int(path.stem.rpartition(".")[2]) for path in folder.glob("*.json")), default=0)
        path = folder / f"{key_name}.{number:06}.json"
        folder.mkdir(parents=True, exist_ok=True)
        write_shown(path, shown)
        return path

    def vehicles(self) -> list[bytes]:
        """The ids of all modules that this keyring holds something for, sorted."""
        return sorted({held.shown.module_id for held in self._all()})

    def held(self, module_id: bytes | None = None) -> list[Held]:
        """Everything, or what is for one module, newest first."""
        return [held for held in self._all() if module_id in (None, held.shown.module_id)]

    def forget(self, held: Held) -> None:
        """Remove a file; removing twice is no error."""
        held.path.unlink(missing_ok=True)

    def _all(self) -> Iterator[Held]:
        paths = (self.directory / "shown").glob("*/*.*.json")
        for path in sorted(paths, key=lambda path: path.stem.rpartition(".")[2], reverse=True):
            yield Held(read_shown(path), path.stem.rpartition(".")[0], path)

    def _key_path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise KeyringError(
                f"'{name}' is no name for a key: it has other characters than letters, digits, '.', '_', '-'. "
                "Choose another."
            )
        return self.directory / "keys" / f"{name}.pem"
