"""The people around the car: who they are, what they have booked, and who has to be asked.

Decides the backend's part as far as the page needs it: a driver's booking waits for the owner's yes, the others book at
once (BCK-1). Refuses to know whether the module will take a booking.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.handset import Handset
from firmware.demo.rig import Holder
from host_tools.bench.scenario import Scenario
from protocol.errors import Role
from protocol.tokens import Booking

BOOKED_S: Final = 2 * 3600


class Known(msgspec.Struct, frozen=True):
    """Somebody of the cast."""

    id: str
    name: str
    role: Role

    @property
    def words(self) -> str:
        """What they are to the car."""
        return {Role.OWNER: "owner", Role.VIP: "VIP driver"}.get(self.role, "driver")


CAST: Final = (
    Known("anna", "Anna", Role.DRIVER),
    Known("victor", "Victor", Role.VIP),
    Known("olivia", "Olivia", Role.OWNER),
)


def cast_of(scenario: Scenario) -> tuple[Known, ...]:
    """The people of a scenario; for one that has none, the usual ones stand by."""
    return tuple(Known(person.name, person.name.capitalize(), person.role) for person in scenario.people) or CAST


class Person:
    """One of them, with a phone."""

    def __init__(self, known: Known, holder: Holder, handset: Handset) -> None:
        self.known = known
        self.holder = holder
        self.handset = handset
        self.booking: Booking | None = None
        self.asks = False

    @property
    def books_alone(self) -> bool:
        """Owner and VIP drivers ask nobody."""
        return self.known.role is not Role.DRIVER


class People:
    """All of them; `book` mints a booking and gives it to the phone."""

    def __init__(self, persons: tuple[Person, ...], book: Callable[[Person], None]) -> None:
        self._persons = {person.known.id: person for person in persons}
        self._book = book
        self.current = persons[0]

    def __iter__(self) -> Iterator[Person]:
        return iter(self._persons.values())

    def choose(self, who: str) -> None:
        """Whose phone is looked at. Raises ActRefused."""
        person = self._persons.get(who)
        if person is None:
            raise ActRefused(f"nobody here is called {who}")
        self.current = person

    def ask(self) -> str:
        """The one with the phone wants the car: what became of it."""
        person = self.current
        if person.books_alone:
            self._book(person)
            return "the car is booked for two hours, from now"
        person.asks = True
        return "asks the owner for the car, for two hours"

    @property
    def asking(self) -> Person | None:
        """Who waits for the owner."""
        return next((person for person in self if person.asks), None)

    def answer(self, yes: bool) -> str:
        """The owner's answer, in words. Raises ActRefused when nobody has asked."""
        person = self.asking
        if person is None:
            raise ActRefused("nobody has asked for the car: a driver asks on the phone")
        person.asks = False
        if yes:
            self._book(person)
        return f"{'accepts' if yes else 'declines'} what {person.known.name} asked for"
