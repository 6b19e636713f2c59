"""Standing keys, signed by the backend: the main user's (`key create`) and a dealer's (`dealer credential`)."""

import time
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import called
from host_tools.cli.parsing import parse_pseudonym, parse_window
from host_tools.cli.settings import Settings
from host_tools.cli.signing import (
    ISSUING,
    Epoch,
    Generation,
    Issuing,
    PermissionName,
    bits_of,
    holder_of,
    issuer_of,
    module_of,
    publics_of,
)
from host_tools.cli.wording import key_in_words
from host_tools.phone.keyring import write_shown
from protocol.errors import Role
from protocol.provisioning import KeyFile

From = Annotated[str, Parameter("--from", help="Begin: now, +1h, or 2026-07-01T10:00Z.")]
Until = Annotated[str | None, Parameter(help="End, instead of --for.")]
Holder = Annotated[str | None, Parameter(help="The phone's key: a key file, or a public key in hex. Default: `key`.")]
User = Annotated[str | None, Parameter(help="The user: 16 hexadecimal digits, or a name to make them of.")]
Permissions = Annotated[
    tuple[PermissionName, ...], Parameter(help="What it allows; may be repeated. Default: everything.")
]
_FILE_OF: Final = {Role.OWNER: "owner_key", Role.SERVICE: "dealer_key"}


def create(  # noqa: PLR0913 - one parameter an option
    *,
    from_: From = "now",
    for_: Annotated[str | None, Parameter("--for", help="Length, such as 30d or 104w. Default: 156w.")] = None,
    until: Until = None,
    permission: Permissions = (),
    holder: Holder = None,
    user: User = None,
    key_epoch: Epoch = None,
    device_generation: Generation = 0,
    out: Annotated[str | None, Parameter(help="The key file to write. Default: owner-key.json.")] = None,
    issuing: Issuing = ISSUING,
) -> None:
    """Sign the main user's standing key for a phone. It opens the car like a booking, and can be shared.

    It is no booking: it does not occupy the car, and has no end but its own.
    """
    names = {"issuer": issuing.issuer, "provisioning": issuing.provisioning, "key": holder, "owner_key": out}
    wish = _Wish(Role.OWNER, user, key_epoch, bits_of(permission) or None, device_generation)
    starts_s, ends_s = parse_window(from_, for_, until, wish.now_s, usual="156w")
    _write(wish, starts_s, ends_s, Settings(names), issuing)


def credential(
    *,
    from_: From = "now",
    for_: Annotated[str | None, Parameter("--for", help="Length, such as 8h or 3d. Default: 8h.")] = None,
    until: Until = None,
    holder: Holder = None,
    user: User = None,
    key_epoch: Epoch = None,
    out: Annotated[str | None, Parameter(help="The key file to write. Default: dealer-key.json.")] = None,
    issuing: Issuing = ISSUING,
) -> None:
    """Sign a dealer's key for a phone: with it the dealer tests a module and couples it. It moves nothing else."""
    names = {"issuer": issuing.issuer, "provisioning": issuing.provisioning, "key": holder, "dealer_key": out}
    wish = _Wish(Role.SERVICE, user, key_epoch)
    starts_s, ends_s = parse_window(from_, for_, until, wish.now_s, usual="8h")
    _write(wish, starts_s, ends_s, Settings(names), issuing)


class _Wish:
    """Whose key, and what it is to say besides its times."""

    def __init__(
        self,
        role: Role,
        user: str | None,
        key_epoch: int | None,
        permissions: int | None = None,
        device_generation: int = 0,
    ) -> None:
        self.now_s = int(time.time())
        self.role = role
        self.user = None if user is None else parse_pseudonym(user)
        self.key_epoch = key_epoch
        self.permissions = permissions
        self.device_generation = device_generation


def _write(wish: _Wish, starts_s: int, ends_s: int, settings: Settings, issuing: Issuing) -> None:
    module, signer = module_of(settings), issuer_of(settings)
    try:
        claims = signer.key(
            module_id=module.module_id,
            holder=holder_of(settings.text("key")),
            starts_s=starts_s,
            expires_s=ends_s,
            now_s=wish.now_s,
            role=wish.role,
            permissions=wish.permissions,
            key_epoch=module.key_epoch if wish.key_epoch is None else wish.key_epoch,
            user=wish.user,
            device_generation=wish.device_generation,
        )
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{error}. Check --from, --for and --until.") from None
    path = settings.path(_FILE_OF[wish.role])
    write_shown(path, KeyFile(signer.key_token(claims), *publics_of(module, wish.key_epoch)))
    fields: dict[str, object] = {
        "file": str(path),
        "token": claims.token_id.hex(),
        "module": claims.module_id.hex(),
        "role": wish.role.name.lower(),
        "permissions": claims.permissions,
        "starts_s": starts_s,
        "expires_s": ends_s,
        "key_epoch": claims.key_epoch,
        "user": claims.user.hex(),
    }
    issuing.output().result("key", fields, f"{called(path)}: {key_in_words(claims)}")
