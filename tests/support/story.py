"""Stories: a rule as literal times and values, one event a line, beside what the car must do.

    play('''
        bookings: A driver 10:00:00 - 12:00:00
        10:00:00      A presents   | A granted, active, position withdrawn
        12:00:00      .            | overdue, event booking.overdue
        12:30:00.000  .            | overdue
        12:30:00.001  .            | cut_off, hung up A, armed
    ''')

Left of the bar: a time (`12:00:00`, `12:30:00.001`, `D3 08:00:00` for day 3, UTC from BASE) and what happens (`.`
nothing but time). Right of it: what holds then. What words there are: `Story._do`, `_car` and `story_claims`; those of
digital keys: `story_keys`, of owners: `story_ownership`, of services and emergencies: `story_services`. A name that
asks for something connects and presents its booking or key first when it is not connected. The world around it:
`story_world`.
"""

import re

from firmware.core.events import (
    BrokerConnected,
    BrokerLost,
    HandshakeFailed,
    OrderReceived,
    OrderUnreadable,
    TimeOffered,
    TimeSource,
)
from protocol.errors import Code, Role
from protocol.messages import Operation
from protocol.orders import Order
from protocol.tokens import RevocationList, TimeAttestation
from tests.support import story_keys, story_ownership, story_services
from tests.support.ordering import remote, subscription
from tests.support.story_claims import Line, check
from tests.support.story_world import (
    BASE_MS,
    FAR_AWAY,
    HOME,
    MODULE_ID,
    OPERATIONS,
    TIME,
    Signed,
    World,
    make_booking,
    milliseconds,
)

_THREE = {"open": True, "closed": False, "on": True, "off": False, "unknown": None}


class Story:
    """Reads and plays the lines."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.written: Signed | None = None
        """What somebody signed and has not delivered yet."""
        self.seen = Line(self.world, "")

    def play(self, text: str) -> World:
        """Play every line; a claim that does not hold fails with the line."""
        for raw in text.strip().splitlines():
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("bookings:"):
                self._booking(line.removeprefix("bookings:").strip())
                continue
            if line.startswith("keys:"):
                story_keys.declare(self.world, line.removeprefix("keys:").strip())
                continue
            left, _, claims = line.partition("|")
            match = TIME.match(left.strip())
            assert match is not None, f"no time in {line!r}"
            self.seen = Line(self.world, line, self.seen.answer)
            self.world.advance(milliseconds(match.group()))
            self._do(left.strip()[match.end() :].split())
            for claim in filter(None, (c.strip() for c in claims.split(","))):
                check(self.seen, claim)
        return self.world

    def _booking(self, text: str) -> None:
        """`A driver 10:00:00 - 12:00:00`, then optional `field=value`; `fresh`: signed when it begins, else the
        day before."""
        match = re.fullmatch(rf"(\w+) (\w+) ({TIME.pattern}) - ({TIME.pattern})(.*)", text)
        assert match is not None, f"not a booking: {text!r}"
        name, role, begins, ends, rest = match[1], match[2], match[3], match[9], match[15]
        sizes = {"user": 8, "booking_id": 16, "token_id": 16, "module_id": 8}
        changes: dict[str, object] = {}
        for part in rest.replace("fresh", "").split():
            field, _, value = part.partition("=")
            changes[field] = value.encode().ljust(sizes[field], b"_") if field in sizes else int(value)
        if rest.split()[-1:] == ["fresh"]:
            changes["issued_s"] = (BASE_MS + milliseconds(begins)) // 1000
        changes.setdefault("module_id", self.world.profile.module_id)
        self.world.bookings[name] = make_booking(name, Role[role.upper()], begins, ends, **changes)

    # ------------------------------------------------------------ what happens
    def _do(self, words: list[str]) -> None:
        match words:
            case [] | ["."]:
                pass
            case _ if story_services.happened(self.world, words):
                pass
            case ["car", *state]:
                self._car(state)
            case ["menu", *what]:
                self.seen.answer = story_keys.at_the_menu(self.world, what)
            case ["broker" | "reboot" | "power" | "disk" | "time" | "stranger" | "order" | "list" | "subscription", *_]:
                self._surroundings(words)
            case [name, "presents"]:
                self.world.present(name)
            case [name, "connects"]:
                self.world.connect(name)
            case [name, "leaves"]:
                self.world.leave(name)
            case [name, "carries", *what]:
                signed = self._signed(what)
                self.seen.answer = self.world.ask(name, Operation.PUT, signed=signed)
                self.written = signed
            case [name, verb] if verb in OPERATIONS:
                self.seen.answer = self.world.ask(name, OPERATIONS[verb])
            case [name, verb, "as" | "of", command] if verb in OPERATIONS:
                self.seen.answer = self.world.ask(name, OPERATIONS[verb], command.encode().ljust(8, b"c"))
            case _:
                raise AssertionError(f"no such event: {' '.join(words)!r}")

    def _surroundings(self, words: list[str]) -> None:
        """Power, broker, disk, clocks and the backend."""
        world = self.world
        match words:
            case ["broker", state]:
                world.broker_up = state == "up"
                world.tell(BrokerConnected() if world.broker_up else BrokerLost())
            case ["power", "fails"]:
                world.cut_power()
            case ["reboot" | "power"]:
                world.boot(rtc_ms=0)
            case ["reboot" | "power", "rtc", "lost"]:
                world.boot(rtc_ms=None)
            case ["reboot" | "power", "rtc", wrong]:
                world.boot(rtc_ms=int(wrong) * 1000)
            case ["disk", state]:
                world.disk_full = state == "full"
            case ["time", source, wrong]:
                world.tell(TimeOffered(TimeSource(source), BASE_MS + world.now + int(wrong) * 1000))
            case ["stranger", "fails"]:
                world.tell(HandshakeFailed(0))
            case [*what, "is", "written"]:
                self.written = self._signed(what)
            case ["order", "unreadable", code]:
                world.tell(OrderUnreadable(Code[code]))
            case ["order" | "list" | "subscription", *_]:
                self.written = signed = self._signed(words)
                assert isinstance(signed, Order | RevocationList)
                world.tell(OrderReceived(signed))
            case _:
                raise AssertionError(f"no such event: {' '.join(words)!r}")

    def _signed(self, words: list[str]) -> Signed | None:
        """What the backend signs: an end order, a revocation list or the time."""
        world = self.world
        issued_s = (BASE_MS + world.now) // 1000
        match words:
            case ["order", "again"] | ["what", "was", "written"] | ["list", "again"] | ["subscription", "again"]:
                return self.written
            case ["order", *what] if (order := story_ownership.signed(world, what)) is not None:
                return order
            case ["order", *what] if (order := story_services.signed(world, what)) is not None:
                return order
            case ["order", "end", name]:
                return world.order_end(name)
            case ["order", verb, "as", name]:
                return remote(verb, name, world.now)
            case ["subscription", number, "sharing", sharing, "remote", until, *paused]:
                return subscription(number, sharing, until, world.now, paused=bool(paused))
            case ["list", number, "epoch", epoch, *names]:
                revoked = tuple(story_keys.withdrawn(world, name) for name in names if "/" not in name)
                fading = story_keys.fading(world, names)
                return RevocationList(MODULE_ID, int(number), issued_s, int(epoch), revoked, fading=fading)
            case ["time", wrong]:
                return TimeAttestation(MODULE_ID, world.nonce, issued_s + int(wrong))
            case ["time", wrong, "for", "another", "nonce"]:
                return TimeAttestation(MODULE_ID, b"another nonce...", issued_s + int(wrong))
            case ["nonsense"]:
                return None
            case _:
                raise AssertionError(f"nobody signs {' '.join(words)!r}")

    def _car(self, words: list[str]) -> None:
        car = self.world.car
        match words:
            case ["drives"]:
                car.ignition, car.speed, car.place = True, 90.0, FAR_AWAY
            case ["stops"]:
                car.speed = 0.0
            case ["parks"]:
                car.ignition, car.speed = False, 0.0
            case ["parks", "at", "home"]:
                car.ignition, car.speed, car.place = False, 0.0, HOME
            case ["rolls"]:
                car.ignition, car.speed = False, 1.0
            case ["ignition", state]:
                car.ignition = _THREE[state]
            case ["speed", value]:
                car.speed = None if value == "unknown" else float(value)
            case ["doors", state]:
                car.doors_open = _THREE[state]
            case ["boot", state]:
                car.boot_open = _THREE[state]
            case ["key", ("unlocks" | "locks") as button]:
                story_keys.vehicle_key(self.world, button)
            case ["silent"]:
                car.silent = True
                return
            case ["speaks"]:
                car.silent = False
            case ["actuators", "answer"]:
                self.world.answer_actuations()
                return
            case ["actuators", state]:
                car.actuators = state
                return
            case ["has", number, "keys"]:
                car.keys_present = None if number == "unknown" else int(number)
            case ["fix", "lost"]:
                car.place = None
            case ["fix", "zero"]:
                car.place = (0, 0)
            case ["fix", "back"]:
                car.place, car.fix_age_ms = FAR_AWAY, 0
            case ["fix", "aged", seconds]:
                car.fix_age_ms = int(seconds) * 1000
            case ["metres", "north", metres]:
                # One degree of latitude on the sphere of `geo`.
                car.place = (HOME[0] + round(float(metres) / 111_195.08 * 1e7), HOME[1])
            case _:
                raise AssertionError(f"no such thing about the car: {' '.join(words)!r}")
        self.world.look()


def play(text: str, world: World | None = None) -> World:
    """Play a story; returns the world for further questions."""
    return Story(world).play(text)
