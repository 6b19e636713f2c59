"""`shareboxctl issuer`: what a service desk tells a module about its owner, its services and where to go."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from host_tools.backend.issuer import Issuer
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_duration, parse_position, parse_pseudonym
from host_tools.cli.signing import ISSUING, Issuing, issuer_of, module_of, write_signed
from host_tools.phone.errors import Refused
from protocol import vin as vins
from protocol.errors import one_line
from protocol.explain import sentence
from protocol.orders import Coupling, Details, DriverRemoval, OrderKind, Place, Removal
from protocol.provisioning import Provisioning

Owner = Annotated[str, Parameter(help="The account: 16 hexadecimal digits, or a name to make them of.")]
Person = Annotated[str | None, Parameter(help="Who has the account; one person may have several. Default: `--owner`.")]
Vin = Annotated[str | None, Parameter(help="Of the vehicle. Default: what the provisioning file says.")]
Number = Annotated[int | None, Parameter(help="Number of the order; must rise. Default: seconds since 1970.")]
Ttl = Annotated[str | None, Parameter(help="How long the order stays good. Default: a day; to take over, ten minutes.")]
Degrees = Annotated[float, Parameter(help="In degrees, WGS 84.", allow_leading_hyphen=True)]


def couple(
    *,
    owner: Owner,
    person: Person = None,
    vin: Vin = None,
    number: Number = None,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("couple.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that makes somebody the owner of a car that has none. Its subscription of one year begins then."""
    _sign(OrderKind.COUPLE, _coupled(owner, person, vin, number, issuing), ttl, out, issuing)


def take_over(
    *,
    owner: Owner,
    person: Person = None,
    vin: Vin = None,
    number: Number = None,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("take-over.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that makes somebody the owner of a car that has another one, who cannot be reached.

    `issuer send` takes it to the module; nothing else does. It needs both vehicle keys in the parked car for three
    minutes, and erases what the previous owner left there.
    """
    _sign(OrderKind.TAKE_OVER, _coupled(owner, person, vin, number, issuing), ttl, out, issuing)


def remove(
    *,
    owner: Owner,
    number: Number = None,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("remove.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order by which the owner gives the car up: keys, drivers and home are erased, and the next one begins
    clean."""
    details = Removal(number_of(number), parse_pseudonym(owner))
    _sign(OrderKind.REMOVE_OWNER, details, ttl, out, issuing)


def remove_driver(
    user: Annotated[str, Parameter(help="The driver: 16 hexadecimal digits, or a name to make them of.")],
    /,
    *,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("remove-driver.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that takes a driver off the list of the ten who may share the car."""
    _sign(OrderKind.REMOVE_DRIVER, DriverRemoval(parse_pseudonym(user)), ttl, out, issuing)


def home(
    latitude: Degrees,
    longitude: Degrees,
    /,
    *,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("home.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign where the car is at home: bookings end there, and every end tells how far it is."""
    _sign(OrderKind.HOME, Place(*parse_position(latitude, longitude)), ttl, out, issuing)


def send_to_car(
    latitude: Degrees,
    longitude: Degrees,
    name: Annotated[str, Parameter(help="What the car shows; 64 characters at most.")] = "",
    /,
    *,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("send-to-car.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign a destination for the car's navigation. It needs the service Send to Car."""
    _sign(OrderKind.SEND_TO_CAR, Place(*parse_position(latitude, longitude), name), ttl, out, issuing)


def _coupled(owner: str, person: str | None, vin: str | None, number: int | None, issuing: Issuing) -> Coupling:
    return coupling_of(owner, person, vin, number, module_of(issuing.settings()))


def coupling_of(owner: str, person: str | None, vin: str | None, number: int | None, module: Provisioning) -> Coupling:
    """Who becomes the owner of which car. Raises CliError, and Refused for a VIN that cannot be (OWN-6)."""
    given = number_of(number)
    account = parse_pseudonym(owner)
    who = account if person is None else parse_pseudonym(person)
    return Coupling(given, account, who, vin_of(vin or module.vehicle.vin, module.vehicle.market), given)


def vin_of(text: str, market: str) -> str:
    """A VIN that can be. Raises CliError when there is none, Refused with what is wrong with it (OWN-6)."""
    if not text:
        raise CliError(Exit.USAGE, "the provisioning file names no VIN. Say which vehicle it is: --vin.")
    fault = vins.check(text, market)
    if fault is not None:
        refusal = vins.refusal(fault)
        raise Refused(refusal, f"the VIN '{one_line(text)}' is refused", sentence(refusal))
    return text


def number_of(number: int | None) -> int:
    """The number of an order about something that only rises."""
    return int(time.time()) if number is None else number


def _sign(kind: OrderKind, details: Details, ttl: str | None, out: Path, issuing: Issuing) -> None:
    settings = issuing.settings()
    module = module_of(settings)
    signed = signed_order(kind, details, module, issuer_of(settings), int(time.time()), ttl)
    told = {field: getattr(details, field) for field in details.__struct_fields__}
    fields = {field: value.hex() if isinstance(value, bytes) else value for field, value in told.items()}
    write_signed(out, signed, kind.name.lower().replace("_", "-"), issuing, msgspec.to_builtins(fields))


def signed_order(
    kind: OrderKind, details: Details, module: Provisioning, signer: Issuer, now_s: int, ttl: str | None
) -> bytes:
    """The order in its signed form. Raises CliError in words for what has no form."""
    ttl_s = None if ttl is None else parse_duration(ttl)
    try:
        return signer.order(kind, details, module_id=module.module_id, now_s=now_s, ttl_s=ttl_s)
    except ValueError as error:
        raise CliError(Exit.USAGE, f"this order cannot be made: {error}. Check what was given.") from None
