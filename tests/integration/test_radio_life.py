"""The module's radio over hours: its adapter goes and comes back and nobody's rights change for that; a stranger
listens and learns nothing; three phones share its time."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from bumble import hci

from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource
from firmware.bench.switches import LinkNews
from firmware.core.airtime import Airtime, Pace
from firmware.core.effects import Actuate, Effect
from firmware.core.events import Action, Event
from firmware.core.state import State
from firmware.demo.rig import Rig
from firmware.ports import RadioUnavailable
from host_tools.radio.air import Frame, VirtualAir
from host_tools.radio.controller import VirtualController, virtual_controller
from protocol.beacon import BEACON_BYTES, NONCE_BYTES
from protocol.messages import Phase
from tests.support.radio_bench import RadioBench, RawCentral, find
from tests.support.radio_budget import measured

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


# ---------------------------------------------------------------- what a stranger hears
@pytest.mark.req("PRV-7")
async def test_over_an_hour_nothing_on_the_air_links_two_periods_or_tells_two_modules_apart() -> None:
    """Two modules, one with a phone connected all the time, and somebody who writes everything down."""
    frames: list[Frame] = []
    air = VirtualAir(on_frame=frames.append)
    quiet = RadioBench(seed=1, radio_secret=bytes(range(16)), advice=Airtime(Pace.SLOW, 0), air=air)
    visited = RadioBench(seed=2, radio_secret=bytes(range(1, 17)), advice=Airtime(Pace.SLOW, 0), air=air)
    async with quiet, visited:
        found = await find(await visited.central(), wanted=lambda one: bytes(one.address)[:3] == address(visited)[:3])
        assert found is not None
        await RawCentral(await visited.central()).connect(found.address)
        frames.clear()
        air.listen(virtual_controller(air, "ears"), True)
        await asyncio.sleep(3_600)
    heard = [frame for frame in frames if frame.kind == "advertisement"]
    assert len(heard) > 7_000
    # Address, then advertisement, then scan response: all but address and beacon is the same for both, always.
    assert {len(frame.data) for frame in heard} == {6 + 31 + 31}
    assert len({frame.data[6:-BEACON_BYTES] for frame in heard}) == 1
    assert len({frame.sender for frame in heard}) == 2
    periods = {(frame.data[:6], frame.data[-BEACON_BYTES:]) for frame in heard}
    assert len(periods) >= 8
    for one, other in itertools.combinations(periods, 2):
        assert one[0] != other[0]
        assert one[1][:NONCE_BYTES] != other[1][:NONCE_BYTES]
        assert one[1][NONCE_BYTES:] != other[1][NONCE_BYTES:]
        assert not set(pieces(one)) & set(pieces(other)), "a piece that came again"
    assert all(data[5] >> 6 == 0b01 for data, _ in periods), "resolvable private addresses"


def address(bench: RadioBench) -> bytes:
    """Under which the module is on the air now."""
    (advertising,) = bench.controller.advertising_sets.values()
    assert advertising.address is not None
    return bytes(advertising.address)


def pieces(period: tuple[bytes, bytes]) -> list[bytes]:
    """All runs of four bytes of address and beacon."""
    return [each[at : at + 4] for each in period for at in range(len(each) - 3)]


# ---------------------------------------------------------------- the budget of three phones
@pytest.mark.req("BLE-1")
@pytest.mark.parametrize(
    ("interval_ms", "latency", "most_ms", "least_bytes_s"), [(30, 0, 300, 20e3), (120, 4, 900, 2e3)]
)
async def test_three_phones_at_once_have_what_the_budget_promises(
    interval_ms: float, latency: int, most_ms: float, least_bytes_s: float
) -> None:
    """The figures of docs/radio.md, at the parameters that the module asks for."""
    row = await measured(interval_ms, latency, 3)
    assert row.unlock_ms < most_ms
    assert row.crowded_ms < most_ms
    assert row.up_bytes_s > least_bytes_s
