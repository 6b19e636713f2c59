"""The vehicle's own menu on the page: shared keys, a code to enter, how far a takeover is, and whether the car calls.

Decides wording only. What the menu answers comes from the module; a code is in no line that is kept.
"""

from typing import Any, Final

from firmware.bench.calls import NONE, UNDER_WAY, WAITING
from firmware.bench.room import Room
from firmware.core import takeover
from firmware.dashboard.acts import ActRefused, MenuAct
from firmware.menu import MenuFailed
from protocol.errors import Refusal
from protocol.explain import permissions_in_words, sentence
from protocol.values import KeyEntry

DARK: Final = "The menu is dark: the module has no power"
_CALLS: Final = {
    WAITING: "The car will call for help: press once more to take it back",
    UNDER_WAY: "The car is calling for help",
    "acknowledged": "Help is on its way",
    "cancelled": "The call was taken back",
    "stale": "The call was never answered",
    "impossible": "There is no service to call for help with",
}


async def press(room: Room, act: MenuAct) -> str:
    """What the menu answers, in words. Raises ActRefused."""
    pump = room.stand.pump
    if pump is None:
        raise ActRefused(DARK)
    try:
        with room.stand.time.passing():
            if act.code:
                return _answer(await pump.menu.activate(act.code), "The key is activated")
            return _answer(await pump.menu.deactivate(act.number), f"Key {act.number} is deactivated")
    except MenuFailed as error:
        raise ActRefused(str(error)) from None


def _answer(refusal: Refusal | None, done: str) -> str:
    return done if refusal is None else f"No: {sentence(refusal)}. {refusal.remedy}"


def view(room: Room) -> dict[str, Any]:
    """For the page."""
    pump = room.stand.pump
    if pump is None:
        return {"dark": DARK, "keys": [], "takeover": None, "takeover_words": "", "call": NONE, "call_words": ""}
    progress = takeover.progress_pct(pump.state, room.now)
    call = room.calls.word(pump.state)
    return {
        "dark": "",
        "keys": [_key(each) for each in pump.menu.listed()],
        "takeover": progress,
        "takeover_words": "" if progress is None else f"This car is being taken over: {progress} %",
        "call": call,
        "call_words": _CALLS.get(call, ""),
    }


def _key(entry: KeyEntry) -> dict[str, Any]:
    waits = "" if entry.activated else "waits for its code"
    state = "deleted, goes on until its end" if entry.deleted else waits
    return {
        "number": entry.number,
        "name": entry.name,
        "words": permissions_in_words(entry.permissions),
        "state": state,
    }
