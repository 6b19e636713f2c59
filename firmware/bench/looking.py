"""Commands that only look: at the module, its booking, its phones, the car, the time. None of them changes anything."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from firmware import VERSION
from firmware.bench import kinds, signals
from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.results import Data, Result
from firmware.bench.room import Room
from firmware.bench.words import instant, phase_word, yes_no
from firmware.core import access, admit, clock
from firmware.core.state import Link
from firmware.core.trip import GRACE_MS
from protocol.explain import duration, permissions_in_words
from protocol.tokens import Booking

LOG_SHOWN: Final = 20
MOST_LOG: Final = 200


async def show_help(room: Room, words: Words) -> Result:
    """The table, or the part of it that begins with what was given."""
    return helped(room.grammar.helped([str(each) for each in words.many("C")]))


def helped(found: Sequence[Command[Any]]) -> Result:
    """What these commands are, whatever they work on."""
    data: list[Data] = [
        {"command": each.name, "usage": each.usage, "level": each.level.word, "about": each.about} for each in found
    ]
    width = min(max(len(each.usage) for each in found), 40)
    lines = tuple(f"{each.usage:{width}}  {each.about}" for each in found)
    return Result("help", {"commands": data}, lines)


async def version(room: Room, _: Words) -> Result:
    """Which firmware, which module, and what of it is public."""
    facts = room.stand.facts
    module = facts.module_id.hex()
    data: Data = {
        "version": VERSION,
        "module": module,
        "key_epoch": facts.key_epoch,
        "handshake_key": facts.handshake_key.hex(),
        "signing_key": facts.signing_key.hex(),
        "issuers": [each.hex() for each in facts.issuers],
    }
    return Result("version", data, (f"sharebox {VERSION}, module {module}",))


async def time(room: Room, _: Words) -> Result:
    """The world's time, the module's opinion of it, and how time passes."""
    at = room.stand.time
    data: Data = {"utc_ms": at.utc_ms(), "monotonic_ms": at.monotonic_ms(), "rate": at.rate, "module": None}
    lines = [f"World:  {instant(at.utc_ms())}"]
    pump = room.stand.pump
    if pump is not None:
        now, known = at.monotonic_ms(), pump.state.clock
        earliest, latest = clock.interval(known, now)
        quality = clock.quality(known, now).value
        utc_ms = clock.utc(known, now)
        data["module"] = {"utc_ms": utc_ms, "earliest_ms": earliest, "latest_ms": latest, "quality": quality}
        spread = "no upper bound" if latest is None else f"within {latest - earliest} ms"
        lines.append(f"Module: {instant(utc_ms)} ({quality}, {spread})")
        lines += _disagreement(utc_ms - at.utc_ms())
    lines.append("Time is frozen." if at.rate == 0 else f"Time passes {at.rate:g} times as fast as outside.")
    return Result("time", data, tuple(lines))


def _disagreement(ahead_ms: int) -> Iterable[str]:
    """What to do when the module does not believe the world's clocks."""
    if abs(ahead_ms) <= clock.AGREE_MS:
        return
    how = f"{duration(abs(ahead_ms))} {'ahead of' if ahead_ms > 0 else 'behind'} the world"
    mend = (
        "`time set` sets the world to it; `state load` goes back."
        if ahead_ms > 0
        else "Let satellites or a phone say it."
    )
    yield f"The module is {how}, by its own rules (CLK-1, CLK-4). {mend}"


async def state(room: Room, _: Words) -> Result:
    """The module in a few lines, with power or without."""
    stand, pump = room.stand, room.stand.pump
    faults = [fault.name for fault in room.faults.lasting]
    broker = stand.broker
    data: Data = {
        "power": pump is not None,
        "ble": stand.ble.is_on,
        "broker": None if broker is None else "down" if not broker.is_up else "connected" if broker.connected else "up",
        "faults": faults,
    }
    if pump is None:
        return Result("state", data, ("The module is off.", f"Faults: {', '.join(faults) or 'none'}"))
    known = pump.state
    trip = known.durable.trip
    data |= {
        "phase": phase_word(known),
        "booking": None if trip.booking is None else trip.booking.booking_id.hex(),
        "drive_enabled": known.durable.drive_enabled,
        "links": len(known.links),
        "keys": len(known.durable.keys),
        "coupled": known.durable.ownership.coupled,
        "broker_connected": known.broker_connected,
        "boot": known.durable.counters.boot,
    }
    lines = (
        f"Booking: {phase_word(known)}",
        f"Driving enabled: {yes_no(known.durable.drive_enabled)}",
        f"Phones: {len(known.links)}",
        f"Shared keys: {len(known.durable.keys)}",
        f"Owner: {'coupled' if known.durable.ownership.coupled else 'none'}",
        f"Bluetooth: {'on' if stand.ble.is_on else 'off'}",
        f"Broker: {data['broker'] or 'none'}",
        f"Boots: {known.durable.counters.boot}",
        f"Faults: {', '.join(faults) or 'none'}",
    )
    return Result("state", data, lines)


def booking_data(booking: Booking) -> Data:
    """A booking for programs: nothing of it is secret."""
    return {
        "booking": booking.booking_id.hex(),
        "token": booking.token_id.hex(),
        "user": booking.user.hex(),
        "role": booking.role.name.lower(),
        "permissions": permissions_in_words(booking.permissions),
        "not_before_ms": booking.not_before_s * 1000,
        "ends_at_ms": booking.ends_at_s * 1000,
        "device_generation": booking.device_generation,
    }


async def booking(room: Room, _: Words) -> Result:
    """The booking in the car, and how long it has."""
    known, now = room.state, room.now
    trip = known.durable.trip
    data: Data = {"phase": phase_word(known), "running": trip.running}
    if trip.booking is None:
        return Result("booking", data, ("No booking has had the car yet.",))
    given = trip.booking
    data |= booking_data(given)
    lines = [
        f"Booking {given.booking_id.hex()}: {phase_word(known)}",
        f"User {given.user.hex()} ({given.role.name.lower()}): {permissions_in_words(given.permissions)}",
        f"From {instant(given.not_before_s * 1000)} to {instant(given.ends_at_s * 1000)}",
    ]
    if trip.running:
        late_ms = admit.overdue_ms(known, now)
        data |= {"left_ms": -late_ms, "cutoff_in_ms": GRACE_MS - late_ms}
        data["end_requested"] = None if trip.end_requested is None else trip.end_requested.value
        lines.append(f"Overdue by {duration(late_ms)}" if late_ms >= 0 else f"{duration(-late_ms)} left")
        if late_ms >= 0:
            left = GRACE_MS - late_ms
            lines.append("Cut off once it is parked" if left < 0 else f"Cut off in {duration(left)}, once it is parked")
    return Result("booking", data, tuple(lines))


async def links(room: Room, _: Words) -> Result:
    """Who is connected, as whom, and since when."""
    known, now = room.state, room.now
    rows = [_link_data(link, access.granted(known, link, now), now) for link in known.links]
    lines = tuple(
        f"Link {row['link']}: {row['role']} {row['user']}, {'admitted' if row['admitted'] else 'not admitted'}"
        if row["user"]
        else f"Link {row['link']}: not authenticated"
        for row in rows
    )
    return Result("links", {"links": rows}, lines or ("Nobody is connected.",))


def _link_data(link: Link, admitted: bool, now: int) -> Data:
    given = link.credential
    return {
        "link": link.id,
        "open_for_ms": now - link.opened_at_ms,
        "silent_for_ms": now - link.active_at_ms,
        "user": None if given is None else given.user.hex(),
        "role": None if given is None else given.role.name.lower(),
        "booking": None if link.booking is None else link.booking.booking_id.hex(),
        "key": None if link.key is None else link.key.token_id.hex(),
        "admitted": admitted,
    }


async def credentials(room: Room, _: Words) -> Result:
    """Whom the module trusts, and what it knows to be dead."""
    known = room.state.durable
    subscription = known.subscription
    data: Data = {
        "issuers": [each.hex() for each in room.stand.facts.issuers],
        "key_epoch": known.key_epoch,
        "revocation_list": known.list_number,
        "revoked": [token.hex() for token, _ in known.revoked],
        "dead": [{"booking": each.booking_id.hex(), "reason": each.reason.value} for each in known.dead],
        "dead_keys": [{"key": each.token_id.hex(), "reason": each.code.name} for each in known.dead_keys],
        "fading_keys": [{"key": each.token_id.hex(), "policy": each.policy.name.lower()} for each in known.deletions],
        "devices": {user.hex(): generation for user, generation in known.devices},
        "subscription": None,
    }
    lines = [
        f"Issuers: {', '.join(each.hex() for each in room.stand.facts.issuers)}",
        f"Key epoch: {known.key_epoch}",
        f"Revocation list {known.list_number}: {len(known.revoked)} tokens",
        *(f"Dead: {each.booking_id.hex()} ({each.reason.value})" for each in known.dead),
        *(f"Dead key: {each.token_id.hex()} ({each.code.name.lower()})" for each in known.dead_keys),
        *(f"Deleted key, not yet gone: {each.token_id.hex()} ({each.policy.name.lower()})" for each in known.deletions),
    ]
    if subscription is not None:
        until = {"sharing_until_ms": subscription.sharing_until_s * 1000, "paused": subscription.paused}
        data["subscription"] = {**until, "remote_until_ms": subscription.remote_until_s * 1000}
        lines.append(f"Sharing until {instant(subscription.sharing_until_s * 1000)}")
    return Result("credentials", data, tuple(lines))


async def log(room: Room, words: Words) -> Result:
    """What has happened lately, oldest first."""
    count = words.whole("N", LOG_SHOWN)
    shown = list(room.news.log)[-count:]
    rows: list[Data] = [
        {"at_ms": each.at_ms, "kind": each.kind, "data": each.data, "line": each.line} for each in shown
    ]
    lines = tuple(f"{instant(each.at_ms)}  {each.line}" for each in shown)
    return Result("log", {"log": rows}, lines or ("Nothing has happened yet.",))


async def vehicle(room: Room, _: Words) -> Result:
    """The car as somebody beside it sees it, and what its bus tells."""
    car = room.vehicle
    seen = car.snapshot()
    data: Data = {
        "locked": seen.locked,
        "open_doors": [door.name.lower().replace("_", " ") for door in seen.open_doors],
        "boot_open": seen.boot_open,
        "ignition_on": seen.ignition_on,
        "immobilised": seen.immobilised,
        "speed_kmh": seen.speed_kmh,
        "fuel_pct": seen.fuel_pct,
        "odometer_m": seen.odometer_m,
        "battery_mv": seen.battery_mv,
        "latitude": seen.latitude,
        "longitude": seen.longitude,
        "has_fix": seen.has_fix,
        "keys": seen.keys,
    }
    lines = [
        f"{'Locked' if seen.locked else 'Unlocked'}, open: {_listed(data['open_doors'], seen.boot_open)}",
        f"Ignition {'on' if seen.ignition_on else 'off'}, immobiliser {'armed' if seen.immobilised else 'released'}",
        f"{seen.speed_kmh:g} km/h at {seen.latitude:.6f}, {seen.longitude:.6f}{'' if seen.has_fix else ' (no fix)'}",
        f"Fuel {seen.fuel_pct:g} %, odometer {seen.odometer_m / 1000:.1f} km, battery {seen.battery_mv / 1000:.1f} V",
        f"Vehicle keys in the car: {seen.keys}",
    ]
    changed = {name: value for name, value in car.overrides.items() if name not in car.hidden}
    lines += [f"The bus tells {name} = {value}" for name, value in changed.items()]
    lines += [f"The bus hides {name}" for name in sorted(car.hidden)]
    data |= {"signals": signals.shown(car.sample()), "set": changed, "hidden": sorted(car.hidden)}
    return Result("vehicle", data, tuple(lines))


def _listed(doors: object, boot: bool) -> str:
    names = [*(str(each) for each in doors), *(["boot"] if boot else [])] if isinstance(doors, Iterable) else []
    return ", ".join(names) or "nothing"


COMMANDS: Final = (
    Command(
        ("help",),
        Level.OBSERVE,
        "what can be typed here",
        show_help,
        (Parameter("C", kinds.text("C"), optional=True, many=True),),
    ),
    Command(("version",), Level.OBSERVE, "which firmware, which module", version),
    Command(("state",), Level.OBSERVE, "the module in a few lines", state),
    Command(("state", "show"), Level.OBSERVE, "the same", state),
    Command(("booking",), Level.OBSERVE, "the booking in the car, and how long it has", booking),
    Command(("links",), Level.OBSERVE, "who is connected", links),
    Command(("credentials",), Level.OBSERVE, "whom the module trusts, and what is dead", credentials),
    Command(
        ("log",),
        Level.OBSERVE,
        "what has happened lately",
        log,
        (Parameter("N", Kind[object]("N", kinds.whole(1, MOST_LOG)), optional=True),),
    ),
    Command(("vehicle",), Level.OBSERVE, "the car, and what its bus tells", vehicle),
    Command(("vehicle", "show"), Level.OBSERVE, "the same", vehicle),
    Command(("time",), Level.OBSERVE, "the world's time, the module's, and how it passes", time),
)
