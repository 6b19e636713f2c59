"""`shareboxctl dealer`: what a dealer does with a module that comes from the factory: test it, and couple the car."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.cli.desk import Owner, Person, Vin, signed_order
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.files import read_provisioning
from host_tools.cli.options import Car, Radio
from host_tools.cli.radio import session
from host_tools.cli.register import Anyway, Cars, Wish, note
from host_tools.cli.settings import Settings
from host_tools.cli.signing import Rising, issuer_of
from host_tools.phone.keyring import read_shown, write_replacing
from protocol import keys, selftest
from protocol.errors import ProtocolError
from protocol.explain import duration, instant
from protocol.orders import OrderKind
from protocol.selftest import Part, Report, Result

LEAST_TIMEOUT_S: Final = 30.0
"""A self-test moves the locks and the immobiliser several times."""


@Parameter(name="*")
@dataclass(frozen=True)
class Dealing(Radio):
    """Options of every command of a dealer."""

    dealer_key: Annotated[
        str | None, Parameter(help="The dealer's key file, from `dealer credential`. Default: dealer-key.json.")
    ] = None
    key: Annotated[str | None, Parameter(help="The private key of the dealer's phone. Default: holder.pem.")] = None
    issuer: Annotated[str | None, Parameter(help="The issuer's private key. Default: issuer.pem.")] = None
    provisioning: Annotated[
        str | None, Parameter(help="The module's provisioning file. Default: provisioning.json.")
    ] = None

    def settings(self, **more: str | None) -> Settings:
        """The layers of settings with this command's flags on top, and with `more` of them."""
        names = ("link", "timeout", "dealer_key", "key", "issuer", "provisioning")
        return Settings({name: getattr(self, name) for name in names} | more)

    def car(self, timeout: str | None) -> Car:
        """The options of a session with the dealer's key."""
        shown = str(self.settings().path("dealer_key"))
        return Car(self.json_lines, self.no_input, self.link, timeout, shown, self.key)


_DEALING: Final = Dealing()


async def self_test(
    *,
    report: Annotated[Path | None, Parameter(help="Keep the module's signed report in this file.")] = None,
    dealing: Dealing = _DEALING,
) -> int:
    """Have a module test radio, broker, GNSS, clock, locks and immobiliser, and show its signed report.

    The car has to be parked; it is locked and can not be driven afterwards. Exit code 3 when a part failed.
    """
    output, settings = dealing.output(), dealing.settings()
    shown = read_shown(settings.path("dealer_key"))
    patience_s = max(settings.seconds("timeout"), LEAST_TIMEOUT_S)
    async with session(dealing.car(f"{patience_s:g}"), output) as opened:
        phone = await opened.open()
        with output.waiting("The module tests itself"):
            tested = await phone.self_test()
    try:
        found = selftest.verify(tested.report, keys.public_from_bytes(shown.module_signing_public))
    except ProtocolError as error:
        why = f"the report is not genuine: {error.detail}. Do not hand the car over."
        raise CliError(Exit.AUTHENTICATION, why) from None
    if report is not None:
        write_replacing(report, tested.report, 0o600)
    _show(found, tested.report, dealing)
    return Exit.OK if found.passed else Exit.REFUSED


def _show(found: Report, signed: bytes, dealing: Dealing) -> None:
    fields: dict[str, object] = {
        "module": found.module_id.hex(),
        "tested_s": found.tested_s,
        "passed": found.passed,
        "parts": {each.part.name.lower(): {"passed": each.passed, "detail": each.detail} for each in found.results},
        "report": signed.hex(),
    }
    verdict = "passed" if found.passed else "failed"
    dealing.output().result(
        "self-test",
        fields,
        *map(_line, found.results),
        f"Module {found.module_id.hex()} {verdict} its self-test, {instant(found.tested_s * 1000)}.",
    )


def _line(result: Result) -> str:
    verdict = "passed" if result.passed else "FAILED"
    return f"{result.part.name.lower():12} {verdict:7} {_detail(result)}".rstrip()


def _detail(result: Result) -> str:
    """What the number of a part says; nothing when there is none."""
    words = _DETAILS.get(result.part)
    return "" if words is None or result.detail is None else words(result.detail)


_DETAILS: Final[dict[Part, Callable[[int], str]]] = {
    Part.RADIO: lambda count: f"connections: {count}",
    Part.GNSS: lambda age_ms: f"fix {duration(age_ms)} old",
    Part.CLOCK: lambda error_ms: f"uncertain by {duration(error_ms)}",
    Part.DOORS: lambda count: f"confirmed: {count} of 3",
    Part.IMMOBILISER: lambda count: f"confirmed: {count} of 2",
}


async def couple(
    *,
    owner: Owner,
    person: Person = None,
    vin: Vin = None,
    number: Rising = None,
    anyway: Anyway = False,
    cars: Cars = None,
    dealing: Dealing = _DEALING,
) -> None:
    """Make somebody the owner of the car in front of you: sign the order as the backend does, and hand it over.

    Vehicles without the option 5GE and cars that have an owner are refused. Over MQTT: `issuer couple`, `issuer send`.
    """
    output, settings = dealing.output(), dealing.settings(cars=cars)
    module = read_provisioning(settings.path("provisioning"))
    details = Wish(owner, person, vin, number).order(settings, module, take_over=False, anyway=anyway)
    signed = signed_order(OrderKind.COUPLE, details, module, issuer_of(settings), int(time.time()), None)
    async with session(dealing.car(dealing.timeout), output) as opened:
        await (await opened.open()).put(signed)
    note(settings, details, module.module_id)
    fields: dict[str, object] = {
        "module": module.module_id.hex(),
        "owner": details.owner.hex(),
        "person": details.person.hex(),
        "vin": details.vin,
        "number": details.number,
    }
    output.result("coupled", fields, f"Coupled: the car {details.vin} has the owner {details.owner.hex()}.")
