"""A stand as it is built: parts that outlive the power, and a module that is made anew at each boot.

Decides what a power cut takes away at once, and what an orderly end may still finish. Refuses to know which radio,
car, disk and broker they are.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from firmware.bench.recorder import Recorder
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.stand import Time
from firmware.bench.switches import BrokerSwitch, RadioSwitch, StoreSwitch
from firmware.bench.taps import Taps
from firmware.core.effects import Effect
from firmware.core.events import Event, TimeOffered, TimeSource
from firmware.core.state import Profile, State
from firmware.gateway import Gateway
from firmware.ports import BrokerPort, RadioPort, RadioUnavailable, StoreFailed, StorePort, VehiclePort
from firmware.pump import Observer, Pump
from firmware.simulated.vehicle import SimulatedVehicle


class Parts(msgspec.Struct, frozen=True):
    """What a module is made of; the functions are called at each boot. `has_rtc`: a battery keeps its clock."""

    profile: Profile
    gateway: Callable[[], Gateway]
    radio: Callable[[], RadioPort]
    store: Callable[[], StorePort]
    broker: Callable[[], BrokerPort] | None
    vehicle: VehiclePort
    has_rtc: bool = True
    recorder: Recorder | None = None


class Rack:
    """A `Stand`. `boot` once, `close` at the end. Unlike what is added to `steps`, `observer` may fail, and fails the
    module with it."""

    def __init__(self, parts: Parts, time: Time, observer: Observer | None = None) -> None:
        self._parts = parts
        self._observer = observer
        self.time = time
        self.radio = RadioSwitch()
        self.broker: BrokerSwitch | None = None if parts.broker is None else BrokerSwitch()
        self.store = StoreSwitch()
        self.steps: Taps[Event, State, tuple[Effect, ...]] = Taps()
        self.powered: Taps[str] = Taps()
        self.pump: Pump | None = None
        self._working: asyncio.Task[None] | None = None

    @property
    def profile(self) -> Profile:
        """As Stand."""
        return self._parts.profile

    @property
    def vehicle(self) -> SimulatedVehicle | None:
        """As Stand."""
        return self._parts.vehicle if isinstance(self._parts.vehicle, SimulatedVehicle) else None

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

    async def boot(self, *, rtc_offset_s: float | None = 0.0) -> None:
        """As `power_on`. Raises what the pump raises: StoreFailed, an ExceptionGroup with RadioUnavailable."""
        if self._working is not None and not self._working.done():
            return
        parts = self._parts
        self.store.plug(parts.store())
        self.radio.plug(parts.radio())
        if self.broker is not None and parts.broker is not None:
            self.broker.plug(parts.broker())
        pump = Pump(
            parts.profile,
            parts.gateway(),
            radio=self.radio,
            vehicle=parts.vehicle,
            store=self.store,
            broker=self.broker,
            monotonic_ms=self.time.monotonic_ms,
            observer=self._observe,
            witness=parts.recorder,
        )
        first: tuple[TimeOffered, ...] = ()
        if parts.has_rtc and rtc_offset_s is not None:
            first = (TimeOffered(TimeSource.RTC, self.time.utc_ms() + round(rtc_offset_s * 1000)),)
        working = asyncio.create_task(pump.run(first), name="module")
        started = asyncio.create_task(pump.started.wait())
        try:
            await asyncio.wait({working, started}, return_when=asyncio.FIRST_COMPLETED)
            if not started.done():
                await self.store.close()
                working.result()
        except BaseException:
            working.cancel()
            await asyncio.wait({working})
            raise
        finally:
            started.cancel()
        self.pump, self._working = pump, working
        self.powered("on")

    async def power_on(self, *, rtc_offset_s: float | None = 0.0) -> None:
        """As Stand."""
        try:
            await self.boot(rtc_offset_s=rtc_offset_s)
        except (StoreFailed, BaseExceptionGroup) as error:
            reason = _reason(error)
            if reason is None:
                raise
            raise DeskError(
                DeskCode.FAILED, f"the module does not start: {reason}. Put it right, then `power on`."
            ) from None

    async def power_off(self, *, cut: bool) -> None:
        """As Stand."""
        working, self._working, self.pump = self._working, None, None
        if working is None:
            return
        if cut:
            self.store.cut()
            if self.broker is not None:
                self.broker.sever("the power was cut")
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await self.store.close()
        self.powered("cut" if cut else "off")

    async def close(self) -> None:
        """The end of the bench: power off in good order."""
        await self.power_off(cut=False)


def _reason(error: BaseException) -> str | None:
    """Why the module did not start, in one line; None: it is a bug."""
    if isinstance(error, BaseExceptionGroup):
        return next((why for each in error.exceptions if (why := _reason(each)) is not None), None)
    return str(error) if isinstance(error, StoreFailed | RadioUnavailable) else None
