"""The backend's register of cars, as the command line asks and tells it."""

import time
from pathlib import Path

import msgspec
import pytest

from host_tools.backend import coupling
from host_tools.backend.coupling import Car, Register
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.register import Wish, install, known, note, removal, vin_of
from host_tools.cli.settings import Settings
from host_tools.phone.errors import Refused
from host_tools.phone.keyring import KeyringError
from protocol.errors import Code
from protocol.orders import Coupling, Removal
from protocol.provisioning import Provisioning, VehicleFacts

VIN = "WMWXM520X0T123456"
CARS = Path("cars.json")
MODULE = Provisioning(bytes(range(8)), b"", b"", 0, (), vehicle=VehicleFacts(VIN, "BE"))
MARIA, BEN = bytes.fromhex("94aec9fbed989ece"), bytes.fromhex("6700869c8ff7480e")
HERE = Settings({})


def heard(owner: bytes, number: int = 5) -> None:
    note(HERE, Coupling(number, owner, owner, VIN, 1), MODULE.module_id)


def wanted(owner: str, vin: str | None = None, *, take_over: bool = False, anyway: bool = False) -> Coupling:
    return Wish(owner, None, vin, None).order(HERE, MODULE, take_over=take_over, anyway=anyway)


@pytest.mark.req("OWN-2", "OWN-3")
def test_a_car_that_was_installed_gets_one_owner() -> None:
    install(CARS, MODULE)
    assert known(CARS) == Register((Car(VIN, "BE", True, MODULE.module_id.hex()),))
    order = wanted("maria")
    assert (order.owner, order.person, order.vin) == (MARIA, MARIA, VIN)
    assert time.time() - order.number < 60
    heard(MARIA)
    with pytest.raises(Refused, match="the backend signs no order: the car has an owner") as caught:
        wanted("ben")
    assert caught.value.refusal.code is Code.ALREADY_OWNED
    assert wanted("ben", anyway=True).owner == BEN
    assert wanted("ben", take_over=True).owner == BEN


@pytest.mark.req("OWN-2")
def test_without_a_module_there_is_no_order_but_for_whoever_wants_to_see_the_modules_answer() -> None:
    with pytest.raises(Refused) as caught:
        wanted("maria")
    assert caught.value.refusal.code is Code.NO_MODULE
    assert wanted("maria", anyway=True).vin == VIN
    install(CARS, msgspec.structs.replace(MODULE, vehicle=VehicleFacts(VIN, "BE", prepared=False)))
    with pytest.raises(Refused) as caught:
        wanted("maria")
    assert caught.value.refusal.code is Code.NOT_PREPARED


@pytest.mark.req("OWN-6")
def test_a_vin_that_cannot_be_is_never_signed() -> None:
    with pytest.raises(Refused, match="the VIN 'x' is refused") as caught:
        wanted("maria", "x", anyway=True)
    assert caught.value.refusal.code is Code.VIN_INVALID
    with pytest.raises(CliError, match="names no VIN"):
        vin_of("", "BE")
    assert vin_of(VIN, "BE") == VIN


@pytest.mark.req("OWN-5")
def test_the_owner_that_gives_the_car_up_is_the_one_that_the_register_names() -> None:
    with pytest.raises(CliError, match="the register names no owner") as caught:
        removal(HERE, MODULE, None, None)
    assert caught.value.exit_code is Exit.USAGE
    assert removal(HERE, MODULE, "ben", 7) == Removal(7, BEN)
    install(CARS, MODULE)
    heard(MARIA, 2**32 - 3)
    assert removal(HERE, MODULE, None, None) == Removal(2**32 - 2, MARIA)


def test_what_the_module_said_ok_to_is_written_down_and_nothing_else() -> None:
    heard(MARIA)
    assert not CARS.exists()
    install(CARS, MODULE)
    note(HERE, None, MODULE.module_id)
    heard(MARIA)
    heard(BEN, 4)
    (car,) = known(CARS).cars
    assert (car.owner, car.number) == (MARIA.hex(), 5)
    note(HERE, Removal(6, MARIA), MODULE.module_id)
    assert known(CARS).cars[0].owner == ""


def test_a_file_that_is_no_register_and_a_module_of_another_car_are_named() -> None:
    coupling.write(CARS, Register((Car("WMWXM520X0T123457", module_id=MODULE.module_id.hex()),)))
    with pytest.raises(CliError, match="is in the car WMWXM520X0T123457"):
        install(CARS, MODULE)
    CARS.write_bytes(b"{")
    with pytest.raises(KeyringError, match=r"cars\.json is no register of cars"):
        known(CARS)
