"""`shareboxctl issuer`: what it writes is what a module verifies."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.phone.keyring import read_booking, read_key, read_shown
from protocol import keys
from protocol.errors import Role
from protocol.orders import Ending, Order, OrderKind
from protocol.provisioning import decode_provisioning
from protocol.tokens import Booking, RevocationList, TimeAttestation, Trust, trust_of, verify_booking, verify_signed
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b")
    monkeypatch.chdir(tmp_path / "b")
    return run


def trust() -> Trust:
    file = read_booking(Path("booking.json"))
    return trust_of(file.module_id, (read_key(Path("issuer.pem")).public_key(),))


def claims(name: str = "booking.json") -> Booking:
    return verify_booking(read_booking(Path(name)).token, trust())


def test_a_booking_for_the_bench_needs_no_options(bench: Run) -> None:
    ran = bench("issuer", "booking")
    assert ran.code == 0
    assert "driver: unlock, drive, lock, locate" in ran.out
    made = claims()
    assert (made.role, made.permissions, made.ends_at_s - made.not_before_s) == (Role.DRIVER, 15, 7200)
    assert made.holder == keys.public_to_bytes(read_key(Path("holder.pem")).public_key())
    assert read_booking(Path("booking.json")).module_id == made.module_id


@pytest.mark.req("PRV-7")
def test_the_files_for_phones_know_the_car_on_the_air_by_the_epoch_of_their_token(bench: Run) -> None:
    module = decode_provisioning(Path("provisioning.json").read_text())
    assert len(module.radio_secret) == 16
    for options, epoch in (((), 0), (("--key-epoch", "3"), 3)):
        bench("issuer", "booking", *options)
        bench("key", "create", *options)
        known = {read_shown(Path(name)).beacon_key for name in ("booking.json", "owner-key.json")}
        assert known == {module.beacon_key_of(epoch)}


def test_everything_in_a_booking_can_be_chosen(bench: Run) -> None:
    other = bench("module", "key", "new", "other.pem", "--json").objects()[0]["public"]
    assert isinstance(other, str)
    ran = bench(
        *("issuer", "booking", "--role", "owner", "--permission", "unlock", "--permission", "lock"),
        *("--from", "2026-05-28T20:26:40Z", "--until", "2026-05-29T20:26:40Z"),
        *("--holder", other, "--user", "00" * 8, "--device-generation", "3", "--out", "x.json", "--json"),
    )
    assert ran.code == 0
    bench("issuer", "booking")
    made = claims("x.json")
    (shown,) = ran.objects()
    assert (made.role, made.permissions, made.user, made.device_generation) == (Role.OWNER, 5, bytes(8), 3)
    assert (made.not_before_s, made.ends_at_s) == (1_780_000_000, 1_780_086_400)
    assert made.holder.hex() == other
    assert (shown["booking"], shown["expires_s"]) == (made.booking_id.hex(), made.expires_s)


@pytest.mark.parametrize(
    "options",
    [
        ["--for", "2h", "--until", "+3h"],
        ["--for", "never"],
        ["--until", "-1h"],
        ["--user", "0a0b0c0d0e"],
        ["--role", "king"],
    ],
)
def test_a_booking_that_cannot_be_is_refused(bench: Run, options: list[str]) -> None:
    ran = bench("issuer", "booking", *options)
    assert ran.code == Exit.USAGE
    assert not Path("booking.json").exists()


@pytest.mark.req("BKG-2")
def test_an_end_order_is_for_the_booking_in_the_file(bench: Run) -> None:
    bench("issuer", "booking")
    ran = bench("issuer", "end-order", "--ttl", "10m")
    assert ran.out.startswith("end-order.cose: end order, ")
    order = verify_signed(Path("end-order.cose").read_bytes(), trust())
    assert isinstance(order, Order)
    assert order.details == Ending(claims().booking_id, claims().expires_s)
    assert order.expires_s - order.issued_s == 600


def test_a_revocation_list_withdraws_the_bookings_named_beside_those_before(bench: Run) -> None:
    bench("issuer", "booking")
    (shown,) = bench("issuer", "revocation-list", "booking.json", "--number", "7", "--json").objects()
    listed = verify_signed(Path("revocation-list.cose").read_bytes(), trust())
    assert isinstance(listed, RevocationList)
    assert (listed.number, listed.revoked) == (7, ((claims().token_id, claims().expires_s),))
    assert (shown["type"], shown["entries"]) == ("revocation-list", 1)
    bench("issuer", "revocation-list")
    later = verify_signed(Path("revocation-list.cose").read_bytes(), trust())
    assert isinstance(later, RevocationList)
    assert later.number > 1_700_000_000
    assert later.revoked == listed.revoked
    ran = bench("issuer", "revocation-list", "--number", "7")
    assert (ran.code, "number 7 does not rise" in ran.err) == (Exit.USAGE, True)


@pytest.mark.req("ACC-5", "KEY-6")
def test_keys_and_shares_are_withdrawn_like_bookings(bench: Run) -> None:
    for tokens in (
        ("key", "create"),
        ("key", "request", "Ana"),
        ("key", "share", "invitation.json"),
        ("issuer", "booking"),
    ):
        bench(*tokens)
    (shown,) = bench("issuer", "revocation-list", "owner-key.json", "share.json", "booking.json", "--json").objects()
    assert shown["entries"] == 3
    listed = verify_signed(Path("revocation-list.cose").read_bytes(), trust())
    assert isinstance(listed, RevocationList)
    assert len({token for token, _ in listed.revoked}) == 3
    bench("module", "key", "new", "stranger.pem")
    for file in ("owner-key.json", "share.json", "booking.json"):
        ran = bench("issuer", "revocation-list", file, "--issuer", "stranger.pem", "--out", "x.cose")
        assert (ran.code, f"{file} is not of this issuer" in ran.err) == (Exit.CONFIGURATION, True)


@pytest.mark.req("CLK-2")
def test_a_time_attestation_is_bound_to_the_nonce(bench: Run) -> None:
    bench("issuer", "booking")
    assert bench("issuer", "time", "0b" * 16).code == 0
    attested = verify_signed(Path("time.cose").read_bytes(), trust())
    assert isinstance(attested, TimeAttestation)
    assert attested.nonce == b"\x0b" * 16
    assert bench("issuer", "time", "0b").code == Exit.USAGE


def test_files_that_are_missing_or_of_somebody_else_are_named(bench: Run, tmp_path: Path) -> None:
    assert bench("issuer", "end-order").code == Exit.CONFIGURATION
    bench("issuer", "booking")
    bench("module", "key", "new", "stranger.pem")
    ran = bench("issuer", "end-order", "--issuer", "stranger.pem")
    assert ran.code == Exit.CONFIGURATION
    assert "not a booking of this issuer" in ran.err
    for text in (b"{}", b"\xff"):
        Path("bad.json").write_bytes(text)
        Path("bad.json").chmod(0o600)
        ran = bench("issuer", "booking", "--provisioning", "bad.json")
        assert (ran.code, "bad.json is wrong" in ran.err) == (Exit.CONFIGURATION, True)


# ---------------------------------------------------------------- orders from afar, the subscription
@pytest.mark.req("SVC-3")
@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("unlock", OrderKind.UNLOCK),
        ("lock", OrderKind.LOCK),
        ("flash", OrderKind.FLASH),
        ("state", OrderKind.REQUEST_STATE),
    ],
)
def test_an_order_from_afar_is_good_for_two_minutes(bench: Run, what: str, kind: OrderKind) -> None:
    bench("issuer", "booking")
    assert bench("issuer", "order", what).out.startswith("order.cose: order, ")
    order = verify_signed(Path("order.cose").read_bytes(), trust())
    assert isinstance(order, Order)
    assert (order.kind, order.expires_s - order.issued_s, order.details) == (kind, 120, None)


@pytest.mark.req("SVC-3")
def test_an_order_from_afar_lives_ten_minutes_at_most(bench: Run) -> None:
    assert bench("issuer", "order", "unlock", "--ttl", "10m").code == 0
    ran = bench("issuer", "order", "unlock", "--ttl", "11m")
    assert ran.code == Exit.USAGE
    assert "lives 600 s at most" in ran.err
