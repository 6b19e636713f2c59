"""`shareboxctl dealer`, over virtual BLE against a module peer."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.cli.register import install, known
from host_tools.phone.keyring import write_key, write_new, write_shown
from protocol import keys, selftest
from protocol.errors import Code, Role, refuse
from protocol.messages import Operation, SelfTested
from protocol.orders import Coupling, Order
from protocol.provisioning import KeyFile, Provisioning, VehicleFacts, encode_provisioning
from protocol.selftest import Part, Report, Result
from protocol.sharing import Key
from protocol.tokens import trust_of, verify_signed
from tests.support.car_park import car_park
from tests.support.command import Ran, in_loop
from tests.support.module_peer import NOW_S, ModulePeer

Run = Callable[..., Awaitable[Ran]]
VIN = "WMWXM520X0T123456"
GOOD = (
    Result(Part.RADIO, True, 1),
    Result(Part.BROKER, True),
    Result(Part.GNSS, True, 1500),
    Result(Part.CLOCK, True, 20),
    Result(Part.DOORS, True, 3),
    Result(Part.IMMOBILISER, True, 2),
)


@pytest.fixture
def peer() -> ModulePeer:
    """A module, and in the files of this directory its dealer and its issuer."""
    peer = ModulePeer()
    claims = peer.issuer.key(
        module_id=peer.module_id,
        holder=peer.holder.public_key(),
        starts_s=NOW_S,
        expires_s=2**32 - 1,
        now_s=NOW_S,
        role=Role.SERVICE,
    )
    private = keys.private_to_bytes(peer.handshake_key)
    public = keys.public_to_bytes(peer.handshake_key.public_key())
    write_shown(Path("dealer-key.json"), KeyFile(peer.issuer.key_token(claims), public, public, peer.module_id))
    write_key(Path("holder.pem"), peer.holder)
    write_key(Path("issuer.pem"), peer.issuer._private)
    issuers = (keys.public_to_bytes(peer.issuer.public),)
    provisioned = Provisioning(
        peer.module_id, private, private, 0, issuers, vehicle=VehicleFacts(VIN, "BE"), coupled=False
    )
    write_new(Path("provisioning.json"), encode_provisioning(provisioned).encode(), 0o600)
    install(Path("cars.json"), provisioned)
    return peer


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], peer: ModulePeer) -> Run:
    async def one(*tokens: str) -> Ran:
        async with car_park(peer):
            return await in_loop(capsys, *tokens)

    return one


def kept() -> bytes:
    return Path("report.cose").read_bytes()


def gives(peer: ModulePeer, *results: Result, signer: keys.PrivateKey | None = None) -> None:
    report = Report(peer.module_id, NOW_S, results or GOOD)
    signed = selftest.mint(report, signer or peer.handshake_key)
    peer.head.bodies[Operation.SELF_TEST] = SelfTested(signed)


@pytest.mark.req("OWN-1")
async def test_a_module_that_passes_is_shown_part_by_part_and_its_report_is_kept(run: Run, peer: ModulePeer) -> None:
    gives(peer)
    ran = await run("dealer", "test", "--report", "report.cose")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "radio        passed  connections: 1",
        "broker       passed",
        "gnss         passed  fix 1 s old",
        "clock        passed  uncertain by 20 ms",
        "doors        passed  confirmed: 3 of 3",
        "immobiliser  passed  confirmed: 2 of 2",
        f"Module {peer.module_id.hex()} passed its self-test, 2026-05-28 20:26:40 UTC.",
    ]
    assert selftest.verify(kept(), peer.handshake_key.public_key()).passed
    (shown,) = peer.admitted
    assert isinstance(shown, Key)
    assert shown.role is Role.SERVICE
    (fields,) = (await run("dealer", "test", "--json")).objects()
    parts = fields["parts"]
    assert isinstance(parts, dict)
    assert (fields["passed"], parts["gnss"], parts["broker"]) == (
        True,
        {"passed": True, "detail": 1500},
        {"passed": True, "detail": None},
    )


@pytest.mark.req("OWN-1")
async def test_a_part_that_fails_is_exit_code_3(run: Run, peer: ModulePeer) -> None:
    gives(peer, *GOOD[:2], Result(Part.GNSS, False), *GOOD[3:])
    ran = await run("dealer", "test")
    assert ran.code == Exit.REFUSED
    assert "gnss         FAILED" in ran.out.splitlines()
    assert ran.out.splitlines()[-1].startswith(f"Module {peer.module_id.hex()} failed its self-test")


@pytest.mark.req("OWN-1")
async def test_a_report_that_is_not_the_modules_is_believed_by_nobody(run: Run, peer: ModulePeer) -> None:
    gives(peer, signer=peer.holder)
    ran = await run("dealer", "test", "--report", "report.cose")
    assert (ran.code, ran.out) == (Exit.AUTHENTICATION, "")
    assert "the report is not genuine: the report is of another module. Do not hand the car over." in ran.err
    with pytest.raises(FileNotFoundError):
        kept()


@pytest.mark.req("OWN-2", "OWN-3")
async def test_the_car_gets_its_owner_where_it_stands(run: Run, peer: ModulePeer) -> None:
    ran = await run("dealer", "couple", "--owner", "maria", "--number", "7")
    maria = bytes.fromhex("94aec9fbed989ece")
    assert ran.out == f"Coupled: the car {VIN} has the owner {maria.hex()}.\n"
    order = verify_signed(peer.head.put[0], trust_of(peer.module_id, (peer.issuer.public,)))
    assert isinstance(order, Order)
    assert order.details == Coupling(7, maria, maria, VIN, 7)
    assert known(Path("cars.json")).cars[0].owner == maria.hex()
    assert (await run("dealer", "couple", "--owner", "ben")).code == Exit.REFUSED
    assert len(peer.head.put) == 1
    peer.head.refusals[Operation.PUT] = refuse(Code.ALREADY_OWNED)
    ran = await run("dealer", "couple", "--owner", "ben", "--anyway")
    assert (ran.code, ran.out, "ALREADY_OWNED" in ran.err) == (Exit.REFUSED, "", True)
    assert (await run("dealer", "couple", "--owner", "ben", "--vin", "x")).code == Exit.REFUSED
