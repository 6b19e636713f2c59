"""Wires that tell of the car.

Decides how contacts come to rest: by the kernel where it can, else by looking at them often. An input that can not be
read says nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from gpiod.line import Value

from firmware.adapters.gpio.debounce import Debounce
from firmware.adapters.gpio.lines import Request, RequestLines, polled, reason, watched
from firmware.adapters.gpio.settings import Input

LOOK_EVERY_S: Final = 0.02
"""Where no edges are told."""

log = structlog.get_logger("sharebox")


class Inputs:
    """`wires`: by field, as Wiring. Raises OSError and ValueError."""

    def __init__(
        self, request: RequestLines, wires: Mapping[str, tuple[Input, ...]], mono_ms: Callable[[], int]
    ) -> None:
        self._wires = wires
        self._mono_ms = mono_ms
        self._all = [wire for several in wires.values() for wire in several]
        self._debounced: dict[Input, Debounce] | None = None
        self._request = self._requested(request)

    def _requested(self, request: RequestLines) -> Request:
        try:
            return request({wire.line: watched(wire) for wire in self._all})
        except OSError as error:
            log.info("inputs are looked at all the time: their chip tells of no edges", why=reason(error))
        self._debounced = {wire: Debounce(wire.debounce_ms) for wire in self._all}
        return request({wire.line: polled(wire) for wire in self._all})

    async def watch(self, moved: Callable[[], None]) -> str:
        """Say when an input may have moved, until the chip is lost; why it is."""
        return await (self._told(moved) if self._debounced is None else self._looked_at(moved))

    async def _looked_at(self, moved: Callable[[], None]) -> str:
        before: dict[str, bool | None] = {}
        while True:
            try:
                now = self.look()
            except OSError as error:
                return reason(error)
            if now != before:
                before = now
                moved()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _told(self, moved: Callable[[], None]) -> str:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[str] = loop.create_future()
        fd = self._request.fd

        def seen() -> None:
            try:
                self._request.read_edge_events()
            except OSError as error:
                loop.remove_reader(fd)
                lost.set_result(reason(error))
            moved()

        loop.add_reader(fd, seen)
        try:
            return await lost
        finally:
            loop.remove_reader(fd)

    def look(self) -> dict[str, bool | None]:
        """What each field is at this instant. Raises OSError."""
        values = self._request.get_values([wire.line for wire in self._all])
        raw = dict(zip(self._all, (value is Value.ACTIVE for value in values), strict=True))
        settled = {wire: self._settled(wire, active) for wire, active in raw.items()}
        return {field: _any(settled[wire] for wire in wires) for field, wires in self._wires.items()}

    def _settled(self, wire: Input, active: bool) -> bool | None:
        return active if self._debounced is None else self._debounced[wire].feed(active, self._mono_ms())

    def close(self) -> None:
        """Give the lines back."""
        try:
            self._request.release()
        except OSError as error:
            log.warning("the inputs' lines can not be given back", why=reason(error))


def _any(states: Iterable[bool | None]) -> bool | None:
    """Whether one is active; None: none is, but not all are known."""
    known = list(states)
    return True if True in known else None if None in known else False
