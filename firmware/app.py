"""Wiring: which radio, car, store and broker a module gets. Nothing is decided here.

The only place, beside the demonstration, that may bring in `host_tools`: the virtual radio lives there.
"""

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from firmware import VERSION, discovery
from firmware.adapters.ble.bumble_radio import BumbleRadio
from firmware.adapters.ble.transport import OpenController, open_moniker
from firmware.adapters.clocks import SystemClock
from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerMisconfigured, BrokerSettings
from firmware.adapters.store import SqliteStore
from firmware.bench.recorder import Recorder, named
from firmware.config import STATE_FILE, BrokerTable, Config, ConfigError, read_provisioning
from firmware.core.events import TimeOffered
from firmware.core.state import Profile
from firmware.gateway import Gateway
from firmware.ports import Entropy, Publication
from firmware.pump import Observer, Pump
from firmware.simulated.car import Car
from firmware.simulated.route import Route, Waypoint
from firmware.simulated.vehicle import SimulatedVehicle
from protocol import keys
from protocol.provisioning import Provisioning
from protocol.tokens import Trust

OUTBOX_RECORDS = 20_000
"""About two weeks of driving at one position in half a minute."""

log = structlog.get_logger("sharebox")


def make_profile(provisioning: Provisioning) -> Profile:
    """What the core needs of the provisioning file."""
    return Profile(provisioning.module_id, provisioning.key_epoch, provisioning.home, provisioning.provisioned_s * 1000)


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


def broker_settings(config: Config, table: BrokerTable) -> BrokerSettings:
    """The adapter's settings, with paths made absolute."""
    ca, certificate, key = (
        str(config.path(name)) if name else "" for name in (table.tls_ca, table.tls_cert, table.tls_key)
    )
    return BrokerSettings(host=table.host, port=table.port, ca=ca, certificate=certificate, key=key)


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


@asynccontextmanager
async def radio_controller(config: Config) -> AsyncIterator[OpenController]:
    """A way to open the controller that the file names. For "virtual", a hub for other programs comes with it."""
    if config.ble.transport != "virtual":
        yield lambda: open_moniker(config.ble.transport)
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
            yield controller.attached
    except RadioError as error:
        raise ConfigError(f"[ble]: {error}") from None


async def run(
    config: Config, observer: Observer | None = None, *, record: Path | None = None, record_keys: bool = False
) -> None:
    """A module at work until it is told to stop (SIGINT, SIGTERM). `record`: a new file for all that it is told and
    does, or a directory for such files; `record_keys`: with its private keys. Raises ConfigError, RecordingFailed,
    StoreFailed, RadioUnavailable; each says what, why and what to do."""
    provisioning = read_provisioning(config)
    async with AsyncExitStack() as stack:
        state_dir = config.path(config.module.state_dir)
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"{state_dir}: {error.strerror}; set [module] state_dir") from None
        store = SqliteStore(
            state_dir / STATE_FILE, capacity_records=OUTBOX_RECORDS, noted=lambda line: log.warning("store", note=line)
        )
        stack.push_async_callback(store.close)
        open_controller = await stack.enter_async_context(radio_controller(config))
        clock = SystemClock()
        recorder = Recorder(provisioning, with_keys=record_keys)
        if record is not None:
            recorder.start(named(record, provisioning.module_id, clock.rtc().utc_ms))
            stack.callback(recorder.stop, "the module was stopped")
        pump = Pump(
            make_profile(provisioning),
            make_gateway(provisioning),
            radio=BumbleRadio(open_controller),
            vehicle=SimulatedVehicle(lambda: clock.rtc().utc_ms, clock.monotonic_ms, car=make_car(config)),
            store=store,
            broker=_broker(config, provisioning),
            monotonic_ms=clock.monotonic_ms,
            observer=observer,
            witness=None if record is None else recorder,
        )
        first = (clock.rtc(),) if config.clock.battery_backed else ()
        await _until_stopped(pump, first)


def announced(table: BrokerTable, module_id: bytes) -> tuple[Publication, ...]:
    """What a module says of itself on every connection."""
    return (discovery.config(module_id, VERSION),) if table.home_assistant else ()


def _broker(config: Config, provisioning: Provisioning) -> MqttBroker | None:
    if config.broker is None:
        return None
    try:
        return MqttBroker(
            broker_settings(config, config.broker),
            provisioning.module_id,
            entropy=os.urandom,
            noted=lambda line: log.info("broker", note=line),
            announced=announced(config.broker, provisioning.module_id),
        )
    except BrokerMisconfigured as error:
        raise ConfigError(f"[broker]: {error} (here: tls_ca, tls_cert, tls_key)") from None


async def _until_stopped(pump: Pump, first: tuple[TimeOffered, ...]) -> None:
    """Run, announce that the module is on the air, stop in good order on the first signal."""
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(pump.run(first))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    started = asyncio.create_task(pump.started.wait())
    try:
        await asyncio.wait({work, started}, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            log.info("on the air", module=pump.state.profile.module_id.hex())
        await asyncio.wait({work})
    finally:
        started.cancel()
        work.cancel()
        await asyncio.wait({work, started})
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    if not work.cancelled():
        work.result()
    log.info("stopped")
