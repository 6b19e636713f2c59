"""The line to the emergency centre: a broker's connection of its own, which stands only while there is a call.

Decides how a call travels: the newest message alone waits for a connection, and goes before anything else could,
because nothing else is on this line. Refuses to know when a call is made, repeated or over (`core.ecall`).

A call goes to `sharebox/<module id>/emergency` as EN 15722 has it; its number is the correlation data. Whoever has it
sends the same correlation data to `.../emergency/ack`.
"""

import asyncio
from collections.abc import Callable

import structlog

from firmware.gate import Gate
from firmware.ports import BrokerPort, Publication
from protocol import telemetry
from protocol.msd import CONTENT_TYPE, Msd, encode

log = structlog.get_logger("sharebox")


class EmergencyLine:
    """An `EmergencyPort` over a broker, for one module."""

    def __init__(self, broker: BrokerPort, module_id: bytes) -> None:
        self._gate = Gate(broker, "there is no emergency", opened=False)
        self._module_id = module_id
        self._connected = False
        self._waiting: Publication | None = None

    async def run(self, acknowledged: Callable[[int], None]) -> None:
        """As EmergencyPort."""

        def heard(topic: str, payload: bytes, correlation: bytes) -> None:
            if len(correlation) == telemetry.CALL_BYTES:
                acknowledged(int.from_bytes(correlation, "big"))

        await self._gate.run(self._up, self._down, heard)

    def call(self, number: int, msd: Msd, lasts_s: int) -> None:
        """As EmergencyPort."""
        self._waiting = Publication(
            telemetry.emergency_topic(self._module_id),
            encode(msd),
            expiry_s=lasts_s,
            content_type=CONTENT_TYPE,
            correlation=number.to_bytes(telemetry.CALL_BYTES, "big"),
        )
        self._gate.set(True)
        self._send()

    def hang_up(self) -> None:
        """As EmergencyPort."""
        self._waiting = None
        self._gate.set(False)

    def _send(self) -> None:
        if self._connected and self._waiting is not None:
            self._gate.publish(self._waiting).add_done_callback(_sent)
            self._waiting = None

    def _up(self) -> None:
        self._connected = True
        self._send()

    def _down(self) -> None:
        self._connected = False


def _sent(future: "asyncio.Future[None]") -> None:
    """One that failed is not sent again: the next one says the same, and comes soon."""
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.info("emergency call not delivered", why=str(error))
