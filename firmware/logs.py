"""What the module writes to standard error: one line for each thing that happened. Never a key, token or position."""

import logging
import sys
from typing import Final

import structlog

from firmware.core.effects import Actuate, Effect, HangUp, Report
from firmware.core.events import Event, Ticked, VehicleSampled
from firmware.core.state import State

QUIET: Final = (Ticked, VehicleSampled)

log = structlog.get_logger("sharebox")


def configure(*, json: bool) -> None:
    """Lines for people, coloured on a terminal, or JSON lines. Libraries speak only of trouble."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def observe(event: Event, state: State, effects: tuple[Effect, ...]) -> None:
    """Log a step: events by name only, effects that move, tell or cut."""
    if not isinstance(event, QUIET):
        log.info(type(event).__name__, booking=state.durable.trip.phase.name.lower())
    for effect in effects:
        match effect:
            case Actuate(action):
                log.info("actuate", action=action.value)
            case HangUp(link):
                log.info("hang up", link=link)
            case Report(record) if record.kind is not None:
                log.info("report", kind=record.kind.value, reason=record.reason)
            case _:
                pass
