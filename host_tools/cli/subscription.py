"""`shareboxctl issuer`: what the owner has paid for, renewed, paused and resumed (SUB-1).

A subscription says everything anew, so each order begins with the file of the one before it.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter, validators
from dateutil.relativedelta import relativedelta

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_instant
from host_tools.cli.signing import ISSUING, Issuing, Rising, issuer_of, module_of, write_signed
from host_tools.phone.keyring import KeyringError, read_file
from protocol import tokens
from protocol.errors import ProtocolError
from protocol.explain import instant
from protocol.orders import Order, Subscription

FILE: Final = Path("subscription.cose")
Out = Annotated[Path, Parameter(help="The file of the subscription: the last one is read, and replaced.")]


def subscription(
    *,
    sharing: Annotated[str, Parameter(help="Until when bookings may begin: +52w, or 2026-07-01T10:00Z.")] = "+52w",
    remote: Annotated[str, Parameter(help="Until when orders from afar are carried out.")] = "+52w",
    paused: Annotated[bool, Parameter(help="Let no booking begin until a later subscription.")] = False,
    number: Rising = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = FILE,
    issuing: Issuing = ISSUING,
) -> None:
    """Sign what the owner has paid for; take it to the module with `phone put` or `issuer send`."""
    now_s = int(time.time())
    told = Subscription(
        now_s if number is None else number, parse_instant(sharing, now_s), parse_instant(remote, now_s), paused
    )
    _sign(told, now_s, out, issuing)


def renew(
    *,
    months: Annotated[
        int, Parameter(help="So many calendar months more.", validator=validators.Number(gte=1, lte=120))
    ] = 12,
    out: Out = FILE,
    issuing: Issuing = ISSUING,
) -> None:
    """Sign that the owner has paid for more: from the end of the last subscription on, or from now if it is over.

    Whether sharing is paused stays as it is.
    """
    now_s = int(time.time())
    last = _last(out, issuing) or Subscription(0, now_s, now_s)
    told = msgspec.structs.replace(
        last,
        number=_next(last, now_s),
        sharing_until_s=_later(max(last.sharing_until_s, now_s), months),
        remote_until_s=_later(max(last.remote_until_s, now_s), months),
    )
    _sign(told, now_s, out, issuing)


def pause(*, out: Out = FILE, issuing: Issuing = ISSUING) -> None:
    """Sign that sharing pauses: no booking may begin. One that runs goes on."""
    _paused(True, out, issuing)


def resume(*, out: Out = FILE, issuing: Issuing = ISSUING) -> None:
    """Sign that sharing goes on after a pause. Its end has not moved."""
    _paused(False, out, issuing)


def _paused(paused: bool, out: Path, issuing: Issuing) -> None:
    now_s = int(time.time())
    last = _last(out, issuing)
    if last is None:
        raise CliError(
            Exit.CONFIGURATION,
            f"there is no {out}: until when the owner has paid is not known here. Say it: `issuer subscription`.",
        )
    _sign(msgspec.structs.replace(last, number=_next(last, now_s), paused=paused), now_s, out, issuing)


def _last(path: Path, issuing: Issuing) -> Subscription | None:
    """The subscription in the file; None: there is none. Raises KeyringError for a file that is something else."""
    if not path.exists():
        return None
    settings = issuing.settings()
    trust = tokens.trust_of(module_of(settings).module_id, (issuer_of(settings).public,))
    try:
        order = tokens.verify_signed(read_file(path), trust)
    except ProtocolError as error:
        raise KeyringError(
            f"{path} is no subscription of this module: {error.detail}. Name another with --out."
        ) from None
    if not isinstance(order, Order) or not isinstance(order.details, Subscription):
        raise KeyringError(f"{path} is no subscription: it says something else. Name another with --out.")
    return order.details


def _next(last: Subscription, now_s: int) -> int:
    return max(now_s, last.number + 1)


def _later(from_s: int, months: int) -> int:
    """The same moment so many calendar months later; the last day of a month that is too short."""
    return int((datetime.fromtimestamp(from_s, UTC) + relativedelta(months=months)).timestamp())


def _sign(told: Subscription, now_s: int, out: Path, issuing: Issuing) -> None:
    settings = issuing.settings()
    signer = issuer_of(settings)
    try:
        signed = signer.subscription_order(told, module_id=module_of(settings).module_id, now_s=now_s)
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{error}.") from None
    fields: dict[str, object] = {
        "number": told.number,
        "sharing_until_s": told.sharing_until_s,
        "remote_until_s": told.remote_until_s,
        "paused": told.paused,
    }
    paused = ", paused" if told.paused else ""
    line = f"Sharing until {instant(told.sharing_until_s * 1000)}{paused}."
    write_signed(out, signed, "subscription", issuing, fields, line)
