"""Every command of the desk, each written once. Order is the order of the help."""

from typing import Final

from firmware.bench import (
    calling,
    driving,
    keeping,
    looking,
    menu,
    ordering,
    owner,
    possible,
    recordings,
    standing,
    surroundings,
    timing,
)
from firmware.bench.grammar import Command
from firmware.bench.room import Room

COMMANDS: Final[tuple[Command[Room], ...]] = (
    *looking.COMMANDS,
    *possible.COMMANDS,
    *standing.COMMANDS,
    *owner.COMMANDS,
    *ordering.COMMANDS,
    *driving.COMMANDS,
    *calling.COMMANDS,
    *menu.COMMANDS,
    *timing.COMMANDS,
    *surroundings.COMMANDS,
    *keeping.COMMANDS,
    *recordings.COMMANDS,
)
