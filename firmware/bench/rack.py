"""A stand as it is built: parts that outlive the power, and a module that is made anew at each boot.

Decides what a power cut takes away at once, and what an orderly end may still finish. Refuses to know which radio,
car, disk and broker they are.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from firmware.bench.disk import DiskFault, StoreSwitch
from firmware.bench.recorder import Recorder
from firmware.bench.rescue import EmergencySwitch
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.stand import Contents, Facts, Time
from firmware.bench.switches import BrokerSwitch, RadioSwitch
from firmware.bench.taps import Taps
from firmware.core.effects import Effect
from firmware.core.events import Event, TimeOffered, TimeSource
from firmware.core.state import Profile, State
from firmware.gateway import Gateway
from firmware.ports import BrokerPort, EmergencyPort, RadioPort, RadioUnavailable, StoreFailed, StorePort, VehiclePort
from firmware.pump import Observer, Pump
from firmware.simulated.vehicle import SimulatedVehicle


class Parts(msgspec.Struct, frozen=True):
    """What a module is made of; the functions are called at each boot. `radio`: Bluetooth; `carriers`: that and all
    others. `has_rtc`: a battery keeps its clock. `supply`: what loses its power with the module, such as a Bluetooth
    controller, is told when it goes dark (False) and when it has power again."""

    profile: Profile
    facts: Facts
    gateway: Callable[[], Gateway]
    radio: Callable[[], RadioPort]
    store: Callable[[], StorePort]
    broker: Callable[[], BrokerPort] | None
    vehicle: VehiclePort
    has_rtc: bool = True
    carriers: Callable[[RadioPort], RadioPort] = lambda bluetooth: bluetooth
    supply: Callable[[bool], None] = lambda _: None
    recorder: Recorder | None = None
    emergency: Callable[[], EmergencyPort] | None = None
    hands: SimulatedVehicle | None = None
    """The simulated car where `vehicle` is not it, and it stands in for a part."""


class Rack:
    """A `Stand`. `boot` once, `close` at the end. Unlike what is added to `steps`, `observer` may fail, and fails the
    module with it."""

    def __init__(self, parts: Parts, time: Time, observer: Observer | None = None) -> None:
        self._parts = parts
        self._observer = observer
        self.time = time
        self.radio = RadioSwitch()
        self.ble = RadioSwitch()
        self.broker: BrokerSwitch | None = None if parts.broker is None else BrokerSwitch()
        self.emergency: EmergencySwitch | None = None if parts.emergency is None else EmergencySwitch()
        self.store = StoreSwitch()
        self.steps: Taps[Event, State, tuple[Effect, ...]] = Taps()
        self.powered: Taps[str] = Taps()
        self.pump: Pump | None = None
        self._working: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()
        self._restarts: set[asyncio.Task[None]] = set()
        self._switches: set[asyncio.Task[None]] = set()
        """Nobody else may hold what ends the power once whoever asked has stopped waiting."""
        self._closing = False
        self._trouble: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()

    @property
    def profile(self) -> Profile:
        """As Stand."""
        return self._parts.profile

    @property
    def facts(self) -> Facts:
        """As Stand."""
        return self._parts.facts

    @property
    def vehicle(self) -> SimulatedVehicle | None:
        """As Stand."""
        vehicle = self._parts.vehicle
        return vehicle if isinstance(vehicle, SimulatedVehicle) else self._parts.hands

    @property
    def recorder(self) -> Recorder | None:
        """As Stand."""
        return self._parts.recorder

    @property
    def working(self) -> asyncio.Task[None] | None:
        """The module at work, None without power. It ends by itself only in trouble, and then tells of it."""
        return self._working

    def _observe(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        if self._observer is not None:
            self._observer(event, state, effects)
        self.steps(event, state, effects)

    async def ended(self) -> None:
        """Wait until the module ends by itself. Raises what it ended with."""
        working = await self._trouble.get()
        working.result()

    async def boot(self, *, rtc_offset_s: float | None = 0.0) -> None:
        """As `power_on`. Raises what the pump raises: StoreFailed, an ExceptionGroup with RadioUnavailable."""
        async with self._switching:
            await self._begin(rtc_offset_s)

    async def _begin(self, rtc_offset_s: float | None) -> None:
        if self._working is not None and not self._working.done():
            return
        with self.time.passing():
            self.pump, self._working = await self._started(rtc_offset_s)
        self._working.add_done_callback(self._gone)
        self.powered("on")

    async def _started(self, rtc_offset_s: float | None) -> tuple[Pump, asyncio.Task[None]]:
        pump = self._assembled()
        first: tuple[TimeOffered, ...] = ()
        if self._parts.has_rtc and rtc_offset_s is not None:
            first = (TimeOffered(TimeSource.RTC, self.time.utc_ms() + round(rtc_offset_s * 1000)),)
        working = asyncio.create_task(pump.run(first), name="module")
        started = asyncio.create_task(pump.started.wait())
        try:
            await asyncio.wait({working, started}, return_when=asyncio.FIRST_COMPLETED)
            if not started.done():
                working.result()
        except BaseException:
            working.cancel()
            await asyncio.wait({working})
            await self.store.close()
            raise
        finally:
            started.cancel()
        return pump, working

    def _assembled(self) -> Pump:
        parts = self._parts
        parts.supply(True)
        self.store.plug(parts.store())
        self.ble.plug(parts.radio())
        self.radio.plug(parts.carriers(self.ble))
        if self.broker is not None and parts.broker is not None:
            self.broker.plug(parts.broker())
        if self.emergency is not None and parts.emergency is not None:
            self.emergency.plug(parts.emergency())
        return Pump(
            parts.profile,
            parts.gateway(),
            radio=self.radio,
            vehicle=parts.vehicle,
            store=self.store,
            broker=self.broker,
            emergency=self.emergency,
            monotonic_ms=self.time.monotonic_ms,
            observer=self._observe,
            witness=parts.recorder,
        )

    def _gone(self, working: asyncio.Task[None]) -> None:
        if working is self._working and not working.cancelled():
            self._trouble.put_nowait(working)

    async def power_on(self, *, rtc_offset_s: float | None = 0.0) -> None:
        """As Stand."""
        self._check_can_start(rtc_offset_s)
        with _told():
            await self.boot(rtc_offset_s=rtc_offset_s)

    def _check_can_start(self, rtc_offset_s: float | None) -> None:
        if rtc_offset_s and not self._parts.has_rtc:
            raise DeskError(
                DeskCode.NOT_HERE, "this module has no RTC that could be wrong. Set `battery_backed = true` in [clock]."
            )
        if self.store.fault is DiskFault.HANGING:
            raise DeskError(
                DeskCode.FAILED, "the module can not start: its disk does not answer. Type `fault clear disk`."
            )

    async def power_off(self, *, cut: bool) -> None:
        """As Stand. A cut leaves on the disk what a commit that had begun leaves there, and nothing of what had not;
        no link hears a farewell. Whoever is cancelled here has only stopped waiting."""
        ending = asyncio.create_task(self._off(cut), name="power off")
        self._switches.add(ending)
        ending.add_done_callback(self._switches.discard)
        await asyncio.shield(ending)

    async def _off(self, cut: bool) -> None:
        async with self._switching:
            await self._end(cut)

    async def _end(self, cut: bool) -> None:
        working, self._working, self.pump = self._working, None, None
        if working is None:
            return
        if cut:
            self._go_dark()
        try:
            with self.time.passing(), suppress(asyncio.CancelledError):
                working.cancel()
                await working
        finally:
            with self.time.passing():
                await self.radio.settled()
                await self.ble.settled()
            await self.store.close()
        self.powered("cut" if cut else "off")

    async def restart(self, *, rtc_offset_s: float | None = 0.0, contents: Contents | None = None) -> None:
        """As Stand. Whoever is cancelled here has only stopped waiting: the module is not left without power."""
        restarting = asyncio.create_task(self._again(rtc_offset_s, contents), name="restart")
        self._restarts.add(restarting)
        restarting.add_done_callback(self._restarts.discard)
        await asyncio.shield(restarting)

    async def _again(self, rtc_offset_s: float | None, contents: Contents | None) -> None:
        async with self._switching:
            self._check_can_start(rtc_offset_s)
            await self._end(cut=False)
            if contents is not None:
                await self._store_anew(contents)
            if not self._closing:
                with _told():
                    await self._begin(rtc_offset_s)

    def _go_dark(self) -> None:
        self.store.cut()
        self.radio.cut()
        self.ble.cut()
        self._parts.supply(False)
        for line in (self.broker, self.emergency):
            if line is not None:
                line.cut()

    async def _store_anew(self, contents: Contents) -> None:
        store = self._parts.store()
        try:
            await store.load()
            await store.commit(contents.state, (), vital=contents.vital, void_from=contents.void_from)
        finally:
            await store.close()

    async def close(self) -> None:
        """The end of the bench: power off in good order, also in the middle of a restart."""
        self._closing = True
        for restarting in tuple(self._restarts):
            restarting.cancel()
            await asyncio.wait({restarting})
        await self.power_off(cut=False)


@contextmanager
def _told() -> Iterator[None]:
    """Why the module does not start, as DeskError."""
    try:
        yield
    except (StoreFailed, BaseExceptionGroup) as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise DeskError(
            DeskCode.FAILED, f"the module does not start: {reason}. Put it right, then `power on`."
        ) from None


def _reason(error: BaseException) -> str | None:
    """Why the module did not start, in one line; None: it is a bug."""
    if isinstance(error, BaseExceptionGroup):
        return next((why for each in error.exceptions if (why := _reason(each)) is not None), None)
    return str(error) if isinstance(error, StoreFailed | RadioUnavailable) else None
