"""The module's side of one MQTT broker: connected again and again until cancelled; a `BrokerPort`.

Decides: when to try again, and which inbound messages are worth handing over. Refuses to know: what a payload
says. Nothing is queued here: what was not acknowledged is forgotten, and the outbox owns its delivery.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from firmware.adapters.mqtt.backoff import Backoff
from firmware.adapters.mqtt.connection import Connection, End, Face, ordinary
from firmware.adapters.mqtt.settings import BrokerSettings, tls_context
from firmware.ports import Arrived, BrokerUnavailable, Entropy, Publication

MAX_ORDER_BYTES: Final = 4096
"""Longest signed message: a revocation list."""


class MqttBroker:
    """Raises BrokerMisconfigured. `sleep` takes seconds; `noted` gets one line when a connection fails or ends.

    `announced` goes out on every connection, after `online` and before anything else. A broker that refuses it is not
    asked again: nothing depends on it. `face`: how it appears there; None: as owner and backend know it.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        module_id: bytes,
        *,
        entropy: Entropy,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        noted: Callable[[str], None] = lambda _: None,
        announced: tuple[Publication, ...] = (),
        face: Face | None = None,
    ) -> None:
        self._settings = settings
        self._announced = announced
        self._tls: ssl.SSLContext | None = tls_context(settings)
        self._face = face or ordinary(module_id)
        self._backoff = Backoff(settings, entropy)
        self._sleep = sleep
        self._noted = noted
        self._connection: Connection | None = None
        """One that stands."""
        self._attempt: Connection | None = None
        """The same, or one that does not stand yet."""
        self._over = False
        """Whether there is to be no further one."""
        self.discarded = 0
        """Inbound messages that were too long or on a foreign topic."""

    async def run(
        self,
        connected: Callable[[], None],
        lost: Callable[[], None],
        received: Arrived,
    ) -> None:
        """Stay connected until cancelled, then say goodbye in good order.

        `connected` and `lost` strictly alternate, `connected` first. `received` gets what comes on its topic, and may
        get some before `connected` when the broker kept it. An exception of a callback ends this call.
        """

        def arrived(where: str, payload: bytes, correlation: bytes) -> None:
            if where == self._face.listens and len(payload) <= MAX_ORDER_BYTES:
                received(where, payload, correlation)
            else:
                self.discarded += 1

        self._over = False
        while True:
            end = await self._connect_once(connected, lost, arrived)
            if self._over:
                self._noted(f"broker {self._settings.address}: {end.reason}")
                await asyncio.Event().wait()
            pause_ms = 0 if end.severed else self._backoff.next_ms(refused=end.refused)
            self._noted(f"broker {self._settings.address}: {end.reason}; next try in {pause_ms / 1000:.1f} s")
            await self._sleep(pause_ms / 1000)

    def publish(self, publication: Publication) -> "asyncio.Future[None]":
        """Hand it over now; QoS 1. The future is done when the broker has acknowledged, or has BrokerUnavailable.

        A publication that fails ends the connection, so nothing of it is sent later on. A future that is cancelled
        leaves it open whether the message leaves.
        """
        if self._connection is not None:
            return self._connection.send(publication)
        nowhere: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nowhere.set_exception(BrokerUnavailable(f"there is no connection to the broker {self._settings.address}"))
        return nowhere

    def sever(self, why: str, *, last: bool = False) -> None:
        """Break the connection so that nothing of it leaves any more; the next attempt is made at once, or with `last`
        by the next call of `run`; an attempt that is under way is given up then."""
        self._over = self._over or last
        reached = self._attempt if last else self._connection
        if reached is not None:
            reached.sever(why)

    async def _connect_once(
        self,
        connected: Callable[[], None],
        lost: Callable[[], None],
        arrived: Arrived,
    ) -> End:
        self._attempt = connection = Connection(self._settings, self._tls, self._face, arrived)
        try:
            end = await connection.open() or await self._announce(connection)
            if end is None:
                end = await self._stay(connection, connected, lost)
        finally:
            self._attempt = None
            connection.abort()
        if connection.bug is not None:
            raise connection.bug
        return end

    async def _announce(self, connection: Connection) -> End | None:
        """None when it is done."""
        try:
            for publication in self._announced:
                await connection.send(publication)
        except BrokerUnavailable:
            end = await connection.ended()
            if not end.refused:
                return end
            topics = ", ".join(publication.topic for publication in self._announced)
            self._announced = ()
            return End(f"{end.reason}; {topics} is announced no more")
        return None

    async def _stay(self, connection: Connection, connected: Callable[[], None], lost: Callable[[], None]) -> End:
        since_s = asyncio.get_running_loop().time()
        self._connection = connection
        try:
            connected()
            end = await connection.ended()
        except asyncio.CancelledError:
            self._connection = None
            await connection.say_goodbye()
            raise
        finally:
            self._connection = None
            # First dead, then reported: whoever hears `lost` can rely on it that nothing leaves any more.
            connection.abort()
            lost()
        if (asyncio.get_running_loop().time() - since_s) * 1000 >= self._settings.stable_ms:
            self._backoff.reset()
        return end
