"""A chip that is none, behind the calls of libgpiod's binding that are used: what is driven, and what is felt.

The real binding on the kernel's simulated chip is tried in `tests/guest`.
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gpiod.line import Direction, Edge, Value
from gpiod.line_settings import LineSettings

from firmware.adapters.gpio.lines import Request
from firmware.adapters.gpio.settings import LineId

UNPLUGGED: Final = OSError(errno.ENODEV, "No such device")


class Chip:
    """`RequestLines`. `felt`: logical values of inputs. `driven`: of outputs, as long as they are held. `history`:
    each change of an output. `tells_edges` False: it can only be looked at."""

    def __init__(self, *, tells_edges: bool = True) -> None:
        self.tells_edges = tells_edges
        self.settings: dict[LineId, LineSettings] = {}
        self.felt: dict[LineId, bool] = {}
        self.driven: dict[LineId, bool] = {}
        self.history: list[tuple[LineId, bool]] = []
        self.unplugged = False
        self.stuck: set[LineId] = set()
        """Outputs that can be energised, and never be told to stop."""
        self.moved: Callable[[LineId, bool], None] = lambda _line, _active: None
        """Called in the thread that moved an output."""
        self._pipes: list[tuple[int, int]] = []

    def __call__(self, config: Mapping[LineId, LineSettings]) -> Request:
        if self.unplugged:
            raise UNPLUGGED
        if any(line in self.settings for line in config):
            raise OSError(errno.EBUSY, "Device or resource busy")
        if not self.tells_edges and any(each.edge_detection is not Edge.NONE for each in config.values()):
            raise OSError(errno.ENXIO, "No such device or address")
        pipe = os.pipe()
        os.set_blocking(pipe[0], False)
        self._pipes.append(pipe)
        self.settings.update(config)
        for line, settings in config.items():
            if settings.direction is Direction.OUTPUT:
                self.driven[line] = settings.output_value is Value.ACTIVE
        return _Lines(self, list(config), pipe[0])

    def feel(self, line: LineId, active: bool) -> None:
        """From now on; whoever waits for an edge is told."""
        self.felt[line] = active
        self.edge()

    def edge(self) -> None:
        for _, tell in self._pipes:
            os.write(tell, b"e")

    def unplug(self) -> None:
        self.unplugged = True
        self.edge()

    def free(self, lines: Iterable[LineId], fd: int) -> None:
        for line in lines:
            del self.settings[line]
            self.driven.pop(line, None)
        for pipe in [pipe for pipe in self._pipes if pipe[0] == fd]:
            self._pipes.remove(pipe)
            for end in pipe:
                os.close(end)


class _Lines:
    """`Request`."""

    def __init__(self, chip: Chip, lines: list[LineId], fd: int) -> None:
        self._chip = chip
        self._lines = lines
        self.fd = fd

    def _check(self) -> None:
        if self._chip.unplugged:
            raise UNPLUGGED

    def get_values(self, lines: Iterable[LineId] | None = None) -> list[Value]:
        self._check()
        chip = self._chip
        states = [chip.driven.get(line, chip.felt.get(line, False)) for line in lines or self._lines]
        return [Value.ACTIVE if active else Value.INACTIVE for active in states]

    def set_values(self, values: dict[LineId, Value]) -> None:
        self._check()
        for line, value in values.items():
            active = value is Value.ACTIVE
            if not active and line in self._chip.stuck:
                raise OSError(errno.EIO, "Input/output error")
            if self._chip.driven[line] is not active:
                self._chip.driven[line] = active
                self._chip.history.append((line, active))
                self._chip.moved(line, active)

    def read_edge_events(self, max_events: int | None = None) -> object:
        self._check()
        return os.read(self.fd, 4096)

    def release(self) -> None:
        self._chip.free(self._lines, self.fd)
