"""Scenes: small worlds, each with a few phones, a few things that can happen and the times that mean something."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from protocol.errors import Role
from protocol.messages import Permission
from protocol.orders import Order
from protocol.tokens import Booking
from tests.exploration.life import PROFILE, Life
from tests.support import story_keys
from tests.support.story_ownership import factory
from tests.support.story_world import Held, World, make_booking, milliseconds

_A, _N, _B, _O = (
    "bookings: A driver 00:10:00 - 01:00:00 user=anna",
    "bookings: N driver 00:10:00 - 01:00:00 user=anna booking_id=Abbbbbbbbbbbbbbb device_generation=2",
    "bookings: B driver 01:10:00 - 02:00:00 permissions=13",
    "bookings: O owner 00:00:00 - 03:00:00",
)
_NO_DRIVE: Final = int(Permission.UNLOCK | Permission.LOCK | Permission.LOCATE)

BOOKINGS: Final[dict[str, Booking]] = {
    "A": make_booking("A", Role.DRIVER, "00:10:00", "01:00:00", user=b"anna____"),
    "N": make_booking(
        "N", Role.DRIVER, "00:10:00", "01:00:00", user=b"anna____", booking_id=b"Abbbbbbbbbbbbbbb", device_generation=2
    ),
    "B": make_booking("B", Role.DRIVER, "01:10:00", "02:00:00", permissions=_NO_DRIVE),
    "O": make_booking("O", Role.OWNER, "00:00:00", "03:00:00"),
}
_STANDING, _GUEST, _CODED, _NEXT = (
    "keys: M owner 00:00:00 - D365 00:00:00",
    "keys: G guest 00:00:00 - D7 00:00:00 of=M name=Gil",
    "keys: C guest 00:00:00 - D7 00:00:00 of=M name=Cleo code=111111 permissions=5",
    "keys: X owner 00:00:00 - D365 00:00:00 user=Xavier epoch=2",
)
HEADERS: Final = dict(zip("ANBOMGCX", (_A, _N, _B, _O, _STANDING, _GUEST, _CODED, _NEXT), strict=True))
"""The same as lines of a story."""

FACTORY: Final = factory(milliseconds("00:09:00")).profile


def _keys() -> dict[str, Held]:
    world = World()
    for name in "MGCX":
        story_keys.declare(world, HEADERS[name].removeprefix("keys: "))
    return world.keys


KEYS: Final = _keys()

MARKS: Final = {
    "A": ("00:10:00", "01:00:00", "01:30:00"),
    "B": ("01:10:00", "02:00:00", "02:30:00"),
    "O": ("03:00:00", "03:30:00"),
    "N": (),
    **dict.fromkeys("MGCX", ()),
}
"""Begin, end, and half an hour later: only there it matters whether it is the millisecond itself or the next one."""
LAST: Final = frozenset(milliseconds(marks[-1]) for marks in MARKS.values() if marks)


@dataclass(frozen=True)
class Scene:
    """`lines`: what may happen, beside time passing. `before`: what has happened at 00:09:00."""

    name: str
    phones: str
    lines: tuple[str, ...]
    before: tuple[str, ...] = ()
    waits: tuple[int, ...] = (2_000, 5_000)
    long: tuple[int, ...] = ()
    """How long may be waited while a pause after a wrong code, or a takeover, goes on."""
    most: int = 1_000_000_000
    """States of it at most, whatever was asked for: it has no end that could be reached."""
    fresh: bool = False
    """The module comes from the dealer: nobody owns the car."""
    landmarks: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        marks = sorted({milliseconds(mark) for name in self.phones for mark in MARKS[name]})
        object.__setattr__(self, "landmarks", tuple(marks))

    def first(self) -> Life:
        """How the scene begins."""
        bookings = {name: BOOKINGS[name] for name in self.phones if name in BOOKINGS}
        keys = {name: KEYS[name] for name in self.phones if name in KEYS}
        life = Life(bookings, milliseconds("00:09:00"), keys, FACTORY if self.fresh else PROFILE)
        for line in self.before:
            life.play(line)
        return life

    def next(self, life: Life) -> Iterator[tuple[int, str]]:
        """What can happen now: time and line. What would change nothing is left out."""
        for line in self.lines:
            if _possible(life, line):
                yield life.now, line
        if life.now + 1 in self.landmarks or life.now in LAST:
            yield life.now + 1, "."
        for wait in self.long:
            if life.state is not None and _pauses(life):
                yield life.now + wait, "."
        for wait in self.waits:
            if life.state is not None and not _settled(life):
                yield life.now + wait, "."
        ahead = next((mark for mark in self.landmarks if mark - 1 > life.now), None)
        if ahead is not None:
            yield ahead - 1, "."


def _settled(life: Life) -> bool:
    """Whether a few seconds change nothing: the module knows, or knows that it does not know."""
    view = life.audit
    stale = view.heard_at is None or life.now - view.heard_at > 2_500
    if life.silent:
        return stale
    return not stale and (view.still_since is None or life.now - view.still_since >= 5_000)


def _pauses(life: Life) -> bool:
    """Whether time alone ends a pause, or a takeover."""
    state = life.state
    return state is not None and (state.code_paused_until_ms > life.mono or state.durable.takeover is not None)


def _possible(life: Life, line: str) -> bool:
    words = line.split()
    if life.state is None:
        return words[0] in ("power", "car") and line != "power fails" and words[1:2] != ["actuators"]
    match words:
        case ["power", *rest]:
            return rest == ["fails"]
        case ["car", "drives"]:
            # The engine runs with a released immobiliser or with the physical key: always possible.
            return life.speed == 0 or life.ignition is None
        case ["car", "parks"]:
            return life.speed != 0 or life.ignition is not False
        case ["car", "rolls"]:
            return life.speed != 1.0
        case ["car", "ignition", "unknown"]:
            return life.ignition is not None
        case ["car", "silent"]:
            return not life.silent
        case ["car", "speaks"]:
            return life.silent
        case ["car", "key", state]:
            return life.locked is not (state == "locks") or bool(life.state.durable.deletions)
        case ["car", "has", number, "keys"]:
            return life.keys_present != int(number)
        case ["menu", "enters", *_]:
            return life.state.code_paused_until_ms <= life.mono
        case ["car", "doors", state]:
            return life.doors_open is not (state == "open")
        case ["car", "fix", state]:
            return (life.place is None) is (state == "back")
        case ["car", "actuators", "answer"]:
            return bool(life.late)
        case ["car", "actuators", state]:
            return life.actuators != state
        case ["broker", "acknowledges"]:
            return life.broker == "deaf"
        case ["broker", state]:
            return life.broker != state
        case ["disk", state]:
            return life.disk_full is not (state == "full")
        case ["order", "again"]:
            return not isinstance(life.written, Order) or life.written.order_id[:2] != b"r0"
        case [name, "leaves"]:
            return life.link(name) is not None
        case _:
            return True


_CAR: Final = ("car drives", "car parks", "car ignition unknown", "car silent", "car speaks")
_ROUND: Final = ("car drives", "car parks")

_PAID: Final = "subscription 1 sharing 03:00:00 remote 03:00:00"

SCENES: Final = (
    Scene("cutoff", "A", ("A presents", "A leaves", "A unlock", "A drive", *_CAR, "reboot", "reboot rtc lost")),
    Scene("commands", "A", (
        "A unlock as c1", "A drive as c1", "A lock as c2", "A end as c1", "car actuators answer", "reboot", *_ROUND,
    ), before=("car actuators slow",)),
    Scene("unheard", "A", (
        "A drive as c1", "A undrive as c2", "A lock", "A end", "car actuators dead", "car actuators mute",
        "car actuators alive", *_ROUND,
    )),
    Scene("takeover", "AB", (
        "A presents", "A drive", "A end", "A leaves", "B presents", "B unlock", "B drive", "B end", "B leaves",
        "car drives", "car parks", "car silent", "car speaks",
    )),
    Scene("devices", "AN", (
        "A drive", "A end", "N presents", "N drive", "N leaves", "A leaves", "list 2 epoch 1 A", "list 3 epoch 1 N",
        "reboot", *_ROUND,
    )),
    Scene("privacy", "AO", (
        "A unlock", "A locate", "A end", "O locate", "broker up", "broker deaf", "broker acknowledges",
        "broker down", *_ROUND,
    )),
    Scene("satellites", "A", (
        "A presents", "A locate", "A end", "broker up", "broker down", "car fix lost", "car fix back", "reboot",
        *_ROUND,
    )),
    Scene("disk", "A", (
        "A unlock", "A drive as c1", "A end", "disk full", "disk free", "power fails", "power", *_ROUND,
    )),
    Scene("darkness", "A", (
        "A drive", "power fails", "power", "power rtc lost", "power rtc -3600", "car drives", "car parks", "car silent",
        "car speaks", "order end A",
    )),
    Scene("clock", "A", (
        "A drive", "A nonce", "A carries time +0", "time gnss +0", "time gnss +86400", "reboot rtc lost",
    ), before=("car fix lost", "reboot rtc lost")),
    Scene("liars", "A", (
        "A drive", "time gnss +40000000", "time network +3600", "time network -600", "time rtc +0", "reboot rtc +3600",
        "reboot rtc -3600", *_ROUND,
    ), before=("car fix lost",)),
    Scene("orders", "AB", (
        "A drive", "B unlock", "order end A", "A carries order end A", "B carries order end B", *_ROUND,
    )),
    Scene("afar", "A", (
        "A unlock", "A end", "A leaves", "order unlock as r1 is written", "order lock as r2",
        "order flash as r3", "order again", "car key locks", "reboot", "reboot rtc lost", *_ROUND,
    ), before=(_PAID,), waits=(2_000, 5_000, 130_000)),
    Scene("unpaid", "AO", (
        "O drive", "A unlock", "order unlock as r1", "order again", "order state as r4",
        "subscription 1 sharing 00:30:00 remote 00:30:00", "subscription 2 sharing 03:00:00 remote 03:00:00 paused",
        *_ROUND,
    ), waits=(2_000, 5_000, 130_000)),
    Scene("codes", "MC", (
        "C presents", "C unlock", "C drive", "M keys", "menu enters 111111", "menu enters 222222",
        "menu enters 111111 and power fails", "menu deactivates C", "power", "reboot", "car drives", "car parks",
    ), waits=(5_000,), most=12_000, long=(5_000, 30_000, 120_000, 600_000, 3_600_000)),
    Scene("deletion", "MG", (
        "G unlock", "G drive", "G lock", "list 2 epoch 1 G/cycle", "list 3 epoch 1 G/cycle G/drive", "list 4 epoch 1 G",
        "car key unlocks", "car key locks", "reboot", *_ROUND,
    ), waits=(5_000,), most=8_000),
    Scene("guests", "MGA", (
        "G drive", "G lock", "M drive", "M undrive", "A drive", "A end", "menu deactivates G", "list 2 epoch 1 M",
        "car silent", "car speaks", "reboot", *_ROUND,
    ), waits=(5_000,), most=8_000),
    Scene("owners", "MGAX", (
        "M unlock", "G drive", "A drive", "X unlock", "order take-over Ann 1", "order couple Eve 2",
        "order remove Ann 3", "order couple Ann 4", "car has 1 keys", "car has 2 keys", "broker up", "broker down",
        "reboot", *_ROUND,
    ), before=("broker up", "car has 2 keys"), waits=(5_000,), most=8_000, long=(30_000, 179_999, 180_000)),
    Scene("dealer", "MGX", (
        "M unlock", "G unlock", "X drive", "order couple Ann 1", "order couple Eve 2 vin=WMWXU71090TU12346",
        "order couple Eve 2", "order remove Ann 3", "order remove Eve 4", "list 2 epoch 2", "reboot", "reboot rtc lost",
    ), waits=(5_000,), most=8_000, fresh=True),
    Scene("lists", "AB", (
        "A drive", "B unlock", "list 2 epoch 1 A", "list 3 epoch 1 B", "list 4 epoch 2", "car ignition unknown",
        "reboot", *_ROUND,
    )),
)  # fmt: skip

EVERYTHING: Final = Scene(
    "everything",
    "ANBOMGCX",
    tuple(dict.fromkeys(line for scene in SCENES for line in scene.lines)),
    long=(30_000, 180_000),
)
