"""Who has the car, as the world can know it, and the exception that says that something happened which never may."""

from typing import NamedTuple

from protocol.tokens import Booking
from tests.simulation.clocks import Deadline


class Violation(Exception):
    """Something happened that never may. `name` is stable, so that a trace can be made smaller."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


class Tenure(NamedTuple):
    """Who has the car, as the world can know it. `due_at`: when its cutoff truly falls due. `window`: when the module
    may think so, None once it has booted since. `ordered_at`: since when an end has been ordered, -1 never."""

    booking: Booking | None = None
    due_at: int = 0
    window: Deadline | None = None
    released: bool = False
    ordered_at: int = -1
    named: bool = False
    """An order has named it, be it one that may be thought late."""
    dead: frozenset[bytes] = frozenset()
    revoked: frozenset[bytes] = frozenset()
    newest: tuple[tuple[bytes, int], ...] = ()
    list_number: int = 0
