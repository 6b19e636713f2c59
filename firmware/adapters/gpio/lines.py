"""The lines of a chip, as libgpiod gives them. Decides in which state outputs begin; refuses to know what they move."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final, Protocol

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiod.line_settings import LineSettings

from firmware.adapters.gpio.settings import Input, LineId, Relay
from protocol.errors import one_line

CONSUMER: Final = "sharebox"
_BIAS: Final = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "none": Bias.AS_IS}


class Request(Protocol):
    """What of `gpiod.LineRequest` is used. Each call may raise OSError."""

    @property
    def fd(self) -> int:
        """Readable when an edge was seen."""

    def get_values(self, lines: Iterable[LineId] | None = None) -> list[Value]:
        """In the order of the lines."""

    def set_values(self, values: dict[LineId, Value]) -> None:
        """All at once."""

    def read_edge_events(self, max_events: int | None = None) -> object:
        """Take what was seen."""

    def release(self) -> None:
        """Give the lines back."""


RequestLines = Callable[[Mapping[LineId, LineSettings]], Request]
"""Raises OSError and ValueError."""


def requester(chip: str) -> RequestLines:
    """Of this chip's lines, for this program alone."""

    def request(config: Mapping[LineId, LineSettings]) -> Request:
        lines: dict[Iterable[LineId] | LineId, LineSettings | None] = {}
        lines.update(config.items())
        return gpiod.request_lines(chip, consumer=CONSUMER, config=lines)

    return request


def output(relay: Relay) -> LineSettings:
    """Not energised from the first instant."""
    return LineSettings(direction=Direction.OUTPUT, active_low=relay.active_low, output_value=Value.INACTIVE)


def watched(wire: Input) -> LineSettings:
    """The kernel tells of edges, after the contact has come to rest."""
    settings = polled(wire)
    settings.edge_detection = Edge.BOTH
    settings.debounce_period = timedelta(milliseconds=wire.debounce_ms)
    return settings


def polled(wire: Input) -> LineSettings:
    """To be looked at."""
    return LineSettings(direction=Direction.INPUT, active_low=wire.active_low, bias=_BIAS[wire.pull])


def reason(error: Exception) -> str:
    """Why, in one line."""
    said = error.strerror if isinstance(error, OSError) else None
    return one_line(said or str(error) or type(error).__name__)
