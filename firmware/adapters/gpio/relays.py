"""Outputs that move the car.

Decides that a pulse ends, whoever has lost interest meanwhile: a thread of its own times it, so neither a hung event
loop nor a bench whose time stands still keeps a relay energised. Locking and unlocking are never energised together.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from gpiod.line import Value

from firmware.adapters.gpio.lines import Request, reason
from firmware.adapters.gpio.settings import LineId, Relay
from firmware.core.events import Action

LOCKS: Final = frozenset({Action.UNLOCK, Action.LOCK})
REST_S: Final = 0.05
"""Between two pulses: contacts take their time to open."""

log = structlog.get_logger("sharebox")


class Relays:
    """`request`: the outputs, none energised; it belongs to this now."""

    def __init__(self, request: Request, pulses: Mapping[Action, Relay], immobiliser: Relay | None) -> None:
        self._request = request
        self._pulses = pulses
        self._immobiliser = immobiliser
        self._guard = threading.Lock()
        """libgpiod's requests are for one thread at a time."""
        self._energised: set[Action] = set()
        self._released = False
        locks = asyncio.Lock()
        self._turns = {action: locks if action in LOCKS else asyncio.Lock() for action in pulses}
        self._threads = ThreadPoolExecutor(max(1, len(pulses)), thread_name_prefix="relay")

    @property
    def given_back(self) -> bool:
        """Whether the lines are lost."""
        return self._released

    @property
    def lines(self) -> tuple[LineId, ...]:
        """All of them."""
        relays = [*self._pulses.values(), *([self._immobiliser] if self._immobiliser else [])]
        return tuple(relay.line for relay in relays)

    async def pulse(self, action: Action) -> bool:
        """Energise it for as long as it needs, after whatever excludes it. Whether it was given in full."""
        async with self._turns[action]:
            if self._released:
                return False
            given_up = threading.Event()
            loop = asyncio.get_running_loop()
            pulsing = loop.run_in_executor(self._threads, self._hold, action, given_up)
            try:
                return await asyncio.shield(pulsing)
            finally:
                given_up.set()
                self._drop(action)

    def _hold(self, action: Action, given_up: threading.Event) -> bool:
        relay = self._pulses[action]
        with self._guard:
            excluded = action in LOCKS and self._energised & LOCKS
            if given_up.is_set() or excluded or not self._set(relay.line, Value.ACTIVE):
                return False
            self._energised.add(action)
        given_up.wait(relay.pulse_ms / 1000)
        whole = not given_up.is_set()
        given = self._drop(action) and whole
        given_up.wait(REST_S)
        return given

    def _drop(self, action: Action) -> bool:
        """No longer energised; a line that can not be told so is given back."""
        with self._guard:
            if action not in self._energised:
                return False
            self._energised.discard(action)
            if self._set(self._pulses[action].line, Value.INACTIVE):
                return True
            self._give_back()
            return False

    def enable(self, enabled: bool) -> bool:
        """Energise the immobiliser's relay or not. Whether the line says so."""
        assert self._immobiliser is not None
        with self._guard:
            done = self._set(self._immobiliser.line, Value.ACTIVE if enabled else Value.INACTIVE)
            if not done and not enabled:
                self._give_back()
        return done and self.enabled() is enabled

    def enabled(self) -> bool | None:
        """Whether the immobiliser's relay is energised, as the line itself says; None: nobody knows."""
        assert self._immobiliser is not None
        with self._guard:
            if self._released:
                return None
            try:
                (value,) = self._request.get_values([self._immobiliser.line])
            except OSError as error:
                log.warning("a relay can not be read", why=reason(error))
                return None
        return value is Value.ACTIVE

    def close(self) -> None:
        """None is energised, and the lines are given back. Twice is no error."""
        with self._guard:
            if not self._released:
                self._energised.clear()
                self._set_all(dict.fromkeys(self.lines, Value.INACTIVE))
                self._give_back()
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------ guarded
    def _set(self, line: LineId, value: Value) -> bool:
        return self._set_all({line: value})

    def _set_all(self, values: dict[LineId, Value]) -> bool:
        if self._released:
            return False
        try:
            self._request.set_values(values)
        except OSError as error:
            log.warning("a relay can not be moved", why=reason(error))
            return False
        return True

    def _give_back(self) -> None:
        self._released = True
        try:
            self._request.release()
        except OSError as error:
            log.warning("the relays' lines can not be given back", why=reason(error))
