"""What the main user has shared: a file on the owner's phone, so that a key can be found again to be deleted.

It holds no secret and no activation code. Knows the file; neither signatures nor the car.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from host_tools.phone.keyring import KeyringError, read_file, write_replacing
from protocol.claims import MAX_TIME_S
from protocol.errors import one_line
from protocol.sharing import Deletion, Hours, Key

FORMAT: Final = "sharebox-shares/1"
KEPT_S: Final = 30 * 24 * 3600
"""So long after its end a key is still listed."""
MOST: Final = 128
"""Keys in one list; a car knows sixteen at a time."""


Seconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_S)]


class Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that was shared. Identifiers in hex, times UTC seconds; `deleted`: how the main user deleted it; `code`:
    whether it has to be activated in the vehicle."""

    token: str
    module: str
    name: str
    permissions: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    not_before_s: Seconds
    expires_s: Seconds
    hours: Hours | None = None
    code: bool = False
    code_until_s: Seconds = 0
    deleted: Deletion | None = None

    @property
    def token_id(self) -> bytes:
        """The token's identifier."""
        return bytes.fromhex(self.token)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    shares: list[Shared]


def entry_of(key: Key) -> Shared:
    """What is kept of a shared key."""
    return Shared(
        key.token_id.hex(),
        key.module_id.hex(),
        key.name,
        key.permissions,
        key.not_before_s,
        key.expires_s,
        key.hours,
        bool(key.sealed_code),
        key.code_until_s,
    )


def read_ledger(path: Path) -> list[Shared]:
    """What was shared, the oldest first; nothing when there is no file. Raises KeyringError."""
    if not path.exists():
        return []
    try:
        found = msgspec.json.decode(read_file(path), type=_File)
        if found.format != FORMAT:
            raise KeyringError(
                f"{path} is wrong: its format is not {FORMAT}. Update this program or name another file."
            )
        if not all(_is_hex(one.token, 16) and _is_hex(one.module, 8) for one in found.shares):
            raise KeyringError(f"{path} is wrong: an identifier in it is none. Put a copy of it back.")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyringError(f"{path} is wrong: {one_line(str(error))}. Put a copy of it back.") from None
    return found.shares


def write_ledger(path: Path, shares: list[Shared]) -> None:
    """Keep it, replacing the file whole. Raises KeyringError."""
    text = msgspec.json.format(msgspec.json.encode(_File(FORMAT, shares)), indent=2)
    write_replacing(path, text + b"\n", 0o600)


def with_added(shares: list[Shared], one: Shared, now_s: int) -> list[Shared]:
    """With a new one, and without those that ended long ago. Raises KeyringError when there are too many."""
    kept = [each for each in shares if each.expires_s + KEPT_S > now_s]
    if len(kept) >= MOST:
        raise KeyringError(f"the list is full: {MOST} keys were shared. Begin another one with --shares.")
    return [*kept, one]


def with_deleted(shares: list[Shared], token: str, deletion: Deletion) -> list[Shared]:
    """With that one deleted."""
    return [msgspec.structs.replace(one, deleted=deletion) if one.token == token else one for one in shares]


def found_by(shares: list[Shared], text: str) -> Shared:
    """The one that `text` names: by its name, or by the begin of its token's identifier; of several with one name the
    one that was not deleted. Raises KeyringError in words when there is none, or more than one."""
    named = [one for one in shares if one.name == text]
    alive = [one for one in named if one.deleted is None]
    hits = alive or named or [one for one in shares if len(text) >= 4 and one.token.startswith(text.lower())]
    if not hits:
        raise KeyringError(f"no key was shared with '{one_line(text)}'. See `shareboxctl key list`.")
    if len(hits) > 1:
        tokens = ", ".join(one.token[:8] for one in hits)
        raise KeyringError(f"{len(hits)} keys were shared with '{one_line(text)}': {tokens}. Name one of these.")
    return hits[0]


def _is_hex(text: str, size: int) -> bool:
    try:
        return len(bytes.fromhex(text)) == size
    except ValueError:
        return False
