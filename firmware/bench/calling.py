"""Commands for what a car tells besides its signals: crash sensors, the emergency button, the network that serves it.

Decides nothing about what becomes of it.
"""

from typing import Final

from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.kinds import whole
from firmware.bench.levels import Level
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room

NONE: Final = "none"
LEAST_MCC: Final = 200
MOST_MCC: Final = 799
_WELL_KNOWN: Final = ("206", "270", "262", "208", "204", "310")
"""Belgium, Luxembourg, Germany, France, the Netherlands, the United States: to choose from."""


def country(word: str) -> int | None:
    """`none`, or a mobile country code. Raises ValueError."""
    return None if word == NONE else whole(LEAST_MCC, MOST_MCC)(word)


async def serve(room: Room, words: Words) -> Result:
    """From now on, also after a reboot."""
    mcc = words.get("MCC")
    assert isinstance(mcc, int | None)
    room.vehicle.serve(mcc)
    line = "No mobile network serves the car." if mcc is None else f"A network of the country {mcc} serves the car."
    return Result("network", {"mcc": mcc}, (line,))


async def crash(room: Room, _: Words) -> Result:
    """The car stands at once."""
    room.vehicle.crash()
    return _told(room, "crash", "The car has crashed: it stands, and its sensors have spoken.")


async def press(room: Room, _: Words) -> Result:
    """Somebody in the car wants help."""
    room.vehicle.press_emergency()
    return _told(room, "emergency", "The emergency button was pressed. `emergency cancel` takes it back for a while.")


async def cancel(room: Room, _: Words) -> Result:
    """Pressed by mistake."""
    room.vehicle.cancel_emergency()
    return _told(room, "emergency", "It was taken back.")


async def answer(room: Room, _: Words) -> Result:
    """The emergency centre has the call."""
    number = room.emergency.answer()
    if number is None:
        raise DeskError(DeskCode.FAILED, "`emergency answer`: nobody has called, or nobody hears it. Type `emergency`.")
    return Result("emergency", {"answered": number}, (f"The emergency centre has call {number}.",))


def _told(room: Room, kind: str, line: str) -> Result:
    powered = room.stand.pump is not None
    data: Data = {"told": powered}
    return Result(kind, data, (line,) if powered else (line, "The module is off: nobody has heard it."))


_DO: Final = Level.OPERATE
_MCC: Final = Parameter("MCC", Kind[object](f"MCC|{NONE}", country, lambda: (*_WELL_KNOWN, NONE)))

COMMANDS: Final = (
    Command(("network",), _DO, "which country's mobile network serves the car", serve, (_MCC,)),
    Command(("crash",), _DO, "the car crashes, and its sensors speak", crash),
    Command(("emergency", "press"), _DO, "press the emergency button", press),
    Command(("emergency", "cancel"), _DO, "and take it back", cancel),
    Command(("emergency", "answer"), _DO, "as the emergency centre: it has the call", answer),
)
