"""Wiring: which radio, car, store and broker a module gets. Nothing is decided here.

The only place, beside the demonstration, that may bring in `host_tools`: the virtual radio lives there.
"""

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from firmware import VERSION, brokers
from firmware.adapters.ble.awaited import awaited
from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.transport import OpenController, open_moniker
from firmware.adapters.clocks import LoopClock, SystemClock
from firmware.adapters.serial.line import SerialLine
from firmware.adapters.serial.radio import SerialRadio
from firmware.adapters.serial.terminal import PseudoTerminal
from firmware.adapters.serial.uart import Uart
from firmware.adapters.serial.wire import Device, LineUnavailable
from firmware.adapters.store import SqliteStore
from firmware.adapters.watchdog import Watchdog, WatchdogUnavailable
from firmware.bench.levels import Level
from firmware.bench.paced import GivenTime, PacedTime
from firmware.bench.rack import Parts, Rack
from firmware.bench.recorder import Recorder, named
from firmware.bench.shelf import FolderShelf
from firmware.bench.stand import Facts, Time
from firmware.carriers import Carriers
from firmware.config import (
    PTY,
    STATE_FILE,
    Config,
    ConfigError,
    read_password,
    read_provisioning,
)
from firmware.core.events import Ticked
from firmware.core.state import Profile, Vehicle
from firmware.fittings import fitted
from firmware.gateway import Gateway
from firmware.inprocess import wiretap
from firmware.pace import PacedLoop
from firmware.ports import Entropy
from firmware.pump import Observer
from firmware.simulated.car import Car
from firmware.simulated.player import Player, TraceFailed
from firmware.simulated.route import Route, Waypoint
from firmware.simulated.vehicle import SimulatedVehicle
from protocol import keys
from protocol.provisioning import Provisioning
from protocol.tokens import Trust

OUTBOX_RECORDS = 20_000
"""About two weeks of driving at one position in half a minute."""

if TYPE_CHECKING:
    from firmware.bench.front import Front

SAVED = "saved"
"""In `[module] state_dir`: states that were put aside on the bench."""

log = structlog.get_logger("sharebox")


def loop_factory(config: Config) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop that `run` needs; None: any."""
    return PacedLoop if config.bench.enabled else None


def make_profile(provisioning: Provisioning) -> Profile:
    """What the core needs of the provisioning file."""
    facts = provisioning.vehicle
    return Profile(
        provisioning.module_id,
        provisioning.key_epoch,
        provisioning.home,
        provisioning.provisioned_s * 1000,
        Vehicle(facts.vin, facts.market, facts.prepared, facts.digital_keys, facts.legal_ecall),
        provisioning.coupled,
    )


def make_facts(provisioning: Provisioning) -> Facts:
    """What of the provisioning file everybody may know."""
    handshake, signing = (
        keys.public_to_bytes(keys.private_from_bytes(private).public_key())
        for private in (provisioning.handshake_private, provisioning.signing_private)
    )
    issuers = tuple(keys.key_id(keys.public_from_bytes(issuer)) for issuer in provisioning.issuers)
    return Facts(provisioning.module_id, provisioning.key_epoch, handshake, signing, issuers)


def make_gateway(
    provisioning: Provisioning, entropy: Entropy = os.urandom, *, key_log: Callable[[str], None] | None = None
) -> Gateway:
    """The module's identity and whom it trusts."""
    issuers = [keys.public_from_bytes(issuer) for issuer in provisioning.issuers]
    return Gateway(
        keys.private_from_bytes(provisioning.handshake_private),
        keys.private_from_bytes(provisioning.signing_private),
        Trust(provisioning.module_id, {keys.key_id(issuer): issuer for issuer in issuers}),
        entropy,
        key_log=key_log,
    )


def make_car(config: Config) -> Car:
    """The simulated car, on its built-in round unless the file says where it stands."""
    at = config.vehicle
    if at.latitude is None or at.longitude is None:
        return Car()
    # Towards the middle of the map, so that no corner is beyond its edge.
    north, east = -math.copysign(0.01, at.latitude), -math.copysign(0.015, at.longitude)
    corners = ((0.0, 0.0), (north, 0.0), (north, east), (0.0, east))
    around = [Waypoint(at.latitude + n, at.longitude + e) for n, e in corners]
    return Car(route=Route(around, loop=True))


def make_vehicle(config: Config, clock: SystemClock | LoopClock) -> SimulatedVehicle:
    """The simulated car, which tells what a trace tells if the file says so. Raises ConfigError."""
    vehicle = SimulatedVehicle(lambda: clock.rtc().utc_ms, clock.monotonic_ms, car=make_car(config))
    table = config.vehicle
    if table.kind == "trace":
        try:
            vehicle.play(Player(config.path(table.file), speed=table.speed, loop=table.loop))
        except TraceFailed as error:
            raise ConfigError(f"[vehicle]: {error}") from None
    return vehicle


class Radio(NamedTuple):
    """A way to open a Bluetooth controller, and what takes its power away (False) and gives it back."""

    open: OpenController
    supply: Callable[[bool], None] = lambda _: None


@asynccontextmanager
async def radio_controller(config: Config) -> AsyncIterator[Radio]:
    """The controller that the file names. For "virtual", a hub for other programs comes with it."""
    if config.ble.transport != "virtual":
        loop = asyncio.get_running_loop()
        ordinary: OpenController = lambda: open_moniker(config.ble.transport)  # noqa: E731 - a name for its type
        yield Radio(awaited(ordinary, loop.held) if isinstance(loop, PacedLoop) else ordinary)
        return
    from host_tools.radio.air import VirtualAir
    from host_tools.radio.controller import virtual_controller
    from host_tools.radio.errors import RadioError
    from host_tools.radio.hub import Hub

    air = VirtualAir()
    try:
        async with Hub(air, port=config.ble.hub_port) as hub:
            log.info("virtual radio", hub=f"tcp-client:{hub.host}:{hub.port}")
            controller = virtual_controller(air, "module")
            yield Radio(controller.attached, lambda on: air.restore(controller) if on else air.power_cut(controller))
    except RadioError as error:
        raise ConfigError(f"[ble]: {error}") from None


async def run(
    config: Config, observer: Observer | None = None, *, record: Path | None = None, record_keys: bool = False
) -> None:
    """A module at work until it is told to stop (SIGINT, SIGTERM). On a `PacedLoop` when the bench is on. `record`: a
    new file for all that it is told and does, or a directory for such files; `record_keys`: with its private keys.
    Raises ConfigError, RecordingFailed, StoreFailed, RadioUnavailable; each says what, why and what to do."""
    provisioning = read_provisioning(config)
    if record_keys and not config.bench.enabled:
        raise ConfigError(
            "private keys are recorded on a bench alone (SEC-2): leave --record-keys out, or set [bench] enabled = true"
        )
    async with AsyncExitStack() as stack:
        state_dir = _state_dir(config)
        clock, time = _clocks(config)
        vehicle, hands = fitted(config, make_vehicle(config, clock), clock.monotonic_ms)
        radio = await stack.enter_async_context(radio_controller(config))
        lines = [stack.enter_context(_opened(*each)) for each in _devices(config, state_dir)]
        recorder = Recorder(provisioning, with_keys=record_keys, directory=state_dir / "recordings")
        stack.callback(recorder.stop, "the module was stopped")
        if record is not None:
            recorder.start(named(record, provisioning.module_id, clock.rtc().utc_ms))
        keep = stack.enter_context(wiretap.captured(_capture(config), lambda: clock.rtc().utc_ms))
        secrets = wiretap.key_log(bench=config.bench.enabled)
        rack = Rack(
            Parts(
                profile=make_profile(provisioning),
                facts=make_facts(provisioning),
                gateway=lambda: make_gateway(provisioning, key_log=secrets),
                radio=lambda: BumbleRadio(keep(radio.open), radio_secret=provisioning.radio_secret),
                carriers=(lambda ble: Carriers((ble, SerialRadio(lines)))) if lines else (lambda ble: ble),
                supply=radio.supply,
                store=lambda: make_store(state_dir),
                broker=brokers.ordinary(config, provisioning),
                emergency=brokers.emergency(config, provisioning),
                vehicle=vehicle,
                hands=hands,
                has_rtc=config.clock.battery_backed,
                recorder=recorder if record is not None or config.bench.enabled else None,
            ),
            time,
            observer,
        )
        fronts = _fronts(config, lines, rack, state_dir) if config.bench.enabled else []
        guards = stack.enter_context(_watched(config, rack))
        services = [*(line.run() for line in lines), *(front.run() for front in fronts), *(dog.run() for dog in guards)]
        await _beside(services, _until_stopped(rack, time))


@contextmanager
def _watched(config: Config, rack: Rack) -> Iterator[tuple[Watchdog, ...]]:
    """The computer's watchdog, if the file says so. It is put to rest by an end in good order, and by what somebody has
    to put right in the file; from anything else it saves."""
    table = config.module
    if not table.watchdog:
        yield ()
        return

    def ask() -> None:
        if rack.pump is not None:
            rack.pump.post(Ticked())

    watchdog = Watchdog(table.watchdog, table.watchdog_s, ask)
    try:
        watchdog.open()
    except WatchdogUnavailable as error:
        raise ConfigError(f"[module] watchdog: {error}") from None
    rack.steps.add(lambda *_: watchdog.beat())
    try:
        yield (watchdog,)
    except (ConfigError, asyncio.CancelledError):
        watchdog.rest()
        raise
    watchdog.rest()


async def _beside(services: Sequence[Coroutine[None, None, None]], work: Coroutine[None, None, None]) -> None:
    """Do `work` while the services run; they end with it, and it ends when one of them fails."""
    main = asyncio.create_task(work)
    tasks = [asyncio.create_task(service) for service in services]
    try:
        await asyncio.wait({main, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (main, *tasks):
            task.cancel()
            await asyncio.wait({task})
    for task in (main, *tasks):
        if not task.cancelled():
            task.result()


def make_store(state_dir: Path) -> SqliteStore:
    """The module's disk."""
    return SqliteStore(
        state_dir / STATE_FILE, capacity_records=OUTBOX_RECORDS, noted=lambda line: log.warning("store", note=line)
    )


def _capture(config: Config) -> Path | None:
    return config.path(config.ble.capture) if config.ble.capture else None


def _state_dir(config: Config) -> Path:
    state_dir = config.path(config.module.state_dir)
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"{state_dir}: {error.strerror}; set [module] state_dir") from None
    return state_dir


def _clocks(config: Config) -> tuple[SystemClock | LoopClock, Time]:
    system, loop = SystemClock(), asyncio.get_running_loop()
    if not config.bench.enabled:
        return system, GivenTime(system)
    assert isinstance(loop, PacedLoop), "a bench needs a PacedLoop"
    clock = LoopClock(system.rtc().utc_ms - round(loop.time() * 1000))
    return clock, PacedTime(clock, loop)


# ---------------------------------------------------------------- serial lines
def runtime_dir(state_dir: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where pseudo-terminals have their names."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    return Path(runtime, "sharebox") if runtime else state_dir / "run"


def _devices(config: Config, state_dir: Path) -> Iterator[tuple[str, str, Device]]:
    """Name, path and device of each line."""
    for table in config.serial:
        path = runtime_dir(state_dir) / table.name
        if table.device == PTY:
            yield table.name, str(path), PseudoTerminal(path)
        else:
            yield table.name, table.device, Uart(table.device, table.baud)


@contextmanager
def _opened(name: str, path: str, device: Device) -> Iterator[SerialLine]:
    line = SerialLine(name, device)
    try:
        line.open()
        log.info("serial line", line=name, device=path)
        yield line
    except LineUnavailable as error:
        raise ConfigError(f"[[serial]]: {error}") from None
    finally:
        line.close()


def _fronts(config: Config, lines: Sequence[SerialLine], rack: Rack, state_dir: Path) -> "list[Front]":
    """The desk, at each line."""
    from firmware.bench.desk import Desk
    from firmware.bench.front import Front, Manner

    password, module = read_password(config), rack.profile.module_id.hex()
    desk = Desk(rack, shelf=FolderShelf(state_dir / SAVED))
    return [
        Front(line, desk, Manner(Level[table.level.upper()], password, module, VERSION))
        for table, line in zip(config.serial, lines, strict=True)
    ]


# ---------------------------------------------------------------- at work
async def _until_stopped(rack: Rack, time: Time) -> None:
    """Boot, announce that the module is on the air, and stop it in good order on the first signal. Raises what the
    module ends with by itself."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    work = asyncio.create_task(_at_work(rack))
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        time.go()
        for task in (work, stopped):
            task.cancel()
        await asyncio.wait({work, stopped})
        await rack.close()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    log.info("stopped")


async def _at_work(rack: Rack) -> None:
    await rack.boot()
    log.info("on the air", module=rack.profile.module_id.hex())
    await rack.ended()
