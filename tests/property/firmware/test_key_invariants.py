"""Random lives with digital keys: whatever happens in whatever order, no key does what it must not."""

import random
from typing import Final

import msgspec
import pytest

from firmware.core import keys, module
from firmware.core.access import granted
from firmware.core.effects import Actuate, Answer, Effect
from firmware.core.events import Action, CodeTried, Event, KeyDeactivated, LinkActive, VehicleKeyUsed
from firmware.core.state import DEAD_KEYS_KEPT, KEYS_KEPT, State
from protocol.messages import KeyList, Position
from tests.support.story import Story
from tests.support.story_world import World, token_id_of

NAMES: Final = "OPGHCDTA"
GUESTS: Final = "GHCDT"
HELD: Final = """
    keys: O owner 00:00:00 - D9 00:00:00 user=olga
    keys: P owner 00:00:00 - D9 00:00:00 user=olga generation=2
    keys: G guest 00:00:10 - D9 00:00:00 of=O name=Zoe
    keys: H guest 00:00:00 - 01:00:00 of=O name=Max permissions=5
    keys: C guest 00:00:00 - D9 00:00:00 of=O name=Ida code=111111 until=03:00:00
    keys: D guest 00:00:00 - D9 00:00:00 of=P name=Ben code=222222 until=D9T00:00:00 hours=00:30-12:00
    keys: T guest 00:00:00 - D9 00:00:00 of=O name=Tom epoch=2
    bookings: A driver 00:20:00 - 00:50:00
"""
VERBS: Final = ["unlock", "lock", "drive", "drive", "undrive", "end", "status", "locate", "boot", "keys", "outcome"]
CAR: Final = [
    "drives", "drives", "stops", "parks", "parks", "parks", "rolls", "ignition unknown", "boot closed", "doors closed",
    "key unlocks", "key unlocks", "key locks", "key locks", "silent", "speaks", "speaks", "actuators dead",
    "actuators mute", "actuators slow", "actuators answer", "actuators alive", "actuators alive",
]  # fmt: skip
AROUND: Final = [
    "reboot", "reboot rtc lost", "reboot rtc +90", "disk full", "disk free", "disk free", "time network +0",
    "broker up", "broker down",
]  # fmt: skip
MENU: Final = ["enters 111111", "enters 222222", "enters 333333", "enters 111111 and power fails", "deactivates"]


def a_line(chance: random.Random, number: int) -> str:
    """Something that happens; lists have rising numbers."""
    who, guest = chance.choice(NAMES), chance.choice(GUESTS)
    menu = chance.choice(MENU)
    deleted = f"list {number} epoch {chance.choice([1, 1, 1, 1, 2])} {guest}{chance.choice(['', '/cycle', '/drive'])}"
    kinds = {
        f"{who} {chance.choice(VERBS)}": 40,
        f"{who} presents": 10,
        f"{who} leaves": 3,
        f"car {chance.choice(CAR)}": 25,
        chance.choice(AROUND): 12,
        f"menu {menu} {guest}" if menu == "deactivates" else f"menu {menu}": 8,
        deleted if chance.random() < 0.5 else f"{who} carries {deleted}": 4,
        ".": 10,
    }
    return str(chance.choices(list(kinds), list(kinds.values()))[0])


class Watched(World):
    """A world that looks at every step, and takes it twice. What holds in every story is looked at too: `_never`."""

    def __init__(self) -> None:
        self.wrong_tries: dict[bytes, int] = {}
        super().__init__(dense_ms=20_000)

    def _carry_out(self, event: Event, state: State, effects: tuple[Effect, ...]) -> None:
        super()._carry_out(event, state, effects)
        durable = state.durable
        assert len(durable.keys) <= KEYS_KEPT
        assert len(durable.dead_keys) <= DEAD_KEYS_KEPT
        live = {link.id for link in state.links if link.key is not None and granted(state, link, self.mono)}
        for effect in effects:
            match effect:
                case Answer(link, reply) if isinstance(reply.body, Position | KeyList):
                    known = state.link(link)
                    booked = known is not None and known.booking is not None
                    in_use = durable.trip.running and isinstance(reply.body, KeyList)
                    assert link in live or booked or in_use, "told where the car is, or who has a key"
                case Actuate(Action.UNLOCK | Action.LOCK) if isinstance(event, VehicleKeyUsed):
                    raise AssertionError("the module fights the vehicle key")
                case _:
                    pass
        written = msgspec.msgpack.encode(state)
        assert msgspec.msgpack.encode(msgspec.msgpack.decode(written, type=State)) == written

    def tell(self, event: Event) -> None:
        """Twice the same; no tick for ever; a code is compared only once its try is on the disk."""
        if not self.powered:
            return
        first, second = (module.step(self.state, event, self.mono) for _ in range(2))
        assert first == second or repr(first) == repr(second), "not a number is not equal to itself"
        if isinstance(event, CodeTried) and self.state.trying is not None:
            assert self.disk is not None
            assert b"tries" in self.disk
            stored = {known.key.token_id: known.tries for known in self.state.durable.keys if not known.activated}
            assert not stored or max(stored.values()) > 0, "compared before it was counted"
        super().tell(event)
        state, _ = module.step(self.state, LinkActive(0), self.mono)
        assert module.next_deadline(state, self.mono) > self.mono, "it would tick for ever"


@pytest.mark.req("KEY-1", "KEY-2", "KEY-3", "KEY-4", "KEY-6", "CUT-3", "ACC-3")
@pytest.mark.parametrize("seed", range(20))
def test_no_key_ever_does_what_it_must_not(seed: int) -> None:
    chance = random.Random(seed)
    world = Watched()
    story = Story(world)
    story.play(HELD)
    for number in range(1, 90):
        at = world.now + chance.choice([0, 1, 200, 999, 2_600, 5_000, 61_000])
        text = f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"
        if not world.powered:
            story.play(f"{text} reboot")
        story.play(f"{text} {a_line(chance, number)}")
        reached = module.posture(world.state.durable) is Action.ARM_IMMOBILISER
        idle = world.powered and world.car.actuators == "alive" and not world.unanswered
        if idle and world.last_actuation is not None:
            armed = world.last_actuation is Action.ARM_IMMOBILISER
            assert armed is reached, f"seed {seed}: the immobiliser is not what booking and keys say"


@pytest.mark.req("KEY-6", "KEY-4")
@pytest.mark.parametrize("seed", range(10))
def test_after_any_life_a_deactivated_key_is_dead_whatever_else_is_tried(seed: int) -> None:
    chance = random.Random(1_000 + seed)
    world = World(dense_ms=20_000)
    story = Story(world)
    story.play(f"{HELD}\n00:00:20 G unlock | ok")
    world.tell(KeyDeactivated(token_id_of("G")))
    for number in range(1, 50):
        at = world.now + chance.choice([0, 300, 4_000, 61_000])
        text = f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"
        if not world.powered:
            story.play(f"{text} reboot")
        story.play(f"{text} {a_line(chance, number)}")
        assert keys.refusal(world.state, world.keys["G"].key, world.mono) is not None


@pytest.mark.req("CUT-3", "CUT-4", "KEY-6")
@pytest.mark.parametrize("seed", range(10))
def test_after_any_life_a_parked_car_whose_key_is_dead_is_armed_and_another_key_works(seed: int) -> None:
    chance = random.Random(2_000 + seed)
    world = World(dense_ms=20_000)
    story = Story(world)
    story.play(HELD.replace("bookings: A driver 00:20:00 - 00:50:00", ""))
    story.play("keys: Q owner 00:00:00 - D9 00:00:00 epoch=2\nkeys: Z guest 00:00:00 - D9 00:00:00 of=Q epoch=2")
    story.play("keys: Y guest 00:00:00 - D9 00:00:00 of=P")
    story.play("bookings: A driver 00:20:00 - 00:50:00")
    for number in range(1, 50):
        at = world.now + chance.choice([0, 300, 4_000, 61_000])
        text = f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"
        if not world.powered:
            story.play(f"{text} reboot")
        story.play(f"{text} {a_line(chance, number)}")
    at = world.now + 1_000
    now = f"{at // 3_600_000:02}:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}"
    for repair in ("reboot", "disk free", "car actuators answer", "car actuators alive", "car speaks", "car parks"):
        story.play(f"{now} {repair}")
    world.advance(3 * 3_600_000)
    story.play("03:00:01 time network +0")
    for name in GUESTS:
        world.tell(KeyDeactivated(token_id_of(name)))
    story.play("03:00:10 . |")
    state = world.state
    if state.durable.driver_key is None or state.durable.driver_key.token_id not in map(token_id_of, "OP"):
        story.play("03:00:20 . | armed, no key drives")
    fresh = "Y" if state.durable.key_epoch == 1 else "Z"
    story.play(f"03:00:30 {fresh} unlock | ok, unlocked")
