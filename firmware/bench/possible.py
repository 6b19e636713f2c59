"""Commands that ask what would be: what each booking and key could do right now, and why the last answer was no.

Decides how it is told. The core itself is asked (`judging`), and nothing is changed.
"""

from collections.abc import Sequence
from typing import Final

from firmware.bench import judging
from firmware.bench.grammar import Command, Words
from firmware.bench.judging import Holding, KeyHolding, Verdict
from firmware.bench.levels import Level
from firmware.bench.looking import booking_data
from firmware.bench.news import refusal_data, refused_data
from firmware.bench.results import Data, Result
from firmware.bench.room import Room
from firmware.bench.words import instant
from protocol.errors import Refusal
from protocol.explain import explain, permissions_in_words, sentence


async def why(room: Room, _: Words) -> Result:
    """The last refusal that anybody was given, and what would change it."""
    refused = room.news.refused
    if refused is None:
        return Result("why", {"refused": None, "changes": []}, ("Nobody has been refused anything yet.",))
    pump = room.stand.pump
    changes = () if pump is None else judging.changes(refused.refusal, pump.state, room.now)
    lines = (
        f"{instant(refused.at_ms)}: {refused.to} was refused {refused.asked}.",
        *explain(refused.refusal).lines()[:2],
        *(f"Change: {each}" for each in changes),
    )
    return Result("why", {"refused": refused_data(refused), "changes": list(changes)}, lines)


async def can(room: Room, _: Words) -> Result:
    """What each booking and each key that is known here could do right now, why not, and what would end a key."""
    state, now = room.state, room.now
    booked, held = tuple(judging.bookings(state, now)), tuple(judging.digital_keys(state, now))
    data: Data = {"bookings": [_booking_row(each) for each in booked], "keys": [_key_row(each) for each in held]}
    lines = [line for each in booked for line in _booking_lines(each)]
    lines += [line for each in held for line in _key_lines(each)]
    return Result("can", data, tuple(lines) or ("No booking and no key is known here.",))


def _booking_row(holding: Holding) -> Data:
    return {**booking_data(holding.booking), "where": holding.where, "refused": _verdicts(holding.verdicts)}


def _key_row(holding: KeyHolding) -> Data:
    key = holding.key
    return {
        "key": key.token_id.hex(),
        "name": key.name,
        "user": key.user.hex(),
        "role": key.role.name.lower(),
        "permissions": permissions_in_words(key.permissions),
        "not_before_ms": key.not_before_s * 1000,
        "expires_at_ms": key.expires_s * 1000,
        "where": holding.where,
        "denied": None if holding.denied is None else refusal_data(holding.denied),
        "refused": _verdicts(holding.verdicts),
        "until": list(holding.until),
    }


def _verdicts(verdicts: Sequence[Verdict]) -> Data:
    return {
        each.operation.name.lower(): None if each.refusal is None else refusal_data(each.refusal) for each in verdicts
    }


def _booking_lines(holding: Holding) -> list[str]:
    given = holding.booking
    head = f"Booking {given.booking_id.hex()} ({given.role.name.lower()}, {holding.where}):"
    return [head, *_verdict_lines(holding.denied, holding.verdicts)]


def _key_lines(holding: KeyHolding) -> list[str]:
    key = holding.key
    named = f"Key of {key.name}" if key.name else f"Key {key.token_id.hex()}"
    head = f"{named} ({key.role.name.lower()}, {holding.where}):"
    return [head, *_verdict_lines(holding.denied, holding.verdicts), *(f"  it {each}" for each in holding.until)]


def _verdict_lines(denied: Refusal | None, verdicts: Sequence[Verdict]) -> list[str]:
    if denied is not None:
        return [f"  nothing: {sentence(denied)} ({denied.code.name})"]
    return [_verdict_line(each) for each in verdicts]


def _verdict_line(verdict: Verdict) -> str:
    name, no = verdict.operation.name.lower().replace("_", " "), verdict.refusal
    return f"  {name}: yes" if no is None else f"  {name}: no, {sentence(no)} ({no.code.name})"


COMMANDS: Final = (
    Command(("why",), Level.OBSERVE, "the last refusal, and what would change it", why),
    Command(("can",), Level.OBSERVE, "what each booking and key could do right now, and what would end it", can),
)
