"""The usage log: who had the car from when to when, as a chain of hashes (BKG-7).

Each entry holds the digest of the one before it, the first one that of the module's identity, and the head of the
chain is part of the durable state: what is altered, taken out or cut off at the end shows. Values and questions
only: which event makes an entry is `bookings`, where the entries lie is the store's affair. No positions.
"""

import hashlib
from collections.abc import Iterator, Sequence
from enum import Enum, unique
from typing import Final

import msgspec

_GENESIS: Final = b"sharebox usage log 1 "


@unique
class Use(Enum):
    """What an entry says. RECOVERED: the stored state was lost, and a booking that ran may go on unseen."""

    STARTED = "started"
    ENDED = "ended"
    CUT_OFF = "cut off"
    SUPERSEDED = "superseded"
    RECOVERED = "recovered"


class Head(msgspec.Struct, frozen=True, gc=False):
    """The end of the chain: how many entries there ever were, and the digest of the last."""

    length: int = 0
    digest: bytes = b""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry. `at_ms` UTC with its `quality`; `user`, `booking` and `previous` (a digest) in hex."""

    number: int
    previous: str
    at_ms: int
    quality: str
    use: Use
    user: str = ""
    role: str = ""
    booking: str = ""
    reason: str = ""


class Chained(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is kept: JSON, and its SHA-256."""

    number: int
    body: bytes
    digest: bytes


class Fault(msgspec.Struct, frozen=True):
    """What is wrong from entry `number` on."""

    number: int
    what: str


class Stay(msgspec.Struct, frozen=True):
    """Somebody had the car; `ended` None: still has it, as far as the log knows."""

    started: Entry
    ended: Entry | None


def genesis(module_id: bytes) -> bytes:
    """What stands before the first entry of this module."""
    return hashlib.sha256(_GENESIS + module_id).digest()


def chain(module_id: bytes, head: Head, entry: Entry) -> tuple[Head, Chained]:
    """`entry` with its number and the digest before it filled in, and the new head."""
    previous = head.digest or genesis(module_id)
    linked = msgspec.structs.replace(entry, number=head.length + 1, previous=previous.hex())
    body = msgspec.json.encode(linked, order="deterministic")
    digest = hashlib.sha256(body).digest()
    return Head(linked.number, digest), Chained(linked.number, body, digest)


def verify(module_id: bytes, kept: Sequence[Chained], *heads: Head) -> tuple[list[Entry], list[Fault]]:
    """The entries that can be read, and everything that is wrong. `kept` by number; each of `heads` is a head of this
    chain that was noted elsewhere, the newest first: the chain ends with it, and holds the others."""
    entries: list[Entry] = []
    faults: list[Fault] = []
    before = Head(0, genesis(module_id))
    for link in kept:
        if link.number != before.length + 1:
            faults.append(_missing(before.length + 1, link.number - 1))
        entry = _read(link)
        if entry is None:
            faults.append(Fault(link.number, "has been altered"))
        else:
            entries.append(entry)
            if link.number == before.length + 1 and entry.previous != before.digest.hex():
                faults.append(Fault(link.number, "does not follow from the one before it"))
        before = Head(link.number, link.digest)
    return entries, [*faults, *_ends(kept, before, heads)]


def _ends(kept: Sequence[Chained], last: Head, heads: Sequence[Head]) -> Iterator[Fault]:
    digests = {link.number: link.digest for link in kept}
    longest = max((head.length for head in heads), default=last.length)
    if longest > last.length:
        yield _missing(last.length + 1, longest)
    if heads and last.length > longest:
        yield Fault(longest + 1, "was not written by this module")
    for head in heads:
        if head.length in digests and digests[head.length] != head.digest:
            yield Fault(head.length, "is not the one that the module noted")


def _missing(first: int, last: int) -> Fault:
    return Fault(first, "is missing" if first == last else f"and all up to {last} are missing")


def _read(link: Chained) -> Entry | None:
    if hashlib.sha256(link.body).digest() != link.digest:
        return None
    try:
        entry = msgspec.json.decode(link.body, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if entry.number == link.number else None


def stays(entries: Sequence[Entry]) -> Iterator[Stay]:
    """Who had the car from when to when, in order."""
    started: Entry | None = None
    for entry in entries:
        if started is not None:
            yield Stay(started, entry)
        started = entry if entry.use is Use.STARTED else None
    if started is not None:
        yield Stay(started, None)


def who(entries: Sequence[Entry], at_ms: int) -> tuple[Stay, ...]:
    """Who had the car at that time, UTC in ms. More than one only if the clock was put right in between."""
    return tuple(
        stay
        for stay in stays(entries)
        if stay.started.at_ms <= at_ms and (stay.ended is None or at_ms < stay.ended.at_ms)
    )
