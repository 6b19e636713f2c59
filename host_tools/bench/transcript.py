"""The transcript of a scenario: what happened and what held, at the story's own times. The same on every bench.

Decides the words and the JSON. Nothing that was measured comes in here: no clock, no address, no identifier.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from host_tools.bench.scenario import Scenario
from host_tools.bench.scenario_times import clock_text

FORMAT: Final = "sharebox-scenario/1"
_INDENT: Final = " " * 13


class Entry(msgspec.Struct, frozen=True):
    """One line of a transcript. `kind`: "begin", "did", "holds", "fails", "end". `at`: the story's time, or empty.
    `said`: the phrase; `came`: what came of it, or what was instead."""

    kind: str
    at: str
    said: str
    came: str = ""

    def line(self) -> str:
        """For people."""
        match self.kind:
            case "did":
                return f"{self.at:>12} {self.said}: {self.came}"
            case "holds":
                return f"{_INDENT}  + {self.said}"
            case "fails":
                return f"{_INDENT}  - {self.said}: {self.came}"
            case _:
                return f"{self.said}: {self.came}" if self.came else self.said

    def fields(self) -> dict[str, object]:
        """For programs, without the type and format."""
        return {"kind": self.kind, "at": self.at, "said": self.said, "came": self.came}


class Transcript:
    """Grows while a scenario is played; `told` hears each entry at once."""

    def __init__(self, scenario: Scenario, told: Callable[[Entry], None] = lambda _entry: None) -> None:
        self.entries: list[Entry] = []
        self._told = told
        self._at = ""
        self._add(Entry("begin", "", f"scenario {scenario.name}", scenario.title))
        self._add(Entry("begin", "", f"rules {' '.join(scenario.rules)}"))

    def at(self, at_s: int) -> None:
        """What follows happens then."""
        self._at = clock_text(at_s)

    def did(self, said: str, came: str) -> None:
        """Something was done."""
        self._add(Entry("did", self._at, said, came))

    def passed(self) -> None:
        """A step in which nothing but time went by."""
        self._add(Entry("did", self._at, "time passes", "done"))

    def holds(self, said: str) -> None:
        """It was expected, and so it is."""
        self._add(Entry("holds", self._at, said))

    def fails(self, said: str, instead: str) -> None:
        """It was expected, and is not so."""
        self._add(Entry("fails", self._at, said, instead))

    def ends(self) -> None:
        """Nothing follows."""
        held, failed = self._count("holds"), self._count("fails")
        verdict = "failed" if failed else "held"
        more = f", {failed} did not" if failed else ""
        self._add(Entry("end", "", f"{verdict}: {held} expectations held{more}"))

    @property
    def failures(self) -> tuple[Entry, ...]:
        """What did not hold."""
        return tuple(entry for entry in self.entries if entry.kind == "fails")

    def text(self) -> str:
        """All lines."""
        return "".join(f"{entry.line()}\n" for entry in self.entries)

    def _count(self, kind: str) -> int:
        return sum(entry.kind == kind for entry in self.entries)

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._told(entry)
