"""Everything the module knows. `Durable` survives a power cut, the rest of `State` dies with it.

The zero state is locked and start-inhibited: permission comes from a live booking, never from its absence.
"""

from enum import Enum, unique
from typing import Final

import msgspec

from firmware.core.clock import Clock
from firmware.core.events import VehicleSampled
from firmware.core.incidents import Asked, Call
from firmware.core.reports import Point
from firmware.core.usage import Head
from protocol.errors import Code, Refusal
from protocol.messages import Operation, Phase
from protocol.orders import Coupling, Place, ServicePlan, Subscription
from protocol.sharing import Deletion, Key
from protocol.tokens import Booking

OUTCOMES_KEPT: Final = 64
"""ACC-7."""
DEAD_KEPT: Final = 256
"""Dead bookings remembered by name; older ones are covered by `Durable.dead_before_s`."""
ORDERS_KEPT: Final = 64
"""Orders whose outcome is remembered; older ones are covered by `Durable.orders_before_s`."""
USERS_KEPT: Final = 64
"""Users whose newest device is remembered (10 drivers, an owner, and room for those who left)."""

RUNNING: Final = frozenset({Phase.ACTIVE, Phase.OVERDUE, Phase.CUTOFF_PENDING})


KEYS_KEPT: Final = 16
"""Shared keys that are good or wait for their code."""
DEAD_KEYS_KEPT: Final = 128
"""Keys that were deactivated or deleted, by name; older ones are covered by `Durable.keys_before_s`."""
DRIVERS_KEPT: Final = 10
"""SUB-3."""


class Vehicle(msgspec.Struct, frozen=True):
    """What the dealer wrote down about the vehicle (OWN-2, KEY-9). `prepared`: it has the option 5GE; `digital_keys`:
    country, model and equipment allow them; `legal_ecall`: it has the mandatory EU eCall. `vin` empty: not known."""

    vin: str = ""
    market: str = ""
    prepared: bool = True
    digital_keys: bool = True
    legal_ecall: bool = False


class Profile(msgspec.Struct, frozen=True):
    """What provisioning fixed. `home`: degrees times 10^7. `floor_ms`: the time it was provisioned, UTC. `coupled`: an
    owner is taken for granted, as on a bench; otherwise nothing moves before one is coupled (OWN-1)."""

    module_id: bytes
    key_epoch: int = 0
    home: tuple[int, int] | None = None
    floor_ms: int = 0
    vehicle: Vehicle = Vehicle()
    coupled: bool = True


@unique
class EndReason(Enum):
    """Why a booking is dead, with the code its holder is told."""

    DRIVER = "driver"
    ORDER = "order"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"
    CUT_OFF = "cut off"
    CANCELLED = "cancelled"

    @property
    def code(self) -> Code:
        """The refusal that a phone with such a booking gets."""
        return _END_CODES[self]


_END_CODES: Final = {
    EndReason.DRIVER: Code.BOOKING_ENDED,
    EndReason.ORDER: Code.BOOKING_ENDED,
    EndReason.REVOKED: Code.TOKEN_REVOKED,
    EndReason.SUPERSEDED: Code.BOOKING_SUPERSEDED,
    EndReason.CUT_OFF: Code.BOOKING_CUT_OFF,
    EndReason.CANCELLED: Code.BOOKING_CANCELLED,
}


class DeadBooking(msgspec.Struct, frozen=True, gc=False):
    """A booking that never opens the car again (ACC-5). `numbers`: what decided it, for the refusal."""

    booking_id: bytes
    reason: EndReason
    expires_s: int
    issued_s: int
    numbers: tuple[tuple[str, int], ...] = ()


class Trip(msgspec.Struct, frozen=True, gc=False):
    """The booking in the car. Times in ms UTC; `end_requested`: an order that waits until the car is parked."""

    phase: Phase = Phase.NONE
    booking: Booking | None = None
    started_ms: int = 0
    ended_ms: int = 0
    warned: bool = False
    end_requested: EndReason | None = None
    end_point: Point | None = None
    end_distance_m: int | None = None

    @property
    def running(self) -> bool:
        """Whether a booking has the car."""
        return self.phase in RUNNING


class KnownKey(msgspec.Struct, frozen=True, gc=False):
    """A shared key that has been here. `number` is its place in the menu; `key` is without its sealed code; `code`: the
    print of its activation code; `tries`: wrong codes that were entered while it waited; `activated`: it needs no
    code, or no more."""

    number: int
    key: Key
    seen_ms: int
    code: bytes = b""
    tries: int = 0
    activated: bool = False


class Fading(msgspec.Struct, frozen=True, gc=False):
    """A shared key that the main user deleted and that goes on for a while, seen here or not. `at_ms`: when the module
    heard of it, UTC; `unlocked`: of unlock-then-lock with a vehicle key the first half has happened since."""

    token_id: bytes
    policy: Deletion
    expires_s: int
    at_ms: int
    unlocked: bool = False


class DeadKey(msgspec.Struct, frozen=True, gc=False):
    """A key that never opens the car again, and the code that its holder is told."""

    token_id: bytes
    code: Code
    expires_s: int
    issued_s: int


class Ownership(msgspec.Struct, frozen=True, gc=False):
    """Whose car it is (OWN-3). `owner` and `person` are empty on a bench where nobody was named; `number`: of the last
    order about ownership; `home` replaces that of the profile once there was an owner by order, or an order about the
    home, issued at `home_set_s`."""

    coupled: bool = True
    owner: bytes = b""
    person: bytes = b""
    since_ms: int = 0
    number: int = 0
    home: tuple[int, int] | None = None
    home_set_s: int = 0
    orders_from_s: int = 0
    """What the backend signed before that, it signed for the owner before (OWN-4)."""


class Takeover(msgspec.Struct, frozen=True, gc=False):
    """A takeover that is being prepared (OWN-4): the order, what came with it, and who is to be the owner."""

    order_id: bytes
    coupling: Coupling
    correlation: bytes = b""


class Executed(msgspec.Struct, frozen=True, gc=False):
    """A command and its outcome (ACC-7). `code` None: begun, and nobody knows yet how it ended."""

    command_id: bytes
    user: bytes
    operation: Operation
    code: Code | None


class Ordered(msgspec.Struct, frozen=True, gc=False):
    """An order and what became of it. `code` None: it is being carried out, and `correlation` is kept until then."""

    order_id: bytes
    issued_s: int
    code: Code | None
    pending: bool = False
    correlation: bytes = b""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """The retained position at the broker: what it should hold (`point`, or nothing) and whether it does."""

    version: int = 0
    point: Point | None = None
    parking: bool = False
    acknowledged: bool = True


class Counters(msgspec.Struct, frozen=True, gc=False):
    """Next numbers of the outbox and of each channel. `boot`: how often the module has been started."""

    record: int = 1
    event: int = 1
    state: int = 1
    track: int = 1
    order_result: int = 1
    alert: int = 1
    boot: int = 0


class Durable(msgspec.Struct, frozen=True, gc=False):
    """What one transaction writes. `floor_ms`: no time before this one is ever believed (CLK-1). `forgetful`: all of
    this was lost, and no clock has spoken since. `module_id`: whose state it is; empty in one of an older module. What
    is in here and must never be forgotten: `vital`. `deletions`: of shared keys that go on for a while; `code_step`:
    how far the pause between wrong codes has grown; `driver_key`: the key that has made driving possible, never while
    a booking runs; `erased_before`: records with lower numbers that reveal a position are another owner's, and never
    leave."""

    floor_ms: int
    key_epoch: int
    trip: Trip = Trip()
    drive_enabled: bool = False
    arm_when_parked: bool = False
    dead: tuple[DeadBooking, ...] = ()
    dead_before_s: int = 0
    revoked: tuple[tuple[bytes, int], ...] = ()
    list_number: int = 0
    devices: tuple[tuple[bytes, int], ...] = ()
    executed: tuple[Executed, ...] = ()
    slot: Slot = Slot()
    counters: Counters = Counters()
    log: Head = Head()
    forgetful: bool = False
    module_id: bytes = b""
    orders: tuple[Ordered, ...] = ()
    orders_before_s: int = 0
    subscription: Subscription | None = None
    keys: tuple[KnownKey, ...] = ()
    dead_keys: tuple[DeadKey, ...] = ()
    keys_before_s: int = 0
    deletions: tuple[Fading, ...] = ()
    code_step: int = 0
    driver_key: Key | None = None
    ownership: Ownership = Ownership()
    drivers: tuple[bytes, ...] = ()
    erased_before: int = 0
    services: ServicePlan | None = None
    call: Call | None = None
    calls: int = 0
    """How many emergency calls there ever were."""
    asked: Asked = Asked()
    destination: Place | None = None
    """What was sent to the car last, for whoever drives it."""
    takeover: Takeover | None = None


Gist = tuple[bool, Phase, Code | None]
"""What an app's slider shows of an access state: granted or not, the phase, and the code of the refusal."""


class Link(msgspec.Struct, frozen=True, gc=False):
    """A central. `booking` or `key`: what its session authenticated with, never both. `denied`: why it was not made
    durable, if so. `told`: the gist of its access state, as the phone knows it. `failed`: its last handshake did.
    `code`: the print of its key's activation code; `parent`: what that was shared from."""

    id: int
    opened_at_ms: int
    active_at_ms: int
    booking: Booking | None = None
    denied: Refusal | None = None
    told: Gist | None = None
    failed: bool = False
    key: Key | None = None
    code: bytes = b""
    parent: Key | None = None

    @property
    def credential(self) -> Booking | Key | None:
        """What its session authenticated with; None before it has."""
        return self.booking or self.key


class Pending(msgspec.Struct, frozen=True, gc=False):
    """The command that the car is carrying out. `enabled_before`: driving was possible when it was given."""

    link: int
    request_id: int
    command_id: bytes
    operation: Operation
    enabled_before: bool = False


class Remote(msgspec.Struct, frozen=True, gc=False):
    """The order that the car is carrying out. Its command goes by the order's own identifier."""

    order_id: bytes
    correlation: bytes


class Trying(msgspec.Struct, frozen=True, gc=False):
    """A code that somebody entered: its print, and the menu's ticket."""

    code: bytes
    ticket: int


class SelfTest(msgspec.Struct, frozen=True, gc=False):
    """A self-test that is going on (OWN-1): who asked, what has been told to the car last, and how often it has
    confirmed what was done to doors and immobiliser."""

    link: int
    request_id: int
    step: int = 0
    doors: int = 0
    immobiliser: int = 0


class VehicleView(msgspec.Struct, frozen=True, gc=False):
    """The last sample, when it came, and since when the car has stood still with the ignition off."""

    sample: VehicleSampled = VehicleSampled()
    at_ms: int | None = None
    still_since_ms: int | None = None


class Told(msgspec.Struct, frozen=True, gc=False):
    """What was last reported, so that only changes are."""

    signals: tuple[tuple[str, bool | int | float | str], ...] = ()
    state_at_ms: int | None = None
    point_at_ms: int | None = None


class State(msgspec.Struct, frozen=True, gc=False):
    """The module. `end_at_ms`: the booking's end on the monotonic clock (CLK-3); `anchored_on_floor`: it ran through
    a reboot, and no trusted clock has fixed its end since. `rearmed_at_ms`: when arming was last tried again.
    `said_ms`: when the broker was last given answers that are kept nowhere; `said`: how many since power-up;
    `unsaid`: how many were left out since the last."""

    profile: Profile
    durable: Durable
    clock: Clock
    vehicle: VehicleView = VehicleView()
    links: tuple[Link, ...] = ()
    pending: Pending | None = None
    end_at_ms: int = 0
    anchored_on_floor: bool = False
    nonce: bytes = b""
    nonce_at_ms: int = 0
    failed_handshakes_ms: tuple[int, ...] = ()
    broker_connected: bool = False
    told: Told = Told()
    saved_at_ms: int = 0
    rearmed_at_ms: int = 0
    booted_at_ms: int = 0
    remote: Remote | None = None
    said_ms: tuple[int, ...] = ()
    said: int = 0
    unsaid: int = 0

    code_paused_until_ms: int = 0
    """Monotonic: no activation code is taken before (KEY-4)."""
    trying: Trying | None = None
    """The code that is about to be compared, once its try is durable."""

    takeover_at_ms: int = 0
    """Monotonic: since when the takeover is being prepared."""
    takeover_told: int = 0
    """How often its progress has been told."""
    testing: SelfTest | None = None
    serving_mcc: int | None = None
    """Country of the mobile network that serves the car; None: there is none, or nobody has said."""
    pressed_at_ms: int | None = None
    """When the emergency button was pressed, while it can still be taken back."""
    call_since_ms: int | None = None
    """When the emergency call was raised, if it was in this power-up."""
    call_before_ms: int = 0
    """For how long it had stood in those before."""
    called_at_ms: int | None = None
    """When the call was last sent in this power-up."""
    stirred_at_ms: int = 0
    """When something last made it likely that a phone comes (`airtime`)."""

    @property
    def busy(self) -> bool:
        """Whether the car is carrying out what somebody asked for."""
        return self.pending is not None or self.remote is not None or self.testing is not None

    def link(self, link_id: int) -> Link | None:
        """The link with that number, or None."""
        return next((link for link in self.links if link.id == link_id), None)
