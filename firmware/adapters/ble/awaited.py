"""A Bluetooth controller for which moved time waits: a real one needs real time, however fast a bench lets it pass.

Decides when the controller owes something: the answer to a command, the end of a connection that it was told to end,
the news that a data packet has left. Refuses to know how time is held meanwhile, and what the packets say.

Numbers are those of the Bluetooth Core Specification 5.4, Vol 4 Part E; packets are framed as in Part A.
"""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from firmware.adapters.ble.tapped import tapped
from firmware.adapters.ble.transport import OpenController, PacketSink, PacketSource

Held = Callable[[], AbstractContextManager[None]]
"""While it is open, no moved time passes."""

_COMMAND: Final = 0x01
_DATA: Final = 0x02
_EVENT: Final = 0x04
_DISCONNECT: Final = 0x0406
_DISCONNECTION_COMPLETE: Final = 0x05
_COMMAND_COMPLETE: Final = 0x0E
_COMMAND_STATUS: Final = 0x0F
_COMPLETED_PACKETS: Final = 0x13
_HANDLE: Final = 0x0FFF


def awaited(open_controller: OpenController, held: Held) -> OpenController:
    """The same controller; `held` is opened for each thing that it owes, and closed when that has come."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[tuple[PacketSource, PacketSink]]:
        debts = Debts(held)
        try:
            async with tapped(open_controller, debts.seen)() as controller:
                yield controller
        finally:
            debts.forgive()

    return opened


class Debts:
    """What a controller owes. `seen` is told each packet, `forgive` that there will be no more."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._answers: deque[ExitStack] = deque()
        self._goodbyes: dict[int, ExitStack] = {}
        self._packets: dict[int, deque[ExitStack]] = {}

    def seen(self, packet: bytes, from_host: bool) -> None:
        """As `tapped.Tap`: total, whatever the packet is."""
        kind = packet[0] if packet else 0
        if from_host and kind == _COMMAND:
            self._commanded(_number(packet, 1), _number(packet, 4))
        elif from_host and kind == _DATA:
            self._packets.setdefault(_number(packet, 1) & _HANDLE, deque()).append(self._debt())
        elif kind == _EVENT and len(packet) > 3:
            self._happened(packet[1], packet[3:])

    def forgive(self) -> None:
        """Nothing is owed any more."""
        _settle(self._answers, len(self._answers))
        for handle in (*self._goodbyes, *self._packets):
            self._disconnected(handle)

    def _debt(self) -> ExitStack:
        debt = ExitStack()
        debt.enter_context(self._held())
        return debt

    def _commanded(self, command: int, handle: int) -> None:
        self._answers.append(self._debt())
        if command == _DISCONNECT and handle not in self._goodbyes:
            self._goodbyes[handle] = self._debt()

    def _happened(self, event: int, told: bytes) -> None:
        if event == _COMMAND_COMPLETE and _number(told, 1):  # without a command it only says how many more may come
            _settle(self._answers, 1)
        elif event == _COMMAND_STATUS and _number(told, 2):
            _settle(self._answers, 1)
            if told[0] and _number(told, 2) == _DISCONNECT and self._goodbyes:  # it does not say whom it keeps
                self._goodbyes.popitem()[1].close()
        elif event == _DISCONNECTION_COMPLETE:
            self._disconnected(_number(told, 1) & _HANDLE)
        elif event == _COMPLETED_PACKETS:
            for at in range(1, len(told) - 3, 4):
                _settle(self._packets.get(_number(told, at) & _HANDLE, deque()), _number(told, at + 2))

    def _disconnected(self, handle: int) -> None:
        packets = self._packets.pop(handle, deque())
        _settle(packets, len(packets))
        if goodbye := self._goodbyes.pop(handle, None):
            goodbye.close()


def _number(packet: bytes, at: int) -> int:
    return int.from_bytes(packet[at : at + 2], "little")


def _settle(debts: deque[ExitStack], count: int) -> None:
    for _ in range(min(count, len(debts))):
        debts.popleft().close()
