"""`shareboxctl key`: what the main user does with a key: share it, see what was shared, delete it.

The list of deleted keys is signed by the backend; on a bench the development issuer is at hand.
"""

import os
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from host_tools.backend.withdrawals import Withdrawal, said_of
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import called
from host_tools.cli.options import Car, Radio, Shown
from host_tools.cli.output import Output
from host_tools.cli.parsing import parse_duration, parse_hours, parse_window
from host_tools.cli.radio import session
from host_tools.cli.settings import Settings
from host_tools.cli.signing import PermissionName, bits_of, issuer_of
from host_tools.cli.withdrawing import withdraw
from host_tools.cli.wording import key_in_words
from host_tools.phone import ledger, sharing
from host_tools.phone.errors import PhoneError
from host_tools.phone.invitation import Invitation, decode_invitation, is_name
from host_tools.phone.keyring import KeyringError, read_file, read_key, read_shown, write_new
from host_tools.phone.ledger import Shared, read_ledger, write_ledger
from host_tools.phone.sharing import CODE_TTL_S, ShareRefused, Terms
from protocol import keys
from protocol.errors import ProtocolError
from protocol.explain import instant, permissions_in_words
from protocol.messages import Permission
from protocol.provisioning import KeyFile, encode_share_file
from protocol.sharing import MOST_NAME_BYTES, Deletion

USUAL: Final = int(Permission.UNLOCK | Permission.DRIVE | Permission.LOCK)
"""What a shared key allows unless it is said otherwise: where the car is stays with the main user."""

OwnerKey = Annotated[str | None, Parameter(help="The file of the main user's standing key. Default: owner-key.json.")]
Own = Annotated[str | None, Parameter(help="The main user's private key. Default: holder.pem.")]
Shares = Annotated[str | None, Parameter(help="The list of what was shared. Default: shares.json.")]

Permissions = Annotated[
    tuple[PermissionName, ...], Parameter(help="What it allows; may be repeated. Default: unlock, drive and lock.")
]
CodeFor = Annotated[
    str | None,
    Parameter(help="For so long the code may be entered, at most to the key's end. Default: its first 24h."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Owner(Shown):
    """Options of every command about what the main user has shared."""

    owner_key: OwnerKey = None
    key: Own = None
    shares: Shares = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        return Settings({"owner_key": self.owner_key, "key": self.key, "shares": self.shares})


_OWNER: Final = Owner()


@Parameter(name="*")
@dataclass(frozen=True)
class Deleting(Radio):
    """Options of the deletion of a shared key."""

    owner_key: OwnerKey = None
    key: Own = None
    shares: Shares = None
    issuer: Annotated[str | None, Parameter(help="The issuer's private key. Default: issuer.pem.")] = None
    revocations: Annotated[
        str | None, Parameter(help="The file of the revocation list. Default: revocation-list.cose.")
    ] = None

    def settings(self) -> Settings:
        """The layers of settings with this command's flags on top."""
        names = ("link", "timeout", "owner_key", "key", "shares", "issuer", "revocations")
        return Settings({name: getattr(self, name) for name in names})

    def car(self) -> Car:
        """The options of a session with the main user's key."""
        shown = str(self.settings().path("owner_key"))
        return Car(self.json_lines, self.no_input, self.link, self.timeout, shown, self.key)


_DELETING: Final = Deleting()


class PolicyName(Enum):
    """When a deleted key stops working, as it is typed."""

    until_key_cycle = Deletion.UNTIL_KEY_CYCLE
    immediate = Deletion.IMMEDIATE
    after_last_drive_or_48h = Deletion.AFTER_LAST_DRIVE_OR_48H


_ENDS: Final = {
    Deletion.IMMEDIATE: "no longer good as soon as the car knows",
    Deletion.UNTIL_KEY_CYCLE: "good until the car has been unlocked and then locked with a vehicle key",
    Deletion.AFTER_LAST_DRIVE_OR_48H: "good until its drive is over, for 48 hours at most",
}


def share(  # noqa: PLR0913 - one parameter an option
    invitation: Annotated[Path, Parameter(help="What the recipient's phone wrote with `key request`.")],
    /,
    *,
    from_: Annotated[str, Parameter("--from", help="Begin: now, +1h, or 2026-07-01T10:00Z.")] = "now",
    for_: Annotated[str | None, Parameter("--for", help="Length, such as 2h30m or 3w. Default: 7d.")] = None,
    until: Annotated[str | None, Parameter(help="End, instead of --for.")] = None,
    permission: Permissions = (),
    hours: Annotated[str | None, Parameter(help="Good at these hours of each day alone, UTC: 08:00-18:00.")] = None,
    code: Annotated[bool, Parameter(help="Whether a code has to be entered in the vehicle first.")] = True,
    code_for: CodeFor = None,
    name: Annotated[str | None, Parameter(help="What it is called. Default: as the invitation says.")] = None,
    out: Annotated[Path, Parameter(help="The share file to write; nothing is overwritten.")] = Path("share.json"),
    owner: Owner = _OWNER,
) -> None:
    """Share the main user's key with somebody: writes the file for their phone, and shows the activation code once.

    The file goes to the recipient, who takes it with `key accept`. Tell the code to them some other way: it is kept
    nowhere, not even here. Who has a shared key cannot share it.
    """
    settings, output = owner.settings(), owner.output()
    now_s = int(time.time())
    starts_s, ends_s = parse_window(from_, for_, until, now_s, usual="7d")
    code_ttl_s = max(0, starts_s - now_s) + CODE_TTL_S if code_for is None else parse_duration(code_for)
    if not code and code_for is not None:
        raise CliError(Exit.USAGE, "--code-for is for a key with a code. Say --no-code or --code-for, not both.")
    if not code_ttl_s:
        raise CliError(Exit.USAGE, "a code for no time at all is good for nothing. Say --no-code, or longer.")
    asked = _invitation(invitation)
    if name is not None and not is_name(name):
        raise CliError(Exit.USAGE, f"this is no name for a key: {name!r}. Write 1 to {MOST_NAME_BYTES} bytes of text.")
    terms = Terms(
        asked.name if name is None else name,
        bits_of(permission) or USUAL,
        starts_s,
        ends_s,
        None if hours is None else parse_hours(hours),
        code_ttl_s if code else None,
    )
    file, holder = _standing(settings.path("owner_key")), read_key(settings.path("key"))
    try:
        made = sharing.share(file, holder, keys.public_from_bytes(asked.holder), terms, now_s=now_s, entropy=os.urandom)
    except ShareRefused as error:
        raise CliError(Exit.USAGE, str(error)) from None
    path = settings.path("shares")
    kept = ledger.with_added(read_ledger(path), ledger.entry_of(made.key), now_s)
    write_new(out, encode_share_file(made.file).encode(), 0o600)
    try:
        write_ledger(path, kept)
    except KeyringError:
        out.unlink()  # nobody can delete a key that is in no list
        raise
    fields: dict[str, object] = {"file": str(out), **_fields(kept[-1]), "code": made.code or None}
    lines = [f"{out}: for {terms.name}: {key_in_words(made.key)}"]
    output.result("share", fields, *lines, *([f"Activation code: {made.code}"] if made.code else []))
    if made.code:
        until_words = instant(made.key.code_until_s * 1000)
        output.say(
            f"The code is shown this once. Tell it to {terms.name}, but not with the file; good until {until_words}."
        )


def list_(*, owner: Owner = _OWNER) -> None:
    """Show what was shared, and what was deleted of it. What the car knows of it: `phone keys`."""
    output = owner.output()
    shares = read_ledger(owner.settings().path("shares"))
    now_s = int(time.time())
    for one in shares:
        until = instant(one.expires_s * 1000)
        state = "over" if one.expires_s <= now_s else "" if one.deleted is None else f"deleted: {_ENDS[one.deleted]}"
        said = [f"{one.token[:8]}  {one.name}", permissions_in_words(one.permissions), f"until {until}", state]
        output.result("share", _fields(one), ", ".join(word for word in said if word))
    if not shares:
        output.say("Nothing was shared.")


async def delete(
    who: Annotated[str, Parameter(help="The name that was given to the key, or the begin of its identifier.")],
    /,
    *,
    policy: Annotated[PolicyName, Parameter(help="When it stops working.")] = PolicyName.until_key_cycle,
    carry: Annotated[bool, Parameter(help="Take the list to the car at once.")] = True,
    deleting: Deleting = _DELETING,
) -> None:
    """Delete a shared key: put it on the revocation list, and take that to the car.

    By itself it goes on until the car has been unlocked and then locked with a vehicle key, so that nobody is left
    standing beside a car in the middle of a journey. With `immediate` it is dead as soon as the car knows; with
    `after-last-drive-or-48h` when its drive is over. A later deletion can be stricter, never milder. When the car is
    not there, the list stays in its file: any phone can bring it, `phone put FILE`.
    """
    output, settings = deleting.output(), deleting.settings()
    path, listing = settings.path("shares"), settings.path("revocations")
    shares = read_ledger(path)
    one = ledger.found_by(shares, who)
    now_s = int(time.time())
    added = Withdrawal(one.token_id, policy.value, one.expires_s)
    listed, signed = withdraw(listing, [added], issuer_of(settings), module_id=bytes.fromhex(one.module), now_s=now_s)
    takes = said_of(listed, one.token_id)
    assert takes is not None  # it was added
    write_ledger(path, ledger.with_deleted(shares, one.token, takes))
    fields: dict[str, object] = {
        "file": str(listing),
        "token": one.token,
        "name": one.name,
        "policy": takes.name.lower(),
        "number": listed.number,
    }
    output.result("deleted", fields, f"{called(listing)}: the key of {one.name} is {_ENDS[takes]}.")
    if carry:
        await _carry(signed, listing, deleting, output)


async def _carry(signed: bytes, listing: Path, deleting: Deleting, output: Output) -> None:
    try:
        async with session(deleting.car(), output) as opened:
            await (await opened.open()).put(signed)
    except (PhoneError, KeyringError, CliError):
        output.say(f"The car does not know yet. Bring it later: `shareboxctl phone put {called(listing)}`.")
        raise
    output.result("carried", {"file": str(listing)}, "The car knows.")


def _standing(path: Path) -> KeyFile:
    found = read_shown(path)
    if not isinstance(found, KeyFile):
        raise KeyringError(f"{path} is no standing key: only the main user's can be shared. Ask the main user.")
    return found


def _invitation(path: Path) -> Invitation:
    try:
        return decode_invitation(read_file(path).decode())
    except (ProtocolError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, ProtocolError) else "invitation: it is not text"
        raise KeyringError(f"{path} is wrong: {detail}. Ask for it anew.") from None


def _fields(one: Shared) -> dict[str, object]:
    return {
        "name": one.name,
        "token": one.token,
        "module": one.module,
        "permissions": one.permissions,
        "starts_s": one.not_before_s,
        "expires_s": one.expires_s,
        "hours": None if one.hours is None else msgspec.to_builtins(one.hours),
        "needs_code": one.code,
        "code_until_s": one.code_until_s,
        "deleted": None if one.deleted is None else one.deleted.name.lower(),
    }
