"""A connection that lives in real time beside a module whose time does not."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress

import pytest

from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.bench.aside import AsideBroker
from firmware.pace import PacedLoop
from firmware.ports import Arrived, BrokerPort, BrokerUnavailable, Publication
from host_tools.backend.broker import Broker
from tests.support.credentials import MODULE_ID

pytestmark = pytest.mark.made_up_messages
real = pytest.mark.asyncio(loop_factories=["real"])
LIMIT_S = 20


class Scripted:
    """A broker in the other thread: connects at once; what it is told says what becomes of it."""

    def __init__(self) -> None:
        self.severed: list[str] = []
        self._received: Arrived

    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        self._received = received
        connected()
        try:
            await asyncio.Event().wait()
        finally:
            lost()

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        match publication.payload:
            case b"echo":
                self._received("a/order", b"order", b"")
                future.set_result(None)
            case b"fail":
                future.set_exception(BrokerUnavailable("no"))
            case b"cancel":
                future.cancel()
            case _:
                pass
        return future

    def sever(self, why: str, *, last: bool = False) -> None:
        self.severed.append(f"{why}, for good" if last else why)


class Ended(Exception):
    """What a broker ends with by itself."""


class Broken(Scripted):
    async def run(self, connected: Callable[[], None], lost: Callable[[], None], received: Arrived) -> None:
        raise Ended


@real
async def test_it_passes_on_what_is_said_in_both_directions() -> None:
    scripted, heard = Scripted(), asyncio.Queue[object]()
    aside: BrokerPort = AsideBroker(lambda: scripted, nullcontext)
    with pytest.raises(BrokerUnavailable):
        await aside.publish(Publication("a", b"early"))
    aside.sever("nothing to sever")
    work = asyncio.create_task(
        aside.run(
            lambda: heard.put_nowait("up"), lambda: heard.put_nowait("lost"), lambda *what: heard.put_nowait(what)
        )
    )
    async with asyncio.timeout(LIMIT_S):
        assert await heard.get() == "up"
        await aside.publish(Publication("a", b"echo"))
        assert await heard.get() == ("a/order", b"order", b"")
        for payload in (b"fail", b"cancel"):
            with pytest.raises(BrokerUnavailable):
                await aside.publish(Publication("a", payload))
        given_up = aside.publish(Publication("a", b"echo"))
        given_up.cancel()
        aside.sever("because")
        aside.sever("the end", last=True)
        assert scripted.severed == ["because", "the end, for good"]
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        heard.put_nowait("end")
        rest = [await heard.get() for _ in range(heard.qsize())]
        assert "lost" in rest
    with pytest.raises(BrokerUnavailable):
        await aside.publish(Publication("a", b"late"))


@real
async def test_what_the_connection_ends_with_ends_the_port() -> None:
    aside = AsideBroker(Broken, nullcontext)
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(Ended):
            await aside.run(lambda: None, lambda: None, lambda *_: None)


@pytest.mark.req("BEN-1")
def test_a_day_passes_at_once_and_the_real_broker_does_not_notice() -> None:
    told: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PacedLoop)
        async with Broker() as broker:
            settings = BrokerSettings(host=broker.host, port=broker.port, keepalive_s=5)
            aside = AsideBroker(lambda: MqttBroker(settings, MODULE_ID, entropy=bytes), loop.held)
            up = asyncio.Event()

            def connected() -> None:
                told.append("up")
                up.set()

            work = asyncio.create_task(aside.run(connected, lambda: told.append("lost"), lambda *_: None))
            await up.wait()
            loop.freeze()
            began = loop.time()
            acknowledged_at: list[float] = []

            async def report() -> None:
                for _ in range(24):
                    await asyncio.sleep(3600)
                    await aside.publish(Publication("sharebox/x/test", b"report"))
                    acknowledged_at.append(loop.time() - began)

            reporting = asyncio.create_task(report())
            await asyncio.sleep(0)
            await loop.move(24 * 3600 + 1)
            await reporting
            assert acknowledged_at == [3600.0 * hour for hour in range(1, 25)]
            assert told == ["up"]
            loop.go()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    with asyncio.Runner(loop_factory=PacedLoop) as runner:
        runner.run(main())
