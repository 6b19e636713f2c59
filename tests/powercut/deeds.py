"""A module's life as its core leads it, with the real store: a takeover, a removal, the end of a key, a code's tries,
an emergency.

What is before an act (an owner, keys, a driver, positions that wait) lies on the disk already; the act is on the tape,
with a mark after each commit. `History` remembers what the store must hold from then on.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from firmware.adapters.store.database import Connect
from firmware.adapters.store.disk import Disk
from firmware.core import module
from firmware.core.activation import PAUSES_MS
from firmware.core.effects import Actuate, Effect, HangUp, Log, Persist, Report, TryCode
from firmware.core.events import (
    ActuationFinished,
    BrokerConnected,
    CodeEntered,
    CodeTried,
    CrashDetected,
    EmergencyAcknowledged,
    Event,
    KeyButton,
    KeyDeactivated,
    KeyPresented,
    LinkLost,
    LinkOpened,
    OrderReceived,
    RequestReceived,
    TimeOffered,
    TimeSource,
    TokenPresented,
    VehicleKeyUsed,
)
from firmware.core.reports import Record
from firmware.core.state import Profile, State
from firmware.core.takeover import TAKES_MS
from firmware.core.usage import Chained
from firmware.keeper import encode, recalled
from firmware.ports import StoredRecord
from protocol.messages import Operation, Request
from protocol.orders import Coupling, Details, Ending, Order, OrderKind, Place, Removal, ServicePlan
from protocol.sharing import Deletion
from protocol.telemetry import Channel
from protocol.tokens import RevocationList
from tests.powercut.life import History, disk_at, held
from tests.support.core import CODED_KEY, EPOCH, GUEST_KEY, OWNER_KEY, PRINT, STANDING
from tests.support.credentials import BOOKING, COUPLING, MODULE_ID
from tests.support.vfs import Mark, Tape

replace = msgspec.structs.replace

BEGINS_MS: Final = 1_790_000_000_000
FACTORY: Final = Profile(MODULE_ID, EPOCH, None, BEGINS_MS - 86_400_000, coupled=False)
ANN: Final = COUPLING
BEN: Final = Coupling(3, b"another1", b"somebody", COUPLING.vin, 3)
SECOND_KEY: Final = replace(GUEST_KEY, token_id=b"a second key of-", user=b"another_", name="Ida")
WRONG: Final = b"print of another"
BOUGHT: Final = ServicePlan(1, "BE", "2021-05-10", (2021, 5, 10), ("6AF", "6AP"))
LOOK_EVERY_MS: Final = 2_000


class Stage:
    """One core and its store. `tape`: gets a mark after each commit."""

    def __init__(self, disk: Disk, tape: Tape | None = None) -> None:
        self.now = 0
        self._disk = disk
        self._tape = tape
        self._records: list[StoredRecord] = []
        self._entries: list[Chained] = []
        self._orders = 0
        self.state: State
        known = recalled(disk.load(), FACTORY)
        self.history = History([held(disk)], [] if known is None else [known])
        self._mark()
        self.state, effects = module.boot(known, FACTORY, 0)
        self._carry_out(effects)
        self.keys_present = 2
        self.tell(TimeOffered(TimeSource.NETWORK, BEGINS_MS + 60_000))
        self.tell(BrokerConnected())
        self.let_pass(8_000)

    def tell(self, *events: Event) -> None:
        """Steps, with what the pump does of each."""
        for event in events:
            self.state, effects = module.step(self.state, event, self.now)
            self._carry_out(effects)

    def let_pass(self, ms: int) -> None:
        """The car stands and is seen every two seconds."""
        end = self.now + ms
        while self.now < end:
            self.now = min(end, self.now + LOOK_EVERY_MS)
            fix = replace(STANDING.fix, utc_ms=BEGINS_MS + self.now, taken_at_ms=self.now) if STANDING.fix else None
            self.tell(replace(STANDING, fix=fix, keys_present=self.keys_present))

    def order(self, kind: OrderKind, details: Details | None = None) -> None:
        """The backend orders something."""
        self._orders += 1
        issued_s = BEGINS_MS // 1000
        order_id = bytes([kind, self._orders]).ljust(16, b"o")
        self.tell(OrderReceived(Order(order_id, kind, MODULE_ID, issued_s, issued_s + 600, details)))

    def _carry_out(self, effects: tuple[Effect, ...]) -> None:
        followers: list[Event] = []
        for effect in effects:
            match effect:
                case Report(record):
                    self._records.append(_stored(record))
                case Log(entry):
                    self._entries.append(entry)
                case Actuate(action, command_id):
                    followers.append(ActuationFinished(action, True, command_id))
                case TryCode(code, ticket):
                    followers.append(CodeTried(code, ticket))
                case HangUp(link):
                    followers.append(LinkLost(link))
                case _:
                    pass
        if any(isinstance(effect, Persist) for effect in effects):
            state, vital = encode(self.state.durable)
            self._disk.commit(state, tuple(self._records), vital, tuple(self._entries))
            self._records, self._entries = [], []
            self.history.held.append(held(self._disk))
            self.history.durable.append(self.state.durable)
            self._mark()
        self.tell(*followers)

    def _mark(self) -> None:
        if self._tape is not None:
            self._tape.ops.append(Mark(len(self.history.held) - 1))


def _stored(record: Record) -> StoredRecord:
    body = msgspec.msgpack.encode(record)
    thinnable = record.channel in (Channel.STATE, Channel.TRACK)
    return StoredRecord(record.number, record.reveals_position, body, thinnable, record.urgent, record.channel.value)


# ---------------------------------------------------------------- what was before
def prepare(path: Path) -> None:
    """Ann owns the car, lives somewhere, has shared three keys (one waits for its code), and a driver had the car."""
    disk = disk_at(path)
    stage = Stage(disk)
    stage.order(OrderKind.COUPLE, ANN)
    stage.order(OrderKind.HOME, Place(1, 2))
    for key in (OWNER_KEY, GUEST_KEY, SECOND_KEY, CODED_KEY):
        stage.tell(LinkOpened(1), KeyPresented(1, key, PRINT if key is CODED_KEY else b""))
        stage.tell(RequestReceived(1, Request(1, Operation.STATUS)), LinkLost(1))
    stage.tell(LinkOpened(2), TokenPresented(2, BOOKING))
    stage.tell(RequestReceived(2, Request(2, Operation.UNLOCK, b"command1")), LinkLost(2))
    stage.order(OrderKind.END_BOOKING, Ending(BOOKING.booking_id, BOOKING.expires_s))
    stage.let_pass(2_000)
    durable = stage.state.durable
    assert (len(durable.keys), len(durable.drivers), durable.ownership.owner) == (3, 1, ANN.owner)
    assert durable.slot.point is not None
    disk.close()


# ---------------------------------------------------------------- the acts
def taken_over(stage: Stage, rng: random.Random) -> None:
    """Ben takes the car over; now and then a key is taken away in between, and he begins again."""
    stage.order(OrderKind.TAKE_OVER, BEN)
    if rng.random() < 0.3:
        stage.let_pass(rng.randrange(2, 60) * 1_000)
        stage.keys_present = 1
        stage.let_pass(LOOK_EVERY_MS)
        stage.keys_present = 2
        stage.let_pass(LOOK_EVERY_MS)
        stage.order(OrderKind.TAKE_OVER, BEN)
    stage.let_pass(TAKES_MS + LOOK_EVERY_MS)
    assert stage.state.durable.ownership.owner == BEN.owner


def given_up(stage: Stage, _rng: random.Random) -> None:
    """Ann gives the car up, and Ben gets it."""
    stage.order(OrderKind.REMOVE_OWNER, Removal(2, ANN.owner))
    assert not stage.state.durable.ownership.coupled
    stage.order(OrderKind.COUPLE, BEN)
    assert stage.state.durable.ownership.owner == BEN.owner


def keys_end(stage: Stage, rng: random.Random) -> None:
    """One key is deleted until the key cycle, one at once, one in the vehicle's menu; the cycle happens."""
    cycled, now = rng.sample((GUEST_KEY, SECOND_KEY), 2)
    issued_s = BEGINS_MS // 1000
    fading = ((cycled.token_id, int(Deletion.UNTIL_KEY_CYCLE), cycled.expires_s),)
    stage.tell(OrderReceived(RevocationList(MODULE_ID, 1, issued_s, 0, (), fading=fading)))
    if rng.random() < 0.5:
        stage.tell(VehicleKeyUsed(KeyButton.LOCK))
    stage.tell(VehicleKeyUsed(KeyButton.UNLOCK))
    revoked = ((now.token_id, now.expires_s),)
    stage.tell(OrderReceived(RevocationList(MODULE_ID, 2, issued_s, 0, revoked, fading=fading)))
    stage.tell(VehicleKeyUsed(KeyButton.LOCK))
    stage.tell(KeyDeactivated(CODED_KEY.token_id, 1))
    assert stage.state.durable.keys == ()


def codes_tried(stage: Stage, rng: random.Random) -> None:
    """Wrong codes, with their pauses; then the right one, or one wrong code too many."""
    wrong = rng.choice((2, 5))
    for ticket in range(wrong):
        stage.tell(CodeEntered(WRONG, ticket))
        stage.now += PAUSES_MS[min(ticket + 1, len(PAUSES_MS) - 1)]
        stage.let_pass(8_000)
    stage.tell(CodeEntered(PRINT, wrong))
    (known,) = [each for each in stage.state.durable.keys if each.key.token_id == CODED_KEY.token_id] or (None,)
    assert (known is None) == (wrong == 5)


def called(stage: Stage, rng: random.Random) -> None:
    """The base services go, the car crashes, its call is repeated for a while, and somebody has it."""
    stage.order(OrderKind.SERVICES, BOUGHT)
    stage.order(OrderKind.SERVICES, replace(BOUGHT, number=2, base_active=False))
    stage.tell(CrashDetected())
    stage.let_pass(rng.randrange(0, 20) * 1_000)
    assert stage.state.durable.call is not None
    stage.tell(EmergencyAcknowledged(1))
    assert stage.state.durable.call is None


ACTS: Final[dict[str, Callable[[Stage, random.Random], None]]] = {
    "takeover": taken_over,
    "removal": given_up,
    "keys": keys_end,
    "codes": codes_tried,
    "emergency": called,
}


def play(act: str, path: Path, tape: Tape, seed: int, connect: Connect | None = None) -> History:
    """Play an act on a disk on which `prepare` has worked."""
    disk = disk_at(path, tape, connect)
    stage = Stage(disk, tape)
    ACTS[act](stage, random.Random(f"{act} {seed}"))
    lived = len(tape.ops)
    disk.close()
    del tape.ops[lived:]  # the power goes before anybody can close anything
    return stage.history
