"""`shareboxctl issuer services`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from host_tools.cli.files import read_provisioning
from host_tools.phone.keyring import read_key
from protocol.orders import Order, OrderKind, ServicePlan
from protocol.tokens import trust_of, verify_signed
from tests.support.command import Ran, shareboxctl

Run = Callable[..., Ran]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = shareboxctl(capsys)
    run("module", "init", "b", "--market", "BE")
    monkeypatch.chdir(tmp_path / "b")
    return run


def plan() -> ServicePlan:
    module = read_provisioning(Path("provisioning.json"))
    trust = trust_of(module.module_id, (read_key(Path("issuer.pem")).public_key(),))
    order = verify_signed(Path("services.cose").read_bytes(), trust)
    assert isinstance(order, Order)
    assert order.kind is OrderKind.SERVICES
    assert isinstance(order.details, ServicePlan)
    return order.details


@pytest.mark.req("SVC-1", "SVC-2")
def test_what_was_bought_is_signed_and_each_end_is_shown(bench: Run) -> None:
    ran = bench(
        *("issuer", "services", "--registered", "2020-02-29", "--pack", "6AM", "--pack", "7GH", "--number", "7"),
        *("--renewal", "real-time-traffic:12:2023-01-05", "--renewal", "apps:1:2025-01-31"),
    )
    assert ran.out.splitlines()[1:] == [
        "apps                         until 2025-02-28",
        "my-info                      without end",
        "on-street-parking            until 2023-02-28",
        "online-routing               until 2023-02-28",
        "real-time-traffic            until 2024-02-29",
        "remote-services              without end",
        "send-to-car                  without end",
    ]
    renewals = (("real-time-traffic", 12, (2023, 1, 5)), ("apps", 1, (2025, 1, 31)))
    assert plan() == ServicePlan(7, "BE", "2021-05-10", (2020, 2, 29), ("6AM", "7GH"), renewals)


@pytest.mark.req("SVC-1", "SVC-4")
def test_programs_get_the_days_and_the_base_services_can_be_deactivated(bench: Run) -> None:
    ran = bench("issuer", "services", "--registered", "2020-02-29", "--pack", "6AG", "--no-base", "--json")
    (shown,) = ran.objects()
    assert (shown["market"], shown["base_active"], shown["last_days"]) == ("BE", False, {"edrive": "2025-02-28"})
    assert not plan().base_active
    told = ("--registered", "2020-02-29", "--market", "LU", "--revision", "2021-05-10", "--no-base")
    ran = bench("issuer", "services", *told, "--renewal", "remote-services:6")
    assert "none of these works, save an emergency call that is law" in ran.err
    assert plan().renewals[0][:2] == ("remote-services", 6)
    assert plan().number > 1_700_000_000


@pytest.mark.req("SVC-1")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pack", "6AX"], "'6AX' is no pack. Packs are: 606, 6AC"),
        (["--market", "DE"], "no packs are known. Say --market: BE, LU."),
        (["--revision", "2020-01-01"], "is no revision of BE. There is: 2021-05-10."),
        (["--renewal", "radio:1"], "'radio' is no service"),
        (["--renewal", "apps:7"], "'apps:7' is no renewal. Write SERVICE:MONTHS, with 1, 6, 12 months."),
        (["--renewal", "apps"], "'apps' is no renewal"),
        (["--renewal", "apps:1:2021-02-29"], "'2021-02-29' is no date"),
    ],
)
def test_what_is_not_in_the_table_is_named_with_what_is(bench: Run, options: list[str], said: str) -> None:
    ran = bench("issuer", "services", "--registered", "2020-02-29", *options)
    assert (ran.code, ran.out, said in ran.err) == (Exit.USAGE, "", True)
    assert not Path("services.cose").exists()
