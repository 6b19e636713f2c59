"""The backend's ear at the broker: telemetry as values, with its gaps; and everything as it was sent.

Decides: how long to wait for a broker, and how much may wait to be taken. Refuses to know: what is a gap (`sequence`),
and what a report says (`reading`).
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from host_tools.backend.reading import Raw, Received, Value, read
from host_tools.backend.sequence import Sequence
from protocol.telemetry import QOS, TOPIC_ROOT

__all__ = ["Feed", "IngestError", "Raw", "Received", "Recorder", "Sequence", "Subscription", "Value", "read"]

MAX_QUEUED: Final = 10_000
"""Messages that may wait to be taken; what comes on top is left out, and counted."""

MAX_PACKET_BYTES: Final = 1 << 20
"""Told to the broker: it sends us nothing longer."""

ANSWER_S: Final = 5.0
RETRY_MIN_S: Final = 0.25
RETRY_MAX_S: Final = 8.0


class IngestError(Exception):
    """The broker cannot be listened to: one line with what, why and what to do."""


class Subscription:
    """A subscription that survives the broker's absence. `async with` waits until it stands.

    Every message goes to `arrived` in the event loop. What a broker does not keep while we are away is missed;
    `resumed` is called when we are back, before anything else arrives.
    Raises IngestError when the broker is not there at the start or does not allow it.
    """

    def __init__(
        self,
        host: str,
        port: int,
        topic: str,
        arrived: Callable[[Raw], None],
        *,
        tls: ssl.SSLContext | None = None,
        resumed: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._port = port
        self._topic = topic
        self._arrived = arrived
        self._tls = tls
        self._resumed = resumed
        self._listening: asyncio.Task[None] | None = None
        self._closing = False
        self._hurry = asyncio.Event()
        self.standing = asyncio.Event()
        """Set while the broker has us subscribed."""

    async def __aenter__(self) -> Self:
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(first), name="subscription")
        try:
            await asyncio.wait({first, self._listening}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.close()
            raise
        if not first.done():
            await self._listening
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening."""
        self._closing = True
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, IngestError):
                await self._listening

    async def resume(self, timeout_s: float = ANSWER_S) -> None:
        """The broker is back: try at once, and wait until the subscription stands. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            self._hurry.set()
            await self.standing.wait()

    async def _listen(self, first: asyncio.Future[None]) -> None:
        pause_s = RETRY_MIN_S
        while not self._closing:
            try:
                await self._listen_once(first)
            except aiomqtt.MqttError as error:
                if not first.done():
                    raise IngestError(
                        f"the broker {self._host}:{self._port} cannot be listened to ({error}): "
                        "check that it runs, its address, and the certificates"
                    ) from error
            finally:
                pause_s = RETRY_MIN_S if self.standing.is_set() else min(2 * pause_s, RETRY_MAX_S)
                self.standing.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._hurry.wait()
            self._hurry.clear()

    async def _listen_once(self, first: "asyncio.Future[None]") -> None:
        async with aiomqtt.Client(
            self._host,
            self._port,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=ANSWER_S,
            bind_address=own_address(self._host),
            max_queued_incoming_messages=MAX_QUEUED,
            tls_context=self._tls,
            properties=_most(MAX_PACKET_BYTES),
        ) as client:
            granted = await client.subscribe(self._topic, QOS)
            for reason in granted:
                if isinstance(reason, ReasonCode) and reason.is_failure:
                    raise aiomqtt.MqttError(f"{self._topic}: {reason}")
            self.standing.set()
            if first.done():
                self._resumed()
            else:
                first.set_result(None)
            async for message in client.messages:
                payload: Any = message.payload
                self._arrived(Raw(message.topic.value, bytes(payload), bool(message.retain)))


def _most(size: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # Paho's is not annotated
    properties.MaximumPacketSize = size
    return properties


def own_address(host: str) -> str:
    """The local address to connect from: bound to loopback, a socket cannot leave it; else the system's choice."""
    try:
        return host if ipaddress.ip_address(host).is_loopback else ""
    except ValueError:
        return ""


class Feed:
    """Telemetry as it comes: `async with Feed(...) as feed: async for received in feed: ...`

    A backlog comes out record by record. `module_id` None: of all modules. `left_out`: records that nobody took in
    time; they show as `missing`. `sequence` knows what is missing of each module.
    """

    def __init__(
        self, host: str, port: int, module_id: bytes | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        module = "+" if module_id is None else module_id.hex()
        self.sequence = Sequence()
        topic = f"{TOPIC_ROOT}/{module}/#"
        self._subscription = Subscription(host, port, topic, self._arrived, tls=tls, resumed=self._resumed)
        self._waiting: asyncio.Queue[Received] = asyncio.Queue(MAX_QUEUED)
        self.left_out = 0
        self.interruptions = 0
        """How often we did not listen for a while."""

    async def __aenter__(self) -> Self:
        await self._subscription.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._subscription.close()

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        return await self._waiting.get()

    async def resume(self, timeout_s: float = ANSWER_S) -> None:
        """As `Subscription.resume`."""
        await self._subscription.resume(timeout_s)

    def _resumed(self) -> None:
        self.interruptions += 1
        self.sequence.interrupted()

    def _arrived(self, raw: Raw) -> None:
        for received in read(raw):
            if self._waiting.full():
                self.left_out += 1
            else:
                self._waiting.put_nowait(self.sequence.follow(received))


class Recorder:
    """Everything that goes through the broker, as it is: `async with Recorder(host, port) as recorder`.

    Keeps the latest `capacity` messages; `left_out` counts the older ones that went for them.
    """

    def __init__(self, host: str, port: int, *, capacity: int = MAX_QUEUED, topic: str = "#") -> None:
        self._subscription = Subscription(host, port, topic, self._arrived)
        self._arrival = asyncio.Event()
        self.messages: deque[Raw] = deque(maxlen=capacity)
        self.left_out = 0

    @property
    def standing(self) -> asyncio.Event:
        """Set while the broker has us subscribed."""
        return self._subscription.standing

    async def __aenter__(self) -> Self:
        await self._subscription.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._subscription.close()

    async def resume(self, timeout_s: float = ANSWER_S) -> None:
        """As `Subscription.resume`."""
        await self._subscription.resume(timeout_s)

    async def wait_for(self, wanted: Callable[[Raw], bool], timeout_s: float = ANSWER_S) -> Raw:
        """The oldest recorded message that is `wanted`, now or as soon as it comes. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                for raw in self.messages:
                    if wanted(raw):
                        return raw
                self._arrival.clear()
                await self._arrival.wait()

    def _arrived(self, raw: Raw) -> None:
        if len(self.messages) == self.messages.maxlen:
            self.left_out += 1
        self.messages.append(raw)
        self._arrival.set()
