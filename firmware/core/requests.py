"""What a phone asks for through its session, and the answer (ACC-1 to ACC-3, ACC-7, ACC-8, BKG-3 to BKG-5, PRV-5).

Every command is checked against the live admission of this link, never against a remembered one. A refusal is an
answer and changes nothing else.
"""

from typing import Final

import msgspec

from firmware.core import access, admit, clock, drive, ending, geo, keys, ledger, orders, selftest, vehicle
from firmware.core.admit import Admission
from firmware.core.bookings import board
from firmware.core.draft import Draft
from firmware.core.effects import Actuate
from firmware.core.events import Action, ActuationFinished, RequestReceived
from firmware.core.state import Durable, Executed, Link, Pending
from protocol.errors import Code, Refusal, Role, refuse
from protocol.messages import (
    COMMANDS,
    Done,
    KeyList,
    Nonce,
    Operation,
    Outcome,
    Permission,
    Phase,
    Position,
    Request,
)
from protocol.sharing import Key
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

_NO_BOOKING: Final = "A key has no booking to end: lock the car, and it is done."
_VERB: Final = {Permission.BOOT: "open the boot"}

PERMISSION_OF: Final = {
    Operation.UNLOCK: Permission.UNLOCK,
    Operation.LOCK: Permission.LOCK,
    Operation.ENABLE_DRIVE: Permission.DRIVE,
    Operation.DISABLE_DRIVE: Permission.DRIVE,
    Operation.LOCATE: Permission.LOCATE,
    Operation.OPEN_BOOT: Permission.BOOT,
}
"""Ending needs none: it is one's own booking."""

ACTION_OF: Final = {
    Operation.UNLOCK: Action.UNLOCK,
    Operation.LOCK: Action.LOCK,
    Operation.ENABLE_DRIVE: Action.RELEASE_IMMOBILISER,
    Operation.DISABLE_DRIVE: Action.ARM_IMMOBILISER,
    Operation.OPEN_BOOT: Action.OPEN_BOOT,
}

PERMITS: Final = frozenset({Operation.UNLOCK, Operation.ENABLE_DRIVE, Operation.OPEN_BOOT})
"""What has to be durable before anything moves (PWR-2)."""


def received(draft: Draft, event: RequestReceived) -> None:
    """Answer a request. One without an authenticated session gets nothing: there is nobody to answer."""
    link = draft.state.link(event.link)
    if link is None or link.credential is None:
        return
    draft.set_link(replace(link, active_at_ms=draft.now))
    try_boarding(draft, link.id)
    _answer(draft, event)
    if event.request.operation is Operation.PUT:
        try_boarding(draft, link.id)


def undone(draft: Draft, event: RequestReceived) -> None:
    """Answer a request whose permission could not be made durable: what permits is refused, the car is not given to
    a booking that waits for it, and anything else is done all the same (PWR-2, ACC-10)."""
    link = draft.state.link(event.link)
    if link is None or link.credential is None:
        return
    refusal = refuse(Code.STORAGE_FAILED)
    denied = link.denied if access.granted(draft.state, link, draft.now) else refusal
    draft.set_link(replace(link, active_at_ms=draft.now, denied=denied))
    if event.request.operation in PERMITS or orders.waits_for_disk(event.signed):
        draft.answer(link.id, event.request.id, refusal)
    else:
        _answer(draft, event)


def _answer(draft: Draft, event: RequestReceived) -> None:
    request = event.request
    if request.operation in COMMANDS:
        _command(draft, event.link, request)
    elif request.operation is Operation.PUT:
        orders.put(draft, event.link, request, event.signed)
    else:
        _question(draft, event.link, request, event.entropy)


def try_boarding(draft: Draft, link_id: int) -> None:
    """Let the booking that this session authenticated with have the car, if it can by now; note its key, if that was
    not here before."""
    link = draft.state.link(link_id)
    assert link is not None
    draft.set_link(replace(link, denied=None))
    held = link.credential
    assert held is not None
    if isinstance(held, Key):
        keys.received(draft, link, held)
        return
    admission = admit.admit(draft.state, held, draft.now)
    if isinstance(admission, Admission):
        board(draft, admission, held)


# ---------------------------------------------------------------- questions
def _question(draft: Draft, link_id: int, request: Request, entropy: bytes) -> None:
    link = draft.state.link(link_id)
    assert link is not None
    match request.operation:
        case Operation.STATUS:
            draft.answer(link_id, request.id, access.status(draft.state, link, draft.now))
        case Operation.LOCATE:
            draft.answer(link_id, request.id, _locate(draft, link))
        case Operation.OUTCOME:
            draft.answer(link_id, request.id, _outcome(draft, link, request.command_id))
        case Operation.KEYS:
            draft.answer(link_id, request.id, _keys(draft, link))
        case Operation.SELF_TEST:
            _self_test(draft, link, request.id)
        case _:
            draft.answer(link_id, request.id, _nonce(draft, entropy))


def _nonce(draft: Draft, entropy: bytes) -> Nonce:
    """CLK-2: what the backend is to sign with the time."""
    state = draft.state
    if not state.nonce or draft.now - state.nonce_at_ms > clock.NONCE_SHARED_MS:
        state = draft.state = replace(state, nonce=entropy, nonce_at_ms=draft.now)
    return Nonce(state.nonce, state.profile.module_id, clock.NONCE_LASTS_MS - (draft.now - state.nonce_at_ms))


def _locate(draft: Draft, link: Link) -> Position | Refusal:
    """PRV-5: the active user may know where the car is."""
    refusal = _not_allowed(draft, link, Operation.LOCATE)
    if refusal is not None:
        return refusal
    fix = geo.usable(draft.state.vehicle.sample.fix)
    if fix is None:
        return refuse(Code.POSITION_UNKNOWN)
    return Position(fix.latitude_e7, fix.longitude_e7, max(0, draft.now - fix.taken_at_ms))


def _outcome(draft: Draft, link: Link, command_id: bytes) -> Outcome | Refusal:
    """ACC-7: also after the booking has ended, also after a reboot; only to the user who gave the command."""
    known = ledger.executed(draft.durable, _user(link), command_id)
    if known is None:
        return refuse(Code.OUTCOME_UNKNOWN)
    if known.code is None:
        underway = draft.state.pending is not None and draft.state.pending.command_id == command_id
        code = Code.BUSY if underway else Code.VEHICLE_NO_RESPONSE
        return Outcome(known.operation, code, may_have_succeeded=True)
    return Outcome(known.operation, known.code, known.code is Code.VEHICLE_NO_RESPONSE)


def _not_allowed(draft: Draft, link: Link, operation: Operation) -> Refusal | None:
    """ACC-2, ACC-3, KEY-2."""
    refusal = access.refusal(draft.state, link, draft.now)
    if refusal is not None:
        return refusal
    if _role(link) is Role.SERVICE:
        return refuse(Code.ROLE_REQUIRED, remedy="A dealer's key tests the module, and moves nothing else.")
    needed = PERMISSION_OF.get(operation)
    if needed is None:
        return None if link.booking is not None else refuse(Code.NOT_ADMITTED, remedy=_NO_BOOKING)
    held = access.permissions(draft.state, link)
    if held & needed:
        return None
    numbers = (("missing_permission", int(needed)), ("permissions_held", held))
    what = "booking" if link.key is None else "key"
    remedy = f"Ask the owner for a {what} that carries the permission to {_VERB.get(needed, str(needed.name).lower())}."
    return refuse(Code.PERMISSION_MISSING, numbers=numbers, remedy=remedy)


def _keys(draft: Draft, link: Link) -> KeyList | Refusal:
    """KEY-6: the main user may know whom the car knows, also while somebody has booked it."""
    refusal = access.refusal(draft.state, link, draft.now)
    if refusal is not None and refusal.code is not Code.VEHICLE_IN_USE:
        return refusal
    if _role(link) is not Role.OWNER:
        return refuse(Code.ROLE_REQUIRED, remedy="The main user may see who has a key.")
    return KeyList(keys.listed(draft.state))


def _self_test(draft: Draft, link: Link, request_id: int) -> None:
    """OWN-1: for a dealer. The answer comes when everything has been tried."""
    refusal = access.refusal(draft.state, link, draft.now) or selftest.asked(draft, link, request_id)
    if refusal is not None:
        draft.answer(link.id, request_id, refusal)


def _user(link: Link) -> bytes:
    assert link.credential is not None
    return link.credential.user


def _role(link: Link) -> Role:
    assert link.credential is not None
    return link.credential.role


# ---------------------------------------------------------------- commands
def _command(draft: Draft, link_id: int, request: Request) -> None:
    link = draft.state.link(link_id)
    assert link is not None
    known = ledger.executed(draft.durable, _user(link), request.command_id)
    if known is not None:
        _repeat(draft, link, request, known)
        return
    if request.operation is Operation.END_BOOKING and ending.ended_by(draft.durable.trip, link):
        draft.keep(_finished(draft, link, request))
        ending.answer(draft, link_id, request.id)
        return
    refusal = _not_allowed(draft, link, request.operation) or _obstacle(draft, request.operation)
    if refusal is not None:
        draft.answer(link_id, request.id, refusal)
    elif request.operation is Operation.END_BOOKING:
        draft.keep(_finished(draft, link, request))
        ending.by_driver(draft, link_id, request.id)
    elif _already(draft, link, request.operation):
        draft.keep(_finished(draft, link, request))
        draft.answer(link_id, request.id, Done(already=True), _warning(draft))
    else:
        _carry_out(draft, link, request)


def _repeat(draft: Draft, link: Link, request: Request, known: Executed) -> None:
    """The same identifier again: the same answer, and nothing moves."""
    if known.operation is not request.operation:
        body: Done | Refusal = refuse(Code.COMMAND_ID_REUSED)
    elif known.code is None:
        underway = draft.state.pending is not None and draft.state.pending.command_id == request.command_id
        code = Code.BUSY if underway else Code.VEHICLE_NO_RESPONSE
        body = refuse(code, may_have_succeeded=True)
    elif known.code is Code.VEHICLE_NO_RESPONSE:
        body = refuse(known.code, may_have_succeeded=True)
    elif known.operation is Operation.END_BOOKING and ending.ended_by(draft.durable.trip, link):
        ending.answer(draft, link.id, request.id)
        return
    else:
        body = Done(already=True)
    draft.answer(link.id, request.id, body, Code.OK)


def _obstacle(draft: Draft, operation: Operation) -> Refusal | None:
    """What the car has to do with it, whoever asks."""
    state, now = draft.state, draft.now
    sample = vehicle.current(state.vehicle, now)
    parked = vehicle.parked(state.vehicle, now)
    if state.busy:
        return refuse(Code.BUSY)
    if operation is Operation.LOCK and (sample.doors_open or sample.boot_open):
        numbers = (("doors_open", int(bool(sample.doors_open))), ("boot_open", int(bool(sample.boot_open))))
        return refuse(Code.DOORS_OPEN, numbers=numbers)
    if operation in (Operation.DISABLE_DRIVE, Operation.OPEN_BOOT) and not parked:
        return refuse(Code.NOT_PARKED, numbers=(("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),))
    return ending.obstacle(sample, parked=parked) if operation is Operation.END_BOOKING else None


def _already(draft: Draft, link: Link, operation: Operation) -> bool:
    """Whether the car is known to be in the target state."""
    sample, enabled = vehicle.current(draft.state.vehicle, draft.now), draft.durable.drive_enabled
    match operation:
        case Operation.UNLOCK:
            return sample.locked is False
        case Operation.LOCK:
            return sample.locked is True and not (enabled and vehicle.is_still(sample))
        case Operation.ENABLE_DRIVE:
            return enabled and sample.immobilised is False and drive.is_of(draft.durable, link.key)
        case Operation.OPEN_BOOT:
            return sample.boot_open is True
        case _:
            return not enabled and sample.immobilised is True


def _carry_out(draft: Draft, link: Link, request: Request) -> None:
    """Remember it, then move. What permits waits for the disk; locking and arming do not."""
    before = draft.durable
    draft.keep(ledger.begin(before, _user(link), request.command_id, request.operation))
    match request.operation:
        case Operation.ENABLE_DRIVE:
            drive.begin(draft, link.key)
        case Operation.DISABLE_DRIVE:
            drive.over(draft)
        case Operation.LOCK if before.drive_enabled and vehicle.parked(draft.state.vehicle, draft.now):
            drive.over(draft)
            draft.order(Actuate(Action.ARM_IMMOBILISER))
        case Operation.LOCK if before.drive_enabled and vehicle.is_still(
            vehicle.current(draft.state.vehicle, draft.now)
        ):
            # Locked by somebody who walks away before the car counts as parked.
            draft.keep(replace(draft.durable, arm_when_parked=True))
        case _:
            pass
    draft.required = draft.required or request.operation in PERMITS
    pending = Pending(link.id, request.id, request.command_id, request.operation, enabled_before=before.drive_enabled)
    draft.state = replace(draft.state, pending=pending)
    draft.order(Actuate(ACTION_OF[request.operation], request.command_id))


def actuation_finished(draft: Draft, event: ActuationFinished) -> None:
    """The car answered: remember the outcome and tell who asked. A release that nobody saw happen is taken back,
    unless driving was possible before or the car is not surely parked: then the engine may be running (CUT-3)."""
    seen = vehicle.acted(draft.state.vehicle, event.action, confirmed=event.confirmed)
    draft.state = replace(draft.state, vehicle=seen)
    pending = draft.state.pending
    if pending is None or pending.command_id != event.command_id:
        if event.action is Action.LOCK and not event.confirmed:
            orders.alert(draft, EventKind.LOCK_FAILED)
        return
    draft.state = replace(draft.state, pending=None)
    code = _warning(draft) if event.confirmed else Code.VEHICLE_NO_RESPONSE
    unfinished = (e for e in reversed(draft.durable.executed) if e.command_id == event.command_id and e.code is None)
    entry = next(unfinished, None)
    if entry is not None:
        stored = Code.OK if event.confirmed else code
        draft.keep(ledger.finish(draft.durable, entry.user, entry.command_id, entry.operation, stored))
    idle = not pending.enabled_before and vehicle.parked(draft.state.vehicle, draft.now)
    if pending.operation is Operation.ENABLE_DRIVE and not event.confirmed and idle:
        drive.over(draft, "the release was not confirmed")
        draft.order(Actuate(Action.ARM_IMMOBILISER))
    body = Done() if event.confirmed else refuse(code, may_have_succeeded=True)
    draft.answer(pending.link, pending.request_id, body, code)


def _finished(draft: Draft, link: Link, request: Request) -> Durable:
    return ledger.finish(draft.durable, _user(link), request.command_id, request.operation, Code.OK)


def _warning(draft: Draft) -> Code:
    """CUT-1: everything works while overdue, and the phone is told."""
    return Code.OVERDUE if draft.durable.trip.phase in (Phase.OVERDUE, Phase.CUTOFF_PENDING) else Code.OK
