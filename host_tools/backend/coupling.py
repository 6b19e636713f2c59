"""Which car has which module, and who owns it, as a backend knows it before it signs an order (OWN-2, OWN-3, OWN-6).

Decides whether a coupling or a takeover is worth an order: a module without the preparation and a preparation without a
module are two refusals, and a car has one owner. The module decides again; here people are told sooner, and what the
module can not know: that there is none. Values and questions; only `read` and `write` touch a file.
"""

from pathlib import Path
from typing import Final

import msgspec

from host_tools.phone.keyring import write_replacing
from protocol import vin as vins
from protocol.claims import MODULE_ID_BYTES
from protocol.errors import Code, Refusal, refuse
from protocol.orders import PSEUDONYM_BYTES, Coupling, Removal

MOST_CARS: Final = 10_000
MOST_BYTES: Final = 8 * 1024 * 1024
"""Of the file: a car needs a few hundred."""

replace = msgspec.structs.replace


class Car(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A car of which the backend has heard. `market`: a country (ISO 3166-1 alpha-2). `prepared`: it has the option
    5GE. `module_id` in hex, empty while none is installed. `owner` and `person`: pseudonyms in hex, empty while nobody
    owns it. `number`: of the last order about its ownership."""

    vin: str
    market: str = ""
    prepared: bool = True
    module_id: str = ""
    owner: str = ""
    person: str = ""
    number: int = 0


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All cars, each VIN and each module once."""

    cars: tuple[Car, ...] = ()

    def car(self, vin: str) -> Car | None:
        """The car with that VIN."""
        return next((car for car in self.cars if car.vin == vin), None)


# ---------------------------------------------------------------- before an order is signed
def refusal(register: Register, vin: str, owner: bytes, person: bytes, *, take_over: bool = False) -> Refusal | None:
    """Why there is no order for that account; None: there may be one."""
    car = register.car(vin)
    fault = vins.check(vin, car.market if car is not None else "")
    if fault is not None:
        return vins.refusal(fault)
    if car is None or not car.module_id:
        return refuse(Code.NO_MODULE)
    if not car.prepared:
        return refuse(Code.NOT_PREPARED)
    if not car.owner:
        return refuse(Code.NOT_COUPLED) if take_over else None
    if take_over and car.owner != owner.hex():
        return None
    same = car.person == person.hex()
    remedy = "It is in another account of yours: remove it there, or sign in with that account." if same else ""
    if car.owner == owner.hex():
        remedy = "It is in this account already."
    return refuse(Code.ALREADY_OWNED, numbers=(("same_person", int(same)),), remedy=remedy)


# ---------------------------------------------------------------- what happened
def installed(register: Register, car: Car) -> Register:
    """A car is new, or the dealer has written down something else about it; who owns it stays. Raises ValueError for a
    VIN that can not be, a module that is another car's, and one car too many."""
    fault = vins.check(car.vin, car.market)
    if fault is not None:
        raise ValueError(f"the VIN {car.vin!r} can not be: {fault.what}")
    others = tuple(each for each in register.cars if each.vin != car.vin)
    holder = next((each for each in others if car.module_id and each.module_id == car.module_id), None)
    if holder is not None:
        raise ValueError(f"the module {car.module_id} is in the car {holder.vin}: write down first that it is not")
    known = register.car(car.vin)
    if known is not None:
        car = replace(car, owner=known.owner, person=known.person, number=known.number)
    return _checked(Register((*others, car)))


def told(register: Register, details: Coupling | Removal, module_id: bytes) -> Register:
    """The module has said OK to an order about its ownership. One that is older than what is known, or of a module that
    is not, changes nothing."""
    car = next((each for each in register.cars if each.module_id == module_id.hex()), None)
    if car is None or details.number <= car.number:
        return register
    if isinstance(details, Coupling):
        changed = replace(car, owner=details.owner.hex(), person=details.person.hex(), number=details.number)
    else:
        changed = replace(car, owner="", person="", number=details.number)
    return Register(tuple(changed if each is car else each for each in register.cars))


# ---------------------------------------------------------------- the file
def read(path: Path) -> Register:
    """The register in that file, an empty one when there is none. Raises ValueError in words."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Register()
    except OSError as error:
        raise ValueError(f"{path} can not be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise ValueError(f"{path} has more than {MOST_BYTES} bytes: it is no register of {MOST_CARS} cars")
    try:
        return _checked(msgspec.json.decode(data, type=Register))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no register of cars: {error}") from None


def write(path: Path, register: Register) -> None:
    """Put the register into that file, whole or not at all. Raises KeyringError."""
    write_replacing(path, msgspec.json.format(msgspec.json.encode(register), indent=2) + b"\n", 0o600)


def _checked(register: Register) -> Register:
    """The register, when it can be one."""
    if len(register.cars) > MOST_CARS:
        raise ValueError(f"{len(register.cars)} cars are more than the {MOST_CARS} that a register holds")
    modules = [car.module_id for car in register.cars if car.module_id]
    if len({car.vin for car in register.cars}) < len(register.cars) or len(set(modules)) < len(modules):
        raise ValueError("a VIN or a module stands twice in the register of cars")
    for car in register.cars:
        _hex(car.module_id, MODULE_ID_BYTES, "module_id", car)
        _hex(car.owner, PSEUDONYM_BYTES, "owner", car)
        _hex(car.person, PSEUDONYM_BYTES, "person", car)
    return register


def _hex(text: str, size: int, field: str, car: Car) -> None:
    try:
        whole = len(bytes.fromhex(text)) in (0, size) and text == text.lower()
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"the {field} of the car {car.vin} is not {2 * size} hexadecimal digits")
