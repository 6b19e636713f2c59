"""The backend's register of cars, `cars.json`: asked before somebody becomes an owner, told when somebody has.

The module decides again. `anyway` signs what the register would refuse, to see what the module says.
"""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.backend import coupling
from host_tools.backend.coupling import Car, Register
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.parsing import parse_pseudonym
from host_tools.cli.settings import Settings
from host_tools.phone.errors import Refused
from host_tools.phone.keyring import KeyringError
from protocol import vin as vins
from protocol.errors import Refusal, one_line
from protocol.explain import sentence
from protocol.orders import Coupling, Details, Removal
from protocol.provisioning import Provisioning

Cars = Annotated[str | None, Parameter(help="The backend's register of cars. Default: cars.json.")]
Anyway = Annotated[
    bool, Parameter(negative="", help="Sign even what the register refuses, to see what the module says to it.")
]


def known(path: Path) -> Register:
    """The register; an empty one when there is none. Raises KeyringError."""
    try:
        return coupling.read(path)
    except ValueError as error:
        raise KeyringError(f"{one_line(str(error))}. Put a copy of it back, or name another file.") from None


def install(path: Path, module: Provisioning) -> None:
    """Write down which car has this module. Raises KeyringError, CliError."""
    facts = module.vehicle
    car = Car(facts.vin, facts.market, facts.prepared, module.module_id.hex())
    try:
        register = coupling.installed(known(path), car)
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{one_line(str(error))}.") from None
    coupling.write(path, register)


def vin_of(text: str, market: str) -> str:
    """A VIN that can be. Raises CliError when there is none, Refused with what is wrong with it (OWN-6)."""
    if not text:
        raise CliError(Exit.USAGE, "the provisioning file names no VIN. Say which vehicle it is: --vin.")
    fault = vins.check(text, market)
    if fault is not None:
        raise _refused(f"the VIN '{one_line(text)}' is refused", vins.refusal(fault))
    return text


class Wish:
    """Who wants to be the owner of which car, as it is typed; `vin` and `number` None: as they are known."""

    def __init__(self, owner: str, person: str | None, vin: str | None, number: int | None) -> None:
        self.owner = parse_pseudonym(owner)
        self.person = self.owner if person is None else parse_pseudonym(person)
        self._vin = vin
        self._number = number

    def order(self, settings: Settings, module: Provisioning, *, take_over: bool, anyway: bool) -> Coupling:
        """The details of the order. Raises CliError, and Refused for what the register refuses (OWN-2, OWN-3)."""
        vin = vin_of(self._vin or module.vehicle.vin, module.vehicle.market)
        register = known(settings.path("cars"))
        refusal = coupling.refusal(register, vin, self.owner, self.person, take_over=take_over)
        if refusal is not None and not anyway:
            raise _refused("the backend signs no order", refusal)
        now_s = int(time.time())
        number = _next(register.car(vin), now_s) if self._number is None else self._number
        return Coupling(number, self.owner, self.person, vin, now_s if self._number is None else self._number)


def removal(settings: Settings, module: Provisioning, owner: str | None, number: int | None) -> Removal:
    """The order by which the owner gives the car up; `owner` None: whom the register names. Raises CliError."""
    register = known(settings.path("cars"))
    car = next((each for each in register.cars if each.module_id == module.module_id.hex()), None)
    if owner is None and (car is None or not car.owner):
        raise CliError(Exit.USAGE, "the register names no owner of this car. Say who it is: --owner.")
    account = bytes.fromhex(car.owner) if owner is None and car is not None else parse_pseudonym(owner or "")
    return Removal(_next(car, int(time.time())) if number is None else number, account)


def note(settings: Settings, details: Details | None, module_id: bytes) -> None:
    """The module has said OK to that order. Raises KeyringError."""
    path = settings.path("cars")
    if not isinstance(details, Coupling | Removal) or not path.exists():
        return
    register = known(path)
    changed = coupling.told(register, details, module_id)
    if changed is not register:
        coupling.write(path, changed)


def _next(car: Car | None, now_s: int) -> int:
    """The number of the next order: it rises, also when the answer to the last one was never heard."""
    return now_s if car is None else max(now_s, car.number + 1)


def _refused(what: str, refusal: Refusal) -> Refused:
    return Refused(refusal, what, sentence(refusal))
