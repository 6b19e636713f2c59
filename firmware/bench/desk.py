"""The desk: one line of text in, a result out; and news for whoever follows.

Decides who may do what (levels), and that nothing but a Result or a DeskError comes out. What each command does stands
in the tables that are given to it.
"""

from collections.abc import Callable, Sequence

import msgspec

from firmware.bench.grammar import Command, Grammar
from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Happening, Result
from firmware.bench.room import Room
from firmware.bench.shelf import MemoryShelf, Shelf
from firmware.bench.stand import Stand
from firmware.bench.table import COMMANDS


class TooLow(DeskError):
    """DeskError LEVEL: what and why. How one rises is the affair of the way in, if one can: `remedied`."""

    def __init__(self, name: str, needed: Level, level: Level) -> None:
        super().__init__(
            DeskCode.LEVEL,
            f"`{name}`: it takes the level {needed.word}, and this is {level.word}, which stays so here.",
        )
        self._name, self._level = name, level
        self.needed = needed

    def remedied(self, remedy: str) -> DeskError:
        """The same with what to do."""
        return DeskError(
            DeskCode.LEVEL,
            f"`{self._name}`: it takes the level {self.needed.word}, and this is {self._level.word}. {remedy}",
        )


class Desk:
    """All ways in share one. `shelf`: where states are saved; in memory if it is not said. `more`: commands beside
    those of `table`."""

    def __init__(self, stand: Stand, *, shelf: Shelf | None = None, more: Sequence[Command[Room]] = ()) -> None:
        self.grammar: Grammar[Room] = Grammar((*COMMANDS, *more))
        self.room = Room(stand, self.grammar, shelf or MemoryShelf())

    async def do(self, line: str, level: Level) -> Result:
        """Carry out one line for somebody at `level`. Raises DeskError and nothing else."""
        command, words = self.grammar.read(line)
        if level < command.level:
            raise TooLow(command.name, command.level, level)
        result = await command.run(self.room, words)
        return msgspec.structs.replace(result, kind=command.words[0])

    def complete(self, text: str, level: Level) -> list[str]:
        """What the unfinished last word of `text` may become; only what somebody at `level` may do."""
        return self.grammar.complete(text, level, self.room)

    def follow(self, listener: Callable[[Happening], None]) -> Callable[[], None]:
        """Hear the news from now on; call what is returned to stop."""
        return self.room.news.taps.add(listener)

    def prompt(self) -> str:
        """The state of things in a few words, for a console's prompt."""
        return self.room.prompt()
