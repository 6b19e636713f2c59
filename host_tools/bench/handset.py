"""A phone in a scenario: what it was told last, what it heard, and a link on which answers can get lost.

Decides how every way in which an exchange can end becomes one `Outcome`, with words that are the same on every bench.
It does not know what the outcome should have been.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from host_tools.bench.airlink import AirLink
from host_tools.phone.client import Phone
from host_tools.phone.errors import HandshakeRefused, LinkClosed, LinkFailed, NotFound, Refused
from host_tools.phone.links import PhoneLink
from protocol.errors import Code, Refusal
from protocol.keys import PrivateKey
from protocol.messages import Body, Done, Notice, Operation, Push
from protocol.provisioning import PhoneFile

MOST_SENT: Final = 512
"""Fragments of a phone that are kept for somebody to replay."""
ASK_AGAIN_S: Final = 0.25
ASKINGS: Final = 40
TIMEOUT_S: Final = 10.0


class Outcome(msgspec.Struct, frozen=True):
    """How an exchange ended. `text`: for the transcript, without anything that differs from bench to bench; `why`: the
    rest, for somebody who looks for a fault of the bench."""

    text: str
    code: Code | None = None
    refusal: Refusal | None = None
    body: Body | None = None
    unreachable: bool = False
    unanswered: bool = False
    why: str = ""


def refused(refusal: Refusal) -> Outcome:
    """The module said no."""
    text = f"refused {refusal.code.name} by {refusal.rule}: {refusal.remedy}".rstrip(": ")
    return Outcome(text, refusal.code, refusal)


UNREACHABLE: Final = Outcome("no module answers", unreachable=True)
UNANSWERED: Final = Outcome("no answer", unanswered=True)


class TappedLink:
    """A `PhoneLink` around another one: remembers what was sent, and can lose an answer."""

    def __init__(self, link: PhoneLink) -> None:
        self.sent: list[bytes] = []
        self.loses = False
        """The next that comes in is lost, and the connection with it."""
        self._link = link
        self._open = False
        self._closing: asyncio.Task[None] | None = None

    @property
    def payload(self) -> int:
        """See `PhoneLink.payload`."""
        return self._link.payload

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """See `PhoneLink.connect`."""

        def closed() -> None:
            if self._open:
                self._open = False
                on_closed()

        def arrived(fragment: bytes) -> None:
            if not self.loses:
                on_fragment(fragment)
            elif self._open:
                self._closing = asyncio.ensure_future(self._link.close())
                closed()

        self._open = True
        try:
            await self._link.connect(arrived, closed)
        except BaseException:
            self._open = False
            raise

    async def write(self, fragment: bytes) -> None:
        """See `PhoneLink.write`."""
        if len(self.sent) < MOST_SENT:
            self.sent.append(fragment)
        await self._link.write(fragment)

    async def close(self) -> None:
        """See `PhoneLink.close`."""
        self._open = False
        if self._closing is not None:
            await self._closing
        await self._link.close()

    def leave_out(self) -> None:
        """It was another car."""
        if isinstance(self._link, AirLink):
            self._link.leave_out()


class Handset:
    """One phone. `new_link` makes a fresh link for it; `shown` is what it shows."""

    def __init__(self, key: PrivateKey, new_link: Callable[[], PhoneLink], generation: int = 1) -> None:
        self.key = key
        self.generation = generation
        self.shown: PhoneFile | None = None
        self.last = Outcome("nothing was asked")
        self.notices: list[Notice] = []
        self.sent: tuple[bytes, ...] = ()
        self._new_link = new_link
        self._link: TappedLink | None = None
        self._phone: Phone | None = None
        self._command: tuple[Operation, bytes] | None = None

    @property
    def phone(self) -> Phone | None:
        """The newest session's client, open or not."""
        return self._phone

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self._phone is not None and self._phone.is_open

    @property
    def is_granted(self) -> bool:
        """Whether there is a session that may do something."""
        return self._phone is not None and self._phone.is_open and self._phone.access.granted

    # ------------------------------------------------------------ connecting
    async def connect(self, shown: PhoneFile | None = None) -> Outcome:
        """Open a session, with something else to show if it is given."""
        await self.leave()
        self.last = await self._connect(shown or self.shown)
        return self.last

    async def _connect(self, shown: PhoneFile | None) -> Outcome:
        if shown is None:
            return Outcome("nothing to show", unreachable=True)
        self._link = TappedLink(self._new_link())
        self._phone = Phone(self._link, shown, self.key, entropy=os.urandom, on_push=self._pushed, timeout_s=TIMEOUT_S)
        try:
            access = await self._phone.open()
        except HandshakeRefused as error:
            return refused(error.refusal)
        except Refused as error:
            return refused(error.refusal)
        except (NotFound, LinkFailed, LinkClosed) as error:
            return msgspec.structs.replace(UNREACHABLE, why=str(error))
        finally:
            self.sent = tuple(self._link.sent)
        if access.refusal is not None:
            return refused(access.refusal)
        return Outcome("granted" if access.granted else "not granted", Code.OK)

    async def leave(self) -> None:
        """Hang up; without a session, nothing."""
        if self._phone is not None:
            await self._phone.close()
        if self._link is not None:
            await self._link.close()

    def _pushed(self, push: Push) -> None:
        if isinstance(push.body, Notice):
            self.notices.append(push.body)

    # ------------------------------------------------------------ asking
    async def command(self, operation: Operation, *, lose: bool = False) -> Outcome:
        """A command with a new identifier. `lose`: its answer does not come through."""
        self._command = (operation, os.urandom(8))
        return await self._sent(lose=lose)

    async def repeat(self) -> Outcome:
        """The last command with its own identifier."""
        return await self._sent(lose=False)

    async def _sent(self, *, lose: bool) -> Outcome:
        if self._command is None:
            return self._settled(Outcome("no command to repeat"))
        operation, command_id = self._command

        async def send(phone: Phone) -> Outcome:
            assert self._link is not None
            self._link.loses = lose
            reply = await phone.command(operation, command_id)
            return Outcome(_in_words(reply.code, reply.body), reply.code, None, reply.body)

        return await self._ask(send)

    async def outcome(self) -> Outcome:
        """How the last command ended; asked again while it is being carried out."""
        if self._command is None:
            return self._settled(Outcome("no command to ask about"))
        _, command_id = self._command

        async def ask(phone: Phone) -> Outcome:
            for _ in range(ASKINGS):
                found = await phone.outcome(command_id)
                if found.code is not Code.BUSY:
                    break
                await asyncio.sleep(ASK_AGAIN_S)
            return Outcome(f"it ended with {found.code.name}", found.code, None, found)

        return await self._ask(ask)

    async def status(self) -> Outcome:
        """The access state, and the car's."""

        async def ask(phone: Phone) -> Outcome:
            status = await phone.status()
            if status.access.refusal is not None:
                return msgspec.structs.replace(refused(status.access.refusal), body=status)
            return Outcome("granted", Code.OK, None, status)

        return await self._ask(ask)

    async def locate(self) -> Outcome:
        """Where the car is."""

        async def ask(phone: Phone) -> Outcome:
            return Outcome("located", Code.OK, None, await phone.locate())

        return await self._ask(ask)

    async def shared_keys(self) -> Outcome:
        """What the main user has shared, as the vehicle knows it."""

        async def ask(phone: Phone) -> Outcome:
            return Outcome("listed", Code.OK, None, await phone.keys())

        return await self._ask(ask)

    async def self_test(self) -> Outcome:
        """The module tests itself, for a dealer."""

        async def ask(phone: Phone) -> Outcome:
            return Outcome("tested", Code.OK, None, await phone.self_test())

        return await self._ask(ask)

    async def put(self, signed: bytes) -> Outcome:
        """Hand over what the backend signed."""

        async def hand_over(phone: Phone) -> Outcome:
            accepted = await phone.put(signed)
            return Outcome(
                "taken, for when the car is parked" if accepted.pending else "taken", Code.OK, None, accepted
            )

        return await self._ask(hand_over)

    async def nonce(self) -> bytes | None:
        """A nonce of the module, or None; then `last` says why."""
        found: list[bytes] = []

        async def ask(phone: Phone) -> Outcome:
            found.append((await phone.get_nonce()).nonce)
            return Outcome("a nonce", Code.OK)

        await self._ask(ask)
        return found[0] if found else None

    async def keep_talking(self) -> None:
        """Say something, so that the module does not take the phone for gone. Changes nothing that is remembered."""
        before = self.last
        if self.is_granted:
            await self.status()
        self.last = before

    async def _ask(self, ask: Callable[[Phone], Awaitable[Outcome]]) -> Outcome:
        if not self.is_open:
            opened = await self.connect()
            if not self.is_open:
                return opened
        phone = self._phone
        assert phone is not None
        try:
            return self._settled(await ask(phone))
        except Refused as error:
            return self._settled(refused(error.refusal))
        except LinkClosed as error:
            await self.leave()
            return self._settled(msgspec.structs.replace(UNANSWERED, why=error.why))
        finally:
            if self._link is not None:
                self.sent = tuple(self._link.sent)

    def _settled(self, outcome: Outcome) -> Outcome:
        self.last = outcome
        return outcome


def _in_words(code: Code, body: Body) -> str:
    """Without what differs from bench to bench: numbers, and where the module is at home."""
    done = "done already" if isinstance(body, Done) and body.already else "done"
    return done if code in (Code.OK, Code.OUTSIDE_HOME_AREA) else f"{done}, with the warning {code.name}"
