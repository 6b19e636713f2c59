"""What main users, guests, dealers and a service desk do from the command line, against a module that runs.

Each test is a page that somebody follows (`tests.support.walkthrough`); the usual ways are on those of `docs`.
"""

import re
from pathlib import Path

import pytest

from host_tools.backend.broker import Broker
from tests.support.walkthrough import Walker

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

BENCH = """
    $ shareboxctl module init bench
    $ sharebox run --config bench/sharebox.toml &
    $ cd bench
    $ shareboxctl console "time move 10s"
"""
MAIN_USER = """
    $ shareboxctl key create
    $ shareboxctl phone init ana
    $ shareboxctl key request Ana --key ana/holder.pem
"""
FACTORY = """
    $ mosquitto &
    $ shareboxctl module init bench --factory --vin WMWXM520X0T123456 --market BE
    $ sharebox run --config bench/sharebox.toml &
    $ cd bench
    $ shareboxctl console "time move 10s"
    $ shareboxctl dealer credential
    $ shareboxctl dealer test
    …
    Module … passed its self-test, …
    $ shareboxctl dealer couple --owner maria
    Coupled: the car WMWXM520X0T123456 has the owner 94aec9fbed989ece.
"""
GUEST = """
    $ shareboxctl key share invitation.json --for 2d
    Activation code: 048211
    $ cd ana
    $ shareboxctl key accept ../share.json
    $ shareboxctl phone drive
    shareboxctl: … refused: …code ACTIVATION_REQUIRED…
    $ shareboxctl console "menu activate 048211"
    The key is activated.
    $ shareboxctl phone unlock
    Unlocked.
    $ shareboxctl phone drive
    Driving enabled.
    $ shareboxctl phone drive --off
    Driving disabled.
    $ shareboxctl phone lock
    Locked.
    $ cd ..
    $ shareboxctl key delete Ana
    The car knows.
    $ shareboxctl console "key lock"
    $ cd ana
    $ shareboxctl phone unlock
    Unlocked.
    $ shareboxctl console "key unlock"
    $ shareboxctl console "key lock"
    $ shareboxctl phone unlock
    shareboxctl: unlock refused: … (rule KEY-6, code KEY_DELETED). …
    $ cd ..
    $ shareboxctl key share invitation.json --name Ben --no-code --out ben.json
    $ shareboxctl phone unlock --with ben.json --key ana/holder.pem
    Unlocked.
"""
SECOND_OWNER = """
    $ shareboxctl console "keys 2"
    $ shareboxctl issuer take-over --owner zoe
    $ shareboxctl console "time race 30"
    $ shareboxctl issuer send take-over.cose
    … % done. Leave the car parked, and both vehicle keys in it.
    Done: key epoch 1, …
    $ shareboxctl console "time go"
    $ shareboxctl phone lock --with ben.json --key ana/holder.pem
    shareboxctl: lock refused: …code WRONG_KEY_EPOCH…
    $ shareboxctl phone lock --with owner-key.json
    shareboxctl: lock refused: …code WRONG_KEY_EPOCH…
    $ shareboxctl key create --key-epoch 1
    $ shareboxctl phone keys
    The car knows no shared key.
    $ shareboxctl phone lock --with owner-key.json
    Locked.
"""


@pytest.fixture
def walker(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Walker:
    return Walker(tmp_path, capsys, monkeypatch)


def written_below(directory: Path) -> dict[str, bytes]:
    """What is in the files there, all of one name together."""
    kept: dict[str, bytes] = {}
    for path in directory.rglob("*"):
        if path.is_file():
            kept[path.name] = kept.get(path.name, b"") + path.read_bytes()
    return kept


@pytest.mark.req("KEY-1", "KEY-2")
async def test_a_key_for_the_boot_opens_the_boot_alone_and_is_not_shared_on(walker: Walker) -> None:
    await walker.follow(
        BENCH
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json --permission boot --no-code --name Parcels
    $ cd ana
    $ shareboxctl key accept ../share.json
    booking.json: boot, …
    $ shareboxctl phone boot
    Boot opened.
    $ shareboxctl phone unlock
    shareboxctl: unlock refused: …code PERMISSION_MISSING…
    $ shareboxctl phone keys --with booking.json
    shareboxctl: keys refused: …code ROLE_REQUIRED…
    $ shareboxctl key request Eve
    $ shareboxctl key share invitation.json --owner-key booking.json --out eve.json
    shareboxctl: booking.json is no standing key: only the main user's can be shared. Ask the main user.
"""
    )


@pytest.mark.req("KEY-4")
async def test_five_wrong_codes_kill_a_key(walker: Walker) -> None:
    wrong = """
    $ shareboxctl console "menu activate 000000"
    No: the activation code is not the one of a key that waits: …
    $ shareboxctl console "menu activate 048211"
    No: no activation code is taken for a while, after wrong ones: …
    $ shareboxctl console "time move 11m"
"""
    await walker.follow(
        BENCH
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json
    Activation code: 048211
    $ cd ana
    $ shareboxctl key accept ../share.json
    $ shareboxctl phone status
    Access denied
"""
        + wrong * 4
        + """
    $ shareboxctl console "menu activate 000000"
    No: …(CODE_DEAD)…
    $ shareboxctl console "menu activate 048211"
    No: …
    $ shareboxctl phone unlock
    shareboxctl: unlock refused: too many wrong activation codes were entered (rule KEY-4, code CODE_DEAD). …
"""
    )


@pytest.mark.req("KEY-4")
async def test_a_code_is_in_no_file_no_log_and_no_recording(walker: Walker, tmp_path: Path) -> None:
    await walker.follow(
        BENCH.replace("sharebox.toml &", "sharebox.toml --record drive.jsonl &")
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json
    Activation code: 048211
    $ cd ana
    $ shareboxctl key accept ../share.json
    $ shareboxctl phone status
    $ shareboxctl console "menu activate 048211"
    The key is activated.
    $ shareboxctl console log
"""
    )
    (code,) = walker.codes.values()
    alone = re.compile(rf"(?<![0-9a-f.]){code}(?![0-9a-f])".encode())
    assert alone.search(f"menu activate {code}".encode())
    kept = written_below(tmp_path)
    assert {"drive.jsonl", "share.json", "shares.json", "module.db"} <= set(kept)
    assert [name for name, data in kept.items() if alone.search(data)] == []
    assert [line for line in walker.logged if alone.search(line.encode())] == []


@pytest.mark.req("KEY-6", "KEY-8")
async def test_any_phone_brings_a_deletion_and_the_guests_own_does(walker: Walker) -> None:
    await walker.follow(
        BENCH
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json --no-code
    $ shareboxctl key delete Ana --link serial:/dev/null
    The car does not know yet. Bring it later: `shareboxctl phone put revocation-list.cose`.
    shareboxctl: cannot open /dev/null: …
    $ cd ana
    $ shareboxctl key accept ../share.json
    $ shareboxctl phone unlock
    Unlocked.
    $ shareboxctl phone put ../revocation-list.cose
    Accepted.
    $ shareboxctl console "key lock"
    $ shareboxctl phone unlock
    Unlocked.
    $ shareboxctl console "key unlock"
    $ shareboxctl console "key lock"
    $ shareboxctl phone unlock
    shareboxctl: unlock refused: the main user deleted the key (rule KEY-6, code KEY_DELETED). …
"""
    )


@pytest.mark.req("KEY-6")
async def test_a_phone_that_brings_the_end_of_its_own_key_hears_that_it_arrived(walker: Walker) -> None:
    await walker.follow(
        BENCH
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json --no-code
    $ shareboxctl phone status --with share.json --key ana/holder.pem
    Access granted: unlock, drive, lock
    $ shareboxctl key delete Ana --policy immediate --no-carry
    $ shareboxctl phone put revocation-list.cose --with share.json --key ana/holder.pem
    Accepted.
    $ shareboxctl phone unlock --with share.json --key ana/holder.pem
    shareboxctl: unlock refused: the main user deleted the key (rule KEY-6, code KEY_DELETED). …
"""
    )


@pytest.mark.req("KEY-6")
@pytest.mark.parametrize("policy", ["immediate", "after-last-drive-or-48h"])
async def test_a_key_that_does_not_drive_can_be_dead_as_soon_as_the_car_knows(walker: Walker, policy: str) -> None:
    await walker.follow(
        BENCH
        + MAIN_USER
        + f"""
    $ shareboxctl key share invitation.json --no-code
    $ shareboxctl phone unlock --with share.json --key ana/holder.pem
    Unlocked.
    $ shareboxctl key delete Ana --policy {policy}
    The car knows.
    $ shareboxctl phone lock --with share.json --key ana/holder.pem
    shareboxctl: lock refused: the main user deleted the key (rule KEY-6, code KEY_DELETED). …
"""
    )


@pytest.mark.req("KEY-6")
async def test_a_key_is_deactivated_in_the_vehicle_at_once(walker: Walker) -> None:
    await walker.follow(
        BENCH
        + MAIN_USER
        + """
    $ shareboxctl key share invitation.json --no-code
    $ cd ana
    $ shareboxctl key accept ../share.json
    $ shareboxctl phone unlock
    Unlocked.
    $ shareboxctl console "menu deactivate 1"
    Key 1 is deactivated.
    $ shareboxctl phone lock
    shareboxctl: lock refused: the key was deactivated in the vehicle (rule KEY-6, code KEY_DEACTIVATED). …
    $ cd ..
    $ shareboxctl phone keys
    The car knows no shared key.
"""
    )


@pytest.mark.req("KEY-9", "OWN-1")
async def test_a_vehicle_without_digital_keys_takes_bookings_and_a_dealers_key_moves_nothing(walker: Walker) -> None:
    await walker.follow(
        """
    $ shareboxctl module init bench --no-digital-keys
"""
        + BENCH.split("\n", 2)[2]
        + """
    $ shareboxctl key create
    $ shareboxctl phone unlock --with owner-key.json
    shareboxctl: unlock refused: this vehicle has no digital keys (rule KEY-9, code KEYS_UNAVAILABLE). …
    $ shareboxctl dealer credential
    $ shareboxctl phone unlock --with dealer-key.json
    shareboxctl: unlock refused: …code ROLE_REQUIRED…
    $ shareboxctl issuer booking
    $ shareboxctl phone unlock
    Unlocked.
"""
    )


@pytest.mark.req("OWN-2", "OWN-3", "OWN-5")
async def test_a_car_has_one_owner_until_it_is_given_up(walker: Walker) -> None:
    async with Broker() as broker:
        walker.broker = f"{broker.host}:{broker.port}"
        await walker.follow(
            """
    $ mosquitto &
    $ shareboxctl module init bench --factory --vin WMWXM520X0T123456
    $ sharebox run --config bench/sharebox.toml &
    $ cd bench
    $ shareboxctl console "time move 10s"
    $ shareboxctl dealer credential
    $ shareboxctl dealer couple --owner maria --vin WMWXM520X0T123457
    shareboxctl: the backend signs no order: the vehicle has no sharing module (rule OWN-2, code NO_MODULE). …
    $ shareboxctl dealer couple --owner maria --vin WMWXM520X0T123457 --anyway
    shareboxctl: …code VIN_INVALID…
    $ shareboxctl dealer couple --owner maria
    Coupled: the car WMWXM520X0T123456 has the owner 94aec9fbed989ece.
    $ shareboxctl issuer couple --owner ben
    shareboxctl: the backend signs no order: the car has an owner (rule OWN-3, code ALREADY_OWNED). …
    $ shareboxctl issuer couple --owner ben --anyway
    $ shareboxctl issuer send couple.cose
    shareboxctl: order refused: the car has an owner (rule OWN-3, code ALREADY_OWNED). Ask the previous owner …
    $ shareboxctl issuer couple --owner business --person maria
    shareboxctl: … It is in another account of yours: remove it there, or sign in with that account.
    $ shareboxctl issuer couple --owner business --person maria --anyway
    $ shareboxctl issuer send couple.cose
    shareboxctl: order refused: the car has an owner: of the same person (rule OWN-3, code ALREADY_OWNED). …
    $ shareboxctl key create
    $ shareboxctl phone unlock --with owner-key.json
    Unlocked.
    $ shareboxctl issuer remove --owner ben
    $ shareboxctl issuer send remove.cose
    shareboxctl: order refused: …
    $ shareboxctl issuer remove
    $ shareboxctl issuer send remove.cose
    Done: …key epoch 1…
    $ shareboxctl phone unlock --with owner-key.json
    shareboxctl: unlock refused: the car has no owner yet (rule OWN-3, code NOT_COUPLED). …
    $ shareboxctl issuer couple --owner ben
    $ shareboxctl issuer send couple.cose
    Done: …
    $ shareboxctl phone unlock --with owner-key.json
    shareboxctl: unlock refused: …code WRONG_KEY_EPOCH…
    $ shareboxctl key create --key-epoch 1
    $ shareboxctl phone lock --with owner-key.json
    Locked.
"""
        )


@pytest.mark.req("OWN-2")
async def test_a_vehicle_that_is_not_prepared_gets_no_owner(walker: Walker) -> None:
    await walker.follow(
        """
    $ shareboxctl module init bench --factory --vin WMWXM520X0T123456 --not-prepared
"""
        + BENCH.split("\n", 2)[2]
        + """
    $ shareboxctl dealer credential
    $ shareboxctl dealer couple --owner maria
    shareboxctl: the backend signs no order: the vehicle is not prepared for sharing (rule OWN-2, code NOT_PREPARED). …
    $ shareboxctl dealer couple --owner maria --anyway
    shareboxctl: … (rule OWN-2, code NOT_PREPARED). Only a vehicle with the option 5GE can be coupled: ask the dealer.
"""
    )


@pytest.mark.req("SUB-1", "SUB-2")
async def test_a_pause_stops_new_bookings_and_keys_go_on(walker: Walker) -> None:
    await walker.follow(
        BENCH
        + """
    $ shareboxctl key create
    $ shareboxctl issuer subscription --sharing 2090-01-01
    $ shareboxctl issuer pause
    …
    Sharing until 2090-01-01 00:00:00 UTC, paused.
    $ shareboxctl phone put subscription.cose --with owner-key.json
    Accepted.
    $ shareboxctl issuer booking
    $ shareboxctl phone unlock
    shareboxctl: unlock refused: the owner's subscription to sharing is over, or sharing is paused…
    $ shareboxctl phone unlock --with owner-key.json
    Unlocked.
    $ shareboxctl phone lock --with owner-key.json
    $ shareboxctl issuer resume
    $ shareboxctl phone put subscription.cose --with owner-key.json
    $ shareboxctl phone unlock
    Unlocked.
"""
    )


@pytest.mark.req("OWN-1", "OWN-3", "OWN-4", "KEY-1", "KEY-3", "KEY-6", "BLE-1", "BEN-2")
@pytest.mark.parametrize("serial", [False, True], ids=["radio", "serial"])
async def test_the_life_of_a_module_from_the_factory_to_its_second_owner(walker: Walker, serial: bool) -> None:
    async with Broker() as broker:
        walker.broker, walker.serial = f"{broker.host}:{broker.port}", serial
        await walker.follow(FACTORY + MAIN_USER + GUEST + SECOND_OWNER)
