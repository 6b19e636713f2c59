"""Files that several commands read, what is wrong with them in one line, and how they are called in it."""

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


def called(path: Path) -> str:
    """How `path` is called where somebody stands: from there on when it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
