"""Somebody at the desk: which level they have, and whether they want the news.

Decides who may become what: down is free, up to where the line begins is free, and higher only with the password.
"""

import hmac
from collections.abc import Callable
from typing import Final

import msgspec

from firmware.bench import kinds
from firmware.bench.desk import Desk
from firmware.bench.grammar import Command, Grammar, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.looking import helped
from firmware.bench.results import DeskCode, DeskError, Happening, Result


class Session:
    """One line's user. `begins`: the level of the line; `password`: what opens the others, None: nothing does.

    `listener` hears the news while it is followed. Must be closed.
    """

    def __init__(
        self,
        desk: Desk,
        begins: Level,
        *,
        password: str | None = None,
        listener: Callable[[Happening], None] | None = None,
    ) -> None:
        self.level = begins
        self._desk = desk
        self._begins = begins
        self._password = password
        self._listener = listener
        self._stop: Callable[[], None] | None = None
        self._own: Grammar[Session] = Grammar(COMMANDS)

    @property
    def follows(self) -> bool:
        """Whether the news are heard."""
        return self._stop is not None

    async def do(self, line: str) -> Result:
        """As `Desk.do`, at this session's level; and its own commands."""
        first, *rest = line.split() or [""]
        if first in _WORDS:
            command, words = self._own.read(line)
            return msgspec.structs.replace(await command.run(self, words), kind=first)
        if first == "help" and rest[:1] in ([each] for each in _WORDS):
            return helped(self._own.helped(rest))
        result = await self._desk.do(line, self.level)
        return helped((*self._desk.grammar.commands, *COMMANDS)) if first == "help" and not rest else result

    def complete(self, text: str) -> list[str]:
        """As `Desk.complete`, with the session's own commands."""
        return sorted({*self._desk.complete(text, self.level), *self._own.complete(text)})

    def prompt(self) -> str:
        """As `Desk.prompt`."""
        return self._desk.prompt()

    def close(self) -> None:
        """The line is gone."""
        self.hear(False)

    def hear(self, on: bool) -> None:
        """Follow the news, or no more."""
        if on and self._stop is None and self._listener is not None:
            self._stop = self._desk.follow(self._listener)
        elif not on and self._stop is not None:
            self._stop()
            self._stop = None

    def become(self, level: Level, password: str) -> None:
        """Take another level. Raises DeskError LEVEL."""
        if level > self._begins:
            if self._password is None:
                raise DeskError(
                    DeskCode.LEVEL,
                    f"`level {level.word}`: this line goes no further than {self._begins.word}. "
                    "Set `level` in its [[serial]] table, or `password_file` in [bench].",
                )
            if not hmac.compare_digest(password.encode(), self._password.encode()):
                what = "the password is wrong" if password else "it takes the password"
                raise DeskError(DeskCode.LEVEL, f"`level {level.word}`: {what}. Type `level {level.word} PASSWORD`.")
        self.level = level


async def _level(session: Session, words: Words) -> Result:
    if words.has("NAME"):
        session.become(Level[words.text("NAME").upper()], words.text("PASSWORD"))
    return Result("level", {"level": session.level.word}, (f"Level: {session.level.word}",))


async def _follow(session: Session, words: Words) -> Result:
    session.hear(words.text("on|off") == "on")
    shown = "News are shown as they come." if session.follows else "News are not shown."
    return Result("follow", {"follow": session.follows}, (shown,))


COMMANDS: Final[tuple[Command[Session], ...]] = (
    Command(
        ("level",),
        Level.OBSERVE,
        "how far you may go; a higher level takes the password",
        _level,
        (
            Parameter(
                "NAME",
                kinds.one_of("|".join(level.word for level in Level), *(level.word for level in Level)),
                optional=True,
            ),
            Parameter("PASSWORD", kinds.text("PASSWORD"), optional=True),
        ),
    ),
    Command(
        ("follow",),
        Level.OBSERVE,
        "whether you see what happens as it happens",
        _follow,
        (Parameter("on|off", kinds.one_of("on|off", "on", "off")),),
    ),
)

_WORDS: Final = frozenset(command.words[0] for command in COMMANDS)
