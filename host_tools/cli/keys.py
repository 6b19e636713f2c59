"""`shareboxctl module key`: private keys of phones and issuers."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.cli.options import SHOWN, Shown
from host_tools.phone.keyring import new_key, read_key, write_key
from protocol import keys


def new(file: Path, /, *, shown: Shown = SHOWN) -> None:
    """Make a private key that only you can read.

    Parameters
    ----------
    file
        Where to keep it; an existing file is not overwritten.
    """
    private = new_key()
    write_key(file, private)
    _show(file, private, shown)


def show(file: Annotated[Path, Parameter(help="The key file.")], /, *, shown: Shown = SHOWN) -> None:
    """Show the public half of a key."""
    _show(file, read_key(file), shown)


def _show(file: Path, private: keys.PrivateKey, shown: Shown) -> None:
    public = private.public_key()
    point, key_id = keys.public_to_bytes(public).hex(), keys.key_id(public).hex()
    fields: dict[str, object] = {"file": str(file), "public": point, "key_id": key_id}
    shown.output().result("key", fields, f"{point}  {key_id}  {file}")
