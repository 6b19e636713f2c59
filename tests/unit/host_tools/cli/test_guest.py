"""`shareboxctl key`: what the recipient of a shared key does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.invitation import decode_invitation
from host_tools.phone.keyring import read_key, read_shown
from protocol import keys
from protocol.provisioning import KeyFile, ShareFile
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b")
    monkeypatch.chdir(tmp_path / "b")
    run("key", "create")
    return run


@pytest.mark.req("KEY-2", "KEY-7")
def test_who_asks_needs_no_account_and_gets_a_key_of_their_own(bench: Run) -> None:
    ran = bench("key", "request", "Ana", "--key", "ana.pem")
    assert ran == Ran(0, "invitation.json: Ana asks for a key\n", "ana.pem: the phone's key; keep it to yourself.\n")
    made = read_key(Path("ana.pem"))
    asked = decode_invitation(Path("invitation.json").read_text())
    assert (asked.name, asked.holder) == ("Ana", keys.public_to_bytes(made.public_key()))
    (again,) = bench("key", "request", "Ana", "--key", "ana.pem", "--json").objects()
    assert again["holder"] == asked.holder.hex()


@pytest.mark.parametrize("name", ["", "x" * 33, "a\nb"])
def test_a_name_that_cannot_be_is_refused_before_a_key_is_made(bench: Run, name: str) -> None:
    ran = bench("key", "request", name, "--key", "ana.pem")
    assert (ran.code, len(ran.err.splitlines())) == (Exit.USAGE, 1)
    assert not Path("ana.pem").exists()


@pytest.mark.req("KEY-3", "KEY-7")
def test_a_share_is_checked_and_kept_where_the_phone_finds_it(bench: Run) -> None:
    bench("key", "request", "Ana", "--key", "ana.pem")
    bench("key", "share", "invitation.json", "--hours", "08:00-18:00")
    for _ in range(2):
        ran = bench("key", "accept", "share.json", "--key", "ana.pem", "--out", "ana.json")
        assert ran.code == 0
        assert ran.out.startswith("ana.json: unlock, drive, lock, 20")
        assert ran.out.endswith(" UTC, 08:00 to 18:00 UTC\n")
        assert "enter the code" in ran.err
    assert read_shown(Path("ana.json")) == read_shown(Path("share.json"))
    assert Path("ana.json").stat().st_mode & 0o777 == 0o600
    bench("key", "share", "invitation.json", "--no-code", "--out", "free.json")
    ran = bench("key", "accept", "free.json", "--key", "ana.pem", "--json")
    (shown,) = ran.objects()
    assert (shown["name"], shown["permissions"], shown["needs_code"], ran.err) == ("Ana", 7, False, "")
    assert read_shown(Path("booking.json")) == read_shown(Path("free.json"))


@pytest.mark.req("KEY-1")
def test_what_this_phone_cannot_use_is_not_kept(bench: Run) -> None:
    bench("key", "request", "Ana", "--key", "ana.pem")
    bench("key", "share", "invitation.json", "--from", "now", "--for", "1h")
    for file, options, said in (
        ("share.json", (), "share.json is for another phone"),
        ("owner-key.json", (), "owner-key.json is no share"),
        ("holder.pem", (), "holder.pem is wrong"),
        ("missing.json", (), "cannot read missing.json"),
    ):
        ran = bench("key", "accept", file, *options)
        assert (ran.code, ran.out, said in ran.err) == (Exit.CONFIGURATION, "", True)
    assert not Path("booking.json").exists()
    bench("issuer", "booking")
    kept = Path("booking.json").read_bytes()
    ran = bench("key", "accept", "share.json", "--key", "ana.pem")
    assert (ran.code, "it is not overwritten" in ran.err) == (Exit.CONFIGURATION, True)
    assert Path("booking.json").read_bytes() == kept


@pytest.mark.req("KEY-2")
def test_a_share_that_is_over_or_tampered_with_is_not_kept(bench: Run) -> None:
    bench("key", "create", "--from", "2020-01-01", "--until", "2030-01-01")
    bench("key", "request", "Ana", "--key", "ana.pem")
    bench("key", "share", "invitation.json", "--from", "2020-01-01", "--until", "2020-02-01", "--no-code")
    ran = bench("key", "accept", "share.json", "--key", "ana.pem")
    assert (ran.code, "share.json is over since 2020-02-01 00:00:00 UTC" in ran.err) == (Exit.CONFIGURATION, True)
    bench("key", "create")
    other, file = read_shown(Path("owner-key.json")), read_shown(Path("share.json"))
    assert isinstance(other, KeyFile)
    assert isinstance(file, ShareFile)
    text = Path("share.json").read_text()
    Path("mixed.json").write_text(text.replace(file.parent.hex(), other.token.hex()))
    ran = bench("key", "accept", "mixed.json", "--key", "ana.pem")
    assert (ran.code, "mixed.json is no good share" in ran.err) == (Exit.CONFIGURATION, True)
