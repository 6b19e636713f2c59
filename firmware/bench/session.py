"""Somebody at the desk: which level they have, and whether they want the news.

Decides who may become what: down is free, up to where the line begins is free, and higher only with the password.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from firmware.bench import kinds
from firmware.bench.desk import Desk, TooLow
from firmware.bench.grammar import Command, Grammar, Parameter, Words
from firmware.bench.levels import Level
from firmware.bench.looking import helped
from firmware.bench.password import Password
from firmware.bench.results import Data, DeskCode, DeskError, Happening, Result

log = structlog.get_logger("sharebox")


class Session:
    """One line's user. `begins`: the level of the line; `password`: what opens the others, None: nothing does; `name`:
    of the line, for what is told about it.

    `listener` hears the news while it is followed. Must be closed.
    """

    def __init__(
        self,
        desk: Desk,
        begins: Level,
        *,
        password: Password | None = None,
        name: str = "console",
        listener: Callable[[Happening], None] | None = None,
    ) -> None:
        self.level = begins
        self._desk = desk
        self._begins = begins
        self._password = password
        self._name = name
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
            command, words = self._read(line)
            return msgspec.structs.replace(await command.run(self, words), kind=first)
        if first == "help" and rest[:1] in ([each] for each in _WORDS):
            return helped(self._own.helped(rest))
        try:
            result = await self._desk.do(line, self.level)
        except TooLow as error:
            raise error.remedied(self._remedy(error.needed)) from None
        return helped((*self._desk.grammar.commands, *COMMANDS)) if first == "help" and not rest else result

    def _read(self, line: str) -> tuple["Command[Session]", Words]:
        """As Grammar.read, but nothing is repeated of what may be a password."""
        try:
            return self._own.read(line)
        except DeskError:
            beginning = line.split()[:2]
            if len(line.split()) == len(beginning) or beginning[0] != "level":
                raise
        self._own.read(" ".join(beginning))
        raise DeskError(
            DeskCode.USAGE,
            f"`{' '.join(beginning)}`: what follows is not one word. It is: {COMMANDS[0].usage}",
        )

    def _remedy(self, needed: Level) -> str:
        """How this line comes to that level."""
        if needed <= self._begins:
            return f"Type `level {needed.word}`."
        if self._password is not None:
            return f"Type `level {needed.word} PASSWORD`."
        return "Set `level` in the line's [[serial]] table, or `password_file` in [bench]."

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
            what = f"`level {level.word}`"
            if self._password is None:
                why = f"this line goes no further than {self._begins.word}"
                raise DeskError(DeskCode.LEVEL, f"{what}: {why}. {self._remedy(level)}")
            if not password:
                raise DeskError(DeskCode.LEVEL, f"{what}: it takes the password. {self._remedy(level)}")
            if self._password.waits_s:
                why = "after a wrong password nothing is looked at for a while"
                raise DeskError(DeskCode.LEVEL, f"{what}: {why}. Try again in {math.ceil(self._password.waits_s)} s.")
            if not self._password.opens(password):
                self._tell_of_it(self._password.wrong)
                raise DeskError(DeskCode.LEVEL, f"{what}: the password is wrong. {self._remedy(level)}")
        self.level = level

    def _tell_of_it(self, count: int) -> None:
        log.warning("wrong password", line=self._name, in_a_row=count)
        data: Data = {"line": self._name, "wrong_passwords": count}
        self._desk.room.news.tell("level", data, f"A wrong password at the line {self._name}, {count} in a row.")


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
