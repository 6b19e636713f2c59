"""Small builders for tests of the core: a module in some situation, in one call, and what came out of a step.

The situation is that of `credentials.BOOKING`: two hours from BEGINS_MS on. NOW is the monotonic time of it all.
"""

from typing import Final, TypeVar

import msgspec

from firmware.core import module
from firmware.core.clock import Clock
from firmware.core.draft import Draft
from firmware.core.effects import Answer, Effect, HangUp, Report
from firmware.core.events import Event, Fix, RequestReceived, VehicleSampled
from firmware.core.reports import Record
from firmware.core.state import Durable, KnownKey, Link, Profile, State, Trip, VehicleView
from protocol.errors import Code, Refusal, Role
from protocol.messages import Body, Operation, Phase, Request
from protocol.orders import Order
from protocol.sharing import Activation, Hours, Key
from protocol.telemetry import Channel, EventKind
from protocol.tokens import Booking, RevocationList, TimeAttestation
from tests.support.credentials import BOOKING, MODULE_ID

E = TypeVar("E", bound=Effect)

NOW: Final = 5_000_000
BEGINS_MS: Final = 1_790_000_000_000
ENDS_MS: Final = 1_790_007_200_000
EPOCH: Final = 3
HOME: Final = (481_371_540, 115_761_240)
FLOOR_MS: Final = BEGINS_MS - 86_400_000
PROFILE: Final = Profile(MODULE_ID, EPOCH, HOME, FLOOR_MS)
COMMAND: Final = b"command1"

OTHER: Final = msgspec.structs.replace(
    BOOKING, token_id=b"another token id", booking_id=b"another bookings", user=b"somebody"
)
"""A booking of another user for the same time."""

OWNER_KEY: Final = Key(
    token_id=b"the owner's key.",
    not_before_s=BEGINS_MS // 1000 - 86_400,
    expires_s=BEGINS_MS // 1000 + 31_536_000,
    issued_s=BEGINS_MS // 1000 - 86_400,
    module_id=MODULE_ID,
    role=Role.OWNER,
    permissions=31,
    key_epoch=EPOCH,
    user=b"an owner",
    holder=b"\x02the holder key of the main user.",
    device_generation=1,
)
"""The main user's."""
DEALER_KEY: Final = msgspec.structs.replace(
    OWNER_KEY,
    token_id=b"the dealer's key",
    role=Role.SERVICE,
    user=b"a dealer",
    holder=b"\x03the holder key of the dealer...",
)
GUEST_KEY: Final = msgspec.structs.replace(
    OWNER_KEY,
    token_id=b"the guest's key.",
    expires_s=BEGINS_MS // 1000 + 7 * 86_400,
    role=Role.GUEST,
    user=b"a guest_",
    holder=b"\x02the holder key of the guest....",
    device_generation=0,
    parent=OWNER_KEY.token_id,
    name="Zoe",
)
"""Shared, good at once for everything."""
PRINT: Final = b"print of a code."
CODED_KEY: Final = msgspec.structs.replace(
    GUEST_KEY,
    token_id=b"key with a code.",
    user=b"a friend",
    holder=b"\x03the holder key of the friend...",
    name="Max",
    activation=Activation.VEHICLE_CODE,
    code_until_s=BEGINS_MS // 1000 + 86_400,
)
"""Shared, good once its code has been entered, of which PRINT is the print."""
NIGHT: Final = Hours(22 * 60, 6 * 60)

AT_HOME: Final = Fix(HOME[0], HOME[1], BEGINS_MS, NOW)
STANDING: Final = VehicleSampled(False, 0.0, True, False, False, True, 60.0, 12_345_678, 12_640, AT_HOME)
"""Parked at home, locked, closed, immobilised."""
DRIVING: Final = msgspec.structs.replace(STANDING, ignition_on=True, speed_kmh=50.0, immobilised=False)


def seen(
    sample: VehicleSampled = STANDING, *, still_for_ms: int = 60_000, age_ms: int = 0, **changes: object
) -> VehicleView:
    """A fresh sample; `still_for_ms` counts only when it stands still."""
    sample = msgspec.structs.replace(sample, **changes)
    still = sample.ignition_on is False and sample.speed_kmh == 0
    return VehicleView(sample, NOW - age_ms, NOW - still_for_ms if still else None)


def sure_clock(utc_ms: int = BEGINS_MS) -> Clock:
    """It is `utc_ms` at NOW, to the millisecond."""
    return Clock(FLOOR_MS, NOW, utc_ms, NOW, 0, trusted=True)


def a_state(utc_ms: int = BEGINS_MS, vehicle: VehicleView | None = None, **durable: object) -> State:
    """A module with a good clock and a parked car at NOW, and no booking."""
    known = msgspec.structs.replace(Durable(FLOOR_MS, EPOCH), **durable)
    return State(PROFILE, known, sure_clock(utc_ms), vehicle or seen(), saved_at_ms=NOW)


def running(
    booking: Booking = BOOKING,
    phase: Phase = Phase.ACTIVE,
    *,
    overdue_ms: int = -3_600_000,
    vehicle: VehicleView | None = None,
    **trip: object,
) -> State:
    """A module whose car is with `booking`, that long past its end."""
    begun = msgspec.structs.replace(Trip(phase, booking, BEGINS_MS), **trip)
    state = a_state(ENDS_MS + overdue_ms, vehicle, trip=begun)
    return msgspec.structs.replace(state, end_at_ms=NOW - overdue_ms)


def linked(state: State, *credentials: Booking | Key | None) -> State:
    """The same with links 1, 2, ...; each authenticated with its booking or key, if it has one."""
    links = tuple(
        Link(number, NOW, NOW, key=held) if isinstance(held, Key) else Link(number, NOW, NOW, held)
        for number, held in enumerate(credentials, 1)
    )
    return msgspec.structs.replace(state, links=links)


def knowing(state: State, *keys: Key, activated: bool = True, tries: int = 0) -> State:
    """The same, and these shared keys have been here, numbered from 1 on."""
    known = tuple(
        KnownKey(number, key, BEGINS_MS, PRINT if key.activation else b"", tries, activated)
        for number, key in enumerate(keys, 1)
    )
    return durably(state, keys=known)


def durably(state: State, **changes: object) -> State:
    """The same with other durable fields."""
    return msgspec.structs.replace(state, durable=msgspec.structs.replace(state.durable, **changes))


def draft(state: State, now: int = NOW) -> Draft:
    """A step that is about to be made."""
    return Draft(state, now)


def request(
    operation: Operation,
    link: int = 1,
    *,
    command_id: bytes = COMMAND,
    signed: Order | RevocationList | TimeAttestation | None = None,
) -> RequestReceived:
    """A request of link 1 with the number 7."""
    return RequestReceived(link, Request(7, operation, command_id), signed, b"sixteen of chaos")


def only(kind: type[E], effects: tuple[Effect, ...] | list[Effect]) -> list[E]:
    """The effects of that kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def records(effects: tuple[Effect, ...] | list[Effect], channel: Channel = Channel.EVENT) -> list[Record]:
    """What was reported on a channel."""
    return [effect.record for effect in only(Report, effects) if effect.record.channel is channel]


def events(effects: tuple[Effect, ...] | list[Effect]) -> list[EventKind]:
    """The kinds of events and alerts that were reported."""
    return [report.record.kind for report in only(Report, effects) if report.record.kind is not None]


def hung_up(effects: tuple[Effect, ...] | list[Effect]) -> list[int]:
    """The links that were hung up."""
    return [effect.link for effect in only(HangUp, effects)]


def answer(effects: tuple[Effect, ...] | list[Effect]) -> Body:
    """The body of the only answer."""
    (sent,) = only(Answer, effects)
    return sent.reply.body


def refusal(effects: tuple[Effect, ...] | list[Effect], code: Code) -> Refusal:
    """The only answer, which is a refusal with this code."""
    body = answer(effects)
    assert isinstance(body, Refusal)
    assert body.code is code
    return body


def after(state: State, *happenings: Event, now: int = NOW) -> tuple[State, tuple[Effect, ...]]:
    """The module after these events, and the effects of the last."""
    effects: tuple[Effect, ...] = ()
    for happening in happenings:
        state, effects = module.step(state, happening, now)
    return state, effects
