"""The stage of the demonstration: the rig with a real broker behind a cuttable network, the pace of time, the view."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Final, Self, TextIO

from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.core import admit
from firmware.core.reporting import iso_time
from firmware.core.state import State
from firmware.demo.rig import Holder, Rig
from firmware.demo.screen import Claim, Screen, View, make_screen
from firmware.demo.uplink import HeldBroker, Relay
from firmware.ports import BrokerPort
from host_tools.backend.broker import Broker
from host_tools.backend.ingest import Recorder
from host_tools.phone.client import Phone
from host_tools.virtual_time import VirtualTimeLoop
from protocol.explain import duration
from protocol.messages import Phase
from protocol.provisioning import BookingFile, Provisioning
from protocol.telemetry import LATITUDE, LONGITUDE, Channel, topic

BEAT_S: Final = 0.35
BEAT_PER_CHARACTER_S: Final = 0.006
"""Real time to read a line on a live screen; none elsewhere."""
FRAME_S: Final = 0.05
RACE_STEP_S: Final = 60.0
"""Virtual seconds between two frames while time races."""
PATIENCE_S: Final = 10.0
"""Real seconds to wait for the broker."""


class Failed(Exception):
    """The demonstration did not go as it must: one line."""


class Stage:
    """`async with Stage(...)`: everything is up, nothing has happened yet. `pace`: how much time there is to read;
    `out`: where it is shown, None for standard output."""

    def __init__(self, *, json_lines: bool, pace: float = 1.0, out: TextIO | None = None) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.screen: Screen = make_screen(self.view, json_lines=json_lines, out=out)
        self.patience = pace if self.screen.live else 0.0
        self.checked = 0
        self.claims: list[Claim] = []
        self.rig = Rig("demo", broker=self._uplink)
        self.phone: Phone | None = None
        self.pace = "real time"
        self.broker: Broker
        self.relay: Relay
        self.recorder: Recorder
        self.uplink: HeldBroker
        self._waiting = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stack.callback(self.screen.close)
        try:
            self.broker = await self._stack.enter_async_context(Broker())
            with self.loop.hold():
                self.recorder = await self._stack.enter_async_context(Recorder(self.broker.host, self.broker.port))
                self.relay = await self._stack.enter_async_context(Relay(self.broker.port, self.broker.host))
            await self._stack.enter_async_context(self.rig)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        with self.loop.hold():
            await self._stack.aclose()

    def _uplink(self, provisioning: Provisioning) -> BrokerPort:
        # A short patience, so that nobody has to wait for the module to notice that the network is back.
        settings = BrokerSettings(
            host=self.broker.host, port=self.relay.port, will_delay_s=0, retry_min_ms=200, retry_max_ms=2_000
        )
        broker = MqttBroker(settings, provisioning.module_id, entropy=self.rig.entropy)
        self.uplink = HeldBroker(broker, self.loop.hold)
        return self.uplink

    # ------------------------------------------------------------ speaking
    async def act(self, title: str, about: str) -> None:
        """A new part begins; `about` says what there is to see."""
        self.screen.act(title, about)
        await self._let_read(about)

    async def say(self, who: str, text: str, **fields: object) -> None:
        """One thing happened; on a live screen there is time to read it."""
        self.screen.say(who, text, **fields)
        await self._let_read(text)

    async def _let_read(self, text: str) -> None:
        """Real time passes, with the screen kept fresh."""
        until = time.monotonic() + self.patience * (BEAT_S + BEAT_PER_CHARACTER_S * len(text))
        with self.loop.hold():
            while (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(FRAME_S, left))
                self.screen.refresh()

    def must(self, holds: bool, what: str) -> None:
        """What the demonstration claims, it checks."""
        if not holds:
            raise Failed(what)
        self.checked += 1

    def claim(self, rule: str, what: str, figure: str) -> None:
        """For the summary: what has been shown, and checked."""
        self.claims.append(Claim(rule, what, figure))

    # ------------------------------------------------------------ time
    async def race(self, seconds: float) -> None:
        """Virtual time races; on a live screen it can be seen racing."""
        started = self.loop.time()
        self.pace = "time races"
        self.screen.refresh()
        while (left := started + seconds - self.loop.time()) > 0:
            await asyncio.sleep(min(RACE_STEP_S, left))
            if self.screen.live:
                self._waiting = await self.queued()
                self.screen.refresh()
                # Real time in which virtual time stands still: the next frame.
                await asyncio.to_thread(time.sleep, self.patience * FRAME_S / 2)
        self.pace = "real time"
        self.screen.refresh()

    async def race_to(self, utc_s: float) -> None:
        """Race until that second, UTC."""
        await self.race(max(0.0, utc_s - self.rig.clock.rtc().utc_ms / 1000))

    # ------------------------------------------------------------ network
    async def cut_network(self) -> None:
        """The module loses its mobile network, and notices."""
        with self.loop.hold():
            await self.relay.cut()
            async with _soon("the module notices that its network is gone"):
                await self.uplink.lost.wait()
        self.uplink.expect(False)

    async def restore_network(self) -> None:
        """The network is back; returns when everything that waited has been acknowledged."""
        with self.loop.hold():
            await self.relay.restore()
            self.uplink.expect(True)
            async with _soon("the module connects again, and tells what waited"):
                await self.uplink.connected.wait()
                await self._drained()

    async def drained(self) -> None:
        """Wait, in real time, until the broker has everything that may leave."""
        with self.loop.hold():
            async with _soon("the broker gets everything"):
                await self._drained()

    async def _drained(self) -> None:
        while not self.state.broker_connected or await self.queued() or not self.state.durable.slot.acknowledged:
            await asyncio.sleep(FRAME_S)
            self._waiting = await self.queued()
            self.screen.refresh()
        self._waiting = 0

    async def queued(self) -> int:
        """Records that wait for the broker."""
        return await self.rig.store.pending_count()

    # ------------------------------------------------------------ phones
    @asynccontextmanager
    async def phone_of(self, holder: Holder, file: BookingFile) -> AsyncIterator[Phone]:
        """The phone of `holder`, shown on the screen."""
        async with self.rig.phone(holder, file) as phone:
            self.phone = phone
            yield phone

    # ------------------------------------------------------------ looking
    @property
    def state(self) -> State:
        """What the module knows."""
        return self.rig.pump.state

    def retained_position(self) -> bytes:
        """What the broker was last told to retain of the position."""
        name = topic(self.rig.provisioning.module_id, Channel.POSITION)
        latest = [raw.payload for raw in self.recorder.messages if raw.topic == name]
        return latest[-1] if latest else b""

    def view(self) -> View:
        """For the screen."""
        if not hasattr(self.rig, "vehicle"):
            return View()
        car = self.rig.vehicle.snapshot()
        seen = self.phone.access if self.phone is not None else None
        slider = "no session" if seen is None else "access granted" if seen.granted else "access denied"
        if seen is not None and seen.refusal is not None:
            slider = seen.refusal.code.name
        return View(
            clock=iso_time(self.rig.clock.rtc().utc_ms).replace("T", " ")[:19],
            pace=self.pace,
            car=(
                ("doors", "locked" if car.locked else "unlocked"),
                ("ignition", "on" if car.ignition_on else "off"),
                ("immobiliser", "armed" if car.immobilised else "released"),
                ("speed", f"{car.speed_kmh:.0f} km/h"),
                ("fuel", f"{car.fuel_pct:.1f} %"),
                ("odometer", f"{car.odometer_m / 1000:.1f} km"),
            ),
            booking=self._booking(),
            slider_blue=seen is not None and seen.granted,
            slider=slider,
            network=self._owners_side(),
        )

    def _owners_side(self) -> tuple[tuple[str, str], ...]:
        if not hasattr(self, "recorder"):
            return ()
        position = self.retained_position()
        known = json.loads(position) if position else None
        place = "hidden" if known is None else f"{known[LATITUDE]:.3f}, {known[LONGITUDE]:.3f}"
        return (
            ("module", "online" if self._connected() else "offline"),
            ("position", place),
            ("messages", str(len(self.recorder.messages))),
            ("waiting", str(self._waiting)),
        )

    def _connected(self) -> bool:
        return hasattr(self, "uplink") and self.uplink.connected.is_set()

    def _booking(self) -> tuple[tuple[str, str], ...]:
        if self.rig.rack.pump is None:
            return ()
        trip = self.state.durable.trip
        if trip.phase is Phase.NONE:
            return (("booking", "none yet"),)
        facts = [("booking", trip.phase.name.lower().replace("_", " "))]
        if trip.running:
            late_ms = admit.overdue_ms(self.state, self.rig.clock.monotonic_ms())
            facts.append(("overdue", duration(late_ms)) if late_ms >= 0 else ("ends in", duration(-late_ms)))
        return tuple(facts)


@asynccontextmanager
async def _soon(what: str) -> AsyncIterator[None]:
    """`what` is waited for inside, not for ever. Raises Failed."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError:
        raise Failed(f"{what} within {PATIENCE_S:.0f} s") from None
