"""What a command may touch: the stand, and who wants to hear of it. Decides what is missing when something is."""

from firmware.bench.grammar import Grammar
from firmware.bench.results import Data, DeskCode, DeskError, Happening
from firmware.bench.stand import Stand
from firmware.bench.taps import Taps
from firmware.bench.words import phase_word
from firmware.core.state import State
from firmware.pump import Pump
from firmware.simulated.vehicle import SimulatedVehicle


class Room:
    """One bench. `news` hears what happens."""

    def __init__(self, stand: Stand, grammar: "Grammar[Room]") -> None:
        self.stand = stand
        self.grammar = grammar
        self.news: Taps[Happening] = Taps()

    @property
    def pump(self) -> Pump:
        """The module at work. Raises DeskError NO_POWER."""
        if self.stand.pump is None:
            raise DeskError(DeskCode.NO_POWER, "the module is off: it has no power. Type `power on`.")
        return self.stand.pump

    @property
    def state(self) -> State:
        """What the module knows. Raises DeskError NO_POWER."""
        return self.pump.state

    @property
    def vehicle(self) -> SimulatedVehicle:
        """The simulated car. Raises DeskError NOT_HERE."""
        if self.stand.vehicle is None:
            raise DeskError(
                DeskCode.NOT_HERE, "this car is not simulated: nobody can move it from here. Go to the car."
            )
        return self.stand.vehicle

    def tell(self, kind: str, data: Data, line: str) -> None:
        """Something has happened."""
        self.news(Happening(self.stand.time.utc_ms(), kind, data, line))

    def prompt(self) -> str:
        """`sharebox active 2026-10-30 10:00:00> `"""
        pump = self.stand.pump
        return "sharebox off" if pump is None else f"sharebox {phase_word(pump.state)}"
