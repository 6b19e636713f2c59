"""The line to the emergency centre on a bench: what was sent, and a centre where there is none.

Decides nothing about a call. It remembers what passes, and plays the centre when somebody at the desk wants it to.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.bench.switches import Socket
from firmware.ports import EmergencyPort
from protocol.msd import Msd

CALLS_KEPT: Final = 64


class Called(msgspec.Struct, frozen=True):
    """One message of a call, as the module gave it to the line."""

    call: int
    msd: Msd
    lasts_s: int


class EmergencySwitch(Socket[EmergencyPort]):
    """An `EmergencyPort` around another one. Without a network the newest message waits, as it would in a modem."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: deque[Called] = deque(maxlen=CALLS_KEPT)
        self._is_up = True
        self._cut = False
        self._waiting: Called | None = None
        self._acknowledged: Callable[[int], None] | None = None

    def plug(self, port: EmergencyPort) -> None:
        """Use this one from now on; there is power again."""
        super().plug(port)
        self._cut, self._waiting = False, None

    def cut(self) -> None:
        """The power is gone: nothing is sent any more."""
        self._cut = True

    def switch(self, up: bool) -> None:
        """The network comes back, or is gone."""
        self._is_up = up
        waiting, self._waiting = self._waiting, None
        if up and waiting is not None:
            self._send(waiting)

    async def run(self, acknowledged: Callable[[int], None]) -> None:
        """As EmergencyPort."""
        self._acknowledged = acknowledged
        try:
            await self.port.run(acknowledged)
        finally:
            self._acknowledged = None

    def call(self, number: int, msd: Msd, lasts_s: int) -> None:
        """As EmergencyPort."""
        called = Called(number, msd, lasts_s)
        if self._is_up and not self._cut:
            self._send(called)
        else:
            self._waiting = called

    def hang_up(self) -> None:
        """As EmergencyPort."""
        self._waiting = None
        if not self._cut:
            self.port.hang_up()

    def answer(self) -> int | None:
        """The centre has the last call: its number. None: nobody has called, or nobody hears the answer."""
        if not self.sent or self._acknowledged is None or not self._is_up:
            return None
        number = self.sent[-1].call
        self._acknowledged(number)
        return number

    def _send(self, called: Called) -> None:
        self.sent.append(called)
        self.port.call(called.call, called.msd, called.lasts_s)


class LoopbackCentre:
    """An `EmergencyPort` for benches without a network: whatever is sent has arrived, and is not answered by itself."""

    async def run(self, acknowledged: Callable[[int], None]) -> None:
        """As EmergencyPort."""
        await asyncio.Event().wait()

    def call(self, number: int, msd: Msd, lasts_s: int) -> None:
        """As EmergencyPort."""

    def hang_up(self) -> None:
        """As EmergencyPort."""
