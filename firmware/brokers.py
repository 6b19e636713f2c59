"""Wiring: which broker a module gets, and which line to the emergency centre. Nothing is decided here."""

import asyncio
import os
import threading
from collections.abc import Callable

import structlog

from firmware import VERSION, discovery
from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.emergency import emergency_broker
from firmware.adapters.mqtt.settings import BrokerMisconfigured, BrokerSettings
from firmware.bench.aside import AsideBroker
from firmware.bench.loopback import LoopbackBroker
from firmware.bench.rescue import LoopbackCentre
from firmware.config import RECORDED, BrokerTable, Config, ConfigError, EmergencyTable
from firmware.emergency import EmergencyLine
from firmware.pace import PacedLoop
from firmware.ports import BrokerPort, EmergencyPort, Publication
from protocol import msd
from protocol.provisioning import Provisioning

log = structlog.get_logger("sharebox")


def broker_settings(config: Config, table: EmergencyTable) -> BrokerSettings:
    """The adapter's settings, with paths made absolute."""
    ca, certificate, key = (
        str(config.path(name)) if name else "" for name in (table.tls_ca, table.tls_cert, table.tls_key)
    )
    return BrokerSettings(host=table.host, port=table.port, ca=ca, certificate=certificate, key=key)


def announced(table: BrokerTable, module_id: bytes) -> tuple[Publication, ...]:
    """What a module says of itself on every connection."""
    return (discovery.config(module_id, VERSION),) if table.home_assistant else ()


def ordinary(config: Config, provisioning: Provisioning) -> Callable[[], BrokerPort] | None:
    """The broker of owner and backend; None: there is none. Raises ConfigError."""
    if config.bench.enabled and config.bench.uplink == RECORDED:
        return LoopbackBroker
    if config.broker is None:
        return None
    make = _mqtt(config, config.broker, provisioning)
    loop = asyncio.get_running_loop()
    return (lambda: AsideBroker(make, loop.held)) if isinstance(loop, PacedLoop) else make


def _mqtt(config: Config, table: BrokerTable, provisioning: Provisioning) -> Callable[[], MqttBroker]:
    def make() -> MqttBroker:
        return MqttBroker(
            broker_settings(config, table),
            provisioning.module_id,
            entropy=os.urandom,
            noted=lambda line: log.info("broker", note=line),
            announced=announced(table, provisioning.module_id),
        )

    try:
        make()
    except BrokerMisconfigured as error:
        raise ConfigError(f"[broker]: {error} (here: tls_ca, tls_cert, tls_key)") from None
    return make


def emergency(config: Config, provisioning: Provisioning) -> Callable[[], EmergencyPort] | None:
    """The line to the emergency centre: a connection of its own, at a broker of its own or at the ordinary one; None:
    there is none. Raises ConfigError."""
    if config.bench.enabled and config.bench.uplink == RECORDED:
        return LoopbackCentre
    table = config.emergency or config.broker
    if table is None:
        return None
    settings, module_id = broker_settings(config, table), provisioning.module_id

    def make() -> MqttBroker:
        return emergency_broker(
            settings, module_id, entropy=os.urandom, noted=lambda line: log.info("emergency line", note=line)
        )

    try:
        make()
    except BrokerMisconfigured as error:
        raise ConfigError(f"[emergency]: {error} (here: tls_ca, tls_cert, tls_key)") from None
    msd.load()
    # It takes a while, and an emergency should not.
    threading.Thread(target=msd.prepare, name="emergency", daemon=True).start()
    loop = asyncio.get_running_loop()
    if isinstance(loop, PacedLoop):
        return lambda: EmergencyLine(AsideBroker(make, loop.held), module_id)
    return lambda: EmergencyLine(make(), module_id)
