"""The access state of a link (ACC-10): what turns an app's slider blue or grey, and why."""

import msgspec

from firmware.core import admit, clock, geo, hours, keys, ownership, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import Tell
from firmware.core.state import Gist, Link, State
from firmware.core.trip import GRACE_MS
from protocol.errors import Refusal, Role
from protocol.messages import Access, Notice, NoticeKind, Phase, Push, PushKind, Status, VehicleState
from protocol.sharing import Key

replace = msgspec.structs.replace


def access(state: State, link: Link, now: int) -> Access:
    """Granted with the deadlines in UTC, or denied with the refusal."""
    now_ms = clock.utc(state.clock, now)
    trip = state.durable.trip
    if link.key is not None:
        return _of_key(state, link, link.key, now)
    if not admit.admitted(state, link) or trip.booking is None:
        mine = (
            link.booking is not None and trip.booking is not None and link.booking.booking_id == trip.booking.booking_id
        )
        phase = trip.phase if mine else Phase.NONE
        return Access(False, phase, now_ms=now_ms, refusal=admit.denial(state, link, now))
    ends_at_ms = now_ms - admit.overdue_ms(state, now)
    return Access(True, trip.phase, trip.booking.permissions, ends_at_ms, ends_at_ms + GRACE_MS, now_ms)


def _of_key(state: State, link: Link, key: Key, now: int) -> Access:
    """A key has no phase, and no half hour after its end."""
    now_ms = clock.utc(state.clock, now)
    no = refusal(state, link, now)
    if no is not None:
        return Access(False, Phase.NONE, now_ms=now_ms, refusal=no)
    ends_at_ms = hours.ends_at_ms(state.clock, key, now)
    return Access(True, Phase.NONE, keys.permissions(key), ends_at_ms, ends_at_ms, now_ms)


def refusal(state: State, link: Link, now: int) -> Refusal | None:
    """Why this link may do nothing now; None: it may do what its permissions allow. Asked for every request, never
    remembered (ACC-3)."""
    if link.key is not None:
        return link.denied or keys.refusal(state, link.key, now)
    return None if admit.admitted(state, link) else admit.denial(state, link, now)


def granted(state: State, link: Link, now: int) -> bool:
    """Whether this link may do anything now."""
    return refusal(state, link, now) is None if link.key is not None else admit.admitted(state, link)


def permissions(state: State, link: Link) -> int:
    """The bits that a link has which is granted access."""
    if link.key is not None:
        return keys.permissions(link.key)
    booking = state.durable.trip.booking
    return 0 if booking is None else booking.permissions


def status(state: State, link: Link, now: int) -> Status:
    """The access state, and the car's for whoever is admitted (ACC-3); a dealer's work is no reason to see it."""
    dealer = link.key is not None and link.key.role is Role.SERVICE
    seen = vehicle_state(state, now) if granted(state, link, now) and not dealer else None
    return Status(access(state, link, now), seen)


def vehicle_state(state: State, now: int) -> VehicleState:
    """The car as an admitted phone may see it."""
    sample = vehicle.current(state.vehicle, now)
    return VehicleState(
        sample.locked,
        sample.doors_open,
        sample.boot_open,
        sample.ignition_on,
        state.durable.drive_enabled,
        vehicle.parked(state.vehicle, now),
        None if sample.fuel_pct is None else max(0, round(sample.fuel_pct)),
        None if sample.odometer_m is None else max(0, sample.odometer_m),
        home_distance_m(state),
    )


def home_distance_m(state: State) -> int | None:
    """Distance of the last fix from home in metres, rounded down; None without a fix or a home."""
    fix, home = geo.usable(state.vehicle.sample.fix), ownership.home(state)
    return None if fix is None or home is None else int(geo.distance_m((fix.latitude_e7, fix.longitude_e7), home))


def push_changes(draft: Draft, before: State) -> None:
    """Tell every phone whose access state is another one than it knows, be it that only time has passed. One that
    has just come asks by itself."""
    for link in draft.state.links:
        if link.credential is None:
            continue
        now_is = access(draft.state, link, draft.now)
        gist, known = _gist(now_is), link.told or _before(draft, before, link)
        if link.told != gist:
            draft.set_link(replace(link, told=gist))
        if known is not None and known != gist:
            draft.set_link(replace(link, told=gist, active_at_ms=draft.now))  # Time to read it.
            draft.order(Tell(link.id, Push(PushKind.ACCESS, now_is)))


def _before(draft: Draft, before: State, link: Link) -> Gist | None:
    old = before.link(link.id)
    if old is None or old.credential is None or old.credential != link.credential:
        return None
    return _gist(access(before, old, draft.now))


def notify_driver(draft: Draft, kind: NoticeKind, left_ms: int = 0) -> None:
    """Tell the phones that hold the running booking (CUT-7)."""
    for link in draft.state.links:
        if admit.admitted(draft.state, link):
            draft.order(Tell(link.id, Push(PushKind.NOTICE, Notice(kind, max(0, left_ms)))))


def _gist(access_: Access) -> Gist:
    return access_.granted, access_.phase, None if access_.refusal is None else access_.refusal.code
