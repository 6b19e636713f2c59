"""Which credentials of a module are withdrawn, from one revocation list to the next.

A module knows only the newest list, so each one says everything that the one before it said and that still matters.
Pure: no keys, no clock, no files.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from protocol.sharing import Deletion
from protocol.tokens import RevocationList

_STRICTER: Final = (Deletion.IMMEDIATE, Deletion.AFTER_LAST_DRIVE_OR_48H, Deletion.UNTIL_KEY_CYCLE)
"""From the strictest to the mildest: the last one ends by what somebody does, and not by itself."""


class Withdrawal(NamedTuple):
    """A booking or key that is withdrawn, how, and when its token ends by itself (UTC seconds)."""

    token_id: bytes
    deletion: Deletion
    expires_s: int


def following(
    previous: RevocationList | None,
    added: Iterable[Withdrawal],
    *,
    module_id: bytes,
    now_s: int,
    number: int | None = None,
    min_key_epoch: int = 0,
) -> RevocationList:
    """The list after `previous`, unsigned: what that one says and has not ended by itself, and what is `added`. Its
    number rises; `number` None: to `now_s` at least. A withdrawal becomes stricter, never milder. Raises ValueError in
    words for a list of another module and for a number that does not rise."""
    last = 0 if previous is None else previous.number
    if previous is not None and previous.module_id != module_id:
        raise ValueError(f"the list before it is for the module {previous.module_id.hex()}, not {module_id.hex()}")
    if number is None:
        number = max(now_s, last + 1)
    if number <= last:
        raise ValueError(f"number {number} does not rise: the last list has the number {last}")
    known = {one.token_id: one for one in _said(previous) if one.expires_s > now_s}
    for one in added:
        before = known.get(one.token_id)
        if before is None or _STRICTER.index(one.deletion) < _STRICTER.index(before.deletion):
            known[one.token_id] = one
    epoch = max(min_key_epoch, 0 if previous is None else previous.min_key_epoch)
    return RevocationList(
        module_id,
        number,
        now_s,
        epoch,
        tuple((one.token_id, one.expires_s) for one in known.values() if one.deletion is Deletion.IMMEDIATE),
        fading=tuple(
            (one.token_id, int(one.deletion), one.expires_s)
            for one in known.values()
            if one.deletion is not Deletion.IMMEDIATE
        ),
    )


def said_of(listed: RevocationList, token_id: bytes) -> Deletion | None:
    """How `listed` withdraws that token; None: it does not."""
    return next((one.deletion for one in _said(listed) if one.token_id == token_id), None)


def _said(listed: RevocationList | None) -> Iterable[Withdrawal]:
    if listed is not None:
        yield from (Withdrawal(token_id, Deletion.IMMEDIATE, expires_s) for token_id, expires_s in listed.revoked)
        yield from (Withdrawal(token_id, Deletion(policy), expires_s) for token_id, policy, expires_s in listed.fading)
