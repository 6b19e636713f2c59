"""The commands about the car, over virtual BLE, against a module peer."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import write_booking, write_key, write_shown
from protocol import keys
from protocol.errors import Code, refuse
from protocol.messages import (
    Accepted,
    Ended,
    KeyEntry,
    KeyList,
    Notice,
    NoticeKind,
    Operation,
    Outcome,
    Phase,
    Push,
    PushKind,
    Status,
    VehicleState,
)
from protocol.provisioning import KeyFile
from protocol.sharing import Key
from protocol.tokens import TimeAttestation, trust_of, verify_signed
from tests.support.car_park import car_park
from tests.support.command import Ran, in_loop
from tests.support.module_peer import DENIED, GRANTED, NOW_S, ModulePeer

Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
def peer() -> ModulePeer:
    peer = ModulePeer()
    write_booking(Path("booking.json"), peer.booking_file())
    write_key(Path("holder.pem"), peer.holder)
    return peer


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], peer: ModulePeer) -> Run:
    async def one(*tokens: str) -> Ran:
        async with car_park(peer):
            return await in_loop(capsys, *tokens)

    return one


@pytest.mark.parametrize(
    ("tokens", "line", "operation"),
    [
        (["unlock"], "Unlocked.", Operation.UNLOCK),
        (["lock"], "Locked.", Operation.LOCK),
        (["drive"], "Driving enabled.", Operation.ENABLE_DRIVE),
        (["boot"], "Boot opened.", Operation.OPEN_BOOT),
        (["drive", "--off"], "Driving disabled.", Operation.DISABLE_DRIVE),
    ],
)
@pytest.mark.req("ACC-1")
async def test_a_command_is_carried_out_and_said_in_one_line(
    tokens: list[str], line: str, operation: Operation, run: Run, peer: ModulePeer
) -> None:
    assert await run("phone", *tokens) == Ran(0, f"{line}\n", "")
    assert peer.head.executed == [operation]


async def test_programs_get_the_identifier_of_the_command_and_can_ask_for_its_outcome(
    run: Run, peer: ModulePeer
) -> None:
    (done,) = (await run("phone", "unlock", "--json")).objects()
    assert (done["type"], done["operation"], done["code"], done["already"]) == ("done", "unlock", "OK", False)
    assert (await run("phone", "outcome", str(done["command"]))).out == "unlock: done.\n"
    (known,) = (await run("phone", "outcome", str(done["command"]), "--json")).objects()
    assert (known["operation"], known["code"], known["may_have_succeeded"]) == ("unlock", "OK", False)
    assert (await run("phone", "unlock")).out == "Unlocked already.\n"


async def test_an_outcome_in_doubt_says_so_and_a_wrong_identifier_is_refused(run: Run, peer: ModulePeer) -> None:
    peer.head.bodies[Operation.OUTCOME] = Outcome(Operation.ENABLE_DRIVE, Code.VEHICLE_NO_RESPONSE, True)
    assert (await run("phone", "outcome", "00" * 8)).out == (
        "enable drive: the car did not confirm the command. It may have been carried out all the same.\n"
    )
    assert (await run("phone", "outcome", "00")).code == Exit.USAGE


@pytest.mark.req("ACC-8")
async def test_a_refusal_is_exit_code_3_with_reason_rule_and_remedy(run: Run, peer: ModulePeer) -> None:
    numbers = (("overdue_ms", 1_864_000), ("parked_ms", 12_000))
    peer.head.refusals[Operation.UNLOCK] = refuse(Code.BOOKING_CUT_OFF, numbers=numbers)
    ran = await run("phone", "unlock", "--json")
    assert ran.code == Exit.REFUSED
    (error,) = ran.objects()
    assert (error["type"], error["code"], error["rule"]) == ("error", "BOOKING_CUT_OFF", "CUT-2")
    assert error["numbers"] == dict(numbers)
    assert ran.err == (
        "shareboxctl: unlock refused: the booking was cut off: overdue 31 min 04 s, parked for 12 s "
        "(rule CUT-2, code BOOKING_CUT_OFF). Ask for a new booking.\n"
    )


@pytest.mark.req("CUT-1")
async def test_a_late_driver_is_told_how_much_time_is_left(run: Run, peer: ModulePeer) -> None:
    late_ms = (NOW_S + 3600 + 60) * 1000
    peer.head.access = msgspec.structs.replace(GRANTED, phase=Phase.OVERDUE, now_ms=late_ms)
    ran = await run("phone", "lock")
    assert ran.out == "Locked.\n"
    assert "cut-off in 29 min 00 s, once the car is parked" in ran.err


@pytest.mark.req("CUT-7")
async def test_notices_of_the_module_are_shown(run: Run, peer: ModulePeer) -> None:
    peer.greeting = [Push(PushKind.NOTICE, Notice(NoticeKind.CUTOFF_SOON, 300_000)), Push(PushKind.ACCESS, GRANTED)]
    assert "Access ends in 5 min 00 s" in (await run("phone", "status")).err


@pytest.mark.req("ACC-10")
async def test_status_shows_access_and_car(run: Run, peer: ModulePeer) -> None:
    vehicle = VehicleState(
        locked=False,
        doors_open=True,
        boot_open=False,
        ignition_on=True,
        drive_enabled=True,
        parked=False,
        fuel_pct=63,
        odometer_m=12_345_600,
        home_distance_m=301,
    )
    peer.head.bodies[Operation.STATUS] = Status(GRANTED, vehicle)
    lines = (await run("phone", "status")).out.splitlines()
    assert lines[0] == "Access granted: unlock, drive, lock, locate"
    assert lines[2] == (
        "Car: unlocked, a door open, boot closed, ignition on, not parked, driving enabled, "
        "fuel 63 %, odometer 12345.6 km, 301 m from home"
    )
    (shown,) = (await run("phone", "status", "--json")).objects()
    assert shown["access"] == {
        "granted": True,
        "phase": "active",
        "permissions": 15,
        "ends_at_ms": GRANTED.ends_at_ms,
        "cutoff_at_ms": GRANTED.cutoff_at_ms,
        "now_ms": GRANTED.now_ms,
        "refusal": None,
    }
    assert shown["vehicle"] == msgspec.to_builtins(vehicle)


async def test_what_is_not_known_is_called_unknown(run: Run, peer: ModulePeer) -> None:
    peer.head.bodies[Operation.STATUS] = Status(GRANTED, VehicleState(parked=True))
    assert (await run("phone", "status")).out.splitlines()[2] == (
        "Car: lock unknown, doors unknown, boot unknown, ignition unknown, parked, driving disabled"
    )


@pytest.mark.req("ACC-3", "ACC-10")
async def test_status_of_a_denied_booking_is_an_answer_without_the_car(run: Run, peer: ModulePeer) -> None:
    peer.head.bodies[Operation.STATUS] = Status(DENIED)
    ran = await run("phone", "status")
    assert ran.code == 0
    assert ran.out.splitlines()[:2] == ["Access denied", "Reason: the booking has not begun: begins in 1 min 30 s"]
    (shown,) = (await run("phone", "status", "--json")).objects()
    assert shown["vehicle"] is None
    access = shown["access"]
    assert isinstance(access, dict)
    assert access["refusal"]["code"] == "NOT_YET_VALID"


@pytest.mark.req("BKG-4", "BKG-5")
async def test_the_end_tells_the_distance_from_home_and_keeps_the_receipt(
    run: Run, peer: ModulePeer, tmp_path: Path
) -> None:
    peer.head.bodies[Operation.END_BOOKING] = Ended(NOW_S * 1000, 301, 2000, b"receipt")
    receipt, none = tmp_path / "receipt.cose", tmp_path / "none.cose"
    ran = await run("phone", "end", "--yes", "--receipt", str(receipt))
    assert ran.out == "The booking has ended.\nThe car is 301 m from its home position (position 2 s old).\n"
    assert receipt.read_bytes() == b"receipt"
    (ended,) = (await run("phone", "end", "--yes", "--json")).objects()
    assert (ended["home_distance_m"], ended["receipt"]) == (301, b"receipt".hex())
    peer.head.bodies[Operation.END_BOOKING] = Ended(NOW_S * 1000)
    assert "does not know how far" in (await run("phone", "end", "--yes", "--receipt", str(none))).out
    assert not none.exists()
    peer.head.bodies[Operation.END_BOOKING] = Ended(NOW_S * 1000, 5)
    assert (await run("phone", "end", "--yes")).out.endswith("The car is 5 m from its home position.\n")


@pytest.mark.req("KEY-1", "KEY-5", "KEY-6")
async def test_the_main_user_sees_the_keys_that_the_car_knows(run: Run, peer: ModulePeer) -> None:
    claims = peer.issuer.key(
        module_id=peer.module_id, holder=peer.holder.public_key(), starts_s=0, expires_s=2**32 - 1, now_s=0
    )
    public = keys.public_to_bytes(peer.handshake_key.public_key())
    write_shown(Path("owner-key.json"), KeyFile(peer.issuer.key_token(claims), public, public, peer.module_id))
    peer.head.bodies[Operation.KEYS] = KeyList()
    assert await run("phone", "keys") == Ran(0, "", "The car knows no shared key.\n")
    assert isinstance(peer.admitted[-1], Key)
    ana = KeyEntry(1, b"\x0a" * 16, "Ana\n", 7, NOW_S * 1000, activated=False)
    peer.head.bodies[Operation.KEYS] = KeyList(
        (
            ana,
            msgspec.structs.replace(ana, number=3, name="Ben", activated=True),
            msgspec.structs.replace(ana, number=4, name="Eve", activated=True, deleted=True),
        )
    )
    until = "until 2026-05-28 20:26:40 UTC"
    assert (await run("phone", "keys")).out.splitlines() == [
        f"1  Ana : unlock, drive, lock, {until}, waits for its code",
        f"3  Ben: unlock, drive, lock, {until}, activated",
        f"4  Eve: unlock, drive, lock, {until}, deleted, and still good",
    ]
    (first, *_) = (await run("phone", "keys", "--json", "--with", "owner-key.json")).objects()
    assert (first["type"], first["number"], first["token"], first["activated"]) == ("shared-key", 1, "0a" * 16, False)
    peer.head.refusals[Operation.KEYS] = refuse(Code.ROLE_REQUIRED)
    assert (await run("phone", "keys", "--booking", "booking.json")).code == Exit.REFUSED


@pytest.mark.req("PRV-5")
async def test_locate_shows_degrees_and_age(run: Run, peer: ModulePeer) -> None:
    assert (await run("phone", "locate")).out == "52.123457, 13.123457  (1 s old)\n"
    (shown,) = (await run("phone", "locate", "--json")).objects()
    assert (shown["latitude"], shown["age_ms"]) == (52.1234567, 1500)


async def test_signed_files_are_handed_over(run: Run, peer: ModulePeer, tmp_path: Path) -> None:
    (tmp_path / "order.cose").write_bytes(b"signed")
    assert (await run("phone", "put", "order.cose")).out == "Accepted.\n"
    assert peer.head.put == [b"signed"]
    peer.head.bodies[Operation.PUT] = Accepted(pending=True)
    assert "once the car is parked" in (await run("phone", "put", "order.cose")).out
    assert (await run("phone", "put", "missing.cose")).code == Exit.CONFIGURATION


@pytest.mark.req("CLK-2")
async def test_a_nonce_is_fetched_and_the_time_is_signed_for_it(run: Run, peer: ModulePeer) -> None:
    assert (await run("phone", "nonce")).out == f"{'00' * 16}\n"
    write_key(Path("issuer.pem"), keys.private_from_bytes(bytes(31) + b"\x07"))
    ran = await run("phone", "set-time")
    assert ran.out.startswith("Time set: ")
    signer = keys.private_from_bytes(bytes(31) + b"\x07").public_key()
    attested = verify_signed(peer.head.put[0], trust_of(bytes(8), (signer,)))
    assert isinstance(attested, TimeAttestation)
    assert attested.nonce == bytes(16)
    assert (await run("phone", "set-time", "--issuer", "missing.pem")).code == Exit.CONFIGURATION


async def test_ending_asks_first_and_not_where_nobody_can_answer(run: Run, peer: ModulePeer) -> None:
    ran = await run("phone", "end")
    assert ran.code == Exit.USAGE
    assert ran.err == "shareboxctl: End the booking? It cannot be undone. Nobody can be asked here. Say --yes.\n"
    assert peer.head.executed == []


async def test_scan_lists_the_modules_in_range(run: Run) -> None:
    ran = await run("phone", "scan")
    assert ran.code == 0
    assert ran.out.endswith("  -50 dBm\n")
    (found,) = (await run("phone", "scan", "--json", "--timeout", "1")).objects()
    assert (found["type"], found["rssi_dbm"]) == ("module", -50)
    address = str(found["address"])
    assert (await run("phone", "scan", "--link", f"ble:{address}")).out.startswith(address)
    assert (await run("phone", "scan", "--link", "ble:00:00:00:00:00:00", "--timeout", "1")).code == Exit.NOT_FOUND
    assert (await run("phone", "unlock", "--link", f"ble:{address}")).out == "Unlocked.\n"


def forget_booking() -> None:
    Path("booking.json").unlink()


@pytest.mark.req("PRV-7")
async def test_scan_knows_the_car_of_the_booking_among_others(
    capsys: pytest.CaptureFixture[str], peer: ModulePeer
) -> None:
    async with car_park(ModulePeer(2), peer, ModulePeer(3)) as parked:
        (known,) = (await in_loop(capsys, "phone", "scan", "--json", "--link", "auto")).objects()[:1]
        assert "own" not in known, "the booking's file has no beacon key"
        file = msgspec.structs.replace(peer.booking_file(), beacon_key=parked[1].beacon_key)
        forget_booking()
        write_booking(Path("booking.json"), file)
        found = (await in_loop(capsys, "phone", "scan", "--json")).objects()
        assert [one["own"] for one in found].count(True) == 1
        assert len(found) == 3
        assert (await in_loop(capsys, "phone", "scan")).out.count("  yours\n") == 1
        forget_booking()
        assert "yours" not in (await in_loop(capsys, "phone", "scan")).out


async def test_with_nobody_in_range_the_exit_code_is_4(capsys: pytest.CaptureFixture[str], peer: ModulePeer) -> None:
    async with car_park():
        assert (await in_loop(capsys, "phone", "scan", "--timeout", "1")).code == Exit.NOT_FOUND
        ran = await in_loop(capsys, "phone", "unlock", "--timeout", "1")
        assert ran.code == Exit.NOT_FOUND
        assert "the car was not found: no module was heard within 1 s" in ran.err


@pytest.mark.req("SEC-2")
async def test_another_car_is_exit_code_5(capsys: pytest.CaptureFixture[str], peer: ModulePeer) -> None:
    async with car_park(ModulePeer(9)):
        ran = await in_loop(capsys, "phone", "unlock", "--timeout", "2")
    assert ran.code == Exit.AUTHENTICATION
    assert "not the one that is looked for" in ran.err


@pytest.mark.req("ACC-7")
async def test_a_module_that_never_answers_leaves_the_identifier_to_ask_with(
    capsys: pytest.CaptureFixture[str], peer: ModulePeer
) -> None:
    peer.head.silent = {Operation.UNLOCK}
    peer.head.refusals[Operation.OUTCOME] = refuse(Code.OUTCOME_UNKNOWN)
    async with car_park(peer):
        ran = await in_loop(capsys, "phone", "unlock", "--json")
    assert ran.code == Exit.NOT_FOUND
    (error,) = ran.objects()
    assert error["may_have_succeeded"] is True
    assert len(bytes.fromhex(str(error["command"]))) == 8
