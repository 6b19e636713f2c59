"""Commands for the bench's time: what the world's clocks say, and how time passes."""

import asyncio
from typing import Final

from firmware.bench import kinds
from firmware.bench.grammar import Command, Kind, Option, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.looking import time as looked_at
from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.bench.words import instant
from protocol.explain import duration

MOST_RATE: Final = 1_000_000.0


async def _seen(room: Room, line: str) -> Result:
    result = await looked_at(room, Words({}))
    return Result("time", result.data, (line, *result.lines))


async def set_time(room: Room, words: Words) -> Result:
    """RTC and satellites say so from now on; the module believes it by its own rules, and no time passes by this."""
    utc_ms = words.whole("ISO")
    room.stand.time.set_utc(utc_ms)
    return await _seen(room, f"The world's clocks say {instant(utc_ms)}.")


async def move(room: Room, words: Words) -> Result:
    """Let that much time pass at once."""
    seconds = words.number("D")
    await room.stand.time.move(seconds)
    return await _seen(room, f"{duration(round(seconds * 1000))} have passed.")


async def until(room: Room, words: Words) -> Result:
    """Let time pass until the world's clocks say so."""
    utc_ms, at = words.whole("ISO"), room.stand.time
    left_ms = utc_ms - at.utc_ms()
    if left_ms < 0:
        raise DeskError(
            DeskCode.FAILED, f"`time until`: it is {duration(-left_ms)} later already. `time set` sets clocks back."
        )
    await at.move(left_ms / 1000)
    return await _seen(room, f"It is {instant(at.utc_ms())}.")


async def freeze(room: Room, _: Words) -> Result:
    """No time passes, but for what is moved."""
    room.stand.time.freeze()
    return await _seen(room, "Time stands still. Radio and car stand still with it; `time move D` moves it.")


async def go(room: Room, _: Words) -> Result:
    """Time passes as outside."""
    room.stand.time.go()
    return await _seen(room, "Time passes as outside.")


async def race(room: Room, words: Words) -> Result:
    """Time passes faster, or slower; with --for as outside again afterwards, exactly then."""
    factor, at = words.number("X"), room.stand.time
    at.race(factor)
    if words.has("for"):
        seconds = words.number("for")
        try:
            await asyncio.sleep(seconds)
        finally:
            at.go()
        return await _seen(room, f"{duration(round(seconds * 1000))} have passed, {factor:g} times as fast.")
    return await _seen(room, f"Time passes {factor:g} times as fast, or as fast as this computer can.")


_ISO: Final = (Parameter("ISO", kinds.INSTANT),)

COMMANDS: Final = (
    Command(("time", "set"), Level.OPERATE, "what the world's clocks say", set_time, _ISO),
    Command(("time", "move"), Level.OPERATE, "let time pass at once", move, (Parameter("D", kinds.DURATION),)),
    Command(("time", "until"), Level.OPERATE, "let time pass until then", until, _ISO),
    Command(("time", "freeze"), Level.OPERATE, "no time passes", freeze),
    Command(("time", "go"), Level.OPERATE, "time passes as outside", go),
    Command(
        ("time", "race"),
        Level.OPERATE,
        "time passes so many times as fast",
        race,
        (Parameter("X", Kind[object]("X", kinds.number(0.001, MOST_RATE))),),
        (Option("for", (Parameter("D", kinds.DURATION),)),),
    ),
)
