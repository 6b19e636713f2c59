"""`shareboxctl scenario`: play stories on a module, and write one's own."""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
from cyclopts import Parameter

from host_tools.bench.bench import BenchFailed
from host_tools.bench.scenario import Scenario
from host_tools.bench.scenario_file import NAME, ScenarioFaults, read
from host_tools.bench.scenario_library import UnknownScenario, find, names
from host_tools.bench.scenario_times import clock_text
from host_tools.bench.scenario_words import ACTIONS, CLAIMS, CONDITIONS, DESK_WORDS, PHASES, TOKENS
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import SHOWN, Shown
from host_tools.cli.output import Output
from host_tools.cli.settings import Settings

if TYPE_CHECKING:
    from host_tools.backend.issuer import Issuer
    from host_tools.bench.bench import Bench, Identity
    from host_tools.bench.junit import Played
    from host_tools.bench.links import Link
    from host_tools.bench.stands import Speed, Way

T = TypeVar("T")

Name = Annotated[str, Parameter(help="Names from the library, or files that end in .toml.", negative="")]

OUTSIDE_PATIENCE_S: Final = 20.0
"""Real seconds in which an expectation may come true: another machine may be busy."""
_ONE_FAULT: Final = "there is a fault. Correct it."
_TEMPLATE: Final = """\
format = 1
title = "{title}"
story = "What happens, in a sentence or two."
rules = ["ACC-1"]  # the rules that it shows

[given.people.anna]
role = "driver"  # or owner, vip
booked = "10:00 - 12:00"

[[step]]
at = "10:01"
do = ["anna connects", "anna unlocks"]
expect = ["anna is granted", "car is unlocked", "booking is active"]

[[step]]
at = "12:31"
do = "anna unlocks"
expect = ["anna is refused BOOKING_CUT_OFF by CUT-2", "anna is told 'contact the owner'"]
"""


def run(
    *scenarios: Name,
    link: Annotated[
        str,
        Parameter(
            help="Where: `in-process` (a module of one's own on virtual time), `serial:NAME`, a tty, `socket://…`, "
            "`rfc2217://…`, or with `--console` also `virtual[:HOST:PORT]`, `auto`, `ble:ADDRESS`."
        ),
    ] = "in-process",
    console: Annotated[
        str | None,
        Parameter(
            help="The line of the module's console, where the link is a radio. Default: that of the module here."
        ),
    ] = None,
    speed: Annotated[
        str, Parameter(help="How time passes: `jump` moves it, `real` waits, a number such as 60 races it.")
    ] = "jump",
    junit: Annotated[Path | None, Parameter(help="Write the results there as JUnit XML.")] = None,
    transcript: Annotated[Path | None, Parameter(help="Write the transcripts there.")] = None,
    shown: Shown = SHOWN,
) -> int:
    """Play scenarios and see whether all that they expect is so; without names, the whole library.

    The exit code is 0 when everything held, 3 when an expectation failed, 4 when the bench failed, 6 when a file is
    wrong. The transcript is the same on every link.
    """
    chosen = _read(scenarios or tuple(names()))
    way = _way(link, console, speed)
    played: list[Played] = []
    with ExitStack() as at_the_end:
        # Both, whatever becomes of the play and of the other.
        _report_to(junit, at_the_end, lambda: _junit(played, link))
        _report_to(transcript, at_the_end, lambda: "\n".join(each.transcript for each in played).encode())
        try:
            _on(way, _play_all(chosen, way, shown.output(), played.append))
        except BenchFailed as failed:
            raise CliError(Exit.NOT_FOUND, str(failed)) from None
    broken = [each.error for each in played if each.error]
    if broken:
        raise CliError(Exit.NOT_FOUND, broken[0])
    return Exit.OK if all(each.held for each in played) else Exit.REFUSED


def list_(*, shown: Shown = SHOWN) -> None:
    """Show the scenarios of the library: name, title, rules."""
    output = shown.output()
    for scenario in _read(tuple(names())):
        fields: dict[str, object] = {"name": scenario.name, "title": scenario.title, "rules": list(scenario.rules)}
        output.result("scenario", fields, f"{scenario.name:32} {scenario.title} ({', '.join(scenario.rules)})")


def show(
    name: Annotated[str, Parameter(help="A name from the library, or a file.")], /, *, shown: Shown = SHOWN
) -> None:
    """Show a scenario: who there is, what happens, what is expected."""
    scenario = _read((name,))[0]
    lines = [f"{scenario.title} ({', '.join(scenario.rules)})", *([scenario.story] if scenario.story else []), ""]
    for person in scenario.people:
        booked = ", ".join(f"{clock_text(first)} - {clock_text(last)}" for first, last in person.booked)
        lines.append(f"{person.name}, {person.role.name.lower()}, booked {booked or 'nothing'}")
    lines += [f"given: {command}" for command in scenario.given]
    for step in scenario.steps:
        done = "; ".join(said.text for said in step.do) or "time passes"
        lines += [f"{clock_text(step.at_s):>12} {done}", *(f"{'':13}  + {said.text}" for said in step.expect)]
    steps: list[object] = [
        {
            "at": clock_text(step.at_s),
            "do": [said.text for said in step.do],
            "expect": [said.text for said in step.expect],
        }
        for step in scenario.steps
    ]
    fields: dict[str, object] = {
        "name": scenario.name,
        "title": scenario.title,
        "story": scenario.story,
        "rules": list(scenario.rules),
        "steps": steps,
    }
    shown.output().result("scenario", fields, *lines)


def lint(*scenarios: Name, shown: Shown = SHOWN) -> None:
    """Check files for faults without playing them; without names, the whole library."""
    output, faults = shown.output(), 0
    for name in scenarios or tuple(names()):
        try:
            scenario = read(_find(name))
        except ScenarioFaults as error:
            faults += len(error.lines)
            for fault in error.faults:
                output.result("fault", {"scenario": name, **msgspec.to_builtins(fault)}, str(fault))
        else:
            output.say(f"{scenario.name}: {len(scenario.steps)} steps, {scenario.claims} expectations.")
    if faults:
        raise CliError(Exit.CONFIGURATION, f"there are {faults} faults. Correct them." if faults > 1 else _ONE_FAULT)


def new(
    file: Annotated[Path, Parameter(help="Such as my-story.toml; its name is the scenario's.")],
    /,
    *,
    shown: Shown = SHOWN,
) -> None:
    """Write a scenario to begin with; nothing is overwritten."""
    from host_tools.phone.keyring import write_new

    if file.suffix != ".toml" or NAME.fullmatch(file.stem) is None:
        raise CliError(Exit.USAGE, f"'{file.name}' is no name for a scenario: use a-z, 0-9 and '-', and end in .toml.")
    write_new(file, _TEMPLATE.format(title=file.stem.replace("-", " ").capitalize()).encode(), 0o644)
    output = shown.output()
    output.result("scenario", {"file": str(file)}, str(file))
    output.say(f"Then: shareboxctl scenario lint {file}, and shareboxctl scenario run {file}")


def phrases(*, shown: Shown = SHOWN) -> None:
    """Show every phrase of `do` and `expect`."""
    output = shown.output()
    for kind, known in (("do", ACTIONS), ("expect", CLAIMS)):
        output.say(f"{kind}:")
        for phrase in known:
            fields: dict[str, object] = {"in": kind, "phrase": phrase.template, "about": phrase.about}
            output.result("phrase", fields, f"  {phrase.template:46} {phrase.about}")
    for what, words in (
        ("lines for the desk begin with", DESK_WORDS),
        ("{token}", TOKENS),
        ("{condition}", CONDITIONS),
        ("{phase}", PHASES),
    ):
        output.say(f"{what}: {', '.join(words)}")


# ---------------------------------------------------------------- inside
def _find(name: str) -> Path:
    try:
        return find(name)
    except UnknownScenario as error:
        raise CliError(Exit.USAGE, str(error)) from None


def _read(wanted: tuple[str, ...]) -> list[Scenario]:
    try:
        return [read(_find(name)) for name in wanted]
    except ScenarioFaults as error:
        raise CliError(Exit.CONFIGURATION, f"{error.lines[0]}{_and_more(error)}") from None


def _and_more(error: ScenarioFaults) -> str:
    more = len(error.lines) - 1
    return f" ({more} more: `shareboxctl scenario lint` shows all.)" if more else ""


def _way(link: str, console: str | None, pace: str) -> "Way":
    from host_tools.bench.links import LinkError, parse_link
    from host_tools.bench.stands import Way

    try:
        parsed = parse_link(link)
    except LinkError as error:
        raise CliError(Exit.USAGE, str(error)) from None
    settings = Settings({})
    return Way(
        parsed,
        lambda: _issuer(settings),
        lambda: _identity(settings),
        lambda: _console(console),
        _speed(pace, parsed),
    )


def _speed(text: str, link: "Link") -> "Speed":
    from host_tools.bench.links import InProcess
    from host_tools.bench.stands import speed

    try:
        found = speed(text)
    except ValueError as error:
        raise CliError(Exit.USAGE, f"--speed {text}: it is {error}.") from None
    if found.factor is not None and isinstance(link, InProcess):
        raise CliError(Exit.USAGE, "--speed is for modules that live outside: in this process time is virtual.")
    return found


def _issuer(settings: Settings) -> "Issuer":
    from host_tools.backend.issuer import Issuer
    from host_tools.phone.keyring import read_key

    return Issuer(read_key(settings.path("issuer")), os.urandom)


def _identity(settings: Settings) -> "Identity":
    from host_tools.bench.bench import identity_of
    from host_tools.phone.keyring import read_file
    from protocol.errors import ProtocolError
    from protocol.provisioning import decode_provisioning

    path = settings.path("provisioning")
    try:
        return identity_of(decode_provisioning(read_file(path, private=True).decode()))
    except (ProtocolError, UnicodeDecodeError) as error:
        detail = error.detail if isinstance(error, ProtocolError) else "it is no text"
        raise CliError(Exit.CONFIGURATION, f"{path} is wrong: {detail}.") from None


def _console(given: str | None) -> str:
    from host_tools.cli.console import console_url

    return console_url(Settings({"link": given}))


def _on(way: "Way", work: Coroutine[None, None, T]) -> T:
    """Virtual time in this process, the computer's for modules outside."""
    from host_tools.bench.links import InProcess

    if isinstance(way.link, InProcess):
        from host_tools.virtual_time import run as run_virtually

        return run_virtually(work)
    return asyncio.run(work)


async def _play_all(chosen: list[Scenario], way: "Way", output: Output, played: "Callable[[Played], object]") -> None:
    from host_tools.bench.links import InProcess
    from host_tools.bench.stands import open_bench

    if isinstance(way.link, InProcess):
        for scenario in chosen:
            async with open_bench(way) as bench:
                played(await _play(scenario, bench, output, way))
        return
    async with open_bench(way) as bench:
        for scenario in chosen:
            played(await _play(scenario, bench, output, way))


async def _play(scenario: Scenario, bench: "Bench", output: Output, way: "Way") -> "Played":
    from host_tools.bench.junit import Played
    from host_tools.bench.links import InProcess
    from host_tools.bench.scenario_run import play
    from host_tools.bench.transcript import Entry

    entries: list[Entry] = []

    def told(entry: Entry) -> None:
        entries.append(entry)
        output.result("entry", {"scenario": scenario.name, **entry.fields()}, entry.line())

    begun, error = time.monotonic(), ""
    try:
        if isinstance(way.link, InProcess):
            await play(scenario, bench, told=told)
        else:
            await play(scenario, bench, told=told, patience_s=OUTSIDE_PATIENCE_S, tidy=True)
    except BenchFailed as failed:
        error = str(failed)
    text = "".join(f"{entry.line()}\n" for entry in entries)
    failures = tuple(f"{entry.at} {entry.said}: {entry.came}" for entry in entries if entry.kind == "fails")
    took_s = time.monotonic() - begun
    output.result(
        "played",
        {"scenario": scenario.name, "held": not failures and not error, "failures": list(failures), "error": error},
        "",
    )
    return Played(scenario.name, scenario.title, scenario.rules, text, took_s, failures, error)


def _junit(played: "list[Played]", link: str) -> bytes:
    from host_tools.bench.junit import render

    return render(played, link)


def _report_to(path: Path | None, at_the_end: ExitStack, made: Callable[[], bytes]) -> None:
    """Write it at the end. Raises CliError at once when that cannot be done: nobody plays an hour for nothing."""
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        raise _unwritable(path, os.strerror(errno.EISDIR))
    if not folder.is_dir():
        raise _unwritable(path, os.strerror(errno.ENOTDIR if folder.exists() else errno.ENOENT))
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise _unwritable(path, os.strerror(errno.EACCES))
    at_the_end.callback(lambda: _write(path, made()))


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None


def _unwritable(path: Path, why: str) -> CliError:
    return CliError(Exit.CONFIGURATION, f"cannot write {path}: {why}. Check the path.")
