"""What a command may touch: the stand, the news, the faults, the shelf. Decides what is missing when something is."""

from firmware.bench.calls import Calls
from firmware.bench.faults import Faults
from firmware.bench.grammar import Grammar
from firmware.bench.news import News
from firmware.bench.rescue import EmergencySwitch
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.shelf import Shelf
from firmware.bench.stand import Stand
from firmware.bench.switches import BrokerSwitch
from firmware.bench.words import phase_word
from firmware.core.state import State
from firmware.pump import Pump
from firmware.simulated.vehicle import SimulatedVehicle
from protocol.explain import duration


class Room:
    """One bench, shared by everybody at it."""

    def __init__(self, stand: Stand, grammar: "Grammar[Room]", shelf: Shelf) -> None:
        self.stand = stand
        self.grammar = grammar
        self.news = News(stand)
        self.calls = Calls(stand)
        self.faults = Faults(stand.time, self.news)
        self.shelf = shelf

    @property
    def pump(self) -> Pump:
        """The module at work. Raises DeskError NO_POWER."""
        if self.stand.pump is None:
            raise DeskError(DeskCode.NO_POWER, "the module is off: it has no power. Type `power on`.")
        return self.stand.pump

    def need_power(self) -> None:
        """Raises DeskError NO_POWER."""
        _ = self.pump

    @property
    def state(self) -> State:
        """What the module knows. Raises DeskError NO_POWER."""
        return self.pump.state

    @property
    def now(self) -> int:
        """The module's monotonic time."""
        return self.stand.time.monotonic_ms()

    @property
    def vehicle(self) -> SimulatedVehicle:
        """The simulated car. Raises DeskError NOT_HERE."""
        if self.stand.vehicle is None:
            raise DeskError(
                DeskCode.NOT_HERE, "this car is not simulated: nobody can move it from here. Go to the car."
            )
        return self.stand.vehicle

    @property
    def broker(self) -> BrokerSwitch:
        """The way to the broker. Raises DeskError NOT_HERE."""
        if self.stand.broker is None:
            raise DeskError(
                DeskCode.NOT_HERE,
                'this module has no broker: none is configured. Set `uplink = "recorded"` in [bench].',
            )
        return self.stand.broker

    @property
    def emergency(self) -> EmergencySwitch:
        """The line to the emergency centre. Raises DeskError NOT_HERE."""
        if self.stand.emergency is None:
            raise DeskError(
                DeskCode.NOT_HERE,
                'this module has no line to an emergency centre. Set `uplink = "recorded"` in [bench].',
            )
        return self.stand.emergency

    def prompt(self) -> str:
        """`sharebox active, 1 h 29 min 59 s left`."""
        pump, rate = self.stand.pump, self.stand.time.rate
        if pump is None:
            return "sharebox off"
        words = phase_word(pump.state)
        if pump.state.durable.trip.running:
            left_ms = pump.state.end_at_ms - self.now
            words += f", {duration(left_ms)} left" if left_ms > 0 else f", {duration(-left_ms)} late"
        driver = pump.state.durable.driver_key
        if driver is not None:
            words += f", {f'{driver.name} drives' if driver.name else 'a key drives'}"
        if rate not in (0, 1):
            words += f", time x{rate:g}"
        return f"sharebox {words}"
