"""`shareboxctl issuer send` against a real broker, and a module that answers."""

import json
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from host_tools.cli.exits import Exit
from protocol import tokens
from protocol.orders import Coupling, OrderKind
from protocol.telemetry import QOS, Channel, EventKind, EventReport, OrderResult, encode, topic
from tests.support import credentials
from tests.support.answering import a_module, say
from tests.support.command import Ran, in_loop
from tests.support.credentials import MODULE_ID
from tests.support.reports import stamp

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
    assert (shown["order"], shown["name"], shown["pending"], shown["numbers"]) == ("0a", "OK", False, {})
    assert (await sent(capsys, OrderResult("0a", 0, "OK", numbers={"key_epoch": 2}))).out == "Done: key epoch 2.\n"


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


@pytest.mark.req("OWN-4")
async def test_a_takeover_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    order = msgspec.structs.replace(
        credentials.ORDER, kind=OrderKind.TAKE_OVER, details=Coupling(1, bytes(8), bytes(8), "WMWXM520X0T123456", 1)
    )
    written("take-over.cose", tokens.mint_order(order, credentials.ISSUER))
    progress = EventReport(stamp(7), EventKind.TAKEOVER_PROGRESS, numbers={"progress_pct": 50})
    other = EventReport(stamp(8), EventKind.BOOTED)

    async def answer(client: aiomqtt.Client, _: bytes, correlation: bytes) -> None:
        for event in (progress, other):
            await client.publish(topic(MODULE_ID, Channel.EVENT), encode(event), QOS)
        await say(client, encode(OrderResult("0a", 0, "OK")), correlation)

    async with a_module(answer) as broker:
        at = ("--broker", f"{broker.host}:{broker.port}")
        ran = await in_loop(capsys, "issuer", "send", "take-over.cose", *at)
        assert ran == Ran(0, "Done.\n", "50 % done. Leave the car parked, and both vehicle keys in it.\n")
        machine = await in_loop(capsys, "issuer", "send", "take-over.cose", "--json", *at)
    (told,) = (json.loads(line) for line in machine.err.splitlines())
    assert (told["type"], told["progress_pct"]) == ("progress", 50)
