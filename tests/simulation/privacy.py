"""The auditor of places: who may know where the car is, and was (PRV-1 to PRV-3, PRV-6, OWN-4)."""

from typing import TYPE_CHECKING

from protocol.errors import Role
from tests.simulation.ingest import place_of

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor


class Privacy:
    """Looks at what leaves one module."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.secret: set[int] = set()
        """Places that were visited during somebody else's booking, or with another owner."""
        self.was_hidden = False
        self.was_connected = False
        self.settled_since = 0
        """Since when this has been so while connected."""
        self.owed = False
        """Whether a driver's booking has ended and the module knew where."""

    @property
    def hidden(self) -> bool:
        """Whether somebody who is not the owner has the car."""
        booking = self.auditor.ram.booking
        return booking is not None and booking.role is not Role.OWNER

    def may_be_told(self, *, owed: bool) -> None:
        """A booking is over: where the car is parked, or was last seen, is told."""
        self.secret -= {self.auditor.world.car.place, self.auditor.seen_at}
        self.owed = owed

    def another_owner(self) -> None:
        """Where the car was before is nobody's business any more (OWN-4)."""
        world = self.auditor.world
        self.secret |= set(range(world.car.place)) - {world.car.place, self.auditor.seen_at}
        self.owed = False
        self.settled_since = world.heap.now

    def retained(self) -> None:
        """PRV-2, PRV-3: a minute after somebody else has got the car no position of it is retained any more; a minute
        after he has given it back the parking position is, if it was known."""
        world = self.auditor.world
        broker, now = world.broker, world.heap.now
        connected = world.device.powered and world.device.state.broker_connected and broker.up
        if not (connected and self.was_connected) or self.hidden != self.was_hidden:
            self.settled_since, self.was_hidden, self.was_connected = now, self.hidden, connected
        elif now - self.settled_since <= 60_000:
            return
        elif self.hidden and broker.retained:
            self.auditor.fail("position_still_retained", "a minute into somebody's booking")
        elif self.owed and not self.hidden and not broker.retained:
            self.auditor.fail("parking_not_reported", "a minute after the end, connected")

    def comes_to(self, place: int) -> None:
        """The car has come to another place."""
        if self.hidden:
            self.secret.add(place)

    def arrives(self, channel: str, payload: bytes) -> None:
        """PRV-1: nothing that reveals a position comes after a booking has begun."""
        if self.hidden and b"Latitude" in payload:
            self.auditor.fail("position_during_a_booking", f"on {channel}, sent before it began")

    def published(self, channel: str, payload: bytes) -> None:
        """PRV-1, PRV-6: something goes to where the owner can read it."""
        self.auditor.subscriber.leaves(channel)
        if b"Latitude" in payload:
            if self.hidden:
                self.auditor.fail("position_during_a_booking", f"on {channel}")
            place = place_of(payload)
            if place in self.secret:
                self.auditor.fail("secret_place_told", f"place {place} on {channel}: of a booking, or another owner's")
        for word in (b"peed", b"eading", b"treet", b"ongitude" if b"Latitude" not in payload else b"\0"):
            if word in payload:
                self.auditor.fail("track_can_be_rebuilt", f"{word!r} on {channel}")
