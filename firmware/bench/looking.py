"""Commands that only look: at the module, its booking, the car, the time. None of them changes anything."""

from typing import Final

import msgspec

from firmware import VERSION
from firmware.bench import kinds
from firmware.bench.grammar import Command, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.results import Data, Result
from firmware.bench.room import Room
from firmware.bench.words import instant, phase_word, yes_no
from firmware.core import clock


async def show_help(room: Room, words: Words) -> Result:
    """The table, or the part of it that begins with what was given."""
    given = [str(each) for each in words.many("C")]
    found = room.grammar.helped(given)
    data: list[Data] = [
        {"command": each.name, "usage": each.usage, "level": each.level.word, "about": each.about} for each in found
    ]
    width = max(len(each.usage) for each in found)
    lines = tuple(f"{each.usage:{min(width, 44)}}  {each.about}" for each in found)
    return Result("help", {"commands": data}, lines)


async def version(room: Room, _: Words) -> Result:
    """Which firmware, which module."""
    module = room.stand.profile.module_id.hex()
    return Result("version", {"version": VERSION, "module": module}, (f"sharebox {VERSION}, module {module}",))


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
        data["module"] = {
            "utc_ms": clock.utc(known, now),
            "earliest_ms": earliest,
            "latest_ms": latest,
            "quality": quality,
        }
        spread = "no upper bound" if latest is None else f"within {latest - earliest} ms"
        lines.append(f"Module: {instant(clock.utc(known, now))} ({quality}, {spread})")
    lines.append("Time is frozen." if at.rate == 0 else f"Time passes {at.rate:g} times as fast as outside.")
    return Result("time", data, tuple(lines))


async def state(room: Room, _: Words) -> Result:
    """The module in a few lines."""
    known = room.state
    trip = known.durable.trip
    data: Data = {
        "phase": phase_word(known),
        "booking": None if trip.booking is None else trip.booking.booking_id.hex(),
        "drive_enabled": known.durable.drive_enabled,
        "links": len(known.links),
        "broker_connected": known.broker_connected,
        "boot": known.durable.counters.boot,
    }
    lines = (
        f"Booking: {phase_word(known)}",
        f"Driving enabled: {yes_no(known.durable.drive_enabled)}",
        f"Phones: {len(known.links)}",
        f"Broker connected: {yes_no(known.broker_connected)}",
        f"Boots: {known.durable.counters.boot}",
    )
    return Result("state", data, lines)


async def vehicle(room: Room, _: Words) -> Result:
    """The car as somebody beside it sees it."""
    seen = room.vehicle.snapshot()
    data: Data = msgspec.to_builtins(seen)
    data["open_doors"] = [door.name.lower() for door in seen.open_doors]
    return Result("vehicle", data, tuple(f"{name.replace('_', ' ')}: {value}" for name, value in data.items()))


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
    Command(("vehicle",), Level.OBSERVE, "the car as somebody beside it sees it", vehicle),
    Command(("vehicle", "show"), Level.OBSERVE, "the same", vehicle),
    Command(("time",), Level.OBSERVE, "the world's time, the module's, and how it passes", time),
)
