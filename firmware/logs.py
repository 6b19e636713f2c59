"""What the module writes to standard error: one line for each thing that happened. Never a key, token or position."""

import logging
import sys
from typing import Final

import structlog

from firmware.core.effects import Actuate, Effect, HangUp, Report
from firmware.core.events import Event, Ticked, VehicleSampled
from firmware.core.state import State

QUIET: Final = (Ticked, VehicleSampled)
OURS: Final = ("firmware", "host_tools")
"""Whose loggers are heard from warnings on; those of libraries from errors on."""

log = structlog.get_logger("sharebox")


class Lines(logging.Handler):
    """What somebody tells a logger of the standard library, as a line like the others."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        tell = log.error if record.levelno >= logging.ERROR else log.warning
        tell(record.getMessage(), logger=record.name, exc_info=record.exc_info)


def configure(*, json: bool) -> None:
    """Lines for people, coloured on a terminal, or JSON lines. Libraries speak only of trouble."""
    logging.basicConfig(level=logging.ERROR, handlers=[Lines()])
    for name in OURS:
        logging.getLogger(name).setLevel(logging.WARNING)
    renderers: tuple[structlog.types.Processor, ...] = (
        (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
        if json
        else (structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
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
