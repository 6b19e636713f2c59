"""How a digital key dies: deactivated in the vehicle, deleted by the main user, withdrawn (KEY-6, ACC-5).

A key that the main user deleted dies at once, or after its last drive, or once the car has been unlocked and then
locked with a vehicle key: what the list says. Which deletions run is durable, each with the half of the key cycle that
has happened. Nothing here takes a release from a moving car: `drive`.
"""

from typing import Final

import msgspec

from firmware.core import clock, keys, ledger, reporting
from firmware.core.draft import Draft
from firmware.core.effects import AnswerMenu
from firmware.core.events import KeyButton, KeyDeactivated
from firmware.core.keys import FADES_WITHIN_MS
from firmware.core.state import DeadKey, Durable, Fading, State
from protocol.errors import Code, refuse
from protocol.sharing import Deletion
from protocol.telemetry import EventKind
from protocol.tokens import RevocationList

replace = msgspec.structs.replace

DELETIONS_KEPT: Final = 64
"""Of keys that go on for a while. When there are more, the ones heard of first take effect at once."""

_EVENT_OF: Final = {
    Code.KEY_DEACTIVATED: EventKind.KEY_DEACTIVATED,
    Code.CODE_DEAD: EventKind.CODE_DEAD,
}


def bury(draft: Draft, dead: DeadKey) -> None:
    """The key never opens the car again, nor do those that were shared from it. Its phones are told, and hung up; main
    user and backend hear of it if it was ever here."""
    known = keys.find(draft.durable, dead.token_id)
    draft.keep(ledger.bury_key(draft.durable, dead, clock.floor(draft.state.clock, draft.now)))
    for link in draft.state.links:
        if link.key is not None and dead.token_id in (link.key.token_id, link.key.parent):
            draft.hang_up(link.id)
    if known is not None:
        kind = _EVENT_OF.get(dead.code, EventKind.KEY_DELETED)
        reporting.event(draft, kind, known.key, known.key.name, (("key_number", known.number),))
    for child in (each.key for each in draft.durable.keys if each.key.parent == dead.token_id):
        bury(draft, DeadKey(child.token_id, Code.TOKEN_REVOKED, child.expires_s, child.issued_s))


def deactivated(draft: Draft, event: KeyDeactivated) -> None:
    """Somebody deactivated a key in the vehicle's menu: dead at once, also in mid-connection, whatever the disk says.
    Once more changes nothing."""
    known = keys.find(draft.durable, event.token_id)
    if known is not None:
        bury(draft, DeadKey(event.token_id, Code.KEY_DEACTIVATED, known.key.expires_s, known.key.issued_s))
    elif all(dead.token_id != event.token_id for dead in draft.durable.dead_keys):
        no = refuse(Code.KEY_DEACTIVATED, remedy="No such key is listed: look at the list again.")
        draft.order(AnswerMenu(event.ticket, no))
        return
    draft.order(AnswerMenu(event.ticket))


def take(draft: Draft, listed: RevocationList) -> None:
    """Take over what a newer list deletes. It may be stricter than what was known, never milder."""
    withdrawn = {token_id for token_id, _ in listed.revoked}
    for known in draft.durable.keys:
        key = known.key
        if key.token_id in withdrawn or key.parent in withdrawn:
            code = Code.KEY_DELETED if key.token_id in withdrawn else Code.TOKEN_REVOKED
            bury(draft, DeadKey(key.token_id, code, key.expires_s, key.issued_s))
    for link in draft.state.links:
        if link.key is not None and ledger.dead_key(draft.durable, link.key) is not None:
            draft.hang_up(link.id)
    for token_id, policy, expires_s in listed.fading:
        _delete(draft, token_id, policy, expires_s, listed.issued_s)
    while len(draft.durable.deletions) > DELETIONS_KEPT:
        _take_effect(draft, draft.durable.deletions[0], listed.issued_s)


def vehicle_key_used(draft: Draft, button: KeyButton) -> None:
    """KEY-6: unlocked, and then locked, with a vehicle key. A phone never counts, and neither does locking first."""
    waiting = [each for each in draft.durable.deletions if each.policy is Deletion.UNTIL_KEY_CYCLE]
    if button is KeyButton.LOCK:
        for each in waiting:
            if each.unlocked:
                _take_effect(draft, each)
    elif not all(each.unlocked for each in waiting):
        begun = tuple(
            replace(each, unlocked=True) if each.policy is Deletion.UNTIL_KEY_CYCLE else each
            for each in draft.durable.deletions
        )
        draft.keep(replace(draft.durable, deletions=begun))


def settle(draft: Draft) -> None:
    """A key that goes on until its last drive is over dies with it, or after two days."""
    for each in draft.durable.deletions:
        if each.policy is Deletion.AFTER_LAST_DRIVE_OR_48H:
            left_ms = each.at_ms + FADES_WITHIN_MS - clock.utc(draft.state.clock, draft.now)
            goes_on = _drives(draft.durable, each.token_id) or _asks(draft.state, each.token_id)
            if left_ms <= 0 or not goes_on:
                _take_effect(draft, each)


def due_at_ms(state: State, now: int) -> int | None:
    """The monotonic time at which the next of these two days is over."""
    utc_ms = clock.utc(state.clock, now)
    ends = [
        now + each.at_ms + FADES_WITHIN_MS - utc_ms
        for each in state.durable.deletions
        if each.policy is Deletion.AFTER_LAST_DRIVE_OR_48H
    ]
    return min(ends, default=None)


def _delete(draft: Draft, token_id: bytes, policy: int, expires_s: int, issued_s: int) -> None:
    durable = draft.durable
    if ledger.withdrawn(durable, token_id):
        return
    waits = policy in (Deletion.UNTIL_KEY_CYCLE, Deletion.AFTER_LAST_DRIVE_OR_48H)
    at_ms = clock.utc(draft.state.clock, draft.now)
    deleted = Fading(token_id, Deletion(policy) if waits else Deletion.IMMEDIATE, expires_s, at_ms)
    if not waits:
        _take_effect(draft, deleted, issued_s)
    elif all((each.token_id, each.policy) != (token_id, policy) for each in durable.deletions):
        draft.keep(replace(durable, deletions=(*durable.deletions, deleted)))


def _take_effect(draft: Draft, deleted: Fading, issued_s: int = 0) -> None:
    """`issued_s`: the key was issued no later than that, if nothing is known of it."""
    known = keys.find(draft.durable, deleted.token_id)
    if known is not None:
        issued_s = known.key.issued_s
    elif not issued_s:
        issued_s = deleted.at_ms // 1000
    bury(draft, DeadKey(deleted.token_id, Code.KEY_DELETED, deleted.expires_s, issued_s))


def _drives(durable: Durable, token_id: bytes) -> bool:
    return durable.driver_key is not None and durable.driver_key.token_id == token_id


def _asks(state: State, token_id: bytes) -> bool:
    """Whether the car carries out what this key asked for: its phone hears how that ended before it is hung up."""
    link = None if state.pending is None else state.link(state.pending.link)
    return link is not None and link.key is not None and link.key.token_id == token_id
