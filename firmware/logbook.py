"""The usage log in words: is it whole, and who had the car at a time (BKG-7).

Decides what is printed. Where the log lies is the store's affair, what makes it whole is `usage`.
"""

from datetime import UTC, datetime

import msgspec

from firmware.core import usage
from firmware.core.reporting import iso_time
from firmware.core.usage import Chained, Entry, Fault, Head, Stay, Use
from firmware.core.vital import Vital
from firmware.keeper import decode_durable
from firmware.ports import StoreFailed


class Book(msgspec.Struct, frozen=True):
    """A log that was read. `faults`: what was altered, taken out or cut off; empty when it is whole."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]


def opened(module_id: bytes, kept: tuple[Chained, ...], state: bytes | None, noted: bytes | None) -> Book:
    """The log, held against the heads in the state and in the critical record. Raises StoreFailed."""
    heads: list[Head] = []
    if state is not None:
        heads.append(decode_durable(state).log)
    if noted:
        try:
            vital = msgspec.msgpack.decode(noted, type=Vital)
        except msgspec.DecodeError as error:
            raise StoreFailed(f"the critical record can not be read: {error}") from None
        heads.append(Head(vital.log_length, vital.log_digest))
    entries, faults = usage.verify(module_id, kept, *heads)
    return Book(tuple(entries), tuple(faults))


def verdict(book: Book) -> str:
    """For people: one line when it is whole, else one for each fault and each time the state was lost."""
    count = len(book.entries)
    if not book.faults:
        return f"The usage log is whole: {count} entr{'y' if count == 1 else 'ies'}."
    lost = [
        f"Entry {entry.number}: the stored state was {_how(entry)} at {iso_time(entry.at_ms)}; entries before it may "
        f"lie in a file that was moved aside."
        for entry in book.entries
        if entry.use is Use.RECOVERED
    ]
    faults = [f"Entry {fault.number} {fault.what}." for fault in book.faults]
    return "\n".join(["The usage log is not whole:", *faults, *lost])


def verdict_object(book: Book) -> dict[str, object]:
    """For programs."""
    faults = [msgspec.structs.asdict(fault) for fault in book.faults]
    return {"type": "verdict", "whole": not book.faults, "entries": len(book.entries), "faults": faults}


def answer(book: Book, at_ms: int) -> str:
    """For people: who had the car at that time, UTC in ms; and a warning when the log is not whole."""
    stays = usage.who(book.entries, at_ms)
    lines = [_sentence(stay) for stay in stays] or [f"Nobody had the car at {iso_time(at_ms)}, by this log."]
    if book.faults:
        lines.append("The usage log is not whole, so this may be wrong: see `sharebox log verify`.")
    return "\n".join(lines)


def answer_object(book: Book, at_ms: int) -> dict[str, object]:
    """For programs. `stays` is empty when nobody had the car."""
    stays = [_stay_object(stay) for stay in usage.who(book.entries, at_ms)]
    return {"type": "who", "at": iso_time(at_ms), "whole": not book.faults, "stays": stays}


def moment(text: str) -> int:
    """ISO 8601 as UTC in ms; without an offset it is UTC. Raises ValueError with one line."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write it like 2026-10-30T12:00:00Z") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _sentence(stay: Stay) -> str:
    start = stay.started
    until = "still has the car" if stay.ended is None else f"until {iso_time(stay.ended.at_ms)} ({_how(stay.ended)})"
    return (
        f"User {start.user} ({start.role}), booking {start.booking}: from {iso_time(start.at_ms)} "
        f"(time {start.quality}), {until}."
    )


def _how(entry: Entry) -> str:
    return entry.use.value if entry.reason in ("", entry.use.value) else f"{entry.use.value}: {entry.reason}"


def _stay_object(stay: Stay) -> dict[str, object]:
    start, end = stay.started, stay.ended
    return {
        "user": start.user,
        "role": start.role,
        "booking": start.booking,
        "from": iso_time(start.at_ms),
        "from_quality": start.quality,
        "until": None if end is None else iso_time(end.at_ms),
        "until_quality": None if end is None else end.quality,
        "how": None if end is None else end.use.value,
        "reason": None if end is None else end.reason,
    }
