"""The people around the car: who they are, what is on their phones, and who has to be asked.

Decides the backend's part as far as the page needs it: a driver's booking and a guest's key wait for the owner's yes,
the others book at once (BCK-1). Refuses to know whether the module will take what they get.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from firmware.dashboard.acts import ActRefused
from firmware.dashboard.handset import Handset
from firmware.demo.rig import Holder
from host_tools.bench.scenario import Scenario
from protocol.errors import Role
from protocol.provisioning import PhoneFile
from protocol.sharing import Key
from protocol.tokens import Booking

BOOKED_S: Final = 2 * 3600


class Known(msgspec.Struct, frozen=True):
    """Somebody of the cast."""

    id: str
    name: str
    role: Role


CAST: Final = (
    Known("anna", "Anna", Role.DRIVER),
    Known("victor", "Victor", Role.VIP),
    Known("olivia", "Olivia", Role.OWNER),
    Known("ben", "Ben", Role.GUEST),
    Known("nora", "Nora", Role.OWNER),
)
"""Olivia owns the car; Nora has bought it, and it is still in Olivia's account."""
_WORDS: Final = {Role.VIP: "VIP driver", Role.GUEST: "guest", Role.SERVICE: "dealer"}


def cast_of(scenario: Scenario) -> tuple[Known, ...]:
    """The people of a scenario; for one that has none, the usual ones stand by."""
    return tuple(Known(person.name, person.name.capitalize(), person.role) for person in scenario.people) or CAST


class Person:
    """One of them, with a phone. `shown`: the newest that was put on it."""

    def __init__(self, known: Known, holder: Holder, handset: Handset) -> None:
        self.known = known
        self.holder = holder
        self.handset = handset
        self.shown: Booking | Key | None = None
        self.asks = False

    @property
    def booking(self) -> Booking | None:
        """What is shown, when it is a booking."""
        return self.shown if isinstance(self.shown, Booking) else None

    def hold(self, shown: Booking | Key | None, file: PhoneFile | None) -> None:
        """From now on the phone presents this."""
        self.shown, self.handset.file = shown, file


class Deals(Protocol):
    """What comes of it when people agree."""

    @property
    def owner(self) -> Person | None:
        """Who has the car in their account, and its key; None: nobody here."""

    def book(self, person: Person) -> None:
        """A booking, on the phone at once."""

    def share(self, person: Person) -> None:
        """A shared key, on the phone at once. Raises ActRefused."""

    def take_over(self, person: Person) -> None:
        """Order the takeover of the car."""


class People:
    """All of them."""

    def __init__(self, persons: tuple[Person, ...], deals: Deals) -> None:
        self._persons = {person.known.id: person for person in persons}
        self._deals = deals
        self.current = persons[0]

    def __iter__(self) -> Iterator[Person]:
        return iter(self._persons.values())

    def choose(self, who: str) -> None:
        """Whose phone is looked at. Raises ActRefused."""
        person = self._persons.get(who)
        if person is None:
            raise ActRefused(f"nobody here is called {who}")
        self.current = person

    def words(self, person: Person) -> str:
        """What they are to the car."""
        if person.known.role is Role.OWNER:
            return "owner" if self._owns(person) else "buyer"
        return _WORDS.get(person.known.role, "driver")

    def label(self) -> str:
        """What the one with the phone can ask for."""
        person = self.current
        if self.books_alone(person):
            return "Book 2 h"
        return {Role.OWNER: "Take over", Role.GUEST: "Ask for a key"}.get(person.known.role, "Ask for 2 h")

    def books_alone(self, person: Person) -> bool:
        """Owner and VIP drivers ask nobody."""
        return person.known.role is Role.VIP or (person.known.role is Role.OWNER and self._owns(person))

    def _owns(self, person: Person) -> bool:
        return self._deals.owner in (None, person)

    def ask(self) -> str:
        """The one with the phone wants the car: what became of it."""
        person = self.current
        if self.books_alone(person):
            self._deals.book(person)
            return "the car is booked for two hours, from now"
        if person.known.role is Role.OWNER:
            self._deals.take_over(person)
            return "takes the car over: both vehicle keys have to lie in it, parked, for three minutes"
        person.asks = True
        return f"asks the owner for {_wish(person)}"

    @property
    def asking(self) -> Person | None:
        """Who waits for the owner."""
        return next((person for person in self if person.asks), None)

    @property
    def asked(self) -> str:
        """The same as a sentence."""
        person = self.asking
        return "" if person is None else f"{person.known.name} asks for {_wish(person)}."

    def answer(self, yes: bool) -> str:
        """The owner's answer, in words. Raises ActRefused when nobody has asked."""
        person = self.asking
        if person is None:
            raise ActRefused("nobody has asked for anything: a driver or guest asks on the phone")
        person.asks = False
        if yes and person.known.role is Role.GUEST:
            self._deals.share(person)
        elif yes:
            self._deals.book(person)
        return f"{'accepts' if yes else 'declines'} what {person.known.name} asked for"


def _wish(person: Person) -> str:
    return "a key" if person.known.role is Role.GUEST else "the car, for two hours"
