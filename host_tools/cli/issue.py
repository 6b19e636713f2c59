"""`shareboxctl issuer`: what a backend signs, by a development issuer."""

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.backend.issuer import ALL_PERMISSIONS, ORDER_TTL_S, REMOTE_TTL_S, Issuer
from host_tools.backend.withdrawals import Withdrawal
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import called
from host_tools.cli.parsing import parse_duration, parse_hex, parse_pseudonym, parse_window
from host_tools.cli.settings import Settings
from host_tools.cli.signing import (
    ISSUING,
    U32,
    Epoch,
    Generation,
    Issuing,
    PermissionName,
    Rising,
    bits_of,
    holder_of,
    issuer_of,
    module_of,
    publics_of,
    tell_signed,
    write_signed,
)
from host_tools.cli.withdrawing import withdraw
from host_tools.phone.keyring import KeyringError, read_booking, read_shown, write_shown
from protocol import sharing, tokens
from protocol.errors import ProtocolError, Role
from protocol.explain import instant, permissions_in_words
from protocol.orders import OrderKind
from protocol.provisioning import BookingFile, KeyFile, ShareFile
from protocol.sharing import Deletion, Key


class RoleName(Enum):
    """Roles as they are typed."""

    owner = Role.OWNER
    vip = Role.VIP
    driver = Role.DRIVER


class RemoteName(Enum):
    """Orders from afar as they are typed."""

    unlock = OrderKind.UNLOCK
    lock = OrderKind.LOCK
    flash = OrderKind.FLASH
    state = OrderKind.REQUEST_STATE


def booking(  # noqa: PLR0913 - one parameter an option
    *,
    from_: Annotated[str, Parameter("--from", help="Begin: now, +1h, or 2026-07-01T10:00Z.")] = "now",
    for_: Annotated[str | None, Parameter("--for", help="Length, such as 2h30m or 3w. Default: 2h.")] = None,
    until: Annotated[str | None, Parameter(help="End, instead of --for.")] = None,
    role: Annotated[RoleName, Parameter(help="Who holds it.")] = RoleName.driver,
    permission: Annotated[
        tuple[PermissionName, ...], Parameter(help="What it allows; may be repeated. Default: everything.")
    ] = (),
    holder: Annotated[
        str | None, Parameter(help="The phone's key: a key file, or a public key in hex. Default: `key`.")
    ] = None,
    user: Annotated[str | None, Parameter(help="The user: 16 hexadecimal digits, or a name to make them of.")] = None,
    key_epoch: Epoch = None,
    device_generation: Generation = 0,
    out: Annotated[str | None, Parameter(help="The booking file to write. Default: booking.json.")] = None,
    issuing: Issuing = ISSUING,
) -> None:
    """Make a booking and write the file that a phone is given."""
    settings = Settings({"issuer": issuing.issuer, "provisioning": issuing.provisioning, "booking": out, "key": holder})
    now_s = int(time.time())
    starts_s, ends_s = parse_window(from_, for_, until, now_s, usual="2h")
    module = module_of(settings)
    signer = issuer_of(settings)
    bits = bits_of(permission) or ALL_PERMISSIONS
    try:
        claims = signer.booking(
            module_id=module.module_id,
            holder=holder_of(settings.text("key")),
            starts_s=starts_s,
            ends_s=ends_s,
            now_s=now_s,
            role=role.value,
            permissions=bits,
            key_epoch=module.key_epoch if key_epoch is None else key_epoch,
            user=None if user is None else parse_pseudonym(user),
            device_generation=device_generation,
        )
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{error}. Check --from, --for and --until.") from None
    path = settings.path("booking")
    write_shown(path, BookingFile(signer.token(claims), *publics_of(module, key_epoch)))
    fields: dict[str, object] = {
        "file": str(path),
        "booking": claims.booking_id.hex(),
        "token": claims.token_id.hex(),
        "module": claims.module_id.hex(),
        "role": role.name,
        "permissions": bits,
        "starts_s": starts_s,
        "ends_s": ends_s,
        "expires_s": claims.expires_s,
    }
    window = f"{instant(starts_s * 1000)} to {instant(ends_s * 1000)}"
    line = f"{called(path)}: {window}, {role.name}: {permissions_in_words(bits)}"
    issuing.output().result("booking", fields, line)


def end_order(
    *,
    booking: Annotated[str | None, Parameter(help="The booking to end. Default: booking.json.")] = None,
    ttl: Annotated[str, Parameter(help="How long the order stays good.")] = f"{ORDER_TTL_S // 3600}h",
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("end-order.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that ends a booking; take it to the module with `phone put`, or publish it over MQTT."""
    settings = Settings({"issuer": issuing.issuer, "booking": booking})
    signer = issuer_of(settings)
    claims = _claims(settings.path("booking"), signer)
    signed = signer.end_order(claims, now_s=int(time.time()), ttl_s=parse_duration(ttl))
    write_signed(out, signed, "end-order", issuing, {"booking": claims.booking_id.hex()})


def order(
    what: Annotated[RemoteName, Parameter(help="unlock, lock or flash; or state: report how the car is.")],
    /,
    *,
    ttl: Annotated[str, Parameter(help="How long the order stays good; ten minutes at most.")] = f"{REMOTE_TTL_S}s",
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("order.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order to the car from afar; `issuer send` takes it to the module over MQTT."""
    settings = issuing.settings()
    signer = issuer_of(settings)
    try:
        signed = signer.remote_order(
            what.value,
            module_id=module_of(settings).module_id,
            now_s=int(time.time()),
            ttl_s=parse_duration(ttl),
        )
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{error}. Choose a shorter --ttl.") from None
    write_signed(out, signed, "order", issuing, {"what": what.name})


def revocation_list(
    withdrawn: Annotated[tuple[Path, ...], Parameter(help="Booking, key and share files to withdraw.")] = (),
    /,
    *,
    number: Rising = None,
    min_key_epoch: Annotated[int, Parameter(help="Bookings and keys of older key epochs are dead.", validator=U32)] = 0,
    out: Annotated[
        str | None,
        Parameter(help="The file of the list: what it says already stays in it. Default: revocation-list.cose."),
    ] = None,
    issuing: Issuing = ISSUING,
) -> None:
    """Sign a list of what is withdrawn; take it to the module with `phone put`.

    It takes effect at once. With a standing key all that was shared of it is dead. `key delete` is kinder to guests.
    """
    settings = Settings({"issuer": issuing.issuer, "provisioning": issuing.provisioning, "revocations": out})
    signer, path = issuer_of(settings), settings.path("revocations")
    listed, signed = withdraw(
        path,
        [_withdrawal(each, signer) for each in withdrawn],
        signer,
        module_id=module_of(settings).module_id,
        now_s=int(time.time()),
        number=number,
        min_key_epoch=min_key_epoch,
    )
    count = len(listed.revoked) + len(listed.fading)
    tell_signed(path, signed, "revocation-list", issuing, {"number": listed.number, "entries": count})


def time_attestation(
    nonce: Annotated[str, Parameter(help="The module's nonce, as `phone nonce` prints it.")],
    /,
    *,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("time.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign the time for a nonce of the module; take it back with `phone put`. `phone set-time` does all that."""
    settings = issuing.settings()
    now_s = int(time.time())
    signed = issuer_of(settings).time_attestation(
        module_id=module_of(settings).module_id, nonce=parse_hex(nonce, 16, "a nonce"), now_s=now_s
    )
    write_signed(out, signed, "time-attestation", issuing, {"now_s": now_s})


def _withdrawal(path: Path, signer: Issuer) -> Withdrawal:
    """The withdrawal of what is in a booking, key or share file."""
    file = read_shown(path)
    trust = tokens.trust_of(file.module_id, (signer.public,))
    claims: tokens.Booking | Key
    try:
        match file:
            case BookingFile():
                claims = tokens.verify_booking(file.token, trust)
            case KeyFile():
                claims = sharing.verify_key(file.token, trust)
            case ShareFile():
                _, claims = sharing.verify_share(file.parent, file.share, trust)
    except ProtocolError as error:
        raise KeyringError(f"{path} is not of this issuer: {error.detail}. Use its issuer's key.") from None
    return Withdrawal(claims.token_id, Deletion.IMMEDIATE, claims.expires_s)


def _claims(path: Path, signer: Issuer) -> tokens.Booking:
    """What a booking file says. Only bookings of this issuer can be ended by it."""
    file = read_booking(path)
    try:
        return tokens.verify_booking(file.token, tokens.trust_of(file.module_id, (signer.public,)))
    except ProtocolError as error:
        raise KeyringError(f"{path} is not a booking of this issuer: {error.detail}. Use its issuer's key.") from None
