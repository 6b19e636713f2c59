"""The people, phones and the backend of a scenario while it is played, and the bench that it is played on.

Decides who holds which phone and which booking, and how the story's times become the module's.
"""

import os
from typing import Final

import msgspec

from host_tools.bench.answer import Answer
from host_tools.bench.bench import Bench, BenchFailed, BenchRefused
from host_tools.bench.handset import Handset
from host_tools.bench.scenario import Person, Scenario
from host_tools.bench.scenario_backend import CUSTOMER_BYTES, YEAR_S, Backend, Customer
from host_tools.bench.scenario_keychain import Keychain
from host_tools.bench.scenario_owner import COMMAND, OwnerView, Report, owner_view
from host_tools.bench.scenario_terms import Terms
from host_tools.phone.keyring import new_key
from host_tools.phone.links import PhoneLink
from protocol.tokens import Booking

OLD_PHONE: Final = "'s old phone"
_UNPLAYABLE: Final = frozenset({"UNKNOWN", "USAGE", "LEVEL", "NOT_HERE"})


class World:
    """Made when the bench is ready; `close` hangs everybody up."""

    def __init__(self, scenario: Scenario, bench: Bench, base_ms: int) -> None:
        self.scenario = scenario
        self.bench = bench
        self.people = {person.name: person for person in scenario.people}
        self.phones: dict[str, Handset] = {}
        self.bookings: dict[str, Booking] = {}
        self.strangers: list[PhoneLink] = []
        self.refused_by_desk = ""
        """The code with which the desk refused in this step, or nothing."""
        self._base_ms = base_ms
        self._now_s = scenario.begins_s
        self._made = 0
        self._owner: OwnerView | None = None
        self._told: list[Report] = []
        self.backend = Backend(bench.issuer, bench.identity, lambda: self.utc_s(self._now_s))
        self.keychain = Keychain(self.backend, self.utc_s, lambda: self._now_s)
        self.menu = ""
        """What the vehicle's menu answered last: a code, or nothing yet."""
        self.customers = {
            person.name: Customer(
                person.role, os.urandom(CUSTOMER_BYTES), person.permissions, os.urandom(CUSTOMER_BYTES)
            )
            for person in scenario.people
        }
        for person in scenario.people:
            self._equip(person)

    def _equip(self, person: Person) -> None:
        self.phones[person.name] = Handset(new_key(), lambda: self.bench.link(person.name))
        if person.has_key:
            self.give_key(person.name)
        for window in person.booked:
            self.give(person.name, window)

    async def close(self) -> None:
        """Hang up everywhere."""
        for phone in self.phones.values():
            await phone.leave()
        for link in self.strangers:
            await link.close()
        self.strangers.clear()

    # ------------------------------------------------------------ time
    def utc_s(self, at_s: int) -> int:
        """The module's UTC at a time of the story."""
        return self._base_ms // 1000 + at_s - self.scenario.begins_s

    @property
    def now_s(self) -> int:
        """Where the story is."""
        return self._now_s

    def reached(self, at_s: int) -> None:
        """The story is there now."""
        self._now_s = at_s

    def a_year_on(self) -> int:
        """UTC of a year from now."""
        return self.utc_s(self._now_s) + YEAR_S

    # ------------------------------------------------------------ bookings and phones
    def phone(self, who: str) -> Handset:
        """The phone of `anna`, or of `anna's old phone`."""
        return self.phones[who]

    def give(self, name: str, window: tuple[int, int]) -> None:
        """A new booking, on the person's phone at once."""
        phone = self.phones[name]
        utc = (self.utc_s(window[0]), self.utc_s(window[1]))
        booking = self.backend.book(self.customers[name], phone.key.public_key(), utc, phone.generation)
        self.bookings[name] = booking
        phone.shown = self.backend.file(booking)

    def give_key(self, name: str) -> None:
        """A standing key, on the person's phone at once."""
        self.keychain.give(name, self.customers[name], self.phones[name])

    def show(self, name: str, what: str) -> None:
        """From now on the phone shows the person's newest `key`, or `booking`."""
        phone = self.phones[name]
        phone.shown = self.keychain.file(name) if what == "key" else self.backend.file(self.booking(name))

    def share(self, owner: str, guest: str, terms: Terms) -> None:
        """The owner's phone signs a share; it is on the guest's phone at once."""
        self.keychain.share(owner, self.phones[owner].key, guest, self.phones[guest], terms)

    async def new_phone(self, name: str) -> None:
        """The person's next phone shows the same booking, or a new standing key; the old one keeps what it has."""
        old = self.phones[name]
        await old.leave()
        self._made += 1
        number = self._made
        new = Handset(new_key(), lambda: self.bench.link(f"{name}-{number}"), old.generation + 1)
        self.phones[name], self.phones[name + OLD_PHONE] = new, old
        if self.keychain.has_standing(name):
            self.give_key(name)
        if name in self.bookings:
            booking = self.backend.rebound(self.bookings[name], new.key.public_key(), new.generation)
            self.bookings[name] = booking
            new.shown = self.backend.file(booking)

    def booking(self, name: str) -> Booking:
        """The newest booking of a person. Raises BenchFailed for somebody who has none."""
        if name not in self.bookings:
            raise BenchFailed(f"{name} has no booking: the scenario never gave one. Add `booked` or give one.")
        return self.bookings[name]

    # ------------------------------------------------------------ the desk
    async def desk(self, command: str) -> Answer | None:
        """One line for the desk; None when it could not do it. Raises BenchFailed for what this bench can not play."""
        try:
            return await self.bench.control(command)
        except BenchRefused as error:
            if error.code in _UNPLAYABLE:
                raise BenchFailed(f"this bench cannot play `{command}`: {error}") from None
            self.refused_by_desk = error.code
            return None

    async def look(self, command: str) -> dict[str, object]:
        """What the desk tells of `command`; empty when the module is off."""
        try:
            return (await self.bench.control(command)).data
        except BenchRefused as error:
            if error.code == "NO_POWER":
                return {}
            raise BenchFailed(f"this bench cannot tell `{command}`: {error}") from None

    async def owner(self) -> OwnerView:
        """What the owner's side has been told so far; of the story, what has come since this was asked first."""
        view = owner_view(await self.look(COMMAND))
        self._told += view.news(self._owner or view)
        self._owner = view
        return msgspec.structs.replace(view, story=tuple(self._told))

    async def send(self, signed: bytes) -> bool:
        """Give the module what the backend signed, over its broker. False: it does not arrive."""
        try:
            await self.bench.control(f"order {signed.hex()}")
        except BenchRefused as error:
            if error.code in _UNPLAYABLE:
                raise BenchFailed(f"this bench cannot send an order: {error}") from None
            return False
        return True
