"""A directory as `shareboxctl module init` makes it, from the published test keys: what `sharebox run` reads."""

from pathlib import Path

from firmware.config import Config, read_config
from protocol import keys
from protocol.provisioning import Provisioning, encode_provisioning
from tests.support import credentials

PROVISIONING = Provisioning(
    credentials.MODULE_ID,
    keys.private_to_bytes(credentials.HANDSHAKE),
    keys.private_to_bytes(credentials.SIGNER),
    3,
    (keys.public_to_bytes(credentials.ISSUER.public_key()),),
    (481_371_540, 115_761_240),
    1_780_000_000,
)


def configuration(directory: Path, text: str = "[ble]\nhub_port = 0\n") -> Path:
    """A configuration file with `text`, beside a provisioning file."""
    (directory / "provisioning.json").write_text(encode_provisioning(PROVISIONING))
    file = directory / "sharebox.toml"
    file.write_text(text)
    return file


def config(directory: Path, text: str = "[ble]\nhub_port = 0\n") -> Config:
    """The same, read."""
    return read_config(configuration(directory, text))
