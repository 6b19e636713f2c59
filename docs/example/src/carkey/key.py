"""A key for one booking, in bleak. It knows nothing of tests: this is what would ship.

The cryptography and the encodings come from the package `protocol` of Sharebox; a phone in another language writes
them after SPEC.md.
"""

import asyncio
import os

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from protocol import messages
from protocol.edhoc import Credential, Initiator, booking_credential, module_credential
from protocol.errors import ProtocolError, Refusal
from protocol.framing import Reassembler, fragments
from protocol.gatt import FROM_MODULE_UUID, SERVICE_UUID, TO_MODULE_UUID
from protocol.keys import private_from_bytes, public_from_bytes
from protocol.messages import MessageType, Operation, Push, Reply, Request
from protocol.provisioning import decode_booking_file
from protocol.session import SecureChannel

ANSWER_S = 5.0
SCAN_S = 10.0


class NoCar(Exception):
    """No car in range is the one of the booking, or the connection is lost."""


class Denied(Exception):
    """The module said no. `refusal` has its code, rule, numbers and remedy."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code.name} ({refusal.rule}): {refusal.remedy}")
        self.refusal = refusal


class CarKey:
    """One booking's key. `async with CarKey(booking_json, private_key) as key: await key.unlock()`."""

    def __init__(self, booking_json: str, private_key: bytes) -> None:
        self._booking = decode_booking_file(booking_json)
        self._holder = private_from_bytes(private_key)
        self.granted = False
        """The slider: blue or grey, as the module last said."""
        self.why: Refusal | None = None

    async def __aenter__(self) -> "CarKey":
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.disconnect()

    # ------------------------------------------------------------ what the app's buttons do
    async def unlock(self) -> None:
        await self._command(Operation.UNLOCK)

    async def lock(self) -> None:
        await self._command(Operation.LOCK)

    async def end(self) -> None:
        await self._command(Operation.END_BOOKING)

    async def refresh(self) -> bool:
        """Whether the slider is blue."""
        reply = await self._ask(Request(self._next_id(), Operation.STATUS))
        assert isinstance(reply.body, messages.Status)
        self._take(reply.body.access)
        return self.granted

    # ------------------------------------------------------------ connecting
    async def connect(self) -> None:
        """Find the car and open a session. All modules look alike, so each in range is asked to prove itself."""
        found = await BleakScanner.discover(2.0, service_uuids=[SERVICE_UUID], return_adv=True)
        for device, _ in sorted(found.values(), key=lambda one: -one[1].rssi):
            self._start()
            self._client = BleakClient(device, lambda _client: self._lost())
            try:
                await self._client.connect()
                await self._client.start_notify(FROM_MODULE_UUID, lambda _sender, data: self._fragment(bytes(data)))
                await self._handshake()
            except (BleakError, TimeoutError, ProtocolError, NoCar):
                await self.disconnect()
                continue
            await self.refresh()
            return
        raise NoCar("the car of this booking is not here")

    async def disconnect(self) -> None:
        client, self._channel = self._client, None
        if client.is_connected:
            await client.disconnect()

    def _start(self) -> None:
        self._channel: SecureChannel | None = None
        self._reassembler = Reassembler(4160)
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._sequence = 0
        self._id = 0

    async def _handshake(self) -> None:
        module = module_credential(public_from_bytes(self._booking.module_handshake_public))
        me = booking_credential(self._booking.token, self._holder.public_key(), self._holder)
        edhoc = Initiator(me, private_from_bytes(os.urandom(32)))

        def resolve(_label: int, _value: bytes) -> Credential:
            return module

        await self._send(MessageType.EDHOC, edhoc.message_1())
        edhoc.message_2(await self._hear(MessageType.EDHOC), resolve)
        await self._send(MessageType.EDHOC, edhoc.message_3())
        edhoc.message_4(await self._hear(MessageType.EDHOC))
        self._channel = SecureChannel.from_exporter(edhoc.export, module_side=False)

    # ------------------------------------------------------------ requests
    async def _command(self, operation: Operation) -> None:
        await self._ask(Request(self._next_id(), operation, command_id=os.urandom(8)))

    async def _ask(self, request: Request) -> Reply:
        if self._channel is None:
            raise NoCar("there is no connection")
        await self._send(MessageType.RECORD, self._channel.seal(messages.encode_request(request)))
        while True:
            answer = messages.decode_answer(self._channel.open(await self._hear(MessageType.RECORD)))
            if isinstance(answer, Push):
                if isinstance(answer.body, messages.Access):
                    self._take(answer.body)
            elif answer.id == request.id:
                if isinstance(answer.body, Refusal):
                    raise Denied(answer.body)
                return answer

    def _take(self, access: messages.Access) -> None:
        self.granted, self.why = access.granted, access.refusal

    def _next_id(self) -> int:
        self._id += 1
        return self._id

    # ------------------------------------------------------------ fragments
    async def _send(self, kind: MessageType, body: bytes) -> None:
        target = self._client.services.get_characteristic(TO_MODULE_UUID)
        if target is None:
            raise NoCar("this is no sharing module")
        room = target.max_write_without_response_size
        parts = fragments(bytes([kind]) + body, room, self._sequence)
        self._sequence = (self._sequence + len(parts)) % 64
        for part in parts:
            try:
                await self._client.write_gatt_char(target, part, response=True)
            except BleakError as error:
                raise NoCar(f"the connection is lost: {error}") from error

    def _fragment(self, data: bytes) -> None:
        message = self._reassembler.receive(data, round(asyncio.get_running_loop().time() * 1000))
        if message is not None:
            self._inbox.put_nowait(message)

    def _lost(self) -> None:
        self._channel = None
        self._inbox.put_nowait(b"")

    async def _hear(self, kind: MessageType) -> bytes:
        async with asyncio.timeout(ANSWER_S):
            message = await self._inbox.get()
        if not message:
            raise NoCar("the connection is lost")
        if message[0] == MessageType.ERROR:
            raise Denied(messages.decode_error(message[1:]))
        if message[0] != kind:
            raise NoCar("the module answered out of turn")
        return message[1:]
