"""A module, a car, an air and phones in one process: the real parts of both sides, wired for tests and the demo.

On a `VirtualTimeLoop` everything happens in virtual time, repeatably. What is not here is not simulated: the
module is the one that `sharebox run` runs, the phone is the one of `shareboxctl`.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bleak.backends.device import BLEDevice

from firmware import app
from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.tapped import Tap, tapped
from firmware.adapters.ble.transport import OpenController
from firmware.adapters.clocks import LoopClock
from firmware.adapters.store import MemoryStore
from firmware.bench.desk import Desk
from firmware.bench.rack import Parts, Rack
from firmware.bench.recorder import Recorder
from firmware.bench.rescue import LoopbackCentre
from firmware.bench.stand import Time
from firmware.bench.virtual import VirtualTime
from firmware.core.effects import Effect
from firmware.core.events import Event
from firmware.core.state import State
from firmware.ports import BrokerPort, StorePort
from firmware.pump import Observer, Pump
from firmware.simulated.car import Car
from firmware.simulated.vehicle import SimulatedVehicle
from host_tools.backend.issuer import Issuer
from host_tools.phone.ble import BleakLink
from host_tools.phone.client import Phone
from host_tools.phone.links import PhoneLink
from host_tools.phone.nearby import open_nearest
from host_tools.radio import bleak_backend
from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import virtual_controller
from host_tools.radio.devices import RadioDevice, virtual_central
from protocol import keys
from protocol.beacon import SECRET_BYTES
from protocol.errors import Role
from protocol.messages import Push
from protocol.provisioning import BookingFile, PhoneFile, Provisioning
from protocol.tokens import Booking

BEGINS_S: Final = 1_793_354_400
"""2026-10-30 10:00:00 UTC: what the rig's clocks say at first."""
HOME: Final = (481_375_000, 115_755_000)
OUTBOX_RECORDS: Final = 20_000


def seeded(seed: str) -> Callable[[int], bytes]:
    """Repeatable bytes for everything that would be random."""
    counter = itertools.count()

    def entropy(count: int) -> bytes:
        return hashlib.shake_256(f"{seed} {next(counter)}".encode()).digest(count)

    return entropy


def fresh_key(entropy: Callable[[int], bytes]) -> keys.PrivateKey:
    """A private key from `entropy`."""
    return keys.private_from_bytes(entropy(32))


class Holder:
    """Somebody with a phone: a key pair, and what the phone was told."""

    def __init__(self, name: str, role: Role, entropy: Callable[[int], bytes]) -> None:
        self.name = name
        self.role = role
        self.key = fresh_key(entropy)
        self.user = entropy(8)
        self.pushes: list[Push] = []


class Rig:
    """`async with Rig() as rig:` boots the module. `att_mtu`: what the phones' Bluetooth asks for. bleak code of
    one's own in the same process uses one more adapter.

    `store` survives `reboot`; `broker` is made anew at each boot by the function given. `air`: one that is there, for
    several modules in it. `tap` sees what crosses the module's HCI, `key_log` the secrets of its sessions. `car`: as it
    stands at first. `time`: how the desk moves the clock, on a loop that does not jump by itself. `record`: a new file
    for all that the module is told and does, its keys included.
    """

    def __init__(  # noqa: PLR0913 - what a test may want otherwise, each with a default
        self,
        seed: str = "rig",
        *,
        broker: Callable[[Provisioning], BrokerPort] | None = None,
        store: StorePort | None = None,
        att_mtu: int = 517,
        observer: Observer | None = None,
        begins_s: int = BEGINS_S,
        air: VirtualAir | None = None,
        tap: Tap | None = None,
        key_log: Callable[[str], None] | None = None,
        car: Car | None = None,
        time: Callable[[LoopClock], Time] = VirtualTime,
        record: Path | None = None,
    ) -> None:
        self.entropy = seeded(seed)
        self.issuer = Issuer(fresh_key(self.entropy), self.entropy)
        self.provisioning = Provisioning(
            self.entropy(8),
            self.entropy(32),
            self.entropy(32),
            1,
            (keys.public_to_bytes(self.issuer.public),),
            HOME,
            begins_s - 86_400,
            radio_secret=seeded(f"{seed} radio")(SECRET_BYTES),
        )
        self.recorder = Recorder(self.provisioning, with_keys=True)
        if record is not None:
            self.recorder.start(record)
        self.begins_s = begins_s
        self.store = store or MemoryStore(capacity_records=OUTBOX_RECORDS)
        self.observer = observer
        self.att_mtu = att_mtu
        self.air = air or VirtualAir()
        self.module_radio = virtual_controller(self.air, "module")
        self._tap = tap
        self._key_log = key_log
        self._car = car
        self._time = time
        self.clock = LoopClock(begins_s * 1000)
        self.vehicle: SimulatedVehicle
        self.rack: Rack
        self._make_broker = broker
        self._stack = AsyncExitStack()
        self._centrals: dict[str, RadioDevice] = {}
        self._desk: Desk | None = None

    async def __aenter__(self) -> Self:
        self.vehicle = SimulatedVehicle(lambda: self.clock.rtc().utc_ms, self.clock.monotonic_ms, car=self._car)
        self.rack = Rack(self._parts(), self._time(self.clock), self._observe)
        try:
            await self._lend_adapter()
            await self.boot()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shut_down()
        self.recorder.stop()
        await self._stack.aclose()

    # ------------------------------------------------------------ the module
    @property
    def pump(self) -> Pump:
        """The module at work; it was booted, and not shut down since."""
        assert self.rack.pump is not None, "the module has no power"
        return self.rack.pump

    def desk(self) -> Desk:
        """The desk of an engineer over this rig, on its virtual time."""
        if self._desk is None:
            self._desk = Desk(self.rack)
        return self._desk

    def _observe(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        if self.observer is not None:
            self.observer(event, state, effects)

    def _parts(self) -> Parts:
        make_broker = self._make_broker
        return Parts(
            profile=app.make_profile(self.provisioning),
            facts=app.make_facts(self.provisioning),
            gateway=lambda: app.make_gateway(self.provisioning, self.entropy, key_log=self._key_log),
            radio=lambda: BumbleRadio(
                self._controller, radio_secret=self.provisioning.radio_secret, entropy=self.entropy
            ),
            store=lambda: self.store,
            broker=None if make_broker is None else lambda: make_broker(self.provisioning),
            vehicle=self.vehicle,
            supply=self._supply,
            emergency=LoopbackCentre,
            recorder=self.recorder,
        )

    def _supply(self, on: bool) -> None:
        if on:
            self.air.restore(self.module_radio)
        else:
            self.air.power_cut(self.module_radio)

    async def boot(self, *, rtc: bool = True) -> None:
        """Power the module up; returns when it is on the air."""
        await self.rack.boot(rtc_offset_s=0.0 if rtc else None)

    async def shut_down(self) -> None:
        """Take the module's power away in good order."""
        await self.rack.power_off(cut=False)

    # ------------------------------------------------------------ radios
    async def _lend_adapter(self) -> None:
        """What bleak code of one's own in this process finds."""
        self._stack.callback(bleak_backend.install(await self._central("stranger"), preferred_mtu=self.att_mtu))

    @property
    def _controller(self) -> OpenController:
        opened = self.module_radio.attached
        return opened if self._tap is None else tapped(opened, self._tap)

    async def _central(self, name: str) -> RadioDevice:
        """The Bluetooth adapter of that name's phone."""
        if name not in self._centrals:
            central = self._centrals[name] = await virtual_central(self.air, name=name)
            self._stack.push_async_callback(central.power_off)
        return self._centrals[name]

    # ------------------------------------------------------------ time
    @property
    def now_s(self) -> int:
        """UTC seconds of the rig's world."""
        return self.clock.rtc().utc_ms // 1000

    async def until(self, utc_s: float) -> None:
        """Let time pass until that UTC second."""
        await asyncio.sleep(max(0.0, utc_s - self.clock.rtc().utc_ms / 1000))

    # ------------------------------------------------------------ bookings and phones
    def holder(self, name: str, role: Role = Role.DRIVER) -> Holder:
        """Somebody new."""
        return Holder(name, role, self.entropy)

    def book(
        self, holder: Holder, *, lasts_s: int, starts_in_s: int = 0, key_epoch: int | None = None
    ) -> tuple[Booking, BookingFile]:
        """A booking for `holder`; it begins a minute early so that clocks need not agree to the second. `key_epoch`
        None: as the module was provisioned."""
        booking = self.issuer.booking(
            module_id=self.provisioning.module_id,
            holder=holder.key.public_key(),
            starts_s=self.now_s + starts_in_s - 60,
            ends_s=self.now_s + starts_in_s + lasts_s,
            now_s=self.now_s,
            role=holder.role,
            key_epoch=self.provisioning.key_epoch if key_epoch is None else key_epoch,
            user=holder.user,
        )
        return booking, self.booking_file(self.issuer.token(booking), key_epoch)

    def booking_file(self, token: bytes, key_epoch: int | None = None) -> BookingFile:
        """What the phone is given with a token. `key_epoch` None: as the module was provisioned."""
        key = self.provisioning.beacon_key_of(self.provisioning.key_epoch if key_epoch is None else key_epoch)
        handshake, signing = (
            keys.public_to_bytes(keys.private_from_bytes(private).public_key())
            for private in (self.provisioning.handshake_private, self.provisioning.signing_private)
        )
        return BookingFile(token, handshake, signing, self.provisioning.module_id, key)

    @asynccontextmanager
    async def phone(
        self, holder: Holder, file: PhoneFile, link_to: Callable[[BLEDevice], PhoneLink] = BleakLink
    ) -> AsyncIterator[Phone]:
        """The holder's phone, with a Bluetooth adapter of its own and an open session."""

        def new_phone(link: PhoneLink) -> Phone:
            return Phone(link, file, holder.key, entropy=self.entropy, on_push=holder.pushes.append)

        with bleak_backend.using(await self._central(holder.name), preferred_mtu=self.att_mtu):
            phone = await open_nearest(new_phone, beacon_key=file.beacon_key, link_to=link_to)
            try:
                yield phone
            finally:
                await phone.close()
