"""Standing keys, as a backend signs them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_key, read_shown
from protocol import keys, sharing
from protocol.errors import Role
from protocol.provisioning import KeyFile
from protocol.sharing import Key
from protocol.tokens import trust_of
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b")
    monkeypatch.chdir(tmp_path / "b")
    return run


def made(name: str) -> Key:
    file = read_shown(Path(name))
    assert isinstance(file, KeyFile)
    return sharing.verify_key(file.token, trust_of(file.module_id, (read_key(Path("issuer.pem")).public_key(),)))


@pytest.mark.req("KEY-1")
def test_the_main_users_key_allows_everything_and_lasts_years(bench: Run) -> None:
    assert "owner-key.json: unlock, drive, lock, locate, boot, 20" in bench("key", "create").out
    key = made("owner-key.json")
    assert (key.role, key.permissions, key.key_epoch, key.device_generation) == (Role.OWNER, 31, 0, 0)
    assert key.expires_s - key.not_before_s == 156 * 7 * 86_400
    assert key.holder == keys.public_to_bytes(read_key(Path("holder.pem")).public_key())


def test_everything_in_a_key_can_be_chosen(bench: Run) -> None:
    ran = bench(
        *(
            "key",
            "create",
            "--from",
            "2026-05-28T20:26:40Z",
            "--until",
            "2026-05-29T20:26:40Z",
            "--permission",
            "unlock",
        ),
        *("--user", "00" * 8, "--key-epoch", "3", "--device-generation", "2", "--out", "x.json", "--json"),
    )
    key = made("x.json")
    (shown,) = ran.objects()
    assert (key.not_before_s, key.expires_s, key.permissions) == (1_780_000_000, 1_780_086_400, 1)
    assert (key.user, key.key_epoch, key.device_generation) == (bytes(8), 3, 2)
    assert (shown["token"], shown["role"], shown["user"]) == (key.token_id.hex(), "owner", "00" * 8)


@pytest.mark.req("OWN-1")
def test_a_dealers_key_lasts_a_working_day_and_moves_nothing(bench: Run) -> None:
    assert "dealer-key.json: the self-test, 20" in bench("dealer", "credential").out
    key = made("dealer-key.json")
    assert (key.role, key.permissions, key.expires_s - key.not_before_s) == (Role.SERVICE, 0, 8 * 3600)


@pytest.mark.parametrize(
    "options",
    [
        ["--until", "2020-01-01"],
        ["--for", "1h", "--until", "+2h"],
        ["--key-epoch", "-1"],
        ["--device-generation", str(2**32)],
    ],
)
def test_a_key_that_cannot_be_is_refused(bench: Run, options: list[str]) -> None:
    ran = bench("key", "create", *options)
    assert (ran.code, len(ran.err.splitlines())) == (Exit.USAGE, 1)
    assert not Path("owner-key.json").exists()
