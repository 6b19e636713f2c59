"""Targets of a whole side: the module behind its links, the phone in front of its own.

An input is a program: which link, how much later, what to send. One link belongs to a stranger, one to somebody in the
middle of a handshake, one to a phone with a session, which is hostile too.
"""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Final

from firmware.core import module
from firmware.core.effects import Answer, AnswerEnded, ContinueHandshake, Effect, HangUp, RefuseHandshake, Tell
from firmware.core.events import KeyPresented, LinkLost, LinkOpened, RequestReceived, TokenPresented
from firmware.core.state import State
from firmware.gateway import CHECK_EVERY_MS, CHECKS_AT_ONCE, Gateway, Heard
from host_tools.phone.client import Phone as Client
from host_tools.phone.errors import PhoneError
from host_tools.virtual_time import VirtualTimeLoop
from protocol import cose, framing, keys, messages
from protocol.errors import Code, refuse
from protocol.messages import MessageType, Operation
from protocol.provisioning import BookingFile
from protocol.session import SecureChannel
from tests.fuzz.target import Program, Target, clone, piece
from tests.fuzz.wire_targets import ANSWERS, REQUESTS, SIGNED, STEPS_MS, plain, twin
from tests.support import core
from tests.support.credentials import HANDSHAKE, HOLDER, MODULE_ID, SIGNER, TRUST
from tests.support.handshakes import finished
from tests.support.phone import Phone, chaos

STRANGER, SHAKING, SESSION = LINKS = (1, 2, 3)
RAW, MESSAGE, SEALED = range(3)
MOST_STEPS: Final = 6
LINK_BYTES: Final = 2 * framing.MAX_SESSION_MESSAGE_BYTES
"""What a link may hold at most: a message that grows and one that waits."""


class Checks:
    """Counts signature verifications, wherever they are asked for; the verification itself is the real one."""

    def __init__(self) -> None:
        self.count = 0
        self._real = cose.ecdsa_verify
        cose.ecdsa_verify = self._counted

    def _counted(self, signature: bytes, data: bytes, public: keys.PublicKey) -> None:
        self.count += 1
        self._real(signature, data, public)

    def done(self) -> None:
        """Count no more."""
        cose.ecdsa_verify = self._real


class ModuleWorld:
    """A module's gateway and core without a loop, a disk or a car: effects are carried out at once."""

    def __init__(self, gateway: Gateway, state: State, insider: SecureChannel | None) -> None:
        self.gateway = gateway
        self.state = state
        self.insider = insider
        self.now = core.NOW
        self.sequence = dict.fromkeys(LINKS, 30)
        self.closed: set[int] = set()
        self.presented = 0
        self.requested = False

    def feed(self, link: int, fragment: bytes) -> None:
        """A fragment arrives; everything that follows from it happens."""
        self._heard(link, self.gateway.received(link, fragment, self.now))

    def _heard(self, link: int, heard: Heard) -> None:
        assert sum(map(len, heard.fragments)) <= LINK_BYTES
        for event in heard.events:
            self.presented += isinstance(event, TokenPresented | KeyPresented)
            self.requested |= isinstance(event, RequestReceived)
            self.state, effects = module.step(self.state, event, self.now)
            for effect in effects:
                self._perform(effect)
        if heard.hang_up:
            self._close(link)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Answer(link, reply):
                self.gateway.answer(link, reply)
            case AnswerEnded(_, _, _, _, receipt):
                self.gateway.receipt(receipt)
            case Tell(link, push):
                self.gateway.answer(link, push)
            case ContinueHandshake(link):
                self._heard(link, self.gateway.continue_handshake(link))
            case RefuseHandshake(link, refusal):
                self.gateway.refuse_handshake(link, refusal)
            case HangUp(link):
                self._close(link)
            case _:
                pass

    def _close(self, link: int) -> None:
        self.closed.add(link)
        self.gateway.closed(link)
        self.state, _ = module.step(self.state, LinkLost(link), self.now)

    def twin(self) -> "ModuleWorld":
        """The same world, to be used up."""
        gateway = clone(self.gateway)
        gateway._sessions = {link: clone(session) for link, session in self.gateway._sessions.items()}
        for session in gateway._sessions.values():
            session.reassembler = clone(session.reassembler)
            session.reassembler._message = bytearray()
            session.responder = session.responder and clone(session.responder)
            session.channel = session.channel and twin(session.channel)
        assert self.insider is not None
        return ModuleWorld(gateway, self.state, twin(self.insider))

    def send(self, link: int, kind: int, body: bytes) -> list[bytes]:
        """A message as a peer with good manners cuts it."""
        if not body:
            return []
        parts = framing.fragments(bytes([kind]) + body, 244, self.sequence[link])
        self.sequence[link] += len(parts)
        return parts


@cache
def _world() -> tuple[ModuleWorld, bytes]:
    """The world before the input, and the message 3 that the second link owes."""
    gateway = Gateway(HANDSHAKE, SIGNER, TRUST, chaos())
    world = ModuleWorld(gateway, core.running(), None)
    for link in LINKS:
        gateway.opened(link, 244)
        world.state, _ = module.step(world.state, LinkOpened(link), world.now)
    shaking, phone = Phone(name="halfway"), Phone()
    for fragment in shaking.message_1():
        gateway.received(SHAKING, fragment, world.now)
    third = b"".join(shaking.message_3(gateway.continue_handshake(SHAKING).fragments))
    for fragment in phone.message_1():
        gateway.received(SESSION, fragment, world.now)
    answer = gateway.continue_handshake(SESSION).fragments
    heard = [gateway.received(SESSION, fragment, world.now) for fragment in phone.message_3(answer)][-1]
    phone.finish(heard.fragments)
    world.state, _ = module.step(world.state, heard.events[0], world.now)
    world.insider = phone.channel
    return world, third


def gateway(data: bytes) -> None:
    """Anything on three links: no fault, bounded memory and cryptography, and nothing changes without an admission."""
    world = _world()[0].twin()
    program, insider, begun, checks = Program(data), False, world.now, Checks()
    try:
        for _ in range(MOST_STEPS):
            if not program:
                break
            link, kind = 1 + program.number(3), program.number(8)
            world.now += STEPS_MS[program.number(len(STEPS_MS))]
            body = program.piece()
            if kind % 3 == RAW:
                parts = [body]
            elif kind % 3 == SEALED and link == SESSION and world.insider is not None:
                insider = True
                parts = world.send(link, MessageType.RECORD, world.insider.seal(body))
            else:
                parts = world.send(link, 1 + kind // 3, body)
            for part in parts:
                world.feed(link, part)
    finally:
        checks.done()
    seconds = (world.now - begun) // CHECK_EVERY_MS
    assert checks.count <= len(LINKS) * (CHECKS_AT_ONCE + seconds), f"{checks.count} signatures were checked"
    held = (session.reassembler._message for session in world.gateway._sessions.values())
    assert sum(map(len, held)) <= LINK_BYTES * len(LINKS)
    before, after = core.running().durable, world.state.durable
    assert (after.dead, after.revoked, after.list_number) == (
        before.dead,
        before.revoked,
        before.list_number,
    ) or insider
    if not insider:
        assert not world.requested, "a record was forged"
        assert world.presented == 0 or data_has_the_third(data), "a handshake was forged"
        assert after.executed == before.executed
        assert after.trip.booking == before.trip.booking


def data_has_the_third(data: bytes) -> bool:
    """Whether the end of the handshake under way is in the input: then it may be finished."""
    return _world()[1][-40:] in data


def _gateway_seeds() -> list[bytes]:
    def step(link: int, kind: int, body: bytes) -> bytes:
        return bytes([link - 1, kind, 0]) + piece(body)

    *_, (first, _, third, _) = finished()
    halfway = framing.fragments(_third_message(), 512, 20)
    plains = [messages.encode_request(request) for request in REQUESTS]
    puts = [messages.encode_request(messages.Request(9, Operation.PUT, body=signed)) for signed in SIGNED]
    return [
        step(STRANGER, 1, first) + step(STRANGER, 1, third),
        step(STRANGER, 1, first) * MOST_STEPS,
        b"".join(step(SHAKING, 0, part) for part in halfway),
        step(SHAKING, 1, first) + step(STRANGER, 4, bytes(60)),
        *(step(SESSION, 2, each) + step(SESSION, 2, plains[at % 9]) * 3 for at, each in enumerate((*plains, *puts))),
        *(step(SESSION, 2, plains[at]) + step(SESSION, 2, puts[at % 5]) + step(SESSION, 1, first) for at in range(9)),
        step(SESSION, 2, puts[1]) * MOST_STEPS,
        step(STRANGER, 0, b"\xc0\x00\x05\x02hell") + step(SESSION, 4, bytes(40)) + step(SHAKING, 7, b"x"),
    ]


def _third_message() -> bytes:
    """The message 3 that the second link owes, whole."""
    found = framing.Reassembler()
    fragments = _world()[1]
    at, whole = 0, None
    while whole is None:
        whole = found.receive(fragments[at : at + 244], 0)
        at += 244
    return whole


# ---------------------------------------------------------------- the phone
class FeedLink:
    """A phone's link on which nobody answers; the input speaks for the module."""

    payload = 244

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """Always there."""

    async def write(self, fragment: bytes) -> None:
        """Swallowed."""

    async def close(self) -> None:
        """Always gone."""


@cache
def _phone_side() -> tuple[SecureChannel, SecureChannel]:
    """The phone's channel and the module's."""
    initiator, responder, _ = finished()
    return (
        SecureChannel.from_exporter(initiator.export, module_side=False),
        SecureChannel.from_exporter(responder.export, module_side=True),
    )


_loop = VirtualTimeLoop()


def phone(data: bytes) -> None:
    """A phone with a request under way, or in a handshake, hears anything: its caller gets an answer."""
    _loop.run_until_complete(_phone(Program(data)))


async def _phone(program: Program) -> None:
    ours, theirs = map(twin, _phone_side())
    client = Client(FeedLink(), booking_file(), HOLDER, entropy=chaos(), timeout_s=1.0)
    shaking = program.number(3) == 0
    if shaking:
        asked: asyncio.Task[object] = asyncio.create_task(client.open())
    else:
        client.closed.clear()
        client._channel = ours
        client._next_id = 7
        asked = asyncio.create_task(client.request(Operation.STATUS))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sequence = 0
    for _ in range(MOST_STEPS):
        if not program:
            break
        kind = program.number(7)
        body = program.piece()
        if kind % 3 == RAW or not body:
            parts = [body]
        else:
            body = theirs.seal(body) if kind % 3 == SEALED else body
            what = MessageType.RECORD if kind % 3 == SEALED else 1 + kind // 2
            parts = framing.fragments(bytes([what]) + body, 244, sequence)
            sequence += len(parts)
        for part in parts:
            client._fragment_arrived(part)
    assert len(client._reassembler._message) <= framing.MAX_MESSAGE_BYTES + framing.MAX_FRAGMENT_BYTES
    assert len(client._early) <= 8
    try:
        answer = await asked
        assert isinstance(answer, messages.Reply)
        assert answer.id == 7
    except PhoneError as error:
        assert str(error).isprintable(), error
    assert client.is_open is not client.closed.is_set()
    await client.close()
    assert not client._pending
    assert client._shaking is None


@cache
def booking_file() -> BookingFile:
    """What the phone was given."""
    handshake, signer = (keys.public_to_bytes(key.public_key()) for key in (HANDSHAKE, SIGNER))
    return BookingFile(SIGNED[0], handshake, signer, MODULE_ID)


def _phone_seeds() -> list[bytes]:
    *_, (_, second, _, fourth) = finished()
    error = messages.encode_error(refuse(Code.BUSY))
    return [
        *(b"\x01\x02" + piece(plain(answer)) for answer in ANSWERS),
        *(b"\x01\x02" + piece(plain(ANSWERS[-1])) + b"\x02" + piece(plain(answer)) for answer in ANSWERS),
        b"\x00\x01" + piece(second) + b"\x01" + piece(fourth),
        b"\x00\x04" + piece(error),
        b"\x01\x04" + piece(error),
        b"\x01\x00" + piece(framing.fragments(b"\x03" + error, 512, 0)[0]),
    ]


LINK: Final = (
    Target("gateway", "a module's three links", gateway, _gateway_seeds, SIGNED, 4_600, one_in=3.4),
    Target("phone", "a phone's link", phone, _phone_seeds, most_bytes=2_400, one_in=2),
)
