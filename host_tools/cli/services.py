"""`shareboxctl issuer services`: which connected services were bought for a car, and until when each lasts (SVC-2)."""

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.cli.desk import Ttl, number_of, signed_order
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_date
from host_tools.cli.signing import ISSUING, Issuing, Rising, issuer_of, module_of, write_signed
from protocol import durations, packs
from protocol.durations import FOREVER, RENEWALS, Renewal
from protocol.errors import one_line
from protocol.orders import OrderKind, ServicePlan
from protocol.packs import Service, Table


def services(  # noqa: PLR0913 - one parameter an option
    *,
    registered: Annotated[str, Parameter(help="Day of the first registration of the vehicle: 2021-05-10.")],
    pack: Annotated[tuple[str, ...], Parameter(help="A pack that was bought, such as 6AK; may be repeated.")] = (),
    renewal: Annotated[
        tuple[str, ...],
        Parameter(
            help="A service that was renewed: SERVICE:MONTHS, bought today, or SERVICE:MONTHS:DAY; may be repeated, in "
            "the order in which they were bought."
        ),
    ] = (),
    base: Annotated[
        bool, Parameter(help="Whether the base services are active; without them the SIM is blocked.")
    ] = True,
    market: Annotated[str | None, Parameter(help="Country. Default: what the provisioning file says.")] = None,
    revision: Annotated[str | None, Parameter(help="Of that country's table of packs. Default: the newest.")] = None,
    number: Rising = None,
    ttl: Ttl = None,
    out: Annotated[Path, Parameter(help="The file to write.")] = Path("services.cose"),
    issuing: Issuing = ISSUING,
) -> None:
    """Sign which connected services were bought, and show until when each of them lasts.

    The order says everything anew: packs and renewals of before have to be said again.
    """
    settings = issuing.settings()
    module = module_of(settings)
    country = market or module.vehicle.market
    table = _table(country, revision)
    today = datetime.fromtimestamp(time.time(), UTC).date()
    bought = tuple(_renewal(text, today) for text in renewal)
    for code in pack:
        if not table.packs_of(code):
            raise CliError(Exit.USAGE, f"'{one_line(code)}' is no pack. Packs are: {', '.join(_codes(table))}.")
    days = tuple((service.value, each.months, _parts(each.bought)) for service, each in bought)
    plan = ServicePlan(number_of(number), country, table.revision, parse_date(registered), pack, days, base)
    signed = signed_order(OrderKind.SERVICES, plan, module, issuer_of(settings), int(time.time()), ttl)
    ends = _ends(table, plan, bought)
    fields: dict[str, object] = {
        "number": plan.number,
        "market": country,
        "revision": table.revision,
        "packs": list(pack),
        "base_active": base,
        "last_days": {service.value: None if last == FOREVER else last.isoformat() for service, last in ends.items()},
    }
    lines = [f"{service.value:28} {_until(last)}" for service, last in ends.items()]
    write_signed(out, signed, "services", issuing, fields, *lines)
    if not base:
        issuing.output().say(
            "The base services are deactivated: none of these works, save an emergency call that is law."
        )


def _until(last: date) -> str:
    return "without end" if last == FOREVER else f"until {last.isoformat()}"


def _ends(table: Table, plan: ServicePlan, bought: tuple[tuple[Service, Renewal], ...]) -> dict[Service, date]:
    """The last day of each service that was bought or renewed."""
    granted: dict[Service, list[int]] = {service: [] for service, _ in bought}
    for code in plan.packs:
        for one in table.packs_of(code):
            for service, months in one.services:
                granted.setdefault(service, []).append(months)
    since = date(*plan.first_registration)
    return {
        service: durations.last_day(since, months, [each for named, each in bought if named is service])
        for service, months in sorted(granted.items())
    }


def _table(market: str, revision: str | None) -> Table:
    known = sorted(revisions for country, revisions in packs.TABLES if country == market)
    if not known:
        countries = ", ".join(sorted({country for country, _ in packs.TABLES}))
        raise CliError(
            Exit.USAGE, f"for the market '{one_line(market)}' no packs are known. Say --market: {countries}."
        )
    found = packs.TABLES.get((market, revision or known[-1]))
    if found is None:
        raise CliError(
            Exit.USAGE, f"'{one_line(str(revision))}' is no revision of {market}. There is: {', '.join(known)}."
        )
    return found


def _codes(table: Table) -> list[str]:
    return sorted({code for pack in table.packs for code in pack.codes})


def _renewal(text: str, today: date) -> tuple[Service, Renewal]:
    name, _, rest = text.partition(":")
    months, _, day = rest.partition(":")
    if name not in list(Service):
        raise CliError(Exit.USAGE, f"'{one_line(name)}' is no service. Services are: {', '.join(sorted(Service))}.")
    if not months.isdecimal() or int(months) not in RENEWALS:
        choices = ", ".join(str(each) for each in sorted(RENEWALS))
        raise CliError(Exit.USAGE, f"'{one_line(text)}' is no renewal. Write SERVICE:MONTHS, with {choices} months.")
    return Service(name), Renewal(int(months), date(*parse_date(day)) if day else today)


def _parts(day: date) -> tuple[int, int, int]:
    return day.year, day.month, day.day
