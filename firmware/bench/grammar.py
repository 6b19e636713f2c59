"""The grammar of the desk: how a command is described, and how a line of text becomes one.

Decides words, parameters, "did you mean", completion and help; all of them come from the one description of a command.
Refuses to know what a command does.
"""

import difflib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from firmware.bench.levels import Level
from firmware.bench.results import DeskCode, DeskError, Result

T = TypeVar("T")
Room = TypeVar("Room")

MOST_LINE: Final = 4096
"""Characters of one line."""
MOST_WORDS: Final = 64

Choices = Callable[[], Iterable[str]]


def nothing() -> Iterable[str]:
    """No suggestions."""
    return ()


class Kind(Generic[T]):
    """A type of parameter. `read` raises ValueError with what is wrong, in words that go after "it is"."""

    def __init__(self, name: str, read: Callable[[str], T], choices: Choices = nothing) -> None:
        self.name = name
        self.read = read
        self.choices = choices


class Parameter(msgspec.Struct, frozen=True):
    """One word after the command's own. `many`: it takes all that follow, at least one unless `optional`. `secret`:
    what was given is not repeated, nor anything else of such a line."""

    name: str
    kind: Kind[object]
    optional: bool = False
    many: bool = False
    secret: bool = False


class Option(msgspec.Struct, frozen=True):
    """`--name` and the words that belong to it; none: it is a flag."""

    name: str
    takes: tuple[Parameter, ...] = ()


class Words:
    """What was given: each parameter's value by its name; for an option its value, all of them, or True."""

    def __init__(self, given: dict[str, object]) -> None:
        self._given = given

    def get(self, name: str) -> object | None:
        """The value, or None when it was left out."""
        return self._given.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A value that is text."""
        value = self._given.get(name, default)
        assert isinstance(value, str), name
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """A value that is a number."""
        value = self._given.get(name, default)
        assert isinstance(value, int | float), name
        return value

    def whole(self, name: str, default: int = 0) -> int:
        """A value that is a whole number."""
        value = self._given.get(name, default)
        assert isinstance(value, int), name
        return value

    def many(self, name: str) -> tuple[object, ...]:
        """The values of a parameter that takes many, or of an option that takes several."""
        value = self._given.get(name, ())
        assert isinstance(value, tuple), name
        return value

    def has(self, name: str) -> bool:
        """Whether it was given."""
        return name in self._given


Run = Callable[[Room, Words], Awaitable[Result]]


class Command(msgspec.Struct, Generic[Room], frozen=True):
    """One command. `words`: what it is called, such as ("time", "move"). `about`: one line of help. `suggest`: words
    that fit at this moment, beside those that always do."""

    words: tuple[str, ...]
    level: Level
    about: str
    run: Run[Room]
    parameters: tuple[Parameter, ...] = ()
    options: tuple[Option, ...] = ()
    suggest: Callable[[Room], Iterable[str]] | None = None

    @property
    def name(self) -> str:
        """Its words."""
        return " ".join(self.words)

    @property
    def is_secret(self) -> bool:
        """Whether what follows its words may not be repeated."""
        return any(each.secret for each in self.parameters)

    @property
    def usage(self) -> str:
        """How it is written."""
        return " ".join([self.name, *map(_shown, self.parameters), *(_option(each) for each in self.options)])


def _shown(parameter: Parameter) -> str:
    text = f"{parameter.kind.name}..." if parameter.many else parameter.kind.name
    return f"[{text}]" if parameter.optional else text


def _option(option: Option) -> str:
    return f"[{' '.join([f'--{option.name}', *(each.kind.name for each in option.takes)])}]"


class Grammar(Generic[Room]):
    """A table of commands."""

    def __init__(self, commands: Sequence[Command[Room]]) -> None:
        self.commands = tuple(commands)
        self._by_words = {command.words: command for command in commands}
        assert len(self._by_words) == len(self.commands), "a command is there twice"
        self._longest = max(len(command.words) for command in commands)

    # ------------------------------------------------------------ reading
    def read(self, line: str) -> tuple[Command[Room], Words]:
        """The command that `line` gives. Raises DeskError UNKNOWN or USAGE."""
        words = split(line)
        command = self.find(words)
        return command, _words(command, words[len(command.words) :])

    def find(self, words: Sequence[str]) -> Command[Room]:
        """The command with most words in common. Raises DeskError UNKNOWN or USAGE."""
        for count in range(min(self._longest, len(words)), 0, -1):
            command = self._by_words.get(tuple(words[:count]))
            if command is not None:
                if len(words) > count and not command.parameters and not words[count].startswith("--"):
                    self._not_one_of(words[: count + 1])
                return command
        if not words:
            raise DeskError(DeskCode.USAGE, "no command: the line is empty. Type `help`.")
        self._not_one_of(words)
        return self._unknown(words[0])

    def _not_one_of(self, words: Sequence[str]) -> None:
        """Raise when `words` begin like a family of commands."""
        for count in range(len(words) - 1, 0, -1):
            family = self._following(words[:count])
            if family:
                name, wrong = " ".join(words[:count]), words[count]
                meant = _did_you_mean(f"{name} ", wrong, family)
                raise DeskError(
                    DeskCode.USAGE,
                    f"`{name} {wrong}`: `{name}` does not take {wrong!r}. {meant or _one_of(name, family)}",
                )
        family = self._following(words)
        if family:
            name = " ".join(words)
            raise DeskError(DeskCode.USAGE, f"`{name}`: a word is missing. {_one_of(name, family)}")

    def _unknown(self, word: str) -> Command[Room]:
        meant = _did_you_mean("", word, self._following(())) or "Type `help` for all of them."
        raise DeskError(DeskCode.UNKNOWN, f"`{word}`: there is no such command. {meant}")

    def _following(self, words: Sequence[str], level: Level = Level.SERVICE) -> list[str]:
        count = len(words)
        return list(
            dict.fromkeys(
                command.words[count]
                for command in self.commands
                if command.level <= level and len(command.words) > count and command.words[:count] == tuple(words)
            )
        )

    # ------------------------------------------------------------ help and completion
    def helped(self, words: Sequence[str]) -> tuple[Command[Room], ...]:
        """All commands that begin with `words`. Raises DeskError UNKNOWN when there are none."""
        found = tuple(each for each in self.commands if each.words[: len(words)] == tuple(words))
        return found or (self.find(words),)

    def complete(self, text: str, level: Level = Level.SERVICE, room: Room | None = None) -> list[str]:
        """What the last, unfinished word of `text` may become for somebody at `level`, sorted. Never raises. `room`:
        what commands work on, for words that fit at this moment."""
        words = text.split()[:MOST_WORDS]
        begun = "" if not text or text[-1].isspace() or not words else words.pop()
        found = set(self._following(words, level))
        for count in range(min(self._longest, len(words)), 0, -1):
            command = self._by_words.get(tuple(words[:count]))
            if command is not None and command.level <= level:
                found |= _suggested(command, words[count:])
                if command.suggest is not None and room is not None:
                    found |= {*command.suggest(room)} - {*words[count:]}
                break
        return sorted(each for each in found if each.startswith(begun))


def split(line: str) -> list[str]:
    """The words of a line; quotes hold words together. Raises DeskError USAGE."""
    if len(line) > MOST_LINE:
        raise DeskError(
            DeskCode.USAGE, f"the line has {len(line)} characters: at most {MOST_LINE} are read. Shorten it."
        )
    words: list[str] = []
    word, quote = "", ""
    begun = False
    for each in line:
        if quote:
            word, quote = (word, "") if each == quote else (word + each, quote)
        elif each in "'\"":
            quote, begun = each, True
        elif each.isspace():
            if begun or word:
                words.append(word)
            word, begun = "", False
        else:
            word += each
    if quote:
        raise DeskError(DeskCode.USAGE, f"a quote is open: {quote} has no second one. Close it.")
    if begun or word:
        words.append(word)
    if len(words) > MOST_WORDS:
        raise DeskError(DeskCode.USAGE, f"the line has {len(words)} words: at most {MOST_WORDS} are read. Shorten it.")
    return words


def _words(command: Command[Room], rest: Sequence[str]) -> Words:
    given: dict[str, object] = {}
    plain: list[str] = []
    waiting = list(rest)
    options = {f"--{option.name}": option for option in command.options}
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--"):
            plain.append(word)
            continue
        option = options.get(word)
        if option is None:
            meant = _did_you_mean("", word, list(options)) or _see(command)
            raise DeskError(DeskCode.USAGE, f"`{command.name}`: there is no option{_shown_of(command, word)}. {meant}")
        if len(waiting) < len(option.takes):
            raise DeskError(DeskCode.USAGE, f"`{command.name}`: {word} needs {option.takes[-1].name}. {_see(command)}")
        values = tuple(_value(command, each, waiting.pop(0)) for each in option.takes)
        given[option.name] = True if not values else values[0] if len(values) == 1 else values
    for parameter in command.parameters:
        if parameter.many and (plain or not parameter.optional):
            if not plain:
                raise DeskError(DeskCode.USAGE, f"`{command.name}`: {parameter.name} is missing. {_see(command)}")
            given[parameter.name] = tuple(_value(command, parameter, each) for each in plain)
            plain = []
        elif plain:
            given[parameter.name] = _value(command, parameter, plain.pop(0))
        elif not parameter.optional:
            raise DeskError(DeskCode.USAGE, f"`{command.name}`: {parameter.name} is missing. {_see(command)}")
    if plain:
        wrong = "there" if command.is_secret else repr(plain[0])
        raise DeskError(DeskCode.USAGE, f"`{command.name}`: {wrong} is one word too many. {_see(command)}")
    return Words(given)


def _value(command: Command[Room], parameter: Parameter, word: str) -> object:
    try:
        return parameter.kind.read(word)
    except ValueError as error:
        meant = _did_you_mean("", word, list(parameter.kind.choices()))
        wrong = f"{parameter.name}{_shown_of(command, repr(word))}"
        raise DeskError(DeskCode.USAGE, f"`{command.name}`: {wrong}: {error}. {meant or _see(command)}") from None


def _suggested(command: Command[Room], given: Sequence[str]) -> set[str]:
    options = {f"--{option.name}": option for option in command.options}
    for back, word in enumerate(reversed(given)):
        option = options.get(word)
        if option is not None and back < len(option.takes):
            return set(option.takes[back].kind.choices())
    plain = sum(not word.startswith("--") for word in given)
    found = set(options) - set(given)
    if command.parameters:
        parameter = command.parameters[min(plain, len(command.parameters) - 1)]
        if plain < len(command.parameters) or parameter.many:
            found |= set(parameter.kind.choices())
    return found


def _shown_of(command: Command[Room], word: str) -> str:
    """What was given, if it may be repeated."""
    return "" if command.is_secret else f" {word}"


def _see(command: Command[Room]) -> str:
    return f"It is: {command.usage}"


def _one_of(name: str, family: Sequence[str]) -> str:
    return f"One of: {', '.join(f'{name} {each}' for each in family)}."


def _did_you_mean(before: str, word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.lower()[:64], known, n=1, cutoff=0.6)
    return f"Did you mean `{before}{close[0]}`?" if close else ""
