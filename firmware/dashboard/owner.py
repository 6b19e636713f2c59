"""What the owner's side knows of the car: from the messages of the module, and from nothing else.

Decides how it is put into words. Refuses to know the module, the car, and who is at the wheel.
"""

from collections import deque
from datetime import datetime
from typing import Any, Final

import msgspec

from firmware.dashboard import picture
from host_tools.backend.reading import Raw, Received, Value, read, stamp_of
from host_tools.backend.sequence import Sequence
from protocol import signals
from protocol.errors import Code
from protocol.explain import REASONS, duration
from protocol.telemetry import (
    Channel,
    EventKind,
    EventReport,
    Health,
    Online,
    OrderResult,
    PositionReport,
    StateReport,
    channel_of,
)

MOST_REPORTS: Final = 40
MOST_TRACK: Final = 400
HIDDEN: Final = "Hidden while a driver has the car"

EVENTS: Final[dict[EventKind, str]] = {
    EventKind.BOOTED: "The module has started",
    EventKind.BOOKING_STARTED: "{who} has taken the car",
    EventKind.BOOKING_OVERDUE: "The booking is over, and {who} still has the car",
    EventKind.CUTOFF_SOON: "Access ends in five minutes, once the car is parked",
    EventKind.CUTOFF_PENDING: "Access ends as soon as the car is parked",
    EventKind.BOOKING_CUT_OFF: "The booking was cut off",
    EventKind.BOOKING_ENDED: "The booking has ended",
    EventKind.LEFT_UNLOCKED: "The doors are unlocked",
    EventKind.LEFT_OPEN: "A door or the boot is open",
    EventKind.LOCK_FAILED: "The car did not lock",
    EventKind.RECORDS_DROPPED: "The module had to give reports up",
    EventKind.STORE_TROUBLE: "The memory of the module fails",
    EventKind.KEY_ACCEPTED: "A shared key was accepted",
    EventKind.KEY_ACTIVATED: "A shared key was activated",
    EventKind.KEY_DEACTIVATED: "A shared key was deactivated in the vehicle",
    EventKind.KEY_DELETED: "A shared key was deleted",
    EventKind.CODE_WRONG: "A wrong activation code was entered in the vehicle",
    EventKind.CODE_DEAD: "An activation code died of wrong tries",
    EventKind.OWNER_COUPLED: "The car has an owner",
    EventKind.OWNER_REMOVED: "The owner has removed the car",
    EventKind.TAKEOVER_PROGRESS: "Somebody takes the car over",
    EventKind.TAKEOVER_FAILED: "A takeover failed; nothing has changed",
    EventKind.OWNER_CHANGED: "The car was taken over",
    EventKind.SIM_CHANGED: "What the mobile connection may be used for has changed",
    EventKind.TELESERVICE: "The car asks for service",
    EventKind.ECALL_RAISED: "An emergency call was made",
    EventKind.ECALL_CANCELLED: "An emergency call was taken back",
    EventKind.ECALL_ACKNOWLEDGED: "The emergency centre has the call",
    EventKind.ECALL_STALE: "An emergency call was never answered, and is too old to be sent",
    EventKind.ECALL_IMPOSSIBLE: "There was no service to make an emergency call with",
}
_WHO: Final = {"owner": "the owner", "vip": "a VIP driver", "driver": "a driver"}
_HEADLINES: Final = {
    "active": "{who} has the car",
    "overdue": "{who} has the car, and is late",
    "cutoff_pending": "{who} is late; access ends once parked",
    "cut_off": "The last booking was cut off",
    "ended": "The car is free",
    "none": "The car is free",
}


class Said(msgspec.Struct, frozen=True):
    """One report in words. `weight` as in `feed.Line`."""

    text: str
    weight: str = "plain"


class OwnersView:
    """For one module."""

    def __init__(self, module_id: bytes) -> None:
        self._module_id = module_id
        self._sequence = Sequence()
        self._online: bool | None = None
        self._state: StateReport | None = None
        self._health: Health | None = None
        self._position: PositionReport | None = None
        self._role = ""
        self.booking = ""
        """Identifier of the booking that was reported last, in hex."""
        self.key_epoch: int | None = None
        """The keys that count since the car has changed hands."""
        self._track: deque[tuple[float, float]] = deque(maxlen=MOST_TRACK)
        self._reports: deque[dict[str, str]] = deque(maxlen=MOST_REPORTS)
        self._messages = 0

    # ------------------------------------------------------------ hearing
    def hear(self, topic: str, payload: bytes, now_ms: int) -> tuple[Said, ...]:
        """A message came in; what there is to tell of it."""
        news: list[Said] = []
        for received in read(Raw(topic, payload, retained=False)):
            if received.module_id == self._module_id:
                followed = self._sequence.follow(received)
                self._messages += 1
                told = [Said(f"{followed.missing} reports are missing", "alert")] if followed.missing else []
                told += () if followed.repeated else self._take(followed)
                for each in told:
                    self._reports.appendleft(
                        {"time": _at(received.value, now_ms), "text": each.text, "weight": each.weight}
                    )
                news += told
        return tuple(news)

    def _take(self, received: Received) -> tuple[Said, ...]:
        match received.value:
            case Online(online=online):
                changed, self._online = self._online is not online, online
                return (Said("Online" if online else "Offline", "news"),) if changed else ()
            case StateReport() as state:
                self._state = state
            case Health() as health:
                self._health = health
            case PositionReport() as position:
                return self._moved(received.channel, position)
            case EventReport() as event:
                return (self._event(event),)
            case OrderResult() as result:
                return (Said(_order_words(result), "news"),)
            case None if received.channel is Channel.POSITION:
                withdrawn, self._position = self._position is not None, None
                self._track.clear()
                return (Said("The position is withdrawn", "news"),) if withdrawn else ()
            case _:
                pass
        return ()

    def _moved(self, channel: Channel, position: PositionReport) -> tuple[Said, ...]:
        if channel is not Channel.POSITION:
            self._track.append((position.latitude, position.longitude))
            return ()
        before, self._position = self._position, position
        if position.parking and (before is None or not before.parking):
            return (Said("The parking position is here", "news"),)
        return (Said("The position is here"),) if before is None else ()

    def _event(self, event: EventReport) -> Said:
        if event.kind is EventKind.BOOKING_STARTED:
            self._role, self.booking = event.role, event.booking
        self.key_epoch = event.numbers.get("key_epoch", self.key_epoch)
        words = EVENTS[event.kind].format(who=_WHO.get(event.role or self._role, "somebody"))
        alert = channel_of(event.kind) is Channel.ALERT
        return Said(words[0].upper() + words[1:], "alert" if alert else "news")

    # ------------------------------------------------------------ showing
    def view(self, now_ms: int) -> dict[str, Any]:
        """For the page; texts are ready for people."""
        veil = "" if self._position is not None else HIDDEN if self._driven else "No position reported yet"
        return {
            "link": self._link(),
            "headline": self._headline(),
            "place": None if self._position is None else _place(self._position),
            "place_words": self._place_words(now_ms),
            "veil": veil,
            "track": list(self._track),
            "facts": self._facts(now_ms),
            "reports": list(self._reports),
        }

    @property
    def _phase(self) -> str:
        return str(self._signal(signals.BOOKING_PHASE, "none"))

    @property
    def _driven(self) -> bool:
        return self._phase in ("active", "overdue", "cutoff_pending")

    def _signal(self, name: str, default: object = None) -> object:
        return default if self._state is None else self._state.signals.get(name, default)

    def _link(self) -> dict[str, str]:
        match self._online:
            case True:
                return {"is": "good", "words": "The module is online"}
            case False:
                return {"is": "bad", "words": "The module is offline: what follows is its last word"}
            case None:
                return {"is": "", "words": "Nothing heard yet"}

    def _headline(self) -> str:
        if self._state is None:
            return "No report yet"
        words = _HEADLINES.get(self._phase, "The car is free").format(who=_WHO.get(self._role, "somebody"))
        return words[0].upper() + words[1:]

    def _place_words(self, now_ms: int) -> str:
        if self._position is None:
            return "The parking position comes at the end of the booking" if self._driven else ""
        kind = "Parked here" if self._position.parking else "Last seen here"
        at = f"{self._position.latitude:.5f}, {self._position.longitude:.5f}"
        return f"{kind}: {at}, fix {age(self._position.fix_time, now_ms)} old"

    def _facts(self, now_ms: int) -> list[tuple[str, str, str]]:
        if self._state is None:
            return []
        signal = self._signal
        ignition = signal(signals.IGNITION)
        locked, drive = signal(signals.LOCKED), signal(signals.DRIVE_ENABLED)
        door, boot = signal(signals.DOORS_OPEN), signal(signals.BOOT_OPEN)
        facts = [
            ("Doors", _choice(locked, "locked", "unlocked"), "warn" if locked is False and not self._driven else ""),
            ("Open", picture.what_is_open(door, boot), "warn" if door or boot else ""),
            ("Ignition", str(ignition or "unknown").lower(), ""),
            ("Driving enabled", _choice(drive, "yes", "no"), ""),
            ("Fuel", _fuel(signal(signals.FUEL), signal(signals.RANGE)), ""),
            ("Odometer", f"{signal(signals.ODOMETER, '?')} km", ""),
            ("12 V battery", f"{signal(signals.VOLTAGE, '?')} V", ""),
            ("Report", f"{age(self._state.stamp.time, now_ms)} old", "quiet"),
            ("Messages", self._counted(), "quiet"),
        ]
        if self._health is not None and self._health.store != "ok":
            facts.append(("Memory", str(self._health.store), "bad"))
        return facts

    def _counted(self) -> str:
        missing = self._sequence.missing(self._module_id)
        return f"{self._messages}, {missing} missing" if missing else str(self._messages)


def _order_words(result: OrderResult) -> str:
    if result.pending:
        return "The order is accepted, and takes effect once the car is parked"
    if result.code == Code.OK:
        return "The order was carried out"
    known = {code.name: words for code, words in REASONS.items()}
    return f"The order was refused: {known.get(result.name, result.name)}"


def _place(position: PositionReport) -> dict[str, Any]:
    return {"at": (position.latitude, position.longitude), "old": False}


def _choice(value: object, yes: str, no: str) -> str:
    return "unknown" if value is None else yes if value else no


def _fuel(level: object, range_m: object) -> str:
    far = f", {int(range_m) // 1000} km" if isinstance(range_m, int | float) else ""
    return "unknown" if level is None else f"{level} %{far}"


def _at(value: Value, now_ms: int) -> str:
    """When a report was made, by its own account; else now."""
    stamp = stamp_of(value)
    return picture.clock(now_ms) if stamp is None else stamp.time[11:19]


def age(instant: str, now_ms: int) -> str:
    """How long ago a time of the MQTT interface was, in words; whole seconds."""
    then = datetime.fromisoformat(instant).timestamp() * 1000
    return duration(max(0, int(now_ms - then)) // 1000 * 1000)
