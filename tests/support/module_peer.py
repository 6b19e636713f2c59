"""A small module for tests of the phone: real framing, handshake and records around a scripted head.

It moves no car. What it answers is decided by the test; bytes on the wire are those of the real thing.
"""

import asyncio
import random
from collections.abc import Callable

from host_tools.backend.issuer import Issuer
from host_tools.phone.errors import LinkFailed
from host_tools.phone.handshake import fresh_key
from protocol import credential, keys, messages, sharing
from protocol.credential import booking_credential, key_credential, share_credential
from protocol.edhoc import Credential, Responder, module_credential
from protocol.errors import Code, ProtocolError, Refusal, Role, refuse
from protocol.framing import Reassembler, fragments
from protocol.messages import (
    Access,
    Body,
    Done,
    Ended,
    MessageType,
    Operation,
    Outcome,
    Phase,
    Push,
    Reply,
    Request,
    Status,
)
from protocol.provisioning import BookingFile, KeyFile
from protocol.session import SecureChannel
from protocol.sharing import Key
from protocol.tokens import Booking, trust_of, verify_booking

NOW_S = 1_780_000_000
GRANTED = Access(True, Phase.ACTIVE, 15, (NOW_S + 3600) * 1000, (NOW_S + 5400) * 1000, NOW_S * 1000)
DENIED = Access(False, Phase.NONE, refusal=refuse(Code.NOT_YET_VALID, numbers=(("starts_in_ms", 90_000),)))


def seeded(seed: int = 1) -> Callable[[int], bytes]:
    """Entropy that is the same in every run."""
    return random.Random(seed).randbytes


class Head:
    """The scripted head: obeys every command and remembers outcomes. Tests change the attributes."""

    def __init__(self) -> None:
        self.access = GRANTED
        self.executed: list[Operation] = []
        self.outcomes: dict[bytes, Outcome] = {}
        self.refusals: dict[Operation, Refusal] = {}
        self.bodies: dict[Operation, Body] = {}
        self.put: list[bytes] = []
        self.mute = False
        self.silent: set[Operation] = set()

    def answer(self, request: Request) -> Reply | None:
        """The reply, or None for silence."""
        if self.mute or request.operation in self.silent:
            return None
        if request.operation in self.refusals:
            refusal = self.refusals[request.operation]
            return Reply(request.id, refusal.code, refusal)
        body = self._body(request)
        code = body.code if isinstance(body, Refusal) else Code.OK
        return Reply(request.id, code, body)

    def _body(self, request: Request) -> Body:
        operation = request.operation
        if operation in self.bodies:
            return self.bodies[operation]
        if operation in messages.COMMANDS:
            already = operation in self.executed[-1:]
            self.executed.append(operation)
            self.outcomes[request.command_id] = Outcome(operation, Code.OK)
            return Ended(NOW_S * 1000) if operation is Operation.END_BOOKING else Done(already)
        if operation is Operation.OUTCOME:
            return self.outcomes.get(request.command_id) or refuse(Code.OUTCOME_UNKNOWN)
        if operation is Operation.PUT:
            self.put.append(request.body)
            return messages.Accepted()
        if operation is Operation.GET_NONCE:
            return messages.Nonce(bytes(16), bytes(8), 60_000)
        if operation is Operation.LOCATE:
            return messages.Position(521234567, 131234567, 1500)
        return Status(self.access, messages.VehicleState(locked=True, parked=True))


class ModulePeer:
    """A module's keys and trust, and one link after the other to it."""

    def __init__(self, seed: int = 1) -> None:
        self.entropy = seeded(seed)
        self.handshake_key = fresh_key(self.entropy)
        self.credential = module_credential(self.handshake_key.public_key(), self.handshake_key)
        self.issuer = Issuer(fresh_key(self.entropy), self.entropy)
        self.holder = fresh_key(self.entropy)
        self.module_id = self.entropy(8)
        self.head = Head()
        self.admitted: list[Booking | Key] = []
        self.greeting: list[Push] = []
        self.handshake_error: Refusal | None = None

    def booking_file(self, holder: keys.PrivateKey | None = None, module_id: bytes | None = None) -> BookingFile:
        """A booking for this module, made out to `holder`."""
        booking = self.issuer.booking(
            module_id=module_id or self.module_id,
            holder=(holder or self.holder).public_key(),
            starts_s=NOW_S,
            ends_s=NOW_S + 3600,
            now_s=NOW_S,
        )
        public = keys.public_to_bytes(self.handshake_key.public_key())
        return BookingFile(self.issuer.token(booking), public, public, self.module_id)

    def key_file(self, role: Role = Role.OWNER) -> KeyFile:
        """A standing key of this module for `holder`."""
        key = self.issuer.key(
            module_id=self.module_id,
            holder=self.holder.public_key(),
            starts_s=NOW_S,
            expires_s=NOW_S + 365 * 86_400,
            now_s=NOW_S,
            role=role,
        )
        public = keys.public_to_bytes(self.handshake_key.public_key())
        return KeyFile(self.issuer.key_token(key), public, public, self.module_id)


class PeerSession:
    """The module's end of one connection. `alter` changes the module's messages on their way."""

    def __init__(self, peer: ModulePeer, payload: int, send_fragment: Callable[[bytes], None]) -> None:
        self.peer = peer
        self.payload = payload
        self.alter: Callable[[MessageType, bytes], bytes] = lambda _kind, body: body
        self._send_fragment = send_fragment
        self._reassembler = Reassembler(4160)
        self._responder: Responder | None = None
        self._channel: SecureChannel | None = None
        self._sequence = 0

    def receive(self, fragment: bytes) -> None:
        """A fragment came from the phone."""
        message = self._reassembler.receive(fragment, 0)
        if message is not None:
            self._take(message[0], message[1:])

    def send(self, kind: MessageType, body: bytes) -> None:
        """Any message to the phone, in fragments."""
        parts = fragments(bytes([kind]) + self.alter(kind, body), self.payload, self._sequence)
        self._sequence += len(parts)
        for part in parts:
            self._send_fragment(part)

    def say(self, plaintext: bytes) -> None:
        """A record to the phone."""
        assert self._channel is not None
        self.send(MessageType.RECORD, self._channel.seal(plaintext))

    def push(self, push: Push) -> None:
        """A push to the phone."""
        self.say(messages.encode_push(push))

    def _take(self, kind: int, body: bytes) -> None:
        if kind == MessageType.EDHOC:
            try:
                self._shake(body)
            except ProtocolError as error:
                self.send(MessageType.ERROR, messages.encode_error(refuse(error.code)))
                self._responder = None
            return
        assert self._channel is not None
        reply = self.peer.head.answer(messages.decode_request(self._channel.open(body)))
        if reply is not None:
            self.say(messages.encode_reply(reply))

    def _shake(self, body: bytes) -> None:
        peer = self.peer
        if self._responder is None:
            self._responder = Responder(peer.credential, fresh_key(peer.entropy))
            self.send(MessageType.EDHOC, self._responder.message_1(body))
            return
        if peer.handshake_error is not None:
            self.send(MessageType.ERROR, messages.encode_error(peer.handshake_error))
            return
        message_4 = self._responder.message_3(body, self._resolve)
        self._channel = SecureChannel.from_exporter(self._responder.export, module_side=True)
        self._responder = None
        self.send(MessageType.EDHOC, message_4)
        for push in peer.greeting:
            self.push(push)

    def _resolve(self, label: int, value: bytes) -> Credential:
        trust = trust_of(self.peer.module_id, (self.peer.issuer.public,))
        shown: Booking | Key
        match label:
            case credential.STANDING_KEY:
                shown = sharing.verify_key(value, trust)
                found = key_credential(value, keys.public_from_bytes(shown.holder))
            case credential.SHARED_KEY:
                parent, share = credential.split_chain(value)
                _, shown = sharing.verify_share(parent, share, trust)
                found = share_credential(parent, share, keys.public_from_bytes(shown.holder))
            case _:
                shown = verify_booking(value, trust)
                found = booking_credential(value, keys.public_from_bytes(shown.holder))
        self.peer.admitted.append(shown)
        return found


class PeerLink:
    """A `PhoneLink` straight into a `ModulePeer`; the faults of a radio are attributes.

    `cut_after_writes`: the link breaks after so many fragments towards the module have arrived.
    `deaf`: the module's next answer is lost with the link. `absent`: nobody is there to connect to.
    `swallows`: what is written arrives nowhere. `alter`: changes the module's messages on their way.
    """

    def __init__(self, peer: ModulePeer, payload: int = 244) -> None:
        self.payload = payload
        self.peer = peer
        self.cut_after_writes = -1
        self.deaf = False
        self.absent = False
        self.swallows = False
        self.alter: Callable[[MessageType, bytes], bytes] = lambda _kind, body: body
        self.connects = 0
        self.written: list[bytes] = []
        self._up = False

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        await asyncio.sleep(0)
        if self.absent:
            raise LinkFailed("cannot connect to the module", "no answer in time", "Go nearer.")
        self.on_fragment, self._on_closed, self._up = on_fragment, on_closed, True
        self.connects += 1
        self.session = PeerSession(self.peer, self.payload, self._deliver)
        self.session.alter = self._altered

    async def write(self, fragment: bytes) -> None:
        await asyncio.sleep(0)
        if not self._up:
            raise LinkFailed("cannot write to the module", "not connected", "Connect again.")
        self.written.append(fragment)
        if self.swallows:
            return
        if self.cut_after_writes == 0:
            self.cut_after_writes = -1
            self.cut()
            raise LinkFailed("cannot write to the module", "the radio lost it", "Go nearer.")
        self.cut_after_writes -= 1
        self.session.receive(fragment)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.cut()

    def cut(self) -> None:
        """The connection is gone."""
        if self._up:
            self._up = False
            asyncio.get_running_loop().call_soon(self._on_closed)

    def _altered(self, kind: MessageType, body: bytes) -> bytes:
        return self.alter(kind, body)

    def _deliver(self, fragment: bytes) -> None:
        if self.deaf:
            self.deaf = False
            self.cut()
        elif self._up:
            asyncio.get_running_loop().call_soon(self.on_fragment, fragment)
