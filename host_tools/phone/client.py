"""A phone's session with one module: handshake, requests and replies, pushes. Over any `PhoneLink`.

It decides how long to wait and what a broken connection means for a command under way. It does not decide
whether to try again (`reconnect`), which module to talk to (`nearby`), or what to show (`explain`).
"""

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from host_tools.phone import reconnect
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, PhoneError, Refused
from host_tools.phone.handshake import shake_hands
from host_tools.phone.links import PhoneLink
from protocol import messages
from protocol.errors import Code, ProtocolError, Refusal
from protocol.explain import sentence
from protocol.framing import MAX_SESSION_MESSAGE_BYTES, Reassembler, fragments
from protocol.keys import PrivateKey
from protocol.messages import (
    COMMANDS,
    Accepted,
    Access,
    Body,
    Done,
    Ended,
    KeyList,
    MessageType,
    Nonce,
    Operation,
    Outcome,
    Phase,
    Position,
    Push,
    Reply,
    Request,
    SelfTested,
    Status,
)
from protocol.provisioning import PhoneFile
from protocol.session import SecureChannel
from protocol.tokens import MAX_LIST_BYTES

MAX_PENDING = 8
"""Requests under way at once; a ninth waits for none and is an error of the caller."""
SELF_TEST_TIMEOUT_S = 30.0  # it moves the car five times, each of which may take some seconds
_HUNG_UP = "the module hung up, or the radio lost it"
_CHANGING = COMMANDS | {Operation.PUT}
_B = TypeVar("_B", bound=Body)


class Phone:
    """One session with one module. `open` before anything else; after a loss, `open` again or drop it.

    `shown`: the booking, standing key or shared key that it authenticates with, made for the key `holder`.
    `access` is the latest known access state (ACC-10); `closed` is set while there is no session.
    `on_push` is called from the event loop, in order. `key_log` is given each session's secrets: for tests only.
    """

    def __init__(
        self,
        link: PhoneLink,
        shown: PhoneFile,
        holder: PrivateKey,
        *,
        entropy: Callable[[int], bytes] = os.urandom,
        on_push: Callable[[Push], None] | None = None,
        timeout_s: float = 5.0,
        key_log: Callable[[str], None] | None = None,
    ) -> None:
        self.access = Access(granted=False, phase=Phase.NONE)
        self.closed = asyncio.Event()
        self.closed.set()
        self.entropy = entropy
        self._link = link
        self._shown = shown
        self._holder = holder
        self._on_push = on_push
        self._timeout_s = timeout_s
        self._key_log = key_log
        self._turn = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._channel: SecureChannel | None = None
        self._reassembler = Reassembler()
        self._pending: dict[int, asyncio.Future[Reply | None]] = {}
        self._shaking: asyncio.Future[bytes | Refusal | None] | None = None
        self._early: list[bytes] = []
        self._next_id = 1
        self._sequence = 0
        self._why = "no session was opened"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_open(self) -> bool:
        """Whether there is a session now."""
        return self._channel is not None

    # ------------------------------------------------------------ opening and closing
    async def open(self) -> Access:
        """Connect, authenticate each other, read the access state. Access may be denied all the same:
        look at `granted`. Raises NotFound, LinkFailed, LinkClosed, HandshakeRefused, Refused."""
        if not self.closed.is_set():
            raise PhoneError("the phone cannot open a session", "it has one", "Close it first.")
        if self._closing is not None:
            await self._closing
        self._reset()
        self.closed.clear()
        try:
            await self._link.connect(self._fragment_arrived, lambda: self._lose(_HUNG_UP))
        except BaseException:
            self.closed.set()
            raise
        return await self._new_session()

    async def present(self, shown: PhoneFile, holder: PrivateKey | None = None) -> Access:
        """Authenticate anew with another booking or key over the same connection. On failure the connection ends."""
        self._must_be_open()
        self._shown = shown
        self._holder = holder or self._holder
        return await self._new_session()

    async def close(self) -> None:
        """Hang up. Requests under way raise LinkClosed. Closing twice is no error."""
        self._lose("the phone hung up")
        if self._closing is not None:
            await self._closing

    async def _new_session(self) -> Access:
        try:
            async with self._turn:
                self._settle_pending("another booking was presented")
                self._channel = await shake_hands(
                    self._exchange, self._shown, self._holder, self.entropy, key_log=self._key_log
                )
                self._reassembler.max_bytes = MAX_SESSION_MESSAGE_BYTES
                self._take_early_records()
            await self.status()
        except BaseException:
            await self.close()
            raise
        return self.access

    # ------------------------------------------------------------ what a phone can ask for
    async def unlock(self, command_id: bytes | None = None) -> Done:
        """Open the car (permission `unlock`). Raises Refused, LinkClosed, as all of these do."""
        return self._body(await self.command(Operation.UNLOCK, command_id), Done)

    async def lock(self, command_id: bytes | None = None) -> Done:
        """Close the car (permission `lock`)."""
        return self._body(await self.command(Operation.LOCK, command_id), Done)

    async def enable_drive(self, command_id: bytes | None = None) -> Done:
        """Release the immobiliser (permission `drive`)."""
        return self._body(await self.command(Operation.ENABLE_DRIVE, command_id), Done)

    async def disable_drive(self, command_id: bytes | None = None) -> Done:
        """Arm the immobiliser; refused while the car is not parked."""
        return self._body(await self.command(Operation.DISABLE_DRIVE, command_id), Done)

    async def open_boot(self, command_id: bytes | None = None) -> Done:
        """Open the boot (permission `boot`)."""
        return self._body(await self.command(Operation.OPEN_BOOT, command_id), Done)

    async def end_booking(self, command_id: bytes | None = None) -> Ended:
        """End the booking (BKG-3); the answer carries the signed receipt (BKG-4)."""
        return self._body(await self.command(Operation.END_BOOKING, command_id), Ended)

    async def status(self) -> Status:
        """The access state and, when admitted, the state of the car. Updates `access`."""
        status = self._body(await self.request(Operation.STATUS), Status)
        self.access = status.access
        return status

    async def locate(self) -> Position:
        """Where the car is (permission `locate`)."""
        return self._body(await self.request(Operation.LOCATE), Position)

    async def keys(self) -> KeyList:
        """The keys that the main user has shared, as the vehicle knows them: for the owner's standing key."""
        return self._body(await self.request(Operation.KEYS), KeyList)

    async def self_test(self) -> SelfTested:
        """Have the module test itself and everything that it moves, for a dealer's key: its signed report (OWN-1)."""
        return self._body(await self.request(Operation.SELF_TEST, timeout_s=SELF_TEST_TIMEOUT_S), SelfTested)

    async def outcome(self, command_id: bytes) -> Outcome:
        """How the command with that identifier ended (ACC-7); Refused with OUTCOME_UNKNOWN: never heard of."""
        return self._body(await self.request(Operation.OUTCOME, command_id=command_id), Outcome)

    async def put(self, signed: bytes) -> Accepted:
        """Hand over a signed order, revocation list or time attestation."""
        if not 0 < len(signed) <= MAX_LIST_BYTES:
            what = f"it has {len(signed)} bytes, not 1 to {MAX_LIST_BYTES}"
            raise PhoneError("this cannot be handed over", what, "Hand over what the backend signed.")
        return self._body(await self.request(Operation.PUT, body=signed), Accepted)

    async def get_nonce(self) -> Nonce:
        """A nonce of the module, to be signed with the time by the backend (CLK-2)."""
        return self._body(await self.request(Operation.GET_NONCE), Nonce)

    async def command(self, operation: Operation, command_id: bytes | None = None) -> Reply:
        """Send a command with an identifier of its own (8 bytes, drawn when None)."""
        return await self.request(operation, command_id=command_id or self.new_command_id())

    async def reliably(self, operation: Operation, command_id: bytes | None = None) -> reconnect.Settled:
        """`command` that survives a lost link: see `reconnect.reliably`."""

        async def reopen() -> Phone:
            await self.open()
            return self

        return await reconnect.reliably(operation, reopen, phone=self, command_id=command_id)

    def new_command_id(self) -> bytes:
        """A fresh command identifier."""
        return self.entropy(messages.COMMAND_ID_BYTES)

    async def request(
        self, operation: Operation, *, command_id: bytes = b"", body: bytes = b"", timeout_s: float | None = None
    ) -> Reply:
        """Send one request and wait for its reply. None in time (`timeout_s`, or the phone's) ends the session, for
        nobody knows what became of it. Raises Refused, LinkClosed."""
        self._must_be_open(command_id)
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        request_id, answer = self._book_reply()
        plaintext = messages.encode_request(Request(request_id, operation, command_id, body))
        sent = False
        try:
            async with asyncio.timeout(timeout_s):
                async with self._turn:
                    sent = await self._send_record(plaintext)
                reply = await answer if sent else None
        except TimeoutError:
            sent = True
            self._lose(f"no answer to {operation.name} within {timeout_s:g} s")
            reply = None
        finally:
            self._pending.pop(request_id, None)
        if reply is None:
            raise LinkClosed(self._why, command_id=command_id, may_have_succeeded=sent and operation in _CHANGING)
        if isinstance(reply.body, Refusal):
            raise Refused(reply.body, f"{operation.name.lower()} refused", sentence(reply.body))
        return reply

    # ------------------------------------------------------------ sending
    def _must_be_open(self, command_id: bytes = b"") -> None:
        if self._channel is None:
            raise LinkClosed(self._why, command_id=command_id)

    def _book_reply(self) -> tuple[int, asyncio.Future[Reply | None]]:
        if len(self._pending) >= MAX_PENDING:
            raise PhoneError("too many requests", f"{MAX_PENDING} are under way", "Wait for one of them.")
        while self._next_id in self._pending:
            self._next_id = self._next_id % messages.MAX_REQUEST_ID + 1
        request_id = self._next_id
        self._next_id = request_id % messages.MAX_REQUEST_ID + 1
        answer: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = answer
        return request_id, answer

    async def _send_record(self, plaintext: bytes) -> bool:
        if self._channel is None:
            return False
        try:
            record = self._channel.seal(plaintext)
        except ProtocolError as error:
            self._lose(str(error))
            return False
        return await self._write(MessageType.RECORD, record)

    async def _exchange(self, message: bytes, new_keys_follow: bool) -> bytes:
        answer: asyncio.Future[bytes | Refusal | None] = asyncio.get_running_loop().create_future()
        self._shaking = answer
        try:
            async with asyncio.timeout(self._timeout_s):
                heard = await answer if await self._write(MessageType.EDHOC, message) else None
        except TimeoutError:
            self._lose(f"no answer to the handshake within {self._timeout_s:g} s")
            heard = None
        finally:
            self._shaking = None
        if isinstance(heard, Refusal):
            raise HandshakeRefused(heard, sentence(heard))
        if heard is None or self.closed.is_set():  # it may have been lost just behind the answer
            raise LinkClosed(self._why)
        if not new_keys_follow:
            self._take_early_records()
        return heard

    def _take_early_records(self) -> None:
        """Open the records that came between a handshake message and its being read: only now are their keys there."""
        early, self._early = self._early, []
        try:
            for record in early:
                self._record_arrived(record)
        except ProtocolError as error:
            self._lose_unreadable(error)

    async def _write(self, kind: MessageType, body: bytes) -> bool:
        """Send one message. False: it was certainly not received whole; the link is given up then."""
        parts = fragments(bytes([kind]) + body, self._link.payload, self._sequence)
        self._sequence += len(parts)
        begun = 0
        try:
            for begun, part in enumerate(parts, 1):  # noqa: B007 - read after the loop
                await self._link.write(part)
        except LinkFailed as error:
            self._lose(error.why)
            return begun == len(parts)
        except BaseException:
            self._lose("a message was broken off")
            raise
        return True

    # ------------------------------------------------------------ receiving
    def _fragment_arrived(self, fragment: bytes) -> None:
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        try:
            message = self._reassembler.receive(fragment, now_ms)
            if message is not None:
                self._message_arrived(message)
        except ProtocolError as error:
            self._lose_unreadable(error)

    def _lose_unreadable(self, error: ProtocolError) -> None:
        self._lose(f"the module sent what this phone cannot read ({error})")

    def _message_arrived(self, message: bytes) -> None:
        kind, body = message[:1], message[1:]
        if kind == bytes([MessageType.RECORD]):
            self._record_arrived(body)
        elif kind == bytes([MessageType.EDHOC]) and self._hand_over(body):
            pass
        elif kind == bytes([MessageType.ERROR]):
            refusal = messages.decode_error(body)
            if not self._hand_over(refusal):
                self._lose(f"the module ended the session: {sentence(refusal)}")
        else:
            raise ProtocolError(Code.MALFORMED, "a message that does not belong here")

    def _record_arrived(self, record: bytes) -> None:
        if self._shaking is not None and self._shaking.done() and len(self._early) < MAX_PENDING:
            self._early.append(record)
        elif self._channel is not None:
            self._answer_arrived(messages.decode_answer(self._channel.open(record)))
        else:
            raise ProtocolError(Code.MALFORMED, "a record without a session")

    def _hand_over(self, heard: bytes | Refusal | None) -> bool:
        if self._shaking is None or self._shaking.done():
            return False
        self._shaking.set_result(heard)
        return True

    def _answer_arrived(self, answer: Reply | Push | None) -> None:
        if isinstance(answer, Push):
            if isinstance(answer.body, Access):
                self.access = answer.body
            if self._on_push is not None:
                asyncio.get_running_loop().call_soon(self._on_push, answer)
        elif answer is not None:
            waiting = self._pending.get(answer.id)
            if waiting is not None and not waiting.done():  # else its asker was cancelled
                waiting.set_result(answer)

    # ------------------------------------------------------------ losing the link
    def _lose(self, why: str) -> None:
        """The session is over: wake everybody who waits, and hang up."""
        if self.closed.is_set():
            return
        self.closed.set()
        self._channel = None
        self._settle_pending(why)
        self._hand_over(None)
        self._closing = asyncio.get_running_loop().create_task(self._link.close())

    def _settle_pending(self, why: str) -> None:
        self._why = why
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_result(None)

    def _body(self, reply: Reply, kind: type[_B]) -> _B:
        if not isinstance(reply.body, kind):
            self._lose("the module answered another question than was asked")
            raise LinkClosed(self._why, may_have_succeeded=True)
        return reply.body
