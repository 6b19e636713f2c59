"""What every command that signs has in common: whose key, for which module, and the file that it leaves behind."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, validators

from host_tools.backend.issuer import Issuer
from host_tools.cli.files import called, read_provisioning
from host_tools.cli.options import Shown
from host_tools.cli.settings import Settings
from host_tools.phone.keyring import read_key, write_replacing
from protocol import keys
from protocol.errors import ProtocolError
from protocol.messages import Permission
from protocol.provisioning import Provisioning


@Parameter(name="*")
@dataclass(frozen=True)
class Issuing(Shown):
    """Options of every command that signs."""

    issuer: Annotated[str | None, Parameter(help="The issuer's private key. Default: issuer.pem.")] = None
    provisioning: Annotated[
        str | None, Parameter(help="The module's provisioning file. Default: provisioning.json.")
    ] = None

    def settings(self, **more: str | None) -> Settings:
        """The layers of settings with this command's flags on top, and with `more` of them."""
        return Settings({"issuer": self.issuer, "provisioning": self.provisioning, **more})


ISSUING: Final = Issuing()


U32: Final = validators.Number(gte=0, lte=2**32 - 1)
_RISING: Final = validators.Number(gte=1, lte=2**32 - 1)
Epoch = Annotated[
    int | None,
    Parameter(help="The car's key epoch; it rises with each owner. Default: as it was provisioned.", validator=U32),
]
Rising = Annotated[
    int | None,
    Parameter(help="Number of it; must rise. Default: seconds since 1970, or one more.", validator=_RISING),
]
Generation = Annotated[int, Parameter(help="Rises with each newer device of the user.", validator=U32)]


class PermissionName(Enum):
    """Permissions as they are typed."""

    unlock = Permission.UNLOCK
    drive = Permission.DRIVE
    lock = Permission.LOCK
    locate = Permission.LOCATE
    boot = Permission.BOOT


def bits_of(permissions: Iterable[PermissionName]) -> int:
    """Permissions as bits."""
    return sum({int(one.value) for one in permissions})


def write_signed(out: Path, signed: bytes, kind: str, issuing: Issuing, fields: dict[str, object], *lines: str) -> None:
    """Write what was signed, and say so: `fields` and the bytes for programs, `lines` more for people."""
    write_replacing(out, signed, 0o644)
    tell_signed(out, signed, kind, issuing, fields, *lines)


def tell_signed(out: Path, signed: bytes, kind: str, issuing: Issuing, fields: dict[str, object], *lines: str) -> None:
    """Say what was signed and is written: as `write_signed`."""
    shown: dict[str, object] = {"file": str(out), **fields, "signed": signed.hex()}
    issuing.output().result(kind, shown, f"{called(out)}: {kind.replace('-', ' ')}, {len(signed)} bytes", *lines)


def issuer_of(settings: Settings) -> Issuer:
    """The issuer whose key the settings name. Raises KeyringError."""
    return Issuer(read_key(settings.path("issuer")), os.urandom)


def module_of(settings: Settings) -> Provisioning:
    """The module that the settings name. Raises KeyringError."""
    return read_provisioning(settings.path("provisioning"))


def publics_of(module: Provisioning, key_epoch: int | None = None) -> tuple[bytes, bytes, bytes, bytes]:
    """By what a phone knows the module: its public handshake key, its public signing key, its identifier, its beacon
    key. `key_epoch`: of the token, if it is not that of the provisioning file."""

    def public(private: bytes) -> bytes:
        return keys.public_to_bytes(keys.private_from_bytes(private).public_key())

    key = module.beacon_key if key_epoch is None else module.beacon_key_of(key_epoch)
    return public(module.handshake_private), public(module.signing_private), module.module_id, key


def holder_of(text: str) -> keys.PublicKey:
    """The public key that `text` is in hex, or of the key file that it names."""
    try:
        return keys.public_from_bytes(bytes.fromhex(text))
    except (ValueError, ProtocolError):
        return read_key(Path(text).expanduser()).public_key()
