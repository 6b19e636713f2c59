"""`shareboxctl issuer send` against a real broker, and a module that answers."""

from pathlib import Path

import aiomqtt
import pytest

from host_tools.cli.exits import Exit
from protocol import tokens
from protocol.telemetry import OrderResult, encode
from tests.support import credentials
from tests.support.answering import a_module, say
from tests.support.command import Ran, in_loop

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


def written(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)


async def sent(capsys: pytest.CaptureFixture[str], told: OrderResult, *options: str) -> Ran:
    """What the command says when the module answers this."""

    async def answer(client: aiomqtt.Client, _: bytes, correlation: bytes) -> None:
        await say(client, encode(told), correlation)

    written("order.cose", tokens.mint_order(credentials.ORDER, credentials.ISSUER))
    async with a_module(answer) as broker:
        return await in_loop(
            capsys, "issuer", "send", "order.cose", "--broker", f"{broker.host}:{broker.port}", *options
        )


@pytest.mark.req("SVC-3", "BKG-2")
async def test_an_order_that_was_taken_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert await sent(capsys, OrderResult("0a", 0, "OK")) == Ran(0, "Done.\n", "")
    waits = await sent(capsys, OrderResult("0a", 0, "OK", pending=True))
    assert waits == Ran(0, "Taken: it takes effect once the car is parked.\n", "")
    ran = await sent(capsys, OrderResult("0a", 0, "OK"), "--json")
    (shown,) = ran.objects()
    assert (shown["order"], shown["name"], shown["pending"]) == ("0a", "OK", False)


@pytest.mark.req("ACC-8", "SVC-3")
async def test_a_refusal_names_reason_rule_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    ran = await sent(capsys, OrderResult("0a", 33, "ORDER_LATE", numbers={"late_by_ms": 61_000}))
    assert (ran.code, ran.out) == (Exit.REFUSED, "")
    assert "order refused: the order came too late" in ran.err
    assert "1 min 01 s" in ran.err
    assert "rule BKG-2, code ORDER_LATE" in ran.err
    later = await sent(capsys, OrderResult("0a", 99, "OF_A_LATER_VERSION"))
    assert (later.code, later.out) == (Exit.REFUSED, "")
    assert "OF_A_LATER_VERSION (code 99)" in later.err


async def test_what_is_no_order_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    written("x", b"nonsense")
    ran = await in_loop(capsys, "issuer", "send", "x", "--broker", "127.0.0.1:1")
    assert ran.code == Exit.CONFIGURATION
    assert "x is neither an order nor a revocation list" in ran.err


async def test_a_dry_run_says_what_would_go_where_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    signed = tokens.mint_order(credentials.ORDER, credentials.ISSUER)
    written("order.cose", signed)
    ran = await in_loop(capsys, "issuer", "send", "order.cose", "--dry-run", "--broker", "127.0.0.1:1")
    module = tokens.addressee(signed).hex()
    assert ran.out == f"order.cose: {len(signed)} bytes for module {module}, by 127.0.0.1:1. Nothing was sent.\n"
    assert ran.code == 0
    written("x", b"nonsense")
    assert (await in_loop(capsys, "issuer", "send", "x", "--dry-run")).code == Exit.CONFIGURATION


async def test_nobody_at_the_broker_is_an_error_of_the_connection(capsys: pytest.CaptureFixture[str]) -> None:
    written("order.cose", tokens.mint_order(credentials.ORDER, credentials.ISSUER))
    ran = await in_loop(capsys, "issuer", "send", "order.cose", "--broker", "127.0.0.1:1", "--wait", "3s")
    assert ran.code == Exit.NOT_FOUND
    assert "cannot be used" in ran.err
