"""The vehicle's own menu (KEY-3, KEY-6): enter an activation code, list the shared keys, deactivate one.

Decides how long whoever stands at it waits for an answer, and that a code goes no further than here: what is posted is
its print. Refuses to know which codes are right; that is `firmware.core.activation`.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from firmware.core import keys
from firmware.core.events import CodeEntered, Event, KeyDeactivated
from firmware.core.state import State
from protocol.errors import Refusal
from protocol.sealing import is_code
from protocol.values import KeyEntry

MOST_WAITING: Final = 8
ANSWER_WITHIN_S: Final = 5.0
"""A commit to a slow disk takes a second; the menu of a car that is silent for longer is broken."""


class MenuFailed(Exception):
    """The menu could not do it: one line with what, why and what to do. Never with a code in it."""


class Menu:
    """One vehicle's. `state`: what the module knows now; `printed`: the print that only this module can make of a
    code; `post`: tells the core a fact."""

    def __init__(
        self, state: Callable[[], State], printed: Callable[[str], bytes], post: Callable[[Event], None]
    ) -> None:
        self._state = state
        self._printed = printed
        self._post = post
        self._tickets = 0
        self._waiting: dict[int, asyncio.Future[Refusal | None]] = {}

    async def activate(self, code: str) -> Refusal | None:
        """Enter an activation code; why not, or None: a key is activated. Raises MenuFailed."""
        if not is_code(code):
            raise MenuFailed("a code was not taken: it has not six digits. Enter it as the main user gave it.")
        printed = self._printed(code)
        return await self._answer("a code was entered", lambda ticket: CodeEntered(printed, ticket))

    def listed(self) -> tuple[KeyEntry, ...]:
        """The shared keys that are good or wait for their code, by number."""
        return keys.listed(self._state())

    async def deactivate(self, number: int) -> Refusal | None:
        """Deactivate the key with that number at once; why not, or None: it is dead. Raises MenuFailed."""
        found = next((each for each in self.listed() if each.number == number), None)
        if found is None:
            raise MenuFailed(f"key {number} was not deactivated: there is none with that number. List them.")
        return await self._answer(
            f"key {number} was deactivated", lambda ticket: KeyDeactivated(found.token_id, ticket)
        )

    def answered(self, ticket: int, refusal: Refusal | None) -> None:
        """The core has answered; nobody may be waiting any more."""
        waiting = self._waiting.get(ticket)
        if waiting is not None and not waiting.done():
            waiting.set_result(refusal)

    async def _answer(self, what: str, event: Callable[[int], Event]) -> Refusal | None:
        if len(self._waiting) >= MOST_WAITING:
            raise MenuFailed(f"{what}: too many wait for an answer already. Try again in a moment.")
        self._tickets += 1
        ticket = self._tickets
        waiting: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = waiting
        try:
            self._post(event(ticket))
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await waiting
        except TimeoutError:
            raise MenuFailed(
                f"{what}: no answer within {ANSWER_WITHIN_S:g} s. It may have worked all the same: list the keys."
            ) from None
        finally:
            del self._waiting[ticket]
