"""Taking a car over whose previous owner forgot to give it up (OWN-4).

Whoever has the car, both of its vehicle keys and an account may have it: the backend orders it, and the module prepares
for some minutes, with progress that everybody is told, the old owner too. The car has to be parked, connected and have
both keys in it all that time. At the end everything changes in one durable commit; before it nothing has.
"""

from typing import Final

import msgspec

from firmware.core import ledger, ownership, remote, reporting, results, vehicle
from firmware.core.draft import Draft
from firmware.core.state import Ordered, State, Takeover
from protocol.errors import Code, Refusal, refuse
from protocol.orders import Coupling, Order
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

TAKES_MS: Final = 180_000
TELL_EVERY_MS: Final = 30_000
KEYS_NEEDED: Final = 2


def received(draft: Draft, order: Order, told: Coupling, correlation: bytes) -> None:
    """Begin to prepare, or say why not. The answer comes when it is over."""
    untimely = remote.late(draft, order) or remote.uncertain(draft, order)
    refused = untimely or _not_for_us(draft.state, told) or _obstacle(draft.state, draft.now)
    if refused is None and draft.durable.takeover is not None:
        refused = refuse(Code.BUSY)
    if refused is not None:
        draft.keep(ledger.note_order(draft.durable, Ordered(order.order_id, order.issued_s, refused.code)))
        results.report(draft, order.order_id, refused, correlation)
        return
    draft.keep(ledger.note_order(draft.durable, Ordered(order.order_id, order.issued_s, None)))
    draft.keep(replace(draft.durable, takeover=Takeover(order.order_id, told, correlation)))
    draft.state = replace(draft.state, takeover_at_ms=draft.now, takeover_told=0)
    draft.required = True


def settle(draft: Draft) -> None:
    """While it is prepared: stop when something is missing, tell how far it is, and change hands at the end."""
    prepared = draft.durable.takeover
    if prepared is None:
        return
    missing = _not_for_us(draft.state, prepared.coupling) or _obstacle(draft.state, draft.now)
    if missing is not None:
        _fail(draft, missing)
    elif changes_hands(draft.state, draft.now):
        _complete(draft)
    elif draft.now >= _tell_at_ms(draft.state):
        draft.state = replace(draft.state, takeover_told=_steps(draft.state, draft.now) + 1)
        progress = (("progress_pct", _percent(draft.state, draft.now)),)
        reporting.event(draft, EventKind.TAKEOVER_PROGRESS, numbers=progress)


def resumed(draft: Draft) -> None:
    """After power-up: one that was being prepared has failed, and nothing has changed. Or it was completed, and the
    state that knew it is lost: then the owner is the new one all the same (`vital`)."""
    prepared, owned = draft.durable.takeover, draft.durable.ownership
    if prepared is None:
        return
    if (owned.number, owned.owner) == (prepared.coupling.number, prepared.coupling.owner):
        _conclude(draft, None, ownership.numbers(draft.durable))
    else:
        _fail(draft, refuse(Code.TAKEOVER_INTERRUPTED))


def undone(draft: Draft) -> None:
    """A step could not be made durable. If it was the one that changes hands, nothing has changed (PWR-2)."""
    if changes_hands(draft.state, draft.now):
        _fail(draft, refuse(Code.STORAGE_FAILED))


def changes_hands(state: State, now: int) -> bool:
    """Whether the preparation is over: the step that is made now is the one for which the disk is worth waiting."""
    return state.durable.takeover is not None and now >= state.takeover_at_ms + TAKES_MS


def next_at_ms(state: State) -> int | None:
    """The monotonic time at which the clock alone changes something."""
    if state.durable.takeover is None:
        return None
    return min(_tell_at_ms(state), state.takeover_at_ms + TAKES_MS)


def progress_pct(state: State, now: int) -> int | None:
    """How far the preparation is, 0 to 99; None when there is none."""
    return None if state.durable.takeover is None else _percent(state, now)


# ---------------------------------------------------------------- what stands against it
def _not_for_us(state: State, told: Coupling) -> Refusal | None:
    """What no waiting can mend."""
    owned = state.durable.ownership
    refused = ownership.unfit(state, told) or ownership.refusal(state) or ownership.outdated(state, told.number)
    if refused is not None:
        return refused
    return ownership.owned_already(state, told) if owned.owner == told.owner else None


def _obstacle(state: State, now: int) -> Refusal | None:
    """What has to be so from beginning to end. What is not known is missing."""
    if not vehicle.parked(state.vehicle, now):
        return refuse(Code.NOT_PARKED, numbers=(("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),))
    if not state.broker_connected:
        return refuse(Code.NOT_CONNECTED)
    keys = vehicle.current(state.vehicle, now).keys_present
    if keys is None or keys < KEYS_NEEDED:
        return refuse(Code.KEYS_MISSING, numbers=(("keys_present", keys or 0), ("keys_needed", KEYS_NEEDED)))
    return None


# ---------------------------------------------------------------- how it ends
def _complete(draft: Draft) -> None:
    """OWN-4: the old owner's everything goes, the new owner's year begins; one commit, or none of it."""
    assert draft.durable.takeover is not None
    ownership.wipe(draft)
    ownership.begin(draft, draft.durable.takeover.coupling)
    _conclude(draft, None, ownership.numbers(draft.durable))
    reporting.event(draft, EventKind.OWNER_CHANGED, numbers=ownership.numbers(draft.durable))
    reporting.full_state(draft)


def _fail(draft: Draft, why: Refusal) -> None:
    _conclude(draft, why, ())
    reporting.event(draft, EventKind.TAKEOVER_FAILED, reason=why.code.name, numbers=why.numbers)


def _conclude(draft: Draft, why: Refusal | None, numbers: tuple[tuple[str, int], ...]) -> None:
    """It is over; the backend hears how."""
    prepared = draft.durable.takeover
    assert prepared is not None
    known = ledger.ordered(draft.durable, prepared.order_id)
    if known is not None:
        code = Code.OK if why is None else why.code
        draft.keep(ledger.note_order(draft.durable, replace(known, code=code)))
    draft.keep(replace(draft.durable, takeover=None))
    results.report(draft, prepared.order_id, why, prepared.correlation, numbers)


# ---------------------------------------------------------------- progress
def _steps(state: State, now: int) -> int:
    return (now - state.takeover_at_ms) // TELL_EVERY_MS


def _tell_at_ms(state: State) -> int:
    return state.takeover_at_ms + state.takeover_told * TELL_EVERY_MS


def _percent(state: State, now: int) -> int:
    return min(99, (now - state.takeover_at_ms) * 100 // TAKES_MS)
