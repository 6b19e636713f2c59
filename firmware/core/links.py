"""Who may stay connected, and how often a stranger may try (SEC-2, BLE-1). Three links, so none may be wasted."""

from typing import Final

import msgspec

from firmware.core import access
from firmware.core.draft import Draft
from firmware.core.effects import ContinueHandshake, RefuseHandshake
from firmware.core.events import KeyPresented, TokenPresented
from firmware.core.state import Link, State
from protocol.errors import Code, Refusal, refuse
from protocol.gatt import MAX_LINKS
from protocol.sharing import Key
from protocol.tokens import Booking

replace = msgspec.structs.replace

HANDSHAKE_WITHIN_MS: Final = 10_000
"""A central that has not authenticated itself by then makes room."""
DENIED_IDLE_MS: Final = 60_000
"""A phone without access needs no longer than this to read why. While all places are taken, that counts from its
connection, or three dead bookings could keep the driver out for ever."""
IDLE_MS: Final = 600_000
"""A session without traffic for this long is over."""
MOST_FAILURES: Final = 5
FAILURES_WITHIN_MS: Final = 60_000
"""Five failed handshakes in a minute, on all links together: who has failed may not try again for the rest of it. A
link that has not is let through, or a stranger who fails on purpose would keep the driver out."""


def opened(draft: Draft, link_id: int) -> None:
    """A central connected. One too many is sent away."""
    if len(draft.state.links) >= MAX_LINKS:
        draft.hang_up(link_id)
        return
    link = Link(link_id, draft.now, draft.now)
    draft.state = replace(draft.state, links=(*draft.state.links, link))


def lost(draft: Draft, link_id: int) -> None:
    """A central went away."""
    draft.state = replace(draft.state, links=tuple(link for link in draft.state.links if link.id != link_id))


def active(draft: Draft, link_id: int) -> None:
    """Traffic that verified came over a session."""
    link = draft.state.link(link_id)
    if link is not None:
        draft.set_link(replace(link, active_at_ms=draft.now))


def handshake_begun(draft: Draft, link_id: int) -> None:
    """Let a handshake go on, unless too many have failed lately and this link is among those that did."""
    recent = _recent(draft.state, draft.now)
    link = draft.state.link(link_id)
    if len(recent) < MOST_FAILURES or (link is not None and not link.failed):
        draft.order(ContinueHandshake(link_id))
        return
    retry_in_ms = recent[0] + FAILURES_WITHIN_MS - draft.now
    draft.order(RefuseHandshake(link_id, refuse(Code.TOO_MANY_HANDSHAKES, numbers=(("retry_in_ms", retry_in_ms),))))


def handshake_failed(draft: Draft, link_id: int) -> None:
    """Count it, and note whose it was."""
    kept = (*_recent(draft.state, draft.now), draft.now)[-MOST_FAILURES:]
    draft.state = replace(draft.state, failed_handshakes_ms=kept)
    link = draft.state.link(link_id)
    if link is not None:
        draft.set_link(replace(link, failed=True))


def authenticated(draft: Draft, event: TokenPresented | KeyPresented, denied: Refusal | None = None) -> bool:
    """A phone authenticated itself on a link; False: that is gone. `denied`: what it permits is not durable."""
    link = draft.state.link(event.link)
    if link is None:
        return False
    fresh = Link(link.id, link.opened_at_ms, draft.now, denied=denied)
    if isinstance(event, KeyPresented):
        fresh = replace(fresh, key=replace(event.key, sealed_code=b""), code=event.code, parent=event.parent)
    else:
        fresh = replace(fresh, booking=event.booking)
    assert fresh.credential is not None
    supersede(draft, link.id, fresh.credential)
    draft.set_link(fresh)
    return True


def supersede(draft: Draft, link_id: int, held: Booking | Key) -> None:
    """A phone that authenticates itself anew has given its older session up: whatever somebody held back there is
    worth nothing any more (SEC-2)."""
    for link in draft.state.links:
        if link.id != link_id and link.credential is not None and link.credential.holder == held.holder:
            draft.hang_up(link.id)
            draft.set_link(replace(link, booking=None, key=None, opened_at_ms=draft.now))


def expires_at_ms(state: State, link: Link, now: int) -> int:
    """When this link has been useless for too long."""
    if link.credential is None:
        return link.opened_at_ms + HANDSHAKE_WITHIN_MS
    if access.granted(state, link, now):
        return link.active_at_ms + IDLE_MS
    crowded = len(state.links) >= MAX_LINKS
    return (link.opened_at_ms if crowded else link.active_at_ms) + DENIED_IDLE_MS


def settle(draft: Draft) -> None:
    """Hang up on links whose time is over. The clock starts anew, in case the radio does not hear."""
    for link in draft.state.links:
        if draft.now >= expires_at_ms(draft.state, link, draft.now):
            draft.hang_up(link.id)
            draft.set_link(replace(link, opened_at_ms=draft.now, active_at_ms=draft.now))


def _recent(state: State, now: int) -> tuple[int, ...]:
    return tuple(at for at in state.failed_handshakes_ms if now - at < FAILURES_WITHIN_MS)
