"""What a backend refuses before it signs who owns a car, and what it remembers."""

from pathlib import Path

import msgspec
import pytest

from host_tools.backend import coupling
from host_tools.backend.coupling import MOST_BYTES, MOST_CARS, Car, Register
from protocol.errors import Code
from protocol.orders import Coupling, Removal

replace = msgspec.structs.replace

VIN = "WMWXU71090TU12345"
OTHER_VIN = "WMWXU71090TU12346"
MODULE = bytes.fromhex("0011223344556677")
ANN, BEN, ANNA, BENJAMIN = (name.ljust(8).encode() for name in ("Ann", "Ben", "Anna", "Benjamin"))
CAR = Car(VIN, "DE", module_id=MODULE.hex())
OWNED = replace(CAR, owner=ANN.hex(), person=ANNA.hex(), number=4)


def asked(car: Car | None, vin: str = VIN, owner: bytes = BEN, person: bytes = BENJAMIN, **how: bool) -> Code | None:
    no = coupling.refusal(Register(() if car is None else (car,)), vin, owner, person, **how)
    return None if no is None else no.code


@pytest.mark.req("OWN-2")
def test_a_module_without_preparation_and_a_preparation_without_module_are_two_refusals() -> None:
    assert asked(CAR) is None
    assert asked(replace(CAR, prepared=False)) is Code.NOT_PREPARED
    assert asked(replace(CAR, module_id="")) is Code.NO_MODULE
    assert asked(None) is Code.NO_MODULE
    assert asked(replace(CAR, module_id="", prepared=False)) is Code.NO_MODULE


@pytest.mark.req("OWN-3")
def test_a_second_owner_is_told_whether_it_is_another_account_of_the_same_person() -> None:
    register = Register((OWNED,))
    for owner, person, same, words in (
        (BEN, BENJAMIN, 0, "both vehicle keys"),
        (BEN, ANNA, 1, "another account of yours"),
        (ANN, ANNA, 1, "this account already"),
    ):
        no = coupling.refusal(register, VIN, owner, person)
        assert no is not None
        assert (no.code, no.numbers) == (Code.ALREADY_OWNED, (("same_person", same),))
        assert words in no.remedy


@pytest.mark.req("OWN-4")
def test_only_a_car_of_somebody_else_is_taken_over() -> None:
    assert asked(OWNED, take_over=True) is None
    assert asked(CAR, take_over=True) is Code.NOT_COUPLED
    assert asked(OWNED, owner=ANN, person=ANNA, take_over=True) is Code.ALREADY_OWNED
    assert asked(replace(OWNED, prepared=False), take_over=True) is Code.NOT_PREPARED


@pytest.mark.req("OWN-6")
def test_a_vin_that_can_not_be_is_refused_first() -> None:
    no = coupling.refusal(Register(), "WMWXU71O90TU12345", BEN, BENJAMIN)
    assert no is not None
    assert (no.code, no.number("position")) == (Code.VIN_INVALID, 8)
    assert "It may be 0." in no.remedy
    assert asked(replace(CAR, market="US")) is Code.VIN_INVALID


@pytest.mark.req("OWN-3", "OWN-5")
def test_what_the_module_said_is_remembered_and_numbers_only_rise() -> None:
    register = coupling.installed(Register(), CAR)
    first = Coupling(1, ANN, ANNA, VIN, 7)
    register = coupling.told(register, first, MODULE)
    assert register.car(VIN) == replace(CAR, owner=ANN.hex(), person=ANNA.hex(), number=1)
    register = coupling.told(register, Removal(2, ANN), MODULE)
    assert register.car(VIN) == replace(CAR, number=2)
    assert coupling.told(register, first, MODULE) is register, "it came late"
    assert coupling.told(register, replace(first, number=3), b"another!") is register


def test_a_dealer_changes_what_is_known_of_a_car_and_not_who_owns_it() -> None:
    register = coupling.installed(Register((OWNED,)), replace(CAR, market="BE", module_id="aa" * 8))
    assert register.cars == (replace(OWNED, market="BE", module_id="aa" * 8),)
    with pytest.raises(ValueError, match=f"is in the car {VIN}"):
        coupling.installed(Register((OWNED,)), Car(OTHER_VIN, module_id=MODULE.hex()))
    with pytest.raises(ValueError, match="character 4 is 'I'"):
        coupling.installed(Register(), Car("WMWIU71090TU12345"))
    two = coupling.installed(coupling.installed(Register(), Car(VIN)), Car(OTHER_VIN))
    assert len(two.cars) == 2


def test_a_register_is_written_and_read_and_none_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "cars.json"
    assert coupling.read(path) == Register()
    register = Register((OWNED, Car(OTHER_VIN)))
    coupling.write(path, register)
    assert coupling.read(path) == register
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no register"),
        ('{"cars": [{"vin": "x", "colour": "red"}]}', "is no register"),
        ('{"cars": [{"vin": "x"}, {"vin": "x"}]}', "twice"),
        ('{"cars": [{"vin": "x", "module_id": "aa"}]}', "module_id of the car x is not 16"),
        ('{"cars": [{"vin": "x", "owner": "zz"}]}', "owner of the car x"),
        ('{"cars": [{"vin": "x", "person": "0011223344556677AA"}]}', "person of the car x"),
        ('{"cars": [{"vin": "x", "owner": "AABBCCDDEEFF0011"}]}', "owner of the car x"),
    ],
)
def test_a_file_that_is_no_register_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "cars.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        coupling.read(path)


def test_a_register_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "cars.json"
    path.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(ValueError, match="more than"):
        coupling.read(path)
    many = Register(tuple(Car(f"{number:017}") for number in range(MOST_CARS)))
    with pytest.raises(ValueError, match="10001 cars"):
        coupling.installed(many, Car(VIN))
    with pytest.raises(ValueError, match="can not be read"):
        coupling.read(tmp_path)
