"""`shareboxctl issuer`: the orders of a service desk."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.backend import coupling
from host_tools.cli.exits import Exit
from host_tools.cli.files import read_provisioning
from host_tools.phone.keyring import read_key
from protocol.orders import Coupling, DriverRemoval, Order, OrderKind, Place, Removal
from protocol.tokens import trust_of, verify_signed
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]
MARIA, BEN = bytes.fromhex("94aec9fbed989ece"), bytes.fromhex("6700869c8ff7480e")
VIN = "WMWXM520X0T123456"


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b", "--vin", VIN)
    monkeypatch.chdir(tmp_path / "b")
    return run


def read(name: str) -> Order:
    module = read_provisioning(Path("provisioning.json"))
    trust = trust_of(module.module_id, (read_key(Path("issuer.pem")).public_key(),))
    order = verify_signed(Path(name).read_bytes(), trust)
    assert isinstance(order, Order)
    return order


def owned_by(owner: bytes) -> None:
    """The register has heard that somebody owns the car."""
    module = read_provisioning(Path("provisioning.json")).module_id
    register = coupling.read(Path("cars.json"))
    coupling.write(Path("cars.json"), coupling.told(register, Coupling(2**31, owner, owner, VIN, 1), module))


@pytest.mark.req("OWN-3", "OWN-4")
@pytest.mark.parametrize(
    ("verb", "kind", "lives_s"),
    [("couple", OrderKind.COUPLE, 86_400), ("take-over", OrderKind.TAKE_OVER, 600)],
)
def test_a_car_gets_an_owner(bench: Run, verb: str, kind: OrderKind, lives_s: int) -> None:
    if verb == "take-over":
        owned_by(bytes(8))
    ran = bench("issuer", verb, "--owner", "maria", "--vin", VIN, "--number", "7", "--json")
    order = read(f"{verb}.cose")
    assert (order.kind, order.details) == (kind, Coupling(7, MARIA, MARIA, VIN, 7))
    assert order.expires_s - order.issued_s == lives_s
    (shown,) = ran.objects()
    assert (shown["type"], shown["owner"], shown["vin"]) == (verb, MARIA.hex(), VIN)
    bench("issuer", verb, "--owner", "maria", "--person", BEN.hex())
    details = read(f"{verb}.cose").details
    assert isinstance(details, Coupling)
    assert details.person == BEN
    assert details.number > 1_700_000_000


@pytest.mark.req("OWN-5", "SUB-3")
def test_an_owner_and_a_driver_are_removed(bench: Run) -> None:
    ran = bench("issuer", "remove")
    assert (ran.code, "the register names no owner of this car" in ran.err) == (Exit.USAGE, True)
    assert bench("issuer", "remove", "--owner", "maria", "--number", "8").out.startswith("remove.cose: remove owner, ")
    assert read("remove.cose").details == Removal(8, MARIA)
    owned_by(BEN)
    bench("issuer", "remove")
    assert read("remove.cose").details == Removal(2**31 + 1, BEN)
    bench("issuer", "remove-driver", "ben", "--ttl", "1h")
    order = read("remove-driver.cose")
    assert (order.details, order.expires_s - order.issued_s) == (DriverRemoval(BEN), 3600)


@pytest.mark.req("SVC-1", "BKG-5")
def test_places_are_signed_in_degrees(bench: Run) -> None:
    assert bench("issuer", "home", "48.1375", "-11.5755").code == 0
    assert (read("home.cose").kind, read("home.cose").details) == (OrderKind.HOME, Place(481_375_000, -115_755_000))
    bench("issuer", "send-to-car", "-48.1", "11.5", "Rue Neuve 1")
    order = read("send-to-car.cose")
    assert (order.kind, order.details) == (OrderKind.SEND_TO_CAR, Place(-481_000_000, 115_000_000, "Rue Neuve 1"))


@pytest.mark.parametrize(
    "tokens",
    [
        ["couple"],
        ["couple", "--owner", "0a0b0c0d0e", "--vin", VIN],
        ["couple", "--owner", "maria", "--vin", VIN, "--number", "0"],
        ["take-over", "--owner", "maria", "--vin", VIN, "--ttl", "11m", "--anyway"],
        ["home", "91", "0"],
        ["send-to-car", "1", "1", "x" * 65],
        ["remove-driver", ""],
    ],
)
def test_an_order_that_cannot_be_is_not_written(bench: Run, tokens: list[str]) -> None:
    ran = bench("issuer", *tokens)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert len(ran.err.splitlines()) == 1
    assert not list(Path().glob("*.cose"))
