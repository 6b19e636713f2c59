"""Facts in words: the same ones for every command. Decides wording only."""

from firmware.core.reporting import iso_time
from firmware.core.state import State


def phase_word(state: State) -> str:
    """The booking's life cycle: `none`, `active`, `cutoff pending`."""
    return state.durable.trip.phase.name.lower().replace("_", " ")


def instant(utc_ms: int) -> str:
    """`2026-10-30 10:00:00 UTC`."""
    return f"{iso_time(utc_ms)[:19].replace('T', ' ')} UTC"


def yes_no(value: bool | None) -> str:
    """None is unknown."""
    return "unknown" if value is None else "yes" if value else "no"
