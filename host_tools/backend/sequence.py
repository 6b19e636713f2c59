"""Which records never came, and which came twice (TEL-3, TEL-5).

Decides: what is a gap, whether the module itself has explained it (TEL-4), and what is a repetition. A record is known
by its channel and its numbers; records may come late, an alert before older history. Bounded: the module that was
silent longest is forgotten first, and so is the oldest gap. Refuses to know: what a record says, one kind excepted.
"""

from typing import Final

import msgspec

from host_tools.backend.reading import COUNTED, Received, stamp_of
from protocol.telemetry import Channel, EventKind, EventReport, Stamp

MAX_MODULES: Final = 10_000
"""Modules whose numbers are remembered."""

MAX_HOLES: Final = 64
"""Gaps that are remembered of one channel of one module."""


class _Hole(msgspec.Struct):
    """Numbers that have not come, both ends included. `counted`: they are missed; not so before we listened."""

    first: int
    last: int
    counted: bool


class _Line:
    """One channel of one module."""

    __slots__ = ("away", "boot", "holes", "latest", "missing", "time")

    def __init__(self, stamp: Stamp) -> None:
        self.latest = stamp.seq
        self.boot = stamp.boot
        self.time = stamp.time
        self.holes = [_Hole(1, stamp.seq - 1, counted=False)] if stamp.seq > 1 else []
        self.missing = 0
        self.away = False

    def is_made_after_all(self, stamp: Stamp) -> bool:
        """Times of one module are written alike, so they compare as text."""
        return stamp.boot > self.boot or stamp.time > self.time

    def advance(self, stamp: Stamp) -> int:
        """A higher number than ever: how many were left out before it."""
        left_out = stamp.seq - self.latest - 1
        if left_out:
            self.holes.append(_Hole(self.latest + 1, stamp.seq - 1, counted=not self.away))
            self.missing += 0 if self.away else left_out
        self._bound()
        self.latest = stamp.seq
        self.boot, self.time, self.away = max(self.boot, stamp.boot), max(self.time, stamp.time), False
        return left_out

    def fill(self, number: int) -> _Hole | None:
        """A lower number: the gap that it belongs to, None when it has come before."""
        for at, hole in enumerate(self.holes):
            if hole.first <= number <= hole.last:
                self.missing -= hole.counted
                parts = (_Hole(hole.first, number - 1, hole.counted), _Hole(number + 1, hole.last, hole.counted))
                self.holes[at : at + 1] = [part for part in parts if part.first <= part.last]
                self._bound()
                return hole
        return None

    def _bound(self) -> None:
        if len(self.holes) > MAX_HOLES:
            del self.holes[0]


class _Module:
    __slots__ = ("lines", "stated")

    def __init__(self) -> None:
        self.lines: dict[Channel, _Line] = {}
        self.stated: dict[str, int] = {}
        """By channel: how many the module says to have given up, in all."""


class Sequence:
    """Follows the numbers of every module and channel."""

    def __init__(self) -> None:
        self._modules: dict[bytes, _Module] = {}

    def __len__(self) -> int:
        return len(self._modules)

    def follow(self, received: Received) -> Received:
        """`received` with all filled in that only its predecessors tell."""
        stamp = stamp_of(received.value)
        if received.channel not in COUNTED or stamp is None:
            return received
        module = self._modules.pop(received.module_id, None) or _Module()
        self._modules[received.module_id] = module
        if len(self._modules) > MAX_MODULES:
            del self._modules[next(iter(self._modules))]
        followed = _place(module, received, stamp)
        value = received.value
        if isinstance(value, EventReport) and value.kind is EventKind.RECORDS_DROPPED and not followed.repeated:
            module.stated = dict(value.numbers)
        return followed

    def interrupted(self) -> None:
        """We did not listen for a while: what was sent meanwhile is missed by our own fault."""
        for module in self._modules.values():
            for line in module.lines.values():
                line.away = True

    def missing(self, module_id: bytes) -> int:
        """Records of a module that have not come so far."""
        return sum(line.missing for line in self._lines(module_id).values())

    def unexplained(self, module_id: bytes) -> int:
        """Those of them that the module has not told to have given up."""
        return sum(
            max(0, line.missing - _stated(self._modules[module_id], channel))
            for channel, line in self._lines(module_id).items()
        )

    def _lines(self, module_id: bytes) -> dict[Channel, _Line]:
        module = self._modules.get(module_id)
        return {} if module is None else module.lines


def _place(module: _Module, received: Received, stamp: Stamp) -> Received:
    line = module.lines.get(received.channel)
    if line is None:
        module.lines[received.channel] = _Line(stamp)
        return received
    if stamp.seq > line.latest:
        unheard, before = line.away, line.missing
        left_out = line.advance(stamp)
        explained = 0 if unheard else min(left_out, max(0, _stated(module, received.channel) - before))
        return msgspec.structs.replace(
            received, missing=left_out, explained=explained, unheard=unheard and left_out > 0
        )
    if line.is_made_after_all(stamp):
        module.lines[received.channel] = _Line(stamp)
        # What it said to have given up belongs to the old numbers.
        module.stated = {}
        return msgspec.structs.replace(received, renewed=True)
    hole = line.fill(stamp.seq)
    if hole is None:
        return msgspec.structs.replace(received, repeated=True)
    return msgspec.structs.replace(received, late=hole.counted)


def _stated(module: _Module, channel: Channel) -> int:
    return module.stated.get(channel.name.lower(), 0)
