"""What every command that signs has in common: whose key, for which module, and the file that it leaves behind."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.backend.issuer import Issuer
from host_tools.cli.files import read_provisioning
from host_tools.cli.options import Shown
from host_tools.cli.settings import Settings
from host_tools.phone.keyring import read_key, write_replacing
from protocol import keys
from protocol.errors import ProtocolError
from protocol.provisioning import Provisioning


@Parameter(name="*")
@dataclass(frozen=True)
class Issuing(Shown):
    """Options of every command that signs."""

    issuer: Annotated[str | None, Parameter(help="The issuer's private key. Default: issuer.pem.")] = None
    provisioning: Annotated[
        str | None, Parameter(help="The module's provisioning file. Default: provisioning.json.")
    ] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings({"issuer": self.issuer, "provisioning": self.provisioning})


ISSUING: Final = Issuing()


def write_signed(out: Path, signed: bytes, kind: str, issuing: Issuing, fields: dict[str, object]) -> None:
    """Write what was signed, and say so: `fields` and the bytes for programs."""
    write_replacing(out, signed, 0o644)
    shown: dict[str, object] = {"file": str(out), **fields, "signed": signed.hex()}
    issuing.output().result(kind, shown, f"{out}: {kind.replace('-', ' ')}, {len(signed)} bytes")


def issuer_of(settings: Settings) -> Issuer:
    """The issuer whose key the settings name. Raises KeyringError."""
    return Issuer(read_key(settings.path("issuer")), os.urandom)


def module_of(settings: Settings) -> Provisioning:
    """The module that the settings name. Raises KeyringError."""
    return read_provisioning(settings.path("provisioning"))


def holder_of(text: str) -> keys.PublicKey:
    """The public key that `text` is in hex, or of the key file that it names."""
    try:
        return keys.public_from_bytes(bytes.fromhex(text))
    except (ValueError, ProtocolError):
        return read_key(Path(text).expanduser()).public_key()
