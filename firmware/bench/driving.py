"""Commands for the hands at the simulated car: doors, key, ignition, driving, and what its bus is made to tell."""

from typing import Final

from firmware.bench import kinds, signals
from firmware.bench.grammar import Command, Kind, Option, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.looking import vehicle as looked_at
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.core.events import KeyButton
from firmware.simulated.car import Door
from firmware.simulated.route import Waypoint
from firmware.simulated.vehicle import DEFAULT_SPEED_KMH

DOORS: Final = {door.name.lower().replace("_", "-"): door for door in Door}
_FIRST_DOOR: Final = "front-left"
_MOST_KMH: Final = 250.0
MOST_KEYS: Final = 2
"""A car comes with two."""


async def _seen(room: Room, line: str) -> Result:
    """The car afterwards; what was done comes first."""
    result = await looked_at(room, Words({}))
    return Result("vehicle", result.data, (line, *result.lines))


def _refused(what: str, why: str) -> DeskError:
    return DeskError(DeskCode.FAILED, f"`{what}`: {why}")


# ---------------------------------------------------------------- doors and key
async def open_door(room: Room, words: Words) -> Result:
    """From outside, or from inside."""
    which = words.text("WHICH", _FIRST_DOOR)
    if not room.vehicle.open_door(DOORS[which], from_inside=words.has("inside")):
        raise _refused(f"door open {which}", "it is locked. Unlock with a phone or `key unlock`, or add --inside.")
    return await _seen(room, f"The door {which} is open.")


async def close_door(room: Room, words: Words) -> Result:
    """Always works."""
    which = words.text("WHICH", _FIRST_DOOR)
    room.vehicle.close_door(DOORS[which])
    return await _seen(room, f"The door {which} is closed.")


async def open_boot(room: Room, _: Words) -> Result:
    """Locked, it does not open."""
    if not room.vehicle.open_boot():
        raise _refused("boot open", "it is locked. Unlock with a phone, or `key unlock`.")
    return await _seen(room, "The boot is open.")


async def close_boot(room: Room, _: Words) -> Result:
    """Ajar, it does not close."""
    if not room.vehicle.close_boot():
        raise _refused("boot close", "it is ajar and does not latch. `fault clear boot` mends it.")
    return await _seen(room, "The boot is closed.")


async def unlock_with_key(room: Room, _: Words) -> Result:
    """The vehicle key works whatever the module says (ACC-9)."""
    room.vehicle.use_key(KeyButton.UNLOCK)
    return await _seen(room, "Unlocked with the vehicle key.")


async def lock_with_key(room: Room, _: Words) -> Result:
    """The same."""
    room.vehicle.use_key(KeyButton.LOCK)
    return await _seen(room, "Locked with the vehicle key.")


async def put_keys(room: Room, words: Words) -> Result:
    """Vehicle keys that lie in the car."""
    keys = words.whole("N")
    room.vehicle.put_keys(keys)
    return await _seen(room, f"{keys} vehicle keys are in the car." if keys != 1 else "A vehicle key is in the car.")


# ---------------------------------------------------------------- driving
async def ignition_on(room: Room, words: Words) -> Result:
    """The immobiliser may refuse."""
    if not room.vehicle.turn_ignition(True, with_key=words.has("with-key")):
        raise _refused("ignition on", "the immobiliser is armed. Enable driving with a phone, or add --with-key.")
    return await _seen(room, "The ignition is on.")


async def ignition_off(room: Room, _: Words) -> Result:
    """Always works."""
    room.vehicle.turn_ignition(False)
    return await _seen(room, "The ignition is off.")


async def drive(room: Room, words: Words) -> Result:
    """On along the present route, or straight to a place."""
    car, speed_kmh = room.vehicle, words.number("KMH", DEFAULT_SPEED_KMH)
    to = words.many("to")
    if to:
        latitude, longitude = (float(str(each)) for each in to)
        drives = car.drive_to(Waypoint(latitude, longitude), speed_kmh)
        where = f" to {latitude:.6f}, {longitude:.6f}"
    else:
        drives, where = car.drive(speed_kmh=speed_kmh), ""
    if not drives:
        seen = car.snapshot()
        if seen.ignition_on and seen.fuel_pct <= 0:
            raise _refused("drive", "the tank is empty. Type `refuel`.")
        why = "it is there already" if seen.ignition_on else "the engine does not run"
        raise _refused("drive", f"{why}. Type `ignition on` first, or another place.")
    return await _seen(room, f"The car drives at {speed_kmh:g} km/h{where}.")


async def stop(room: Room, _: Words) -> Result:
    """The ignition stays on."""
    room.vehicle.stop()
    return await _seen(room, "The car brakes; the ignition stays on.")


async def park(room: Room, _: Words) -> Result:
    """Then the ignition goes off."""
    room.vehicle.park()
    return await _seen(room, "The car brakes, then the ignition goes off.")


async def refuel(room: Room, _: Words) -> Result:
    """Wherever it stands."""
    room.vehicle.refuel()
    return await _seen(room, "The tank is full.")


# ---------------------------------------------------------------- the bus
async def set_signal(room: Room, words: Words) -> Result:
    """The bus tells this, whatever the car does."""
    field, word = words.text("SIGNAL"), words.text("VALUE")
    try:
        value = signals.read(field, word)
    except ValueError as error:
        raise DeskError(DeskCode.USAGE, f"`vehicle set {field}`: {word!r}: {error}. A value, or `unknown`.") from None
    room.vehicle.override(field, value)
    return await _seen(room, f"The bus tells {field} = {value}, until `vehicle release {field}`.")


async def release_signals(room: Room, words: Words) -> Result:
    """The bus tells the truth again."""
    fields = [str(each) for each in words.many("SIGNAL")]
    for field in fields:
        room.faults.clear(f"signal {field} hidden")
    room.vehicle.release(*fields)
    return await _seen(room, f"The bus tells the truth about {', '.join(fields)}.")


async def hide_signals(room: Room, words: Words) -> Result:
    """The bus tells nothing about these."""
    fields = [str(each) for each in words.many("SIGNAL")]
    room.vehicle.hide(*room.vehicle.hidden, *fields)
    return await _seen(room, f"The bus tells nothing about {', '.join(fields)}.")


_WHICH: Final = (Parameter("WHICH", kinds.one_of("DOOR", *DOORS), optional=True),)
_SIGNALS: Final = (Parameter("SIGNAL", signals.SIGNAL, many=True),)
_DEGREES: Final = (
    Parameter("LAT", Kind[object]("LAT", kinds.number(-90, 90))),
    Parameter("LON", Kind[object]("LON", kinds.number(-180, 180))),
)
_DO: Final = Level.OPERATE

COMMANDS: Final = (
    Command(
        ("vehicle", "set"),
        _DO,
        "the bus tells this, whatever the car does",
        set_signal,
        (Parameter("SIGNAL", signals.SETTABLE), Parameter("VALUE", kinds.text("VALUE"))),
    ),
    Command(("vehicle", "release"), _DO, "the bus tells the truth again", release_signals, _SIGNALS),
    Command(("vehicle", "hide"), _DO, "the bus tells nothing about these", hide_signals, _SIGNALS),
    Command(("door", "open"), _DO, "open a door", open_door, _WHICH, (Option("inside"),)),
    Command(("door", "close"), _DO, "close it", close_door, _WHICH),
    Command(("boot", "open"), _DO, "open the boot", open_boot),
    Command(("boot", "close"), _DO, "close it", close_boot),
    Command(("key", "unlock"), _DO, "with the vehicle key", unlock_with_key),
    Command(("key", "lock"), _DO, "with the vehicle key", lock_with_key),
    Command(
        ("keys",),
        _DO,
        "so many vehicle keys lie in the car",
        put_keys,
        (Parameter("N", Kind[object]("N", kinds.whole(0, MOST_KEYS), lambda: ("0", "1", "2"))),),
    ),
    Command(("ignition", "on"), _DO, "if the immobiliser lets it", ignition_on, (), (Option("with-key"),)),
    Command(("ignition", "off"), _DO, "switch it off", ignition_off),
    Command(
        ("drive",),
        _DO,
        "on along the route, or straight to a place",
        drive,
        (Parameter("KMH", Kind[object]("KMH", kinds.number(1, _MOST_KMH)), optional=True),),
        (Option("to", _DEGREES),),
    ),
    Command(("stop",), _DO, "brake; the ignition stays on", stop),
    Command(("park",), _DO, "brake, then switch the ignition off", park),
    Command(("refuel",), _DO, "fill the tank", refuel),
)
