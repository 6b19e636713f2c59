"""Files that several commands read, and what is wrong with them in one line."""

from pathlib import Path

from host_tools.phone.keyring import KeyringError, read_file
from protocol.errors import ProtocolError
from protocol.provisioning import Provisioning, decode_provisioning


def read_provisioning(path: Path) -> Provisioning:
    """The module's provisioning file. Raises KeyringError, also when anybody but the owner may read it."""
    try:
        return decode_provisioning(read_file(path, private=True).decode())
    except (ProtocolError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, ProtocolError) else "provisioning file: it is not text"
        raise KeyringError(f"{path} is wrong: {detail}.") from None
