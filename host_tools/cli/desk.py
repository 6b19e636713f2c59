"""`shareboxctl issuer`: what a service desk tells a module about its owner, its services and where to go."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from host_tools.backend.issuer import Issuer
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_duration, parse_position, parse_pseudonym
from host_tools.cli.register import Anyway, Cars, Wish, removal
from host_tools.cli.signing import ISSUING, Issuing, Rising, issuer_of, module_of, write_signed
from protocol.orders import Details, DriverRemoval, OrderKind, Place
from protocol.provisioning import Provisioning

Owner = Annotated[str, Parameter(help="The account: 16 hexadecimal digits, or a name to make them of.")]
Person = Annotated[str | None, Parameter(help="Who has the account; one person may have several. Default: `--owner`.")]
Vin = Annotated[str | None, Parameter(help="Of the vehicle. Default: what the provisioning file says.")]
Ttl = Annotated[str | None, Parameter(help="How long the order stays good. Default: a day; to take over, ten minutes.")]
Degrees = Annotated[float, Parameter(help="In degrees, WGS 84.", allow_leading_hyphen=True)]


def couple(  # noqa: PLR0913 - one parameter an option
    *,
    owner: Owner,
    person: Person = None,
    vin: Vin = None,
    number: Rising = None,
    ttl: Ttl = None,
    anyway: Anyway = False,
    cars: Cars = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("couple.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that makes somebody the owner of a car that has none. Its subscription of one year begins then.

    The register of cars is asked first: without a module, without the option 5GE, or with an owner there is no order.
    """
    settings, wish = issuing.settings(cars=cars), Wish(owner, person, vin, number)
    details = wish.order(settings, module_of(settings), take_over=False, anyway=anyway)
    _sign(OrderKind.COUPLE, details, ttl, out, issuing)


def take_over(  # noqa: PLR0913 - one parameter an option
    *,
    owner: Owner,
    person: Person = None,
    vin: Vin = None,
    number: Rising = None,
    ttl: Ttl = None,
    anyway: Anyway = False,
    cars: Cars = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("take-over.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order that makes somebody the owner of a car that has another one, who cannot be reached.

    `issuer send` takes it to the module; nothing else does. It needs both vehicle keys in the parked car for three
    minutes, and erases what the previous owner left there.
    """
    settings, wish = issuing.settings(cars=cars), Wish(owner, person, vin, number)
    details = wish.order(settings, module_of(settings), take_over=True, anyway=anyway)
    _sign(OrderKind.TAKE_OVER, details, ttl, out, issuing)


def remove(
    *,
    owner: Annotated[
        str | None, Parameter(help="The account: 16 hexadecimal digits, or a name. Default: as the register says.")
    ] = None,
    number: Rising = None,
    ttl: Ttl = None,
    cars: Cars = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("remove.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign an order by which the owner gives the car up: keys, drivers and home are erased, and the next one begins
    clean."""
    settings = issuing.settings(cars=cars)
    details = removal(settings, module_of(settings), owner, number)
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
