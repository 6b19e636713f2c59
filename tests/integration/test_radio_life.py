"""The module's radio over a day: its adapter goes and comes back, and nobody's rights change for that."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from bumble import hci

from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource
from firmware.bench.switches import LinkNews
from firmware.core.effects import Actuate, Effect
from firmware.core.events import Action, Event
from firmware.core.state import State
from firmware.demo.rig import Rig
from firmware.ports import RadioUnavailable
from host_tools.radio.controller import VirtualController
from protocol.messages import Phase

MINUTES_S = 180


class Grumpy(VirtualController):
    """A controller that refuses to be reset for a while."""

    refusals = 0

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        result = super().on_hci_reset_command(command)
        if self.refusals:
            self.refusals -= 1
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.HARDWARE_FAILURE_ERROR)
        return result


class Unplugged(Rig):
    """A rig whose Bluetooth adapter can be pulled out."""

    def __init__(self) -> None:
        super().__init__("unplugged", observer=self._watch)
        self.actions: list[Action] = []
        self.module_radio.__class__ = Grumpy
        self.away = False
        self.plugged: asyncio.Future[None]
        self.news: list[tuple[int, LinkNews]] = []

    @property
    def _controller(self) -> OpenController:
        @asynccontextmanager
        async def opened() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
            if self.away:
                raise RadioUnavailable("no adapter; plug one in")
            async with self.module_radio.attached() as (source, sink):
                self.plugged = source.terminated = asyncio.get_running_loop().create_future()
                yield source, sink

        return opened

    def _watch(self, _event: Event, _state: State, effects: tuple[Effect, ...]) -> None:
        self.actions += [effect.action for effect in effects if isinstance(effect, Actuate)]

    def count(self, kind: LinkNews) -> Counter[int]:
        """How often each link had that news."""
        return Counter(link for link, news in self.news if news is kind)

    async def fail(self, how: str) -> None:
        """Lose the adapter in that way, and have it again."""
        match how:
            case "pulled out and put back":
                self.plugged.set_result(None)
            case "pulled out for minutes":
                self.away = True
                self.plugged.set_result(None)
                await asyncio.sleep(MINUTES_S)
                self.away = False
            case "silent for minutes":
                self.air.power_cut(self.module_radio)
                await asyncio.sleep(MINUTES_S)
                self.air.restore(self.module_radio)
            case _:
                assert isinstance(self.module_radio, Grumpy)
                self.module_radio.refusals = 7
                self.plugged.set_result(None)


@pytest.mark.req("BLE-2", "PWR-1")
@pytest.mark.parametrize(
    "how", ["pulled out and put back", "pulled out for minutes", "silent for minutes", "refuses to be reset"]
)
async def test_an_adapter_that_goes_and_comes_back_costs_links_and_no_rights(how: str) -> None:
    async with Unplugged() as rig, AsyncExitStack() as phones:
        rig.rack.radio.taps.add(lambda link, news, _: rig.news.append((link, news)))
        anna, late = rig.holder("Anna"), rig.holder("Late")
        booking, file = rig.book(anna, lasts_s=7200)
        _, other = rig.book(late, lasts_s=3600, starts_in_s=10_800)
        phone = await phones.enter_async_context(rig.phone(anna, file))
        await phone.unlock()
        await phone.enable_drive()
        await phones.enter_async_context(rig.phone(late, other))
        before, done = rig.pump.state.durable, len(rig.actions)
        await rig.fail(how)
        await until(lambda: not rig.pump.state.links, 30)
        after = rig.pump.state.durable
        assert rig.count(LinkNews.CLOSED) == rig.count(LinkNews.OPENED) == {1: 1, 2: 1}
        assert (after.trip, after.drive_enabled, after.dead) == (before.trip, before.drive_enabled, before.dead)
        assert (after.trip.phase, after.trip.booking) == (Phase.ACTIVE, booking)
        assert rig.actions[done:] == []
        await phones.aclose()
        await asyncio.sleep(12)  # the longest pause between two tries to open an adapter, and a reset
        async with rig.phone(anna, file) as again:
            assert (await again.status()).access.granted
            await again.lock()
        await until(lambda: not rig.pump.state.links, 5)
        assert rig.count(LinkNews.CLOSED) == rig.count(LinkNews.OPENED) == {1: 1, 2: 1, 3: 1}


async def until(holds: Callable[[], bool], within_s: float) -> None:
    """Wait for it, in virtual time."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.1)
