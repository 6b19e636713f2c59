"""Scenario files: TOML in, a `Scenario` or every fault of the file out, each with its line.

Decides what a file may say. It does not know what a phrase means (`scenario_words` has the phrases).
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from host_tools.backend.issuer import ALL_PERMISSIONS
from host_tools.bench import scenario_words as words
from host_tools.bench.phrases import Phrasebook, PhraseError, Said, close
from host_tools.bench.scenario import FORMAT, Person, Scenario, Step
from host_tools.bench.scenario_terms import permissions
from host_tools.bench.scenario_times import clock_text, seconds, window
from protocol.errors import Role, one_line

MAX_FILE_BYTES: Final = 64 * 1024
MAX_STEPS: Final = 200
MAX_PEOPLE: Final = 8
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_RULE: Final = re.compile(r"[A-Z]{2,3}-\d{1,2}")
_FIELD: Final = re.compile(r"\s*(?:\[\[?([\w.\s]+)\]\]?|([\w.]+)\s*=)")

Texts = str | list[str]
_TYPES: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date",
    "time": "a time",
    "datetime": "a date with a time",
}
"""How people call the types of TOML."""
CARS: Final = {"parked": (), "driving": ("ignition on --with-key", "drive"), "unlocked": ("key unlock",)}
HOLDERS: Final = (Role.OWNER, Role.SERVICE)
"""Who can have a standing key."""
NETWORKS: Final = {"up": (), "down": ("broker down",)}
SKIES: Final = {"clear": (), "hidden": ("gnss lost",)}


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a file. `line` None: with the file as a whole."""

    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}" if self.line is None else f"{self.file}:{self.line}: {self.message}"


class ScenarioFaults(Exception):
    """What is wrong with a file: at least one fault; as `lines` each `name:line: what: why. what to do.`"""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults

    @property
    def lines(self) -> tuple[str, ...]:
        """One for each fault."""
        return tuple(map(str, self.faults))


class _Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    people: dict[str, dict[str, object]] = {}
    car: str = "parked"
    network: str = "up"
    sky: str = "clear"
    home: bool = False
    bench: Texts = []


class _Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: str = "driver"
    booked: Texts = []
    may: str = ""
    key: bool = False


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: str = ""
    do: Texts = []
    expect: Texts = []


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    title: str
    rules: list[str]
    story: str = ""
    given: dict[str, object] = {}
    step: list[dict[str, object]] = []


_V = TypeVar("_V")
_T = TypeVar("_T", _Given, _Person, _Step, _File)


def read(path: Path) -> Scenario:
    """The scenario in a file; its name is the file's. Raises ScenarioFaults."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _whole(path, f"cannot be read: {error.strerror or error}. Check the path.") from None
    if len(data) > MAX_FILE_BYTES:
        raise _whole(path, f"it is longer than {MAX_FILE_BYTES} bytes: is it a scenario? Shorten it.")
    try:
        return parse(data.decode(), path.stem, str(path))
    except UnicodeDecodeError:
        raise _whole(path, "it is no UTF-8 text. Write it anew.") from None


def _whole(path: Path, message: str) -> ScenarioFaults:
    return ScenarioFaults(Fault(str(path), None, message))


def parse(text: str, name: str, shown: str = "") -> Scenario:
    """The scenario in `text`; `shown` is what its faults call the file. Raises ScenarioFaults with all of them."""
    return _Reader(text, name, shown or name).scenario()


class _Reader:
    """Reads one text; faults are collected, so that one run shows them all."""

    def __init__(self, text: str, name: str, shown: str) -> None:
        self._name = name
        self._shown = shown
        self._places = _Places(text)
        self._text = text
        self._faults: list[tuple[int, str]] = []

    def scenario(self) -> Scenario:
        try:
            table = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"\(at line (\d+), column \d+\)", str(error))
            what = one_line(str(error)).partition(" (at ")[0]
            raise self._failed(int(place[1]) if place else len(self._text.splitlines()), f"no TOML: {what}.") from None
        self._format(table.get("format"))
        file = self._convert(table, _File, ())
        if file is None:
            raise self._all()
        if not NAME.fullmatch(self._name):
            self._fault((), f"'{one_line(self._name)}' is no name: use a-z, 0-9 and '-' in the file's name.")
        if not file.rules or not all(_RULE.fullmatch(rule) for rule in file.rules):
            self._fault(("rules",), "rules: name at least one, each like CUT-2.")
        given = self._convert(file.given, _Given, ("given",)) or _Given()
        people = self._people(given)
        steps = self._steps(file, words.phrasebooks(person.name for person in people))
        ready = self._ready(given)
        self._mentioned(people, steps)
        if self._faults:
            raise self._all()
        return Scenario(
            self._name,
            one_line(file.title),
            tuple(file.rules),
            people,
            steps,
            " ".join(file.story.split()),
            ready,
            given.home,
        )

    def _format(self, found: object) -> None:
        """Before all else: what another format means nobody here knows. None: it is missing, which is told later."""
        if isinstance(found, int) and found != FORMAT:
            self._fault(("format",), f"format = {found}: this program reads format {FORMAT}. Update one of them.")
            raise self._all()

    # ------------------------------------------------------------ given
    def _people(self, given: _Given) -> tuple[Person, ...]:
        if len(given.people) > MAX_PEOPLE:
            self._fault(("given", "people"), f"{len(given.people)} people: at most {MAX_PEOPLE}. Tell a shorter story.")
        return tuple(filter(None, (self._person(name, table) for name, table in given.people.items())))

    def _person(self, name: str, table: Mapping[str, object]) -> Person | None:
        place = ("given", "people", name)
        if words.PERSON.fullmatch(name) is None or name in words.RESERVED:
            why = "the word begins a phrase" if name in words.RESERVED else "use a-z and 0-9"
            self._fault(place, f"'{one_line(name)}' cannot be somebody's name: {why}. Choose another.")
        found = self._convert(table, _Person, place)
        if found is None:
            return None
        role = self._choice(found.role, {each.name.lower(): each for each in Role}, (*place, "role"), "role")
        booked = []
        for each in _listed(found.booked):
            span = self._value(each, window, (*place, "booked"))
            booked.append(span or (0, 1))
        may = self._value(found.may, permissions, (*place, "may")) if found.may else ALL_PERMISSIONS
        if found.key and role not in (None, *HOLDERS):
            why = f"a {found.role} has no key of their own. Somebody has to share one"
            self._fault((*place, "key"), f"key = true: {why}.")
        return Person(
            name,
            Role.DRIVER if role is None else role,
            tuple(booked),
            ALL_PERMISSIONS if may is None else may,
            has_key=found.key,
        )

    def _ready(self, given: _Given) -> tuple[str, ...]:
        lines: list[str] = []
        for value, known, key in (
            (given.car, CARS, "car"),
            (given.network, NETWORKS, "network"),
            (given.sky, SKIES, "sky"),
        ):
            lines += self._choice(value, known, ("given", key), f"state of the {key}") or ()
        for command in _listed(given.bench):
            if not words.is_desk_command(command):
                meant = close(command.split(" ", 1)[0], words.DESK_WORDS) or f"One of: {', '.join(words.DESK_WORDS)}."
                self._fault(("given", "bench"), f"'{one_line(command)}' is nothing for the desk. {meant}", command)
            lines.append(command)
        return tuple(lines)

    # ------------------------------------------------------------ steps
    def _steps(self, file: _File, books: tuple[Phrasebook, Phrasebook]) -> tuple[Step, ...]:
        if not 0 < len(file.step) <= MAX_STEPS:
            self._fault((), f"{len(file.step)} steps: a scenario has 1 to {MAX_STEPS}. Write [[step]] tables.")
        steps: list[Step] = []
        for number, table in enumerate(file.step):
            found = self._convert(table, _Step, (f"step{number}",))
            if found is not None:
                steps.append(self._step(found, number, steps[-1].at_s if steps else None, books))
        if steps and not any(step.expect for step in steps):
            self._fault((), "nothing is expected: it could not fail. Add `expect` to a step.")
        return tuple(steps)

    def _step(self, found: _Step, number: int, before_s: int | None, books: tuple[Phrasebook, Phrasebook]) -> Step:
        place = (f"step{number}",)
        at_s = before_s or 0
        if found.at:
            at_s = self._value(found.at, _moment(at_s), (*place, "at")) or at_s
            if before_s is not None and at_s < before_s:
                earlier = clock_text(before_s)
                self._fault(
                    (*place, "at"), f"at = '{one_line(found.at)}': the step before is at {earlier}. Time only goes on."
                )
        elif before_s is None:
            self._fault(place, "the first step has no time. Add `at`, such as at = '10:00'.")
        if not found.do and not found.expect:
            self._fault(place, "a step without `do` and without `expect`. Say what happens, or what holds.")
        do = tuple(self._said(each, books[0], (*place, "do")) for each in _listed(found.do))
        expect = tuple(self._said(each, books[1], (*place, "expect")) for each in _listed(found.expect))
        return Step(at_s, do, expect, self._places.line(place))

    def _said(self, text: str, book: Phrasebook, place: tuple[str, ...]) -> Said:
        if place[-1] == "do" and words.is_desk_command(text):
            return words.desk_command(" ".join(text.split()))
        try:
            return book.read(text)
        except PhraseError as error:
            self._fault(place, str(error), text)
            return Said("", {}, text)

    def _mentioned(self, people: tuple[Person, ...], steps: tuple[Step, ...]) -> None:
        """Everybody has to do something, and nobody uses an old phone before there is a new one."""
        busy: set[str] = set()
        moved: set[str] = set()
        for number, step in enumerate(steps):
            for said in (*step.do, *step.expect):
                who = str(said.values.get("who") or said.values.get("person") or "")
                name, _, old = who.partition("'")
                busy.add(name)
                moved |= {name} if said.name == "new_phone" else set()
                if old and name not in moved:
                    why = f"{name} has no old phone yet. Write '{name} moves to a new phone' before."
                    self._fault((f"step{number}",), f"'{said.text}': {why}", said.text)
        for person in people:
            if person.name not in busy and not self._faults:
                place = ("given", "people", person.name)
                self._fault(place, f"{person.name} does nothing in this scenario. Take them out.")

    # ------------------------------------------------------------ values and faults
    def _convert(self, table: Mapping[str, object], kind: type[_T], place: tuple[str, ...]) -> _T | None:
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            what, _, path = one_line(str(error)).partition(" - at `$")
            match = re.match(r"\.(\w+)(\[\.\.\.\])?", path)
            inner: tuple[str, ...] = (match[1],) if match else ()
            if match and match[2]:
                inner += _odd_one(table[match[1]])
            if unknown := re.search(r"unknown field `([^`]*)`", what):
                known = [field.encode_name for field in msgspec.structs.fields(kind)]
                meant = close(unknown[1], known) or f"One of: {', '.join(known)}."
                self._fault((*place, unknown[1]), f"'{unknown[1]}' does not belong here. {meant}")
            elif missing := re.search(r"missing required field `([^`]*)`", what):
                self._fault(place, f"`{missing[1]}` is missing. Write it, as `shareboxctl scenario new` does.")
            else:
                self._fault((*place, *inner), f"{'.'.join(inner)}: {_in_words(what)}")
            return None

    def _choice(self, value: str, known: Mapping[str, _V], place: tuple[str, ...], what: str) -> _V | None:
        if value not in known:
            meant = close(value, known) or f"One of: {', '.join(known)}."
            self._fault(place, f"'{one_line(value)}' is no {what}. {meant}")
        return known.get(value)

    def _value(self, text: str, read: Callable[[str], _V], place: tuple[str, ...]) -> _V | None:
        try:
            return read(text)
        except ValueError as error:
            self._fault(place, f"{place[-1]}: '{one_line(text)}' {error}.", text)
            return None

    def _fault(self, place: tuple[str, ...], line: str, text: str = "") -> None:
        self._faults.append((self._places.line(place, text), line))

    def _all(self) -> ScenarioFaults:
        return ScenarioFaults(*(Fault(self._shown, number, line) for number, line in sorted(self._faults)))

    def _failed(self, number: int, line: str) -> ScenarioFaults:
        return ScenarioFaults(Fault(self._shown, number, line))


def _odd_one(table: object) -> tuple[str, ...]:
    """Whose value is no table, where each has to be one."""
    entries = table.items() if isinstance(table, dict) else ()
    return next(((str(name),) for name, value in entries if not isinstance(value, dict)), ())


def _in_words(what: str) -> str:
    """The library's sentence about a type, in ours."""
    match = re.fullmatch(r"Expected `([^`]*)`, got `([^`]*)`", what)
    if match is None:
        return "it is not what belongs here. Correct it."
    wanted = [_TYPES.get(each, each) for each in match[1].split(" | ")]
    remedy = "Put it in quotes." if "str" in match[1] and match[2] not in ("array", "object") else "Correct it."
    return f"it is {_TYPES.get(match[2], match[2])}, and has to be {' or '.join(wanted)}. {remedy}"


def _listed(texts: Texts) -> list[str]:
    return [texts] if isinstance(texts, str) else texts


def _moment(before_s: int) -> Callable[[str], int]:
    """A reader of times; `+5m` is after the step before."""

    def read(text: str) -> int:
        match = re.fullmatch(r"\+(\d{1,6})([smh])", text)
        if match is None:
            return seconds(text)
        return before_s + int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]

    return read


class _Places:
    """On which line each key and each table of a TOML text stands."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._known: dict[tuple[str, ...], int] = {}
        for place, number in _keys(self._lines):
            self._known.setdefault(place, number)

    def line(self, place: tuple[str, ...], text: str = "") -> int:
        """Of the innermost part of `place` that is known; with `text`: of its first occurrence from there on."""
        while place and place not in self._known:
            place = place[:-1]
        first = self._known.get(place, 1)
        inside = enumerate(self._lines[first - 1 :], first)
        return next((number for number, line in inside if text and text in line), first)


def _keys(lines: list[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each table and key with its line; the tables of an array are numbered: `step0`, `step1`."""
    table: tuple[str, ...] = ()
    steps = 0
    for number, line in enumerate(lines, 1):
        match = _FIELD.match(line)
        if match is None:
            continue
        if match[1]:
            table = tuple(part.strip() for part in match[1].split("."))
            if line.lstrip().startswith("[["):
                table = (*table[:-1], f"{table[-1]}{steps}")
                steps += 1
            yield table, number
        else:
            yield (*table, *match[2].split(".")), number
