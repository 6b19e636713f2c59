"""Activation codes, entered once in the vehicle (KEY-3, KEY-4).

Decides when a code is taken, and whether it is the right one. Every try counts against every key that waits, and is
durable BEFORE the code is compared: `CodeEntered` counts it and asks for `TryCode`, which the shell answers with
`CodeTried` once the count is on the disk; only that compares. A power cut in between leaves a try more, never one
less. Refuses to know codes: it sees their prints, which only this module can make.
"""

from hmac import compare_digest
from typing import Final

import msgspec

from firmware.core import clock, deletion, keys, ledger, reporting, vehicle
from firmware.core.draft import Draft
from firmware.core.effects import AnswerMenu, TryCode
from firmware.core.events import CodeEntered, CodeTried
from firmware.core.keys import MOST_TRIES
from firmware.core.state import DeadKey, Durable, KnownKey, State, Trying
from protocol.errors import Code, Refusal, refuse
from protocol.messages import NoticeKind
from protocol.telemetry import EventKind

replace = msgspec.structs.replace

PAUSES_MS: Final = (0, 5_000, 30_000, 120_000, 600_000, 3_600_000)
"""After so many wrong codes in a row, whichever keys they were meant for. The last one stays."""
LAST_STEP: Final = len(PAUSES_MS) - 1


def entered(draft: Draft, event: CodeEntered) -> None:
    """Somebody entered a code: count the try, and have it compared once that is durable; or say why not."""
    no = _not_taken(draft.state, draft.now)
    if no is not None:
        draft.order(AnswerMenu(event.ticket, no))
        return
    step = min(draft.durable.code_step + 1, LAST_STEP)
    counted = _counted(draft.durable, _waiting(draft.state, draft.now), 1)
    draft.keep(replace(counted, code_step=step))
    draft.state = replace(
        draft.state,
        code_paused_until_ms=draft.now + PAUSES_MS[step],
        trying=Trying(event.code, event.ticket),
    )
    draft.required = True
    draft.order(TryCode(event.code, event.ticket))


def tried(draft: Draft, event: CodeTried) -> None:
    """The try is counted for certain: compare. One that nobody counted is not compared."""
    if draft.state.trying != Trying(event.code, event.ticket):
        return
    draft.state = replace(draft.state, trying=None)
    waiting = _waiting(draft.state, draft.now)
    found = next((known for known in waiting if known.code and compare_digest(known.code, event.code)), None)
    no = _wrong(draft, waiting) if found is None else _right(draft, found, waiting)
    draft.order(AnswerMenu(event.ticket, no))


def undone(draft: Draft, event: CodeEntered | CodeTried) -> None:
    """The disk refused. A try that is not counted is not compared; one that is counted stays, and its code may be
    entered again."""
    draft.state = replace(draft.state, trying=None)
    draft.order(AnswerMenu(event.ticket, refuse(Code.STORAGE_FAILED)))


def resumed(state: State, now: int) -> State:
    """After power-up: the whole pause begins anew."""
    return replace(state, code_paused_until_ms=now + PAUSES_MS[min(state.durable.code_step, LAST_STEP)])


def settle(draft: Draft) -> None:
    """A key whose last try was used up is dead, be it that the power was cut before it was compared."""
    if draft.state.trying is None:
        for known in draft.durable.keys:
            if not known.activated and known.tries >= MOST_TRIES:
                deletion.bury(
                    draft, DeadKey(known.key.token_id, Code.CODE_DEAD, known.key.expires_s, known.key.issued_s)
                )


def _not_taken(state: State, now: int) -> Refusal | None:
    """KEY-4: in the car, engine off, not too often, and only when a key waits for one."""
    if not vehicle.parked(state.vehicle, now):
        return refuse(Code.NOT_PARKED, numbers=(("parked_ms", vehicle.parked_for_ms(state.vehicle, now)),))
    pause_ms = state.code_paused_until_ms - now
    if pause_ms > 0:
        return refuse(Code.CODE_PAUSED, numbers=(("pause_ms", pause_ms),))
    if not _waiting(state, now):
        return refuse(Code.CODE_UNEXPECTED)
    return None


def _waiting(state: State, now: int) -> tuple[KnownKey, ...]:
    """The keys that wait for their codes and may still get them."""
    return tuple(
        known
        for known in state.durable.keys
        if not known.activated
        and not keys.expired(state, known.key, now)
        and ledger.dead_key(state.durable, known.key) is None
    )


def _counted(durable: Durable, waiting: tuple[KnownKey, ...], more: int) -> Durable:
    """With so many tries more for each of those that wait."""
    numbers = {known.number for known in waiting}
    counted = (
        replace(known, tries=max(0, known.tries + more)) if known.number in numbers else known for known in durable.keys
    )
    return replace(durable, keys=tuple(counted))


def _wrong(draft: Draft, waiting: tuple[KnownKey, ...]) -> Refusal:
    left = [MOST_TRIES - known.tries for known in waiting if known.tries < MOST_TRIES]
    pause_ms = max(0, draft.state.code_paused_until_ms - draft.now)
    if not left:
        return refuse(Code.CODE_DEAD, numbers=(("pause_ms", pause_ms),))
    reporting.event(draft, EventKind.CODE_WRONG, numbers=(("tries_left", min(left)),))
    return refuse(Code.CODE_WRONG, numbers=(("tries_left", min(left)), ("pause_ms", pause_ms)))


def _right(draft: Draft, found: KnownKey, waiting: tuple[KnownKey, ...]) -> Refusal | None:
    """The code of a key that waits: the try was no wrong one for any key. Its time may be over all the same."""
    draft.keep(_counted(draft.durable, waiting, -1))
    no = _too_late(draft, found)
    if no is not None:
        return no
    activated = replace(found, tries=0, activated=True)
    kept = tuple(activated if known.number == found.number else known for known in draft.durable.keys)
    draft.keep(replace(draft.durable, keys=kept, code_step=0))
    draft.state = replace(draft.state, code_paused_until_ms=0)
    draft.required = True
    reporting.event(draft, EventKind.KEY_ACTIVATED, found.key, found.key.name, (("key_number", found.number),))
    keys.tell_main_user(draft, NoticeKind.KEY_ACTIVATED)
    return None


def _too_late(draft: Draft, found: KnownKey) -> Refusal | None:
    """The code has its own end, and it must be certain that it has not come."""
    earliest, latest = clock.interval(draft.state.clock, draft.now)
    until_ms = found.key.code_until_s * 1000
    if earliest >= until_ms:
        return refuse(Code.CODE_EXPIRED, numbers=(("over_for_ms", earliest - until_ms),))
    if latest is None or latest >= until_ms:
        return refuse(Code.CLOCK_UNCERTAIN)
    return None
