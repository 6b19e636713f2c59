"""Phones with the key of a booking or of the car: honest ones, impatient ones, and what they do with an answer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from firmware.core.events import Event, HandshakeBegun, KeyPresented, RequestReceived, TokenPresented
from protocol.errors import Code, Refusal
from protocol.messages import COMMANDS, Nonce, Operation, Reply, Request
from protocol.orders import Order
from protocol.sharing import Key
from protocol.tokens import Booking, RevocationList, TimeAttestation
from tests.simulation.air import Central

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE_MS: Final = 6_000
MOST_TRIES: Final = 5
AGAIN: Final = {Code.BUSY: 1_500, Code.STORAGE_FAILED: 5_000, Code.END_NOT_POSSIBLE: 7_000, Code.DOORS_OPEN: 4_000,
                Code.NOT_PARKED: 7_000}  # fmt: skip
"""After these a phone tries the same again."""
CLOCK: Final = frozenset({Code.CLOCK_UNCERTAIN, Code.NOT_YET_VALID, Code.BOOKING_OVER})


class Task:
    """Something to ask for. The command identifier stays over all tries, until the car did not answer."""

    def __init__(self, operation: Operation, command_id: bytes, signed: Order | RevocationList | None = None) -> None:
        self.operation = operation
        self.command_id = command_id
        self.signed: Order | RevocationList | TimeAttestation | None = signed
        self.tries = 0


class Visitor(Central):
    """A phone that asks for things. `hasty`: how often it does not wait. `online`: it can fetch the time from the
    backend."""

    def __init__(
        self,
        world: "World",
        name: str,
        presents: Callable[[int], Event],
        *,
        hasty: float = 0.0,
        online: bool = True,
    ) -> None:
        super().__init__(world, name)
        self._presents = presents
        self.hasty = hasty
        self.online = online
        self.tasks: list[Task] = []
        self.done: list[Operation] = []
        self.commands: list[bytes] = []
        """Identifiers of commands that it has given."""
        self.ready = False
        self._waiting = 0
        self._request = 0
        self._hurried = 0
        self._connects = 0
        self._clocked = False
        self._stays_until = 0
        self.hoards = False
        self.hoard: TimeAttestation | None = None
        """The first attestation that it kept for itself, if it is one that does so."""

    # ------------------------------------------------------------ plans
    def visit(self, *operations: Operation, stay_ms: int = 0, signed: Order | RevocationList | None = None) -> None:
        """Go to the car and ask for all this, then leave."""
        if self.world.calm_since >= 0 and self is not self.world.last_phone:
            return
        for operation in operations:
            self.tasks.append(Task(operation, self._command_id(operation), signed))
        self._stays_until = self.world.heap.now + stay_ms
        self._connects = 0
        self._clocked = False
        self._go()

    def ask_again(self, operation: Operation, command_id: bytes) -> None:
        """Ask for something under an identifier that is not its own."""
        self.tasks.append(Task(operation, command_id))
        self._go()

    def _command_id(self, operation: Operation) -> bytes:
        if operation is Operation.OUTCOME and self.commands:
            return self.rng.choice(self.commands[-40:])
        if operation not in COMMANDS:
            return bytes(8) if operation is Operation.OUTCOME else b""
        command_id = self.world.backend.number().to_bytes(8, "big")
        self.commands.append(command_id)
        return command_id

    # ------------------------------------------------------------ the link
    def _go(self) -> None:
        if not self.tasks:
            self._rest()
        elif self.ready:
            self._ask(self.tasks[0])
        elif not self.link:
            self._connect()

    def _connect(self) -> None:
        self._connects += 1
        if self._connects > MOST_TRIES:
            self.tasks.clear()
            return
        if not self.world.air.connect(self):
            self.world.heap.after(5_000, self._go)
            return
        self.world.air.send(self, HandshakeBegun(self.link))
        link = self.link
        self.world.heap.after(PATIENCE_MS, lambda: self._hung(link))

    def _hung(self, link: int) -> None:
        if self.link == link and not self.ready:
            self.world.air.leave(self)

    def let_in(self, *, refused: bool) -> None:
        if refused:
            self.world.heap.after(20_000, lambda: self.world.air.leave(self))
            return
        self.world.air.send(self, self._presents(self.link))
        link = self.link

        def authenticated() -> None:
            if self.link == link:
                self.ready = True
                self._go()

        self.world.heap.after(400, authenticated)

    def lost(self) -> None:
        super().lost()
        self.ready = False
        self._waiting = 0
        if self.tasks:
            self.world.heap.after(1_000 * self._connects, self._go)

    def _rest(self) -> None:
        """Nothing left to do: leave, now or later."""

        def leave() -> None:
            if not self.tasks and self.link:
                self.world.air.leave(self)

        self.world.heap.at(self._stays_until, leave)

    # ------------------------------------------------------------ requests
    def _ask(self, task: Task) -> None:
        if self._waiting or not self.link:
            return
        task.tries += 1
        if task.tries > MOST_TRIES:
            self.tasks.remove(task)
            self._go()
            return
        self._request = self._request % 60_000 + 1
        self._waiting = number = self._request
        self._send(task, number)
        if self.hasty and self.rng.random() < self.hasty:
            self._hurry(task)
        self.world.heap.after(PATIENCE_MS, lambda: self._nothing_came(number))

    def _send(self, task: Task, number: int) -> None:
        request = Request(number, task.operation, task.command_id)
        entropy = self.world.backend.number().to_bytes(16, "big")
        self.world.air.send(self, RequestReceived(self.link, request, task.signed, entropy))

    def _hurry(self, task: Task) -> None:
        """Ask twice, ask for the contrary, or walk away."""
        self._hurried += 1
        number = 60_000 + self._hurried % 5_000
        match self.rng.randrange(3):
            case 0:
                self._send(task, number)
            case 1:
                self._send(Task(Operation.LOCK, self._command_id(Operation.LOCK)), number)
            case _:
                link = self.link
                self.world.heap.after(self.rng.randrange(200), lambda: self.world.air.drop(link))

    def _nothing_came(self, number: int) -> None:
        if self._waiting == number:
            self._waiting = 0
            self._go()

    def replied(self, reply: Reply) -> None:
        if reply.id != self._waiting or not self.tasks:
            return
        self._waiting = 0
        task = self.tasks[0]
        if isinstance(reply.body, Refusal):
            self._refused(task, reply.body)
            return
        self.tasks.pop(0)
        self.done.append(task.operation)
        if isinstance(reply.body, Nonce) and self.hoards:
            self.hoard = self.hoard or self.world.backend.attest(reply.body.nonce)
        elif isinstance(reply.body, Nonce):
            self._attest(reply.body.nonce)
        self.world.heap.after(300, self._go)

    def _refused(self, task: Task, refusal: Refusal) -> None:
        heap = self.world.heap
        if refusal.code in AGAIN:
            if refusal.code in (Code.END_NOT_POSSIBLE, Code.DOORS_OPEN):
                self.world.tidy_up()
            heap.after(AGAIN[refusal.code], self._go)
        elif refusal.code is Code.VEHICLE_NO_RESPONSE:
            # Look at what became of it, then try anew.
            old, task.command_id = task.command_id, self._command_id(task.operation)
            self.tasks.insert(0, Task(Operation.OUTCOME, old))
            heap.after(1_000, self._go)
        elif refusal.code in CLOCK and self.online and not self._clocked:
            self._clocked = True
            self.tasks.insert(0, Task(Operation.GET_NONCE, b""))
            heap.after(500, self._go)
        elif task.operation in (Operation.OUTCOME, Operation.PUT, Operation.LOCATE):
            self.tasks.remove(task)
            heap.after(300, self._go)
        else:
            self.tasks.clear()
            self._rest()

    def _attest(self, nonce: bytes) -> None:
        """The backend signs the time; that takes a moment."""

        def fetched() -> None:
            task = Task(Operation.PUT, b"")
            task.signed = self.world.backend.attest(nonce)
            self.tasks.insert(0, task)
            self._go()

        self.world.heap.after(self.rng.choice((200, 2_000)), fetched)


class Phone(Visitor):
    """A phone with the key of a booking."""

    def __init__(self, world: "World", name: str, booking: Booking, *, hasty: float = 0.0, online: bool = True) -> None:
        super().__init__(world, name, lambda link: TokenPresented(link, self.booking), hasty=hasty, online=online)
        self.booking = booking


class KeyPhone(Visitor):
    """A phone with a digital key: an owner's own, a dealer's, or one that was shared with a guest."""

    def __init__(self, world: "World", name: str, key: Key, *, hasty: float = 0.0, online: bool = True) -> None:
        code = world.keychain.prints.get(key.token_id, b"")
        parent = world.keychain.keys.get(key.parent)
        super().__init__(world, name, lambda link: KeyPresented(link, key, code, parent), hasty=hasty, online=online)
        self.key = key
