"""One connection to a broker, from CONNECT to its end; on aiomqtt (MQTT 5).

Decides: when a connection counts as lost, and how much a broker can make the module hold. It is single use, so
Paho's own store of unacknowledged messages ends with it: nothing is sent again behind the outbox's back.
"""

import asyncio
import logging
import socket
import ssl
import struct
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import aiomqtt
import msgspec
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware.adapters.mqtt.settings import BrokerSettings, own_address
from firmware.ports import Arrived, BrokerUnavailable, Publication
from protocol.telemetry import CONTENT_TYPE, QOS, Channel, Online, encode, topic

T = TypeVar("T")

MAX_PACKET_BYTES: Final = 5 * 1024
"""The longest order with topic and properties. Told to the broker; one that sends more is hung up on."""

MAX_IN_FLIGHT: Final = 8
"""Messages without acknowledgement at a time, each way."""

GOODBYE_S: Final = 2.0
"""Longest time for an orderly end."""

_THROW_AWAY: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for no time: closing drops what is in the system's buffer."""

# Reason codes that asking again soon does not change: protocol, identity, credentials, rights.
_REFUSALS: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x9D})


class End(msgspec.Struct, frozen=True):
    """Why a connection ended or did not come about. `refused`: asking again soon will not help. `severed`: the module
    wanted it so."""

    reason: str
    refused: bool = False
    severed: bool = False


class Face(msgspec.Struct, frozen=True):
    """How a module appears at a broker: its client identifier, and the topic that it listens to. `online`: where it
    says whether it is there, by its last will too; empty: nowhere, and then nothing is kept for it either."""

    identifier: str
    listens: str
    online: str = ""


def ordinary(module_id: bytes) -> Face:
    """As it is known to owner and backend."""
    return Face(f"sharebox-{module_id.hex()}", topic(module_id, Channel.ORDER), topic(module_id, Channel.ONLINE))


class _Ear(logging.Filter):
    """Paho tells the cause of a lost connection to its logger only. Lets nothing through."""

    heard: OSError | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, OSError):
                self.heard = argument
        return False


class Connection(aiomqtt.Client):
    """`arrived` is called before the broker gets its acknowledgement.

    Beyond aiomqtt it sees the reason in an acknowledgement, learns at once that the connection is gone, closes
    its socket in every case, and bounds what it reads.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        tls: ssl.SSLContext | None,
        face: Face,
        arrived: Arrived,
    ) -> None:
        self._ear = _Ear()
        logger = logging.Logger("broker")
        logger.addFilter(self._ear)
        self._face = face
        super().__init__(
            settings.host,
            settings.port,
            identifier=face.identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=not face.online,
            bind_address=own_address(settings.host),
            keepalive=settings.keepalive_s,
            timeout=settings.answer_s,
            properties=_properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=settings.session_expiry_s,
                ReceiveMaximum=MAX_IN_FLIGHT,
                MaximumPacketSize=MAX_PACKET_BYTES,
            ),
            will=_will(face, settings) if face.online else None,
            max_inflight_messages=MAX_IN_FLIGHT,
            tls_context=tls,
            logger=logger,
        )
        self._client.connect_timeout = settings.answer_s
        self._arrived = arrived
        self._ended: asyncio.Future[End] = self._loop.create_future()
        self._acknowledgements: dict[int, asyncio.Future[None]] = {}
        self._waiting: deque[tuple[Publication, asyncio.Future[None]]] = deque()
        self.bug: Exception | None = None
        """What `arrived` raised."""

    async def open(self) -> End | None:
        """Connect, subscribe, announce. None when all of it stands, else why not; then `abort` it."""
        try:
            await self._unless_ended(self.__aenter__())
            granted = await self._unless_ended(self.subscribe(self._face.listens, QOS))
            for reason in granted:
                if isinstance(reason, ReasonCode) and reason.is_failure:
                    return _because(reason, "the broker does not let this module subscribe")
            await self._tell_presence(online=True)
        except aiomqtt.MqttCodeError as error:
            return _because(error.rc, "the connection was not made")
        except (aiomqtt.MqttError, ValueError) as error:
            # aiomqtt hides the cause behind an error of its own.
            return End(f"the connection was not made ({error})", _is_tls_refusal(error.__context__))
        except BrokerUnavailable:
            return self._ended.result()
        return None

    async def ended(self) -> End:
        """Wait for the end of the connection, and say why it came."""
        either: set[asyncio.Future[Any]] = {self._ended, self._disconnected}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._end(End("the connection broke"))
        return self._ended.result()

    def send(self, publication: Publication) -> "asyncio.Future[None]":
        """QoS 1. Done when acknowledged; with BrokerUnavailable the connection has ended. More than MAX_IN_FLIGHT at
        a time wait their turn."""
        acknowledgement: asyncio.Future[None] = self._loop.create_future()
        if self._ended.done():
            acknowledgement.set_exception(BrokerUnavailable(self._ended.result().reason))
        else:
            self._waiting.append((publication, acknowledgement))
            self._hand_over()
        return acknowledgement

    def _hand_over(self) -> None:
        while self._waiting and len(self._acknowledgements) < MAX_IN_FLIGHT:
            publication, acknowledgement = self._waiting.popleft()
            if acknowledgement.done():
                continue
            mid = self._client.publish(
                publication.topic,
                publication.payload,
                QOS,
                publication.retain,
                _properties(
                    PacketTypes.PUBLISH,
                    MessageExpiryInterval=publication.expiry_s,
                    ContentType=publication.content_type or None,
                    UserProperty=list(publication.attributes) or None,
                    CorrelationData=publication.correlation or None,
                ),
            ).mid
            self._acknowledgements[mid] = acknowledgement
            patience = self._loop.call_later(self.timeout, self._unanswered)
            acknowledgement.add_done_callback(partial(self._settled, mid, patience))

    def _unanswered(self) -> None:
        self.abort(End(f"the broker did not acknowledge a message within {self.timeout:g} s"))

    def _settled(self, mid: int, patience: asyncio.TimerHandle, _: "asyncio.Future[None]") -> None:
        patience.cancel()
        del self._acknowledgements[mid]
        self._hand_over()

    async def _tell_presence(self, *, online: bool) -> None:
        if self._face.online:
            told = encode(Online(online))
            await self.send(Publication(self._face.online, told, retain=True, content_type=CONTENT_TYPE))

    async def say_goodbye(self) -> None:
        """Tell the others, then disconnect. When that takes too long, the last will tells them."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._tell_presence(online=False)
                self._client.disconnect()
                await self.ended()
        except (TimeoutError, BrokerUnavailable):
            pass

    def abort(self, end: End | None = None) -> None:
        """Close the socket at once: nothing leaves or arrives any more. May be called any number of times."""
        self._end(end or End("given up"))
        self._client._sock_close()
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # looked at, or asyncio would complain that nobody did

    def sever(self, why: str) -> None:
        """Abort, and throw away what the system has not sent yet. The other side sees a reset."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _THROW_AWAY)
        self.abort(End(why, severed=True))

    def _end(self, end: End) -> None:
        if not self._ended.done():
            self._ended.set_result(end)
        waiting = [acknowledgement for _, acknowledgement in self._waiting]
        self._waiting.clear()
        for acknowledgement in (*self._acknowledgements.values(), *waiting):
            if not acknowledgement.done():
                acknowledgement.set_exception(BrokerUnavailable(self._ended.result().reason))

    async def _unless_ended(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Raises BrokerUnavailable when the connection ends first."""
        task = self._loop.create_task(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._ended}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                # connect() blocks in a thread and cannot be interrupted. Left alone, it would open a socket
                # that nobody closes. So only what comes after it is cut short; a refusal has its say.
                if not self._connected.done():
                    self._connected.cancel()
                elif self._connected.exception() is None:
                    task.cancel()
                await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # looked at, or asyncio would complain that nobody did
        if task.cancelled():
            raise BrokerUnavailable
        return task.result()

    # -- below: what aiomqtt and Paho call
    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        acknowledgement = self._acknowledgements.get(mid)
        if reason_code.is_failure:
            # Not here: Paho does not let its callbacks close the socket.
            self._loop.call_soon(self.abort, _because(reason_code, "the broker does not take a message"))
        elif acknowledgement is not None and not acknowledgement.done():
            acknowledgement.set_result(None)

    def _on_message(self, client: PahoClient, userdata: Any, message: MQTTMessage) -> None:
        try:
            where = message.topic
        except UnicodeDecodeError:
            where = ""
        try:
            self._arrived(where, bytes(message.payload), getattr(message.properties, "CorrelationData", b""))
        except Exception as bug:
            self.bug = bug
            raise

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: Any,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if flags.is_disconnect_packet_from_server:
            end = _because(reason_code, "the broker hung up")
        else:
            cause = self._ear.heard
            end = End(f"the connection broke ({cause or reason_code})", _is_tls_refusal(cause))
        # Paho may be in the thread that connects.
        self._loop.call_soon_threadsafe(self._end, end)

    # These two are called in the thread that connects. By the time the loop gets to it, the socket may be closed
    # already, and its number belong to somebody else.
    def _on_socket_open(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        def watch() -> None:
            if sock.fileno() >= 0:
                self._loop.add_reader(sock.fileno(), self._read)
                self._misc_task = self._loop.create_task(self._misc_loop(), name="mqtt keep-alive")

        self._loop.call_soon_threadsafe(watch)

    def _on_socket_register_write(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        def watch() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), self._write)

        self._loop.call_soon_threadsafe(watch)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except OSError as error:
            self.abort(End(f"the connection broke ({error})"))

    def _read(self) -> None:
        """With limits: Paho alone would hold packets of up to 256 MB."""
        try:
            while True:
                self._client.loop_read()
                if self._client._in_packet["remaining_length"] > MAX_PACKET_BYTES:
                    self.abort(End(f"the broker sent a packet of more than {MAX_PACKET_BYTES} bytes"))
                if self._client._in_messages:
                    self.abort(End("the broker sent a message of QoS 2, which nobody asked for"))
                sock = self._client.socket()
                if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                    return
        except Exception as error:  # broad: Paho raises whatever malformed bytes lead to
            self.abort(End(f"the broker sent something unreadable ({type(error).__name__})"))


def _will(face: Face, settings: BrokerSettings) -> aiomqtt.Will:
    properties = _properties(PacketTypes.WILLMESSAGE, WillDelayInterval=settings.will_delay_s, ContentType=CONTENT_TYPE)
    return aiomqtt.Will(face.online, encode(Online(online=False)), QOS, retain=True, properties=properties)


def _because(reason: object, what: str) -> End:
    refused = isinstance(reason, ReasonCode) and reason.value in _REFUSALS
    return End(f"{what} ({reason})", refused)


def _is_tls_refusal(error: BaseException | None) -> bool:
    """One side did not like the other's certificate or offer. A line that was cut looks different."""
    return isinstance(error, ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
    )


def _properties(packet: int, **values: int | str | bytes | list[tuple[str, str]] | None) -> Properties:
    made = Properties(packet)  # type: ignore[no-untyped-call]  # Paho's is not annotated
    for name, value in values.items():
        if value is not None:
            setattr(made, name, value)
    return made
