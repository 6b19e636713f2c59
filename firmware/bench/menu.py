"""Commands for the vehicle's own menu: what somebody who sits in the car does there with shared keys (KEY-3, KEY-6).

Decides nothing: the menu's answer, also a refusal, is the result. A code is in none of them.
"""

from typing import Final

from firmware.bench import kinds
from firmware.bench.grammar import Command, Kind, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.news import refusal_data
from firmware.bench.results import Data, DeskCode, DeskError, Result
from firmware.bench.room import Room
from firmware.bench.words import instant
from firmware.menu import MenuFailed
from protocol.errors import Refusal
from protocol.explain import permissions_in_words, sentence
from protocol.sealing import is_code
from protocol.values import KeyEntry

MOST_NUMBER: Final = 9_999


def code(word: str) -> str:
    """An activation code. Raises ValueError, without it."""
    if not is_code(word):
        raise ValueError("it has not six digits")
    return word


async def activate(room: Room, words: Words) -> Result:
    """Enter an activation code."""
    menu = room.pump.menu
    try:
        with room.stand.time.passing():
            refusal = await menu.activate(words.text("CODE"))
    except MenuFailed as error:
        raise DeskError(DeskCode.FAILED, f"`menu activate`: {error}") from None
    return _answered(room, refusal, "The key is activated.")


async def deactivate(room: Room, words: Words) -> Result:
    """The key with that number, at once."""
    menu, number = room.pump.menu, words.whole("N")
    try:
        with room.stand.time.passing():
            refusal = await menu.deactivate(number)
    except MenuFailed as error:
        raise DeskError(DeskCode.FAILED, f"`menu deactivate {number}`: {error}") from None
    return _answered(room, refusal, f"Key {number} is deactivated.")


def _answered(room: Room, refusal: Refusal | None, done: str) -> Result:
    line = done if refusal is None else f"No: {sentence(refusal)} ({refusal.code.name}). {refusal.remedy}"
    shown = _shown(room)
    data: Data = {"refused": None if refusal is None else refusal_data(refusal), **shown.data}
    return Result("menu", data, (line, *shown.lines))


async def keys(room: Room, _: Words) -> Result:
    """What the menu shows."""
    return _shown(room)


def _shown(room: Room) -> Result:
    entries = room.pump.menu.listed()
    lines = tuple(_line(each) for each in entries)
    return Result("menu", {"keys": [_data(each) for each in entries]}, lines or ("No shared key is listed.",))


def _data(entry: KeyEntry) -> Data:
    return {
        "number": entry.number,
        "token": entry.token_id.hex(),
        "name": entry.name,
        "permissions": permissions_in_words(entry.permissions),
        "expires_at_ms": entry.expires_at_ms,
        "activated": entry.activated,
        "deleted": entry.deleted,
    }


def _line(entry: KeyEntry) -> str:
    waits = "" if entry.activated else ", waits for its code"
    goes = ", deleted and not yet gone" if entry.deleted else ""
    until = instant(entry.expires_at_ms)
    return f"{entry.number}: {entry.name}, {permissions_in_words(entry.permissions)}, until {until}{waits}{goes}"


COMMANDS: Final = (
    Command(("menu", "keys"), Level.OBSERVE, "the vehicle's menu: which shared keys there are", keys),
    Command(
        ("menu", "activate"),
        Level.OPERATE,
        "the vehicle's menu: enter the code of a shared key",
        activate,
        (Parameter("CODE", Kind[object]("CODE", code), secret=True),),
    ),
    Command(
        ("menu", "deactivate"),
        Level.OPERATE,
        "the vehicle's menu: a shared key is dead from now on",
        deactivate,
        (Parameter("N", Kind[object]("N", kinds.whole(1, MOST_NUMBER))),),
        suggest=lambda room: [] if room.stand.pump is None else [str(each.number) for each in room.pump.menu.listed()],
    ),
)
