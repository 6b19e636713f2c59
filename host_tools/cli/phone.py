"""`shareboxctl phone init`: a phone of its own, in a directory: whoever stands there is that phone."""

from pathlib import Path

from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.settings import DEFAULTS, FILE_NAME, Settings
from host_tools.phone.keyring import new_key, write_key, write_new
from protocol import keys

_TOML = """\
# Settings of shareboxctl for one phone. Paths are relative to this file.
link = "{link}"
booking = "{booking}"
key = "{key}"
"""


def init(directory: Path, /, *, shown: Shown = SHOWN) -> None:
    """Make a directory for another phone: a key of its own, and the way to the car that is set here.

    Parameters
    ----------
    directory
        Made when missing; nothing in it is overwritten.
    """
    names = DEFAULTS | {"link": Settings({}).text("link")}
    private = new_key()
    write_key(directory / names["key"], private)
    write_new(directory / FILE_NAME, _TOML.format(**names).encode(), 0o644)
    public = keys.public_to_bytes(private.public_key()).hex()
    fields: dict[str, object] = {"directory": str(directory), "public": public}
    shown.output().result("phone", fields, f"{directory}: phone {public}")
    shown.output().say(f"Whoever wants a key:  cd {directory} && shareboxctl key request NAME")
