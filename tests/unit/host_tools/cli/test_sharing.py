"""`shareboxctl key`: what the main user does. The car is a module peer over virtual BLE where one is needed."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_key, read_shown, write_key, write_shown
from host_tools.phone.ledger import read_ledger
from protocol import keys, sealing, sharing
from protocol.errors import Code, refuse
from protocol.messages import Operation
from protocol.provisioning import KeyFile, ShareFile
from protocol.sharing import Deletion, Hours, Key
from protocol.tokens import RevocationList, trust_of, verify_signed
from tests.support.car_park import car_park
from tests.support.command import Ran, in_loop, shareboxctl
from tests.support.module_peer import NOW_S, ModulePeer

Run = Callable[..., Ran]
ModuleRun = Callable[..., Awaitable[Ran]]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A bench whose main user has a key, and whom Ana has asked for one."""
    run = shareboxctl(capsys)
    run("module", "init", "b")
    monkeypatch.chdir(tmp_path / "b")
    run("key", "create")
    run("key", "request", "Ana", "--key", "ana.pem")
    return run


def shared(name: str = "share.json") -> Key:
    file = read_shown(Path(name))
    assert isinstance(file, ShareFile)
    return sharing.read_share(file.parent, file.share)[1]


def listed() -> RevocationList:
    trust = trust_of(read_shown(Path("owner-key.json")).module_id, (read_key(Path("issuer.pem")).public_key(),))
    found = verify_signed(Path("revocation-list.cose").read_bytes(), trust)
    assert isinstance(found, RevocationList)
    return found


def list_file() -> bytes:
    return Path("revocation-list.cose").read_bytes()


# ---------------------------------------------------------------- share
@pytest.mark.req("KEY-1", "KEY-2")
def test_a_key_for_a_week_needs_no_options(bench: Run) -> None:
    ran = bench("key", "share", "invitation.json")
    file, code = ran.out.splitlines()
    assert file.startswith("share.json: for Ana: unlock, drive, lock, 20")
    assert sealing.is_code(code.removeprefix("Activation code: "))
    key = shared()
    assert (key.name, key.permissions, key.hours, key.expires_s - key.not_before_s) == ("Ana", 7, None, 7 * 86_400)
    assert key.code_until_s == key.issued_s + 86_400
    assert key.holder == keys.public_to_bytes(read_key(Path("ana.pem")).public_key())
    assert Path("share.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.req("KEY-2")
def test_everything_in_a_share_can_be_chosen(bench: Run) -> None:
    ran = bench(
        *("key", "share", "invitation.json", "--from", "+1h", "--for", "2d", "--hours", "22:00-06:00"),
        *("--permission", "boot", "--name", "Parcels", "--no-code", "--out", "x.json", "--json"),
    )
    (shown,) = ran.objects()
    key = shared("x.json")
    assert (key.name, key.permissions, key.hours) == ("Parcels", 16, Hours(1320, 360))
    assert (key.not_before_s - key.issued_s, key.expires_s - key.not_before_s) == (3600, 2 * 86_400)
    assert (shown["type"], shown["code"], shown["needs_code"]) == ("share", None, False)
    assert ran.err == ""
    bench("key", "share", "invitation.json", "--code-for", "10m")
    assert shared().code_until_s - shared().issued_s == 600
    bench("key", "share", "invitation.json", "--from", "+5d", "--out", "y.json")
    assert shared("y.json").code_until_s - shared("y.json").not_before_s == 86_400


@pytest.mark.req("KEY-4")
def test_the_code_is_shown_once_and_is_in_no_file(bench: Run) -> None:
    (shown,) = bench("key", "share", "invitation.json", "--json").objects()
    code = shown["code"]
    assert isinstance(code, str)
    assert sealing.is_code(code)
    for path in Path().iterdir():
        assert code not in path.read_bytes().decode("latin-1").replace('"token": "', ""), path
    assert code not in bench("key", "list", "--json").out.replace(str(shown["token"]), "")


@pytest.mark.req("KEY-1")
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--for", "200w"], Exit.USAGE, "the key cannot be shared like that"),
        (["--name", "x" * 33], Exit.USAGE, "this is no name for a key"),
        (["--name", "\udcff"], Exit.USAGE, "this is no name for a key"),
        (["--key", "ana.pem"], Exit.USAGE, "the key cannot be shared like that"),
        (["--hours", "8-18"], Exit.USAGE, "are no hours"),
        (["--code-for", "0s"], Exit.USAGE, "good for nothing"),
        (["--no-code", "--code-for", "10m"], Exit.USAGE, "--code-for is for a key with a code"),
        (["--owner-key", "booking.json"], Exit.CONFIGURATION, "is no standing key"),
        (["--owner-key", "missing.json"], Exit.CONFIGURATION, "cannot read"),
        (["--out", "holder.pem"], Exit.CONFIGURATION, "is not overwritten"),
        (["--shares", "holder.pem"], Exit.CONFIGURATION, "holder.pem is wrong"),
    ],
)
def test_what_cannot_be_shared_leaves_nothing_behind(bench: Run, options: list[str], code: Exit, said: str) -> None:
    bench("issuer", "booking")
    ran = bench("key", "share", "invitation.json", *options)
    assert (ran.code, ran.out, said in ran.err) == (code, "", True)
    assert not Path("share.json").exists()
    assert not Path("shares.json").exists()


@pytest.mark.req("KEY-6")
def test_a_key_that_could_not_be_listed_is_not_handed_out(bench: Run) -> None:
    Path("folder").mkdir()
    ran = bench("key", "share", "invitation.json", "--shares", "folder/none/../../issuer.pem/shares.json")
    assert (ran.code, ran.out) == (Exit.CONFIGURATION, "")
    assert not Path("share.json").exists()


@pytest.mark.req("KEY-1")
def test_a_shared_key_is_not_shared_on(bench: Run) -> None:
    bench("key", "share", "invitation.json")
    ran = bench("key", "share", "invitation.json", "--owner-key", "share.json", "--key", "ana.pem", "--out", "x.json")
    assert (ran.code, "only the main user's can be shared" in ran.err) == (Exit.CONFIGURATION, True)


@pytest.mark.parametrize("text", [b"{}", b"\xff"])
def test_what_is_no_invitation_is_named(bench: Run, text: bytes) -> None:
    Path("invitation.json").write_bytes(text)
    ran = bench("key", "share", "invitation.json")
    assert (ran.code, "invitation.json is wrong: invitation: " in ran.err) == (Exit.CONFIGURATION, True)


# ---------------------------------------------------------------- list and delete
@pytest.mark.req("KEY-6")
def test_what_was_shared_is_listed_with_what_became_of_it(bench: Run) -> None:
    assert bench("key", "list") == Ran(0, "", "Nothing was shared.\n")
    bench("key", "share", "invitation.json", "--name", "Ana")
    bench("key", "share", "invitation.json", "--name", "Ben", "--out", "ben.json")
    bench("key", "delete", "Ana", "--no-carry")
    ana, ben = bench("key", "list").out.splitlines()
    assert ana.endswith(", deleted: good until the car has been unlocked and then locked with a vehicle key")
    assert "Ben, unlock, drive, lock, until 20" in ben
    assert [one["deleted"] for one in bench("key", "list", "--json").objects()] == ["until_key_cycle", None]


@pytest.mark.req("KEY-6")
@pytest.mark.parametrize(
    ("options", "deletion"),
    [
        ([], Deletion.UNTIL_KEY_CYCLE),
        (["--policy", "until-key-cycle"], Deletion.UNTIL_KEY_CYCLE),
        (["--policy", "after-last-drive-or-48h"], Deletion.AFTER_LAST_DRIVE_OR_48H),
    ],
)
def test_a_deleted_key_goes_on_for_a_while_unless_told_otherwise(
    bench: Run, options: list[str], deletion: Deletion
) -> None:
    bench("key", "share", "invitation.json")
    key = shared()
    ran = bench("key", "delete", "Ana", "--no-carry", *options)
    assert (ran.code, ran.err) == (0, "")
    assert listed().fading == ((key.token_id, deletion, key.expires_s),)
    assert read_ledger(Path("shares.json"))[0].deleted is deletion


@pytest.mark.req("KEY-6", "ACC-5")
def test_one_list_says_all_that_was_deleted_and_never_less(bench: Run) -> None:
    bench("issuer", "booking")
    bench("issuer", "revocation-list", "booking.json")
    bench("key", "share", "invitation.json")
    bench("key", "delete", shared().token_id.hex()[:8], "--policy", "immediate", "--no-carry")
    first = listed()
    assert [token for token, _ in first.revoked][1] == shared().token_id
    (again,) = bench("key", "delete", "Ana", "--no-carry", "--json").objects()
    assert again["policy"] == "immediate"
    assert set(listed().revoked) == set(first.revoked)
    assert listed().number > first.number


def test_what_cannot_be_deleted_is_named(bench: Run) -> None:
    assert "no key was shared with 'Eve'" in bench("key", "delete", "Eve", "--no-carry").err
    bench("key", "share", "invitation.json")
    kept = Path("shares.json").read_bytes()
    ran = bench("key", "delete", "Ana", "--no-carry", "--revocations", "holder.pem")
    assert (ran.code, "holder.pem is no list" in ran.err) == (Exit.CONFIGURATION, True)
    assert Path("shares.json").read_bytes() == kept


# ---------------------------------------------------------------- the way to the car
@pytest.fixture
def peer() -> ModulePeer:
    """A module, and in the files of this directory its issuer and its main user."""
    peer = ModulePeer()
    claims = peer.issuer.key(
        module_id=peer.module_id,
        holder=peer.holder.public_key(),
        starts_s=NOW_S,
        expires_s=2**32 - 1,
        now_s=NOW_S,
    )
    public = keys.public_to_bytes(peer.handshake_key.public_key())
    write_shown(Path("owner-key.json"), KeyFile(peer.issuer.key_token(claims), public, public, peer.module_id))
    write_key(Path("holder.pem"), peer.holder)
    write_key(Path("issuer.pem"), peer.issuer._private)
    return peer


@pytest.fixture
async def run(capsys: pytest.CaptureFixture[str], peer: ModulePeer) -> ModuleRun:
    async def one(*tokens: str) -> Ran:
        async with car_park(peer):
            return await in_loop(capsys, *tokens)

    await in_loop(capsys, "key", "request", "Ana", "--key", "ana.pem")
    await in_loop(capsys, "key", "share", "invitation.json")
    return one


@pytest.mark.req("KEY-6")
async def test_the_main_users_phone_brings_the_list_to_the_car(run: ModuleRun, peer: ModulePeer) -> None:
    ran = await run("key", "delete", "Ana")
    assert (ran.code, ran.out.splitlines()[1]) == (0, "The car knows.")
    assert peer.head.put == [list_file()]
    (shown,) = peer.admitted
    assert isinstance(shown, Key)
    assert [one["type"] for one in (await run("key", "delete", "Ana", "--json")).objects()] == ["deleted", "carried"]


@pytest.mark.req("KEY-6")
async def test_a_list_that_did_not_arrive_stays_for_any_phone_to_bring(run: ModuleRun, peer: ModulePeer) -> None:
    peer.head.refusals[Operation.PUT] = refuse(Code.STORAGE_FAILED)
    ran = await run("key", "delete", "Ana", "--policy", "immediate")
    assert ran.code == Exit.REFUSED
    assert "The car does not know yet. Bring it later: `shareboxctl phone put revocation-list.cose`." in ran.err
    assert "STORAGE_FAILED" in ran.err
    del peer.head.refusals[Operation.PUT]
    write_shown(Path("booking.json"), peer.booking_file())
    assert (await run("phone", "put", "revocation-list.cose")).code == 0
    assert peer.head.put == [list_file()]
