"""`shareboxctl issuer`: subscriptions, one after the other."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.cli.files import read_provisioning
from host_tools.phone.keyring import read_key
from protocol.orders import Order, Subscription
from protocol.tokens import trust_of, verify_signed
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b")
    monkeypatch.chdir(tmp_path / "b")
    return run


def told() -> Subscription:
    trust = trust_of(
        read_provisioning(Path("provisioning.json")).module_id, (read_key(Path("issuer.pem")).public_key(),)
    )
    order = verify_signed(Path("subscription.cose").read_bytes(), trust)
    assert isinstance(order, Order)
    assert isinstance(order.details, Subscription)
    return order.details


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.req("SUB-1")
def test_a_subscription_says_what_the_owner_has_paid_for(bench: Run) -> None:
    ran = bench(
        *("issuer", "subscription", "--number", "7", "--sharing", "2030-01-01T00:00Z", "--remote", "2031-01-01T00:00Z"),
        *("--paused", "--json"),
    )
    (shown,) = ran.objects()
    assert (shown["number"], shown["paused"], shown["sharing_until_s"]) == (7, True, 1_893_456_000)
    assert told() == Subscription(7, 1_893_456_000, 1_924_992_000, paused=True)
    assert bench("issuer", "subscription", "--number", "0").code == Exit.USAGE


@pytest.mark.req("SUB-1")
def test_it_is_renewed_from_its_end_on_by_the_calendar(bench: Run) -> None:
    bench("issuer", "subscription", "--number", "7", "--sharing", "2096-02-29", "--remote", "2095-12-31", "--paused")
    assert bench("issuer", "renew").out.endswith("\nSharing until 2097-02-28 00:00:00 UTC, paused.\n")
    assert (told().sharing_until_s, told().remote_until_s) == (at("2097-02-28"), at("2096-12-31"))
    bench("issuer", "renew", "--months", "2")
    assert told().remote_until_s == at("2097-02-28")
    assert told().number > 1_700_000_000
    assert told().paused


@pytest.mark.req("SUB-1")
def test_one_that_is_over_or_was_never_there_is_renewed_from_now_on(bench: Run) -> None:
    before_s = int(time.time())
    bench("issuer", "renew", "--months", "1")
    assert 28 * 86_400 <= told().sharing_until_s - before_s <= 31 * 86_400 + 60
    first = told().number
    bench("issuer", "subscription", "--number", str(first + 5), "--sharing", "2020-01-01", "--remote", "2020-01-01")
    bench("issuer", "renew")
    assert told().sharing_until_s >= before_s + 365 * 86_400
    assert told().number == first + 6


@pytest.mark.req("SUB-1")
def test_a_pause_moves_no_end_and_has_one(bench: Run) -> None:
    bench("issuer", "subscription", "--number", "7", "--sharing", "2090-01-01", "--remote", "2091-01-01")
    for verb, paused in (("pause", True), ("resume", False)):
        assert bench("issuer", verb).code == 0
        assert (told().paused, told().sharing_until_s, told().remote_until_s) == (
            paused,
            at("2090-01-01"),
            at("2091-01-01"),
        )


def test_what_cannot_be_is_refused_and_nothing_is_lost(bench: Run) -> None:
    ran = bench("issuer", "pause")
    assert (ran.code, "there is no subscription.cose" in ran.err) == (Exit.CONFIGURATION, True)
    bench("issuer", "subscription", "--sharing", "2105-01-01")
    kept = Path("subscription.cose").read_bytes()
    assert bench("issuer", "renew", "--months", "120").code == Exit.USAGE
    assert Path("subscription.cose").read_bytes() == kept
    bench("issuer", "order", "lock")
    for other in ("order.cose", "issuer.pem"):
        ran = bench("issuer", "resume", "--out", other)
        assert (ran.code, f"{other} is no subscription" in ran.err) == (Exit.CONFIGURATION, True)
