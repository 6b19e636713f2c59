"""The owner's side and the backend behind it: what is granted, what is ordered, and what waits at the broker.

Decides the backend's part as far as the page needs it. Refuses to decide whether the module will take any of it.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from firmware.bench.loopback import LoopbackBroker
from firmware.dashboard.acts import ActRefused
from firmware.dashboard.keyring import Keyring
from firmware.dashboard.owner import OwnersView
from firmware.dashboard.people import BOOKED_S, Person
from firmware.demo.rig import Rig
from protocol.telemetry import Channel, topic

MOST_ORDERS: Final = 32
_LATE: Final = "; it waits at the broker until the module is online"


class Office:
    """As `people.Deals`. `tell`: a line of the log, and its weight. `code`: what the owner has to tell a guest, empty
    once somebody has used it or there is none."""

    def __init__(
        self, rig: Rig, broker: LoopbackBroker, view: OwnersView, keyring: Keyring, tell: Callable[[str, str], None]
    ) -> None:
        self.code = ""
        self._rig = rig
        self._broker = broker
        self._view = view
        self._keyring = keyring
        self._tell = tell
        self._orders: deque[bytes] = deque(maxlen=MOST_ORDERS)
        """A broker keeps them for a module that is away."""
        self._buyer: Person | None = None

    @property
    def owner(self) -> Person | None:
        """As Deals."""
        return self._keyring.owner

    def book(self, person: Person) -> None:
        """As Deals."""
        booking, file = self._rig.book(person.holder, lasts_s=BOOKED_S, key_epoch=self._keyring.key_epoch)
        person.hold(booking, file)
        self._tell(f"{person.known.name} has a booking for two hours, from now", "news")

    def share(self, person: Person) -> None:
        """As Deals. The code is for the owner's eyes; it is in no line that is kept."""
        code = self._keyring.share(person)
        self.code = f"{person.known.name}’s code is {code}: it is entered in the vehicle’s menu."  # noqa: RUF001
        self._tell(f"{person.known.name} has a key, and needs the code for it", "news")

    def take_over(self, person: Person) -> None:
        """As Deals."""
        self._buyer = person
        self._order(self._keyring.takeover(person), f"{person.known.name} orders the takeover of the car")

    def end(self, person: Person | None) -> None:
        """Order the end of somebody's booking. Raises ActRefused when there is none."""
        if person is None or person.booking is None:
            raise ActRefused("there is no booking to end")
        signed = self._rig.issuer.end_order(person.booking, now_s=self._rig.now_s)
        self._order(signed, f"orders the end of {person.known.name}'s booking")

    def learn(self) -> None:
        """What the car has told since: a newer epoch says that it has changed hands."""
        epoch, buyer = self._view.key_epoch, self._buyer
        if epoch is None or epoch <= self._keyring.key_epoch:
            return
        self._keyring.key_epoch, self._buyer, self.code = epoch, None, ""
        if buyer is not None:
            self._keyring.give(buyer)
            self._tell(f"{buyer.known.name} owns the car now, and has a key", "news")

    def _order(self, signed: bytes, words: str) -> None:
        self._orders.append(signed)
        self.deliver()
        self._tell(f"{words}{_LATE if self._orders else ''}", "news")

    def deliver(self) -> None:
        """What waits goes to the module, if there is a way."""
        network, name = self._rig.rack.broker, topic(self._rig.provisioning.module_id, Channel.ORDER)
        if network is None or not network.is_up:
            return
        while self._orders and self._broker.deliver(name, self._orders[0], b""):
            self._orders.popleft()
