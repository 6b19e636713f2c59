"""`shareboxctl key`: what the recipient of a shared key does: ask for it with an own key, and take it. No account."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import called
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.settings import Settings
from host_tools.cli.wording import key_in_words
from host_tools.phone.invitation import Invitation, encode_invitation, is_name
from host_tools.phone.keyring import KeyringError, new_key, read_key, read_shown, write_key, write_new, write_replacing
from protocol import keys, sharing
from protocol.errors import ProtocolError
from protocol.explain import instant
from protocol.provisioning import ShareFile, encode_share_file
from protocol.sharing import MOST_NAME_BYTES, Key

Own = Annotated[str | None, Parameter(help="The phone's private key. Default: holder.pem.")]


def request(
    name: Annotated[str, Parameter(help="Who asks, as the main user will see it.")],
    /,
    *,
    key: Own = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("invitation.json"),
    shown: Shown = SHOWN,
) -> None:
    """Write what the main user needs to share a key with this phone: a name, and the phone's public key.

    The phone's key is made when there is none yet. The file holds no secret.
    """
    if not is_name(name):
        raise CliError(Exit.USAGE, f"this is no name for a key: {name!r}. Write 1 to {MOST_NAME_BYTES} bytes of text.")
    path = Settings({"key": key}).path("key")
    if not path.exists():
        write_key(path, new_key())
        shown.output().say(f"{called(path)}: the phone's key; keep it to yourself.")
    holder = keys.public_to_bytes(read_key(path).public_key())
    write_replacing(out, encode_invitation(Invitation(name, holder)).encode(), 0o644)
    fields: dict[str, object] = {"file": str(out), "name": name, "holder": holder.hex()}
    shown.output().result("invitation", fields, f"{out}: {name} asks for a key")


def accept(
    share: Annotated[Path, Parameter(help="The file that the main user has sent.")],
    /,
    *,
    key: Own = None,
    out: Annotated[
        str | None, Parameter(help="Where the phone keeps it; nothing is overwritten. Default: `booking`.")
    ] = (None),
    shown: Shown = SHOWN,
) -> None:
    """Check a shared key and keep it on this phone, where every `phone` command finds it.

    It is accepted in the car's eyes when the phone shows it there for the first time.
    """
    settings, output = Settings({"key": key, "booking": out}), shown.output()
    file = _share(share)
    granted = _checked(share, file, keys.public_to_bytes(read_key(settings.path("key")).public_key()))
    path, data = settings.path("booking"), encode_share_file(file).encode()
    if not (path.exists() and path.read_bytes() == data):
        write_new(path, data, 0o600)
    fields: dict[str, object] = {
        "file": str(path),
        "token": granted.token_id.hex(),
        "module": granted.module_id.hex(),
        "name": granted.name,
        "permissions": granted.permissions,
        "starts_s": granted.not_before_s,
        "expires_s": granted.expires_s,
        "needs_code": bool(granted.sealed_code),
        "code_until_s": granted.code_until_s,
    }
    output.result("accepted", fields, f"{called(path)}: {key_in_words(granted)}")
    if granted.sealed_code:
        until = instant(granted.code_until_s * 1000)
        output.say("Connect to the car once: `shareboxctl phone status`. Then enter the code that the main user tells")
        output.say(f"you in the vehicle, ignition off: menu, Key, Activate. It is good until {until}.")


def _share(path: Path) -> ShareFile:
    found = read_shown(path)
    if not isinstance(found, ShareFile):
        raise KeyringError(f"{path} is no share: it is a booking or a standing key. Ask the main user to share anew.")
    return found


def _checked(path: Path, file: ShareFile, holder: bytes) -> Key:
    """The claims of a share that this phone can use. Raises KeyringError."""
    try:
        _, granted = sharing.read_share(file.parent, file.share)
    except ProtocolError as error:
        raise KeyringError(f"{path} is no good share: {error.detail}. Ask the main user to share anew.") from None
    if granted.holder != holder:
        raise KeyringError(f"{path} is for another phone: it was made for another key. Name that key with --key.")
    if granted.expires_s <= time.time():
        over = instant(granted.expires_s * 1000)
        raise KeyringError(f"{path} is over since {over}. Ask the main user to share anew.")
    return granted
