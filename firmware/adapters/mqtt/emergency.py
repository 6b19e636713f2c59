"""The module's client for emergency calls: beside the ordinary one, under a name of its own (SVC-5, SVC-8).

Decides that it says nothing of itself: no presence, no last will, no session that outlives the connection. So the call
is all that passes. It is as careful about TLS as the ordinary one, and less patient: it tries again every few seconds,
whatever the broker said.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.connection import Face
from firmware.adapters.mqtt.settings import BrokerSettings
from firmware.ports import Entropy
from protocol import telemetry

RETRY_MIN_MS: Final = 500
RETRY_MAX_MS: Final = 5_000


def emergency_broker(
    settings: BrokerSettings,
    module_id: bytes,
    *,
    entropy: Entropy,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    noted: Callable[[str], None] = lambda _: None,
) -> MqttBroker:
    """A `BrokerPort` for `firmware.emergency`. Raises BrokerMisconfigured."""
    hasty = msgspec.structs.replace(
        settings,
        retry_min_ms=RETRY_MIN_MS,
        retry_max_ms=RETRY_MAX_MS,
        refused_retry_ms=RETRY_MAX_MS,
        session_expiry_s=0,
    )
    face = Face(f"sharebox-{module_id.hex()}-emergency", telemetry.acknowledgement_topic(module_id))
    return MqttBroker(hasty, module_id, entropy=entropy, sleep=sleep, noted=noted, face=face)
