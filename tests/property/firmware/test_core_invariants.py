"""Random lives: whatever happens in whatever order, what must never happen does not."""

import random
from typing import Final

import msgspec
import pytest

from firmware.core import module
from firmware.core.access import access
from firmware.core.effects import Actuate, Answer, Effect, Persist
from firmware.core.events import Action, Event, Fix, LinkActive, LinkLost, OrderUnreadable, VehicleSampled
from firmware.core.state import State
from protocol.errors import Code
from protocol.messages import Done, Position
from tests.support.story import Story
from tests.support.story_world import HOME, World

NAMES: Final = "OABCDENX"
BOOKINGS: Final = """
    bookings: O owner 00:00:00 - 00:40:00 permissions=15
    bookings: A driver 00:00:10 - 00:20:00 user=anna
    bookings: B vip 00:05:00 - 00:30:00
    bookings: C guest 00:10:00 - 01:30:00 permissions=5
    bookings: D driver 00:30:00 - 03:00:00
    bookings: E driver 00:00:00 - 05:00:00 key_epoch=2
    bookings: N driver 00:00:10 - 04:00:00 user=anna booking_id=Abbbbbbbbbbbbbbb device_generation=2
    bookings: X driver 00:00:00 - 05:00:00 module_id=another
"""
VERBS: Final = ["unlock", "lock", "drive", "undrive", "end", "status", "locate", "nonce", "outcome"]
CAR: Final = [
    "drives", "drives", "stops", "parks", "parks", "parks", "parks at home", "rolls", "ignition unknown",
    "speed unknown", "speed nan", "speed -3", "doors open", "doors closed", "doors closed", "boot open",
    "boot closed", "key unlocks", "key locks", "silent", "speaks", "speaks", "actuators dead", "actuators slow",
    "actuators mute", "actuators answer", "actuators alive", "actuators alive", "fix lost", "fix zero", "fix back",
    "fix aged 500",
]  # fmt: skip
AROUND: Final = [
    "broker up", "broker up", "broker down", "reboot", "reboot rtc lost", "reboot rtc -86400", "reboot rtc +3600",
    "disk full", "disk free", "disk free", "time gnss +86400", "time gnss -60", "time network +3600",
    "time network +0", "time rtc -100", "stranger fails",
]  # fmt: skip


def a_line(chance: random.Random) -> str:
    """Something that happens."""
    who, other = chance.choice(NAMES), chance.choice(NAMES)
    number = chance.randrange(1, 5)
    kinds = {
        "ask": (f"{who} {chance.choice(VERBS)}", 30),
        "same": (f"{who} {chance.choice(VERBS)} as c{number}", 15),
        "present": (f"{who} presents", 10),
        "connect": (f"{who} connects", 3),
        "car": (f"car {chance.choice(CAR)}", 25),
        "around": (chance.choice(AROUND), 15),
        "order": (f"order end {who}", 2),
        "carry": (f"{who} carries order end {other}", 2),
        "late": (f"{who} carries what was written", 2),
        "list": (f"{who} carries list {number} epoch {max(1, number - 2)} {other}", 2),
        "time": (f"{who} carries time {chance.choice(['+0', '+0', '+40000000'])}", 4),
        "wait": (".", 10),
    }
    texts, weights = zip(*kinds.values(), strict=True)
    return str(chance.choices(texts, weights)[0])


class Watched(World):
    """A world that looks at every step, and takes it twice."""

    def __init__(self) -> None:
        self.ticks_at = -1
        self.ticks = 0
        self.dead: set[bytes] = set()
        super().__init__()

    def _carry_out(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        before = getattr(self, "state", state)
        super()._carry_out(event, state, effects)
        self._permitted(before, state, effects)
        assert len(state.durable.executed) <= 64
        assert len(state.links) <= 3
        assert len(state.durable.dead) <= 256
        assert state.durable.slot.version >= before.durable.slot.version or self.mono == 0
        written = msgspec.msgpack.encode(state)
        assert msgspec.msgpack.encode(msgspec.msgpack.decode(written, type=State)) == written

    def tell(self, event: Event) -> None:
        """The same event twice gives the same state and the same effects, and changes nothing that was there."""
        if not self.powered:
            return
        first, second = (module.step(self.state, event, self.mono) for _ in range(2))
        assert first == second or repr(first) == repr(second), "not a number is not equal to itself"
        super().tell(event)
        due = module.next_deadline(self.state, self.mono)
        state, _ = module.step(self.state, LinkActive(0), self.mono)
        assert module.next_deadline(state, self.mono) > self.mono, "it would tick for ever"
        assert due >= 0

    def _permitted(self, before: State, after: State, effects: tuple[Effect, ...]) -> None:
        """Only who is admitted at this moment opens, drives or learns where the car is."""
        granted = [link for link in after.links if link.booking is not None and access(after, link, self.mono).granted]
        for effect in effects:
            match effect:
                case Actuate(Action.UNLOCK | Action.RELEASE_IMMOBILISER, command_id) if command_id:
                    assert granted, "nobody who is admitted asked for it"
                    assert after.pending is not None
                    assert after.pending.link in {link.id for link in granted}
                case Answer(link, reply) if isinstance(reply.body, Position):
                    assert link in {known.id for known in granted}
                case Answer(_, reply) if isinstance(reply.body, Done):
                    assert reply.code in (Code.OK, Code.OVERDUE)
                case _:
                    pass
        gone = {dead.booking_id for dead in after.durable.dead}
        trip = after.durable.trip
        running = trip.booking.booking_id if trip.running and trip.booking is not None else None
        # What the disk remembers is dead for ever, over every reboot.
        if not self.disk_full and any(isinstance(effect, Persist) for effect in effects):
            self.dead |= gone
        assert running is None or running not in gone | self.dead, "a dead booking runs"
        assert before.durable.list_number <= after.durable.list_number or self.mono == 0


@pytest.mark.req("ACC-3", "ACC-5", "ACC-7", "CUT-3", "PRV-1", "CLK-1")
@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_must_never_happen_happens_in_a_random_life(seed: int) -> None:
    chance = random.Random(seed)
    world = Watched()
    story = Story(world)
    story.play(BOOKINGS)
    for _ in range(120):
        line = a_line(chance)
        at = world.now + chance.choice([0, 1, 200, 999, 2_600, 5_000, 61_000])
        clock_text = f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"
        story.play(f"{clock_text} {line}")
        reached = module.posture(world.state.durable) is Action.ARM_IMMOBILISER
        if world.car.actuators == "alive" and not world.unanswered and world.last_actuation is not None:
            armed = world.last_actuation is Action.ARM_IMMOBILISER
            assert armed is reached, f"seed {seed}: the immobiliser is not what the booking says, after {line}"


@pytest.mark.req("CUT-2", "CUT-4", "CUT-5")
@pytest.mark.parametrize("seed", range(20))
def test_after_any_life_a_parked_and_overdue_car_is_cut_off_and_the_next_booking_works(seed: int) -> None:
    chance = random.Random(1_000 + seed)
    world = World()
    story = Story(world)
    story.play(BOOKINGS + "bookings: Z driver 06:00:00 - 08:00:00\nbookings: Y driver 06:00:00 - 08:00:00 key_epoch=2")
    for _ in range(60):
        at = world.now + chance.choice([0, 300, 4_000, 61_000])
        story.play(f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03} {a_line(chance)}")
    # All faults off: liveness.
    now = f"{world.now // 3_600_000:02}:{world.now // 60_000 % 60:02}:{world.now // 1000 % 60:02}.{world.now % 1000:03}"
    for repair in (
        "disk free", "car actuators answer", "car actuators alive", "car speaks", "car fix back", "car doors closed",
        "car boot closed", "broker up", "reboot",
    ):  # fmt: skip
        story.play(f"{now} {repair}")
    story.play(f"{now} car parks")
    fresh = "Z" if world.state.durable.key_epoch == 1 else "Y" if world.state.durable.key_epoch == 2 else ""
    story.play("05:59:00 . | armed")
    assert not world.state.durable.trip.running
    if fresh and not any(fresh.encode() == token[:1] for token, _ in world.state.durable.revoked):
        story.play(f"06:30:00 {fresh} unlock | ok, active, unlocked")


@pytest.mark.req("ACC-3")
def test_nonsense_facts_never_raise() -> None:
    world = World()
    odd = (float("nan"), float("inf"), float("-inf"), -1.0, 1e308, None)
    fixes = (
        None, Fix(0, 0, 0, 0), Fix(2**40, 0, 0, 0), Fix(*HOME, -(2**50), 0), Fix(*HOME, 2**60, 0), Fix(*HOME, 0, 2**60),
    )  # fmt: skip
    for number in odd:
        for fix in fixes:
            world.now += 1
            world.tell(VehicleSampled(None, number, None, None, None, None, number, -(2**40), -5, fix))
            world.tell(VehicleSampled(True, number, True, True, True, False, number, 2**50, 2**50, fix))
    for event in (LinkLost(99), LinkActive(99), OrderUnreadable(Code.TOKEN_MALFORMED)):
        world.tell(event)
    assert not world.state.durable.trip.running
