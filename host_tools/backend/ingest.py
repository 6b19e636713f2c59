"""The backend's ear at the broker: telemetry as values, with its gaps; and everything as it was sent.

Decides: what is a gap and what is a repetition. Refuses to know: what a report means for anybody.
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
import msgspec
from paho.mqtt.reasoncodes import ReasonCode

from protocol.errors import one_line
from protocol.telemetry import (
    QOS,
    TOPIC_ROOT,
    Channel,
    EventReport,
    Health,
    Online,
    OrderResult,
    PositionReport,
    StateReport,
    parse_topic,
)

MAX_QUEUED: Final = 10_000
"""Messages that may wait to be taken; what comes on top is left out, and counted."""

MAX_MODULES: Final = 10_000
"""Modules whose sequence numbers are remembered."""

ANSWER_S: Final = 5.0
RETRY_MIN_S: Final = 0.25
RETRY_MAX_S: Final = 8.0

Value = Online | StateReport | PositionReport | EventReport | OrderResult | Health | None
"""What a channel carries; None: an empty payload, the withdrawal of a retained message."""


class IngestError(Exception):
    """The broker cannot be listened to: one line with what, why and what to do."""


class Raw(msgspec.Struct, frozen=True):
    """A message as the broker sent it. `retained`: it was kept by the broker, and not sent just now."""

    topic: str
    payload: bytes
    retained: bool


class Received(msgspec.Struct, frozen=True):
    """A message of a module, read. `error`: why it could not be read; `value` is None then.

    `missing`: so many records of this channel never came before this one. `repeated`: it came before (TEL-5).
    """

    module_id: bytes
    channel: Channel
    value: Value
    retained: bool = False
    missing: int = 0
    repeated: bool = False
    error: str = ""


_TYPES: Final[dict[Channel, type[Online | StateReport | PositionReport | EventReport | OrderResult | Health]]] = {
    Channel.ONLINE: Online,
    Channel.STATE: StateReport,
    Channel.POSITION: PositionReport,
    Channel.TRACK: PositionReport,
    Channel.EVENT: EventReport,
    Channel.ALERT: EventReport,
    Channel.ORDER_RESULT: OrderResult,
    Channel.HEALTH: Health,
}

_COUNTED: Final = frozenset({Channel.STATE, Channel.TRACK, Channel.EVENT, Channel.ALERT})
"""Channels whose sequence has no gaps by itself; on `position` it is the version of the retained slot."""


def read(raw: Raw) -> Received | None:
    """The values in a message, None when its topic is none of telemetry (orders included)."""
    parsed = parse_topic(raw.topic)
    if parsed is None or parsed[1] not in _TYPES:
        return None
    module_id, channel = parsed
    if not raw.payload:
        return Received(module_id, channel, None, raw.retained)
    try:
        value = msgspec.json.decode(raw.payload, type=_TYPES[channel])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Received(module_id, channel, None, raw.retained, error=one_line(str(error)))
    return Received(module_id, channel, value, raw.retained)


class Sequence:
    """Follows the sequence numbers of each module and channel (TEL-3). Bounded: the oldest module goes first."""

    def __init__(self) -> None:
        self._latest: dict[tuple[bytes, Channel], int] = {}

    def follow(self, received: Received) -> Received:
        """`received` with `missing` and `repeated` filled in."""
        value = received.value
        if received.channel not in _COUNTED or not isinstance(value, StateReport | PositionReport | EventReport):
            return received
        key = (received.module_id, received.channel)
        latest = self._latest.pop(key, None)
        number = value.stamp.seq
        self._latest[key] = number if latest is None else max(number, latest)
        if len(self._latest) > MAX_MODULES * len(_COUNTED):
            del self._latest[next(iter(self._latest))]
        if latest is None:
            return received
        if number <= latest:
            return msgspec.structs.replace(received, repeated=True)
        return msgspec.structs.replace(received, missing=number - latest - 1)


class Subscription:
    """A subscription that survives the broker's absence. `async with` waits until it stands.

    Every message goes to `arrived` in the event loop. What a broker does not keep while we are away is missed.
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
    ) -> None:
        self._host = host
        self._port = port
        self._topic = topic
        self._arrived = arrived
        self._tls = tls
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
                        "check that it runs, and its address"
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
            bind_address=_own_address(self._host),
            max_queued_incoming_messages=MAX_QUEUED,
            tls_context=self._tls,
        ) as client:
            granted = await client.subscribe(self._topic, QOS)
            for reason in granted:
                if isinstance(reason, ReasonCode) and reason.is_failure:
                    raise aiomqtt.MqttError(f"{self._topic}: {reason}")
            self.standing.set()
            if not first.done():
                first.set_result(None)
            async for message in client.messages:
                payload: Any = message.payload
                self._arrived(Raw(message.topic.value, bytes(payload), bool(message.retain)))


def _own_address(host: str) -> str:
    """The local address to connect from: bound to loopback, a socket cannot leave it; else the system's choice."""
    try:
        return host if ipaddress.ip_address(host).is_loopback else ""
    except ValueError:
        return ""


class Feed:
    """Telemetry as it comes: `async with Feed(...) as feed: async for received in feed: ...`

    `module_id` None: of all modules. `left_out`: messages that nobody took in time; they show as `missing`.
    """

    def __init__(
        self, host: str, port: int, module_id: bytes | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        module = "+" if module_id is None else module_id.hex()
        self._subscription = Subscription(host, port, f"{TOPIC_ROOT}/{module}/#", self._arrived, tls=tls)
        self._sequence = Sequence()
        self._waiting: asyncio.Queue[Received] = asyncio.Queue(MAX_QUEUED)
        self.left_out = 0

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

    def _arrived(self, raw: Raw) -> None:
        received = read(raw)
        if received is None:
            return
        if self._waiting.full():
            self.left_out += 1
        else:
            self._waiting.put_nowait(self._sequence.follow(received))


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
