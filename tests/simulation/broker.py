"""The broker, and the backend behind it: what arrives in which order, what is retained, and what the backend signs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from firmware.core.events import OrderReceived
from firmware.core.reporting import Message
from protocol.errors import Role
from protocol.orders import Details, Ending, Order, OrderKind, Subscription
from protocol.sharing import Deletion, Key
from protocol.tokens import Booking, RevocationList, TimeAttestation
from tests.simulation.uplink import reports

if TYPE_CHECKING:
    from tests.simulation.world import World

NOTICED_AFTER_MS: Final = 500

EPOCH: Final = 1
MOST_LISTED: Final = 20


class Broker:
    """One connection of one module."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.up = True
        self.latency_ms = 160
        """From a publication to its acknowledgement; it arrives half-way."""
        self._latest_at = 0
        self.session = 0
        """Counts the connections: an acknowledgement of an earlier one never comes."""
        self.broken = False
        """Whether the connection is dead, though nobody has noticed: nothing that is sent on it ever arrives."""
        self.retained = b""
        self.held: list[Order | RevocationList] = []

    def publish(self, message: Message, done: Callable[[bool], None]) -> None:
        """Take a message; `done` says whether it was acknowledged."""
        heap, session = self.world.heap, self.session
        device, life = self.world.device, self.world.device.life

        def arrives() -> None:
            if self.up and self.session == session:
                for channel, report in reports(message):
                    if device.powered and device.life == life:
                        # Without power nobody can take back what has left.
                        self.world.auditor.privacy.arrives(channel, report)
                    self.world.ingest.arrived(channel, report, life)
                if message.channel == "position":
                    self.retained = message.payload

        def acknowledged() -> None:
            done(self.up and self.session == session)

        if not self.up or self.broken:
            heap.after(NOTICED_AFTER_MS, lambda: done(False))
            return
        # One connection: nothing overtakes what was sent before, whatever becomes of the latency.
        self._latest_at = max(heap.now + self.latency_ms // 2, self._latest_at)
        heap.after(self._latest_at - heap.now, arrives)
        heap.after(self._latest_at - heap.now + self.latency_ms // 2, acknowledged)

    def order(self, signed: Order | RevocationList) -> None:
        """The backend has signed something for the module; it waits while there is no connection."""
        device = self.world.device
        if self.up and device.powered and device.state.broker_connected:
            device.in_this_life(100, lambda: self._deliver(signed))
        elif len(self.held) < 20:
            self.held.append(signed)

    def _deliver(self, signed: Order | RevocationList) -> None:
        self.world.device.tell(OrderReceived(signed))

    def release(self) -> None:
        """The connection stands: what waited comes, the last first, for nobody promised an order."""
        held, self.held = self.held, []
        for signed in reversed(held):
            self.order(signed)


class Backend:
    """It signs truly: its clock is right and it never lies. Identifiers count up."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.bookings: list[Booking] = []
        self.orders: list[Order] = []
        self.lists: list[RevocationList] = []
        self.attestations: list[TimeAttestation] = []
        self.revoked: tuple[tuple[bytes, int], ...] = ()
        self.fading: tuple[tuple[bytes, int, int], ...] = ()
        self.epoch = EPOCH
        """The car's keys, as the backend knows them."""
        self.account: dict[bytes, bytes] = {}
        """Of each booking: whose car it was when it was signed."""
        self._count = 0
        self._subscriptions = 0

    def number(self) -> int:
        """The next identifier."""
        self._count += 1
        return self._count

    def booking(self, user: str, role: Role, begins_ms: int, ends_ms: int, **changes: object) -> Booking:
        """Mint a booking; times are true times since the world began."""
        number = self.number()
        base = self.world.base_ms
        begins_s, ends_s = (base + begins_ms) // 1000, (base + ends_ms) // 1000
        values: dict[str, object] = {
            "token_id": number.to_bytes(16, "big"),
            "booking_id": (number + 1_000_000).to_bytes(16, "big"),
            "not_before_s": begins_s,
            "ends_at_s": ends_s,
            "expires_s": ends_s + 1800,
            "issued_s": min(begins_s, self.world.utc_ms // 1000),
            "module_id": self.world.device.profile.module_id,
            "role": role,
            "permissions": 15,
            "key_epoch": self.epoch,
            "user": user.encode().ljust(8, b"_"),
            "delegation_depth": 0,
            "device_generation": 1,
            "holder": b"\x02" + number.to_bytes(32, "big"),
        }
        booking = Booking(**(values | changes))  # type: ignore[arg-type]
        self.bookings.append(booking)
        self.account[booking.booking_id] = self.world.estate.owner
        return booking

    def end_order(self, booking: Booking) -> Order:
        """An order to end it, good for an hour."""
        now_s = self.world.utc_ms // 1000
        order = Order(
            self.number().to_bytes(16, "big"),
            OrderKind.END_BOOKING,
            booking.module_id,
            now_s,
            now_s + 3600,
            Ending(booking.booking_id, booking.expires_s),
        )
        self.orders.append(order)
        return order

    def from_afar(self, kind: OrderKind, ttl_s: int) -> Order:
        """An order to do something to the car, or to tell how it is."""
        return self.signed(kind, None, ttl_s)

    def signed(self, kind: OrderKind, details: Details | None, ttl_s: int) -> Order:
        """Any order."""
        now_s = self.world.utc_ms // 1000
        order = Order(self.number().to_bytes(16, "big"), kind, self._module_id, now_s, now_s + ttl_s, details)
        self.orders.append(order)
        return order

    def next_subscription(self) -> int:
        """The number of the next subscription."""
        self._subscriptions += 1
        return self._subscriptions

    def subscribe(self, sharing_ms: int, remote_ms: int, *, paused: bool = False) -> Order:
        """What the owner has paid for from now on, each for so long; a higher number each time. Good for a day."""
        now_s = self.world.utc_ms // 1000
        number = self.next_subscription()
        told = Subscription(number, now_s + sharing_ms // 1000, now_s + remote_ms // 1000, paused)
        return self.signed(OrderKind.SUBSCRIPTION, told, 86_400)

    @property
    def _module_id(self) -> bytes:
        return self.world.device.profile.module_id

    def revoke(self, booking: Booking) -> RevocationList:
        """A newer list, with this booking's token on it."""
        self.revoked = (*self.revoked, (booking.token_id, booking.expires_s))[-MOST_LISTED:]
        return self._listed()

    def delete(self, key: Key, policy: Deletion) -> RevocationList:
        """A newer list, on which the main user has deleted a shared key."""
        others = tuple(entry for entry in self.fading if entry[0] != key.token_id)
        if policy is Deletion.IMMEDIATE:
            self.revoked, self.fading = (*self.revoked, (key.token_id, key.expires_s))[-MOST_LISTED:], others
        else:
            self.fading = (*others, (key.token_id, int(policy), key.expires_s))[-MOST_LISTED:]
        return self._listed()

    def _listed(self) -> RevocationList:
        number, now_s = len(self.lists) + 1, self.world.utc_ms // 1000
        listed = RevocationList(self._module_id, number, now_s, self.epoch, self.revoked, fading=self.fading)
        self.lists.append(listed)
        return listed

    def attest(self, nonce: bytes) -> TimeAttestation:
        """The time now, over a nonce."""
        attestation = TimeAttestation(self.world.device.profile.module_id, nonce, self.world.utc_ms // 1000)
        self.attestations.append(attestation)
        return attestation
