"""The auditor of ownership, from docs/requirements.md and the truth alone (OWN-1 to OWN-5, SUB-1, SUB-3).

Whose car it is changes by an order that the backend signed, all at once, and never while somebody has the car; a
takeover needs three minutes in which the car stands still, is connected and has both keys in it.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from firmware.core.effects import Effect, Persist
from firmware.core.events import BrokerLost, Event, OrderReceived, VehicleSampled
from firmware.core.state import Durable, State
from protocol.errors import Role
from protocol.orders import Coupling, Order, OrderKind, Place, Removal
from protocol.tokens import Booking, RevocationList

if TYPE_CHECKING:
    from tests.simulation.auditor import Auditor

PREPARES_MS: Final = 180_000
YEAR_S: Final = (365 * 86_400, 366 * 86_400)
MOST_DRIVERS: Final = 10


class Realm(NamedTuple):
    """Whose car it is. `owner` is empty on a bench, and of a car that nobody owns."""

    coupled: bool = True
    owner: bytes = b""
    epoch: int = 1


class Deeds:
    """Looks at who owns one car."""

    def __init__(self, auditor: "Auditor") -> None:
        self.auditor = auditor
        self.ram = Realm()
        self.disk = Realm()
        self.taking: tuple[Coupling, int] | None = None
        """The takeover that was ordered last in this life, and when (the module's time)."""
        self.broken_at = -1
        """When the car last was not as a takeover needs it."""
        self.keys_at = -1
        self.changes = False
        """Whether the car changes hands in this step."""

    def booting(self, stored: Durable | None) -> None:
        """A takeover that was going on is not any more; who owned the car still does."""
        self.taking, self.broken_at, self.keys_at = None, 0, -1
        profile = self.auditor.world.device.profile
        if stored is None:
            self.disk = Realm(profile.coupled, b"", profile.key_epoch)
        self.ram = self.disk

    def card_replaced(self, stored: Durable) -> None:
        """Another card: the epoch never falls."""
        if stored.key_epoch < self.disk.epoch:
            self.auditor.fail("epoch_fell", "with the card")
        self.disk = _of(stored)
        if stored.ownership.number == 0:
            self.disk = self.disk._replace(coupled=self.auditor.world.device.profile.coupled)
        self.auditor.world.estate.changed(self.disk.owner, self.disk.coupled, self.disk.epoch)

    def power_lost(self) -> None:
        """What was not durable is gone."""
        self.ram = self.disk

    def hears(self, event: Event) -> None:
        """A fact is about to be told."""
        mono = self.auditor.world.device.mono
        match event:
            case OrderReceived(Order(kind=OrderKind.TAKE_OVER, details=Coupling() as details)):
                if self.taking is None or self.taking[0] != details or self.broken_at >= self.taking[1]:
                    self.taking = details, mono
            case BrokerLost():
                self.broken_at = mono
            case VehicleSampled(keys_present=keys):
                if self.keys_at >= 0 and mono - self.keys_at > 2_500:
                    self.broken_at = mono
                self.keys_at = mono
                if keys is None or keys < 2 or self.auditor.parked_for() < 5_000:
                    self.broken_at = mono
            case _:
                pass

    # ------------------------------------------------------------ each step
    def committed(self, durable: Durable) -> None:
        """The disk has it: all of a change of owner, or nothing."""
        after, before = _of(durable), self.disk
        if after.epoch < before.epoch:
            self.auditor.fail("epoch_fell", f"from {before.epoch} to {after.epoch}")
        if len(durable.drivers) > MOST_DRIVERS:
            self.auditor.fail("unbounded", "more than ten drivers")
        gone = before.coupled and (after.owner != before.owner or not after.coupled)
        if gone:
            self._wiped(durable, after, before)
        self.disk = after
        if after.owner != before.owner or after.coupled != before.coupled:
            self.auditor.afar.newest = 0
            self.auditor.done = []  # what was done for the old owner is nobody else's to ask
        if after != before:
            self.auditor.world.estate.changed(after.owner, after.coupled, after.epoch)

    def _wiped(self, durable: Durable, after: Realm, before: Realm) -> None:
        """OWN-4, OWN-5: nothing of the old owner is left."""
        left = [
            name
            for name, holds in (
                ("keys", bool(durable.keys)),
                ("a booking", int(durable.trip.phase) in (1, 2, 3)),
                ("drivers", bool(durable.drivers)),
                ("a key that drives", durable.driver_key is not None),
                ("released", durable.drive_enabled),
                ("the retained position", durable.slot.point is not None),
                ("his home", durable.ownership.home is not None),
                ("the keys' epoch", after.epoch <= before.epoch),
            )
            if holds
        ]
        if left:
            self.auditor.fail("left_of_the_old_owner", ", ".join(left))

    def adopted(self, event: Event, before: State | None, state: State, effects: tuple[Effect, ...]) -> None:
        """The module has decided."""
        old, new = self.ram, _of(state.durable)
        self.ram = new
        self.changes = before is not None and (new.owner, new.coupled) != (old.owner, old.coupled)
        if before is None or old == new:
            return
        if not any(isinstance(effect, Persist) and effect.required for effect in effects):
            self._unless_raised(old, new, "without waiting for the disk")
        if new.owner == old.owner and new.coupled == old.coupled:
            self._unless_raised(old, new, "the epoch rises")
            return
        self.auditor.world.reach(f"owner: {'removed' if not new.coupled else 'taken' if old.coupled else 'coupled'}")
        if not new.coupled:
            self._removed(old)
        elif old.coupled:
            self._taken(new)
        else:
            self._coupled(new, state.durable)
        self.auditor.privacy.another_owner()

    def _unless_raised(self, old: Realm, new: Realm, what: str) -> None:
        """A list may raise the epoch, which denies and waits for nothing."""
        signed = self.auditor.signed
        raised = isinstance(signed, RevocationList) and signed.min_key_epoch == new.epoch
        if not (raised and new == old._replace(epoch=new.epoch)):
            self.auditor.fail("changed_hands", f"{what}: {old} to {new}")

    def _details(self, kind: OrderKind) -> Coupling | Removal:
        signed, auditor = self.auditor.signed, self.auditor
        if not isinstance(signed, Order) or signed.kind is not kind:
            auditor.fail("changed_hands", f"and no order of the kind {kind.name}")
            raise AssertionError
        assert isinstance(signed.details, Coupling | Removal)
        if auditor.world.utc_ms - auditor.clock.late_ms() >= signed.expires_s * 1000:
            auditor.fail("late_order_carried_out", kind.name)
        return signed.details

    def _coupled(self, new: Realm, durable: Durable) -> None:
        """OWN-2, OWN-3, SUB-1."""
        details, vehicle = self._details(OrderKind.COUPLE), self.auditor.world.device.profile.vehicle
        assert isinstance(details, Coupling)
        if details.owner != new.owner:
            self.auditor.fail("changed_hands", "to another one than was ordered")
        if vehicle.vin and details.vin != vehicle.vin:
            self.auditor.fail("another_car_coupled", details.vin)
        if not vehicle.prepared:
            self.auditor.fail("coupled_unprepared", "without the option 5GE")
        if not self.auditor.clock.told:
            self.auditor.fail("coupled_without_time", "nobody has said the time since the boot")
        self._subscribed(durable)

    def _subscribed(self, durable: Durable) -> None:
        """SUB-1: one year, from now."""
        auditor, told = self.auditor, durable.subscription
        slack = (auditor.clock.early_ms() + auditor.clock.late_ms()) // 1000 + 2
        lasts = 0 if told is None else told.sharing_until_s - auditor.world.utc_ms // 1000
        if not YEAR_S[0] - slack <= lasts <= YEAR_S[1] + slack:
            auditor.fail("subscription_invented", f"of {lasts} s at the coupling")

    def _removed(self, old: Realm) -> None:
        """OWN-5."""
        details = self._details(OrderKind.REMOVE_OWNER)
        if old.owner and details.owner != old.owner:
            self.auditor.fail("changed_hands", "removed by somebody else")
        if self.auditor.ram.booking is not None:
            self.auditor.fail("removed_in_use", "a booking runs")

    def _taken(self, new: Realm) -> None:
        """OWN-4."""
        auditor, mono = self.auditor, self.auditor.world.device.mono
        if self.taking is None or self.taking[0].owner != new.owner:
            auditor.fail("changed_hands", "and nobody ordered a takeover")
            return
        since = max(self.taking[1], self.broken_at)
        if mono - since < PREPARES_MS:
            auditor.fail("taken_over_too_soon", f"{mono - since} ms after the conditions held")
        if mono - self.keys_at > 2_500 or auditor.parked_for() < 5_000:
            auditor.fail("taken_over_too_soon", "of a car of which nobody knows")
        if not auditor.world.device.state.broker_connected:
            auditor.fail("taken_over_too_soon", "without a connection")
        vehicle = auditor.world.device.profile.vehicle
        if vehicle.vin and self.taking[0].vin != vehicle.vin:
            auditor.fail("another_car_coupled", self.taking[0].vin)

    def begins(self, booking: Booking, durable: Durable) -> None:
        """A booking begins: `durable` as it was before."""
        fail = self.auditor.fail
        if not self.ram.coupled:
            fail("started_without_an_owner", booking.user.decode())
        if booking.key_epoch != self.ram.epoch:
            fail("old_owners_booking_started", f"epoch {booking.key_epoch}, and the car's is {self.ram.epoch}")
        if self.auditor.world.backend.account.get(booking.booking_id) not in (None, b"", self.ram.owner):
            fail("old_owners_booking_started", "signed for another owner")
        shares = booking.role in (Role.VIP, Role.DRIVER)
        if shares and booking.user not in durable.drivers and len(durable.drivers) >= MOST_DRIVERS:
            fail("eleventh_driver", booking.user.decode())

    def moves(self, what: str) -> None:
        """Something is opened or released for somebody."""
        if not self.ram.coupled:
            self.auditor.fail("moved_without_an_owner", what)

    def home(self, durable: Durable, before: Durable) -> None:
        """A home is told by an order, or gone with its owner."""
        if durable.ownership.home == before.ownership.home or durable.ownership.owner != before.ownership.owner:
            return
        signed = self.auditor.signed
        if not (isinstance(signed, Order) and signed.kind is OrderKind.HOME and isinstance(signed.details, Place)):
            self.auditor.fail("home_invented", repr(durable.ownership.home))


def _of(durable: Durable) -> Realm:
    return Realm(durable.ownership.coupled, durable.ownership.owner, durable.key_epoch)
