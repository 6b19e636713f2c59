"""What must never be forgotten of digital keys: the part of `vital` that is about them (KEY-4, KEY-6, PWR-1).

Decides what comes back when the store was lost or rolled back: the record beside it is the newest word on every key.
Which are dead, which deletions run and how far they are, which codes were tried and how often. A release does not come
back unless the same key still has it.
"""

import msgspec

from firmware.core import ledger
from firmware.core.state import DeadKey, Durable, Fading, KnownKey
from protocol.errors import Code
from protocol.sharing import Deletion, Key

replace = msgspec.structs.replace


class _Claims(Key, frozen=True, gc=False, array_like=True):
    """A key without the names of its claims: sixteen of them have to fit."""


class _Known(KnownKey, frozen=True, gc=False, array_like=True):
    """The same of a key that has been here."""

    key: _Claims


class Marks(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """As in `Durable`. `dead`: (token, what its holder is told, expiry, issue); `deletions`: (token, policy, expiry,
    heard of at, unlocked since); `driver`: the token of the key that has made driving possible, or nothing."""

    known: tuple[_Known, ...]
    dead: tuple[tuple[bytes, Code, int, int], ...]
    before_s: int
    deletions: tuple[tuple[bytes, Deletion, int, int, bool], ...]
    code_step: int
    driver: bytes


def of(durable: Durable) -> Marks:
    """What must never be forgotten of the keys in `durable`."""
    fields = msgspec.structs.astuple
    known = tuple(
        _Known(each.number, _Claims(*fields(each.key)), each.seen_ms, each.code, each.tries, each.activated)
        for each in durable.keys
    )
    driver = b"" if durable.driver_key is None else durable.driver_key.token_id
    return Marks(
        known,
        tuple((each.token_id, each.code, each.expires_s, each.issued_s) for each in durable.dead_keys),
        durable.keys_before_s,
        tuple((each.token_id, each.policy, each.expires_s, each.at_ms, each.unlocked) for each in durable.deletions),
        durable.code_step,
        driver,
    )


def recalled(older: Durable, marks: Marks) -> Durable:
    """`older` as it has to be now that these are the newest marks."""
    fields = msgspec.structs.astuple
    known = tuple(
        KnownKey(each.number, Key(*fields(each.key)), each.seen_ms, each.code, each.tries, each.activated)
        for each in marks.known
    )
    durable = replace(
        older,
        keys=known,
        deletions=tuple(Fading(*each) for each in marks.deletions),
        keys_before_s=max(older.keys_before_s, marks.before_s),
        code_step=marks.code_step,
    )
    for each in marks.dead:
        durable = ledger.bury_key(durable, DeadKey(*each), durable.floor_ms)
    driver = durable.driver_key
    if driver is not None and driver.token_id != marks.driver:
        durable = replace(durable, driver_key=None, drive_enabled=False)
    return durable
