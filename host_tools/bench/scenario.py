"""A scenario as a value: who there is, what happens when, and what has to hold then. Pure; reads no file.

The text of one is read by `scenario_file`, played by `scenario_run`.
"""

from typing import Final

import msgspec

from host_tools.bench.phrases import Said
from protocol.errors import Role

FORMAT: Final = 1
LEAD_S: Final = 60
"""The bench is made ready so long before the first step."""


class Person(msgspec.Struct, frozen=True):
    """Somebody with a phone. `booked`: windows in seconds after the first midnight, each with a token on the phone from
    the beginning; `permissions`: bits of `Permission`. `has_key`: a standing key is on the phone from the beginning."""

    name: str
    role: Role
    booked: tuple[tuple[int, int], ...]
    permissions: int
    has_key: bool = False


class Step(msgspec.Struct, frozen=True):
    """`at_s`: not before this, in seconds after the first midnight. `line`: where it stands in its file."""

    at_s: int
    do: tuple[Said, ...]
    expect: tuple[Said, ...]
    line: int = 0


class Scenario(msgspec.Struct, frozen=True):
    """One story. `given`: lines for the desk that make the bench ready. `home`: it needs a module that has a home."""

    name: str
    title: str
    rules: tuple[str, ...]
    people: tuple[Person, ...]
    steps: tuple[Step, ...]
    story: str = ""
    given: tuple[str, ...] = ()
    home: bool = False

    @property
    def begins_s(self) -> int:
        """When the bench is made ready, in seconds after the first midnight."""
        return self.steps[0].at_s - LEAD_S

    @property
    def lasts_s(self) -> int:
        """From then to the last step."""
        return self.steps[-1].at_s - self.begins_s

    @property
    def claims(self) -> int:
        """How many things are expected in all."""
        return sum(len(step.expect) for step in self.steps)
