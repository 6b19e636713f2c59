"""`shareboxctl console`, and what `shareboxctl module` asks of the module's console.

Finds the console, and then either hands the terminal over to it as it is, or has single commands carried out.
"""

import asyncio
import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Annotated, Final

from cyclopts import Parameter

from host_tools.bench.answer import Answer, ConsoleRefused
from host_tools.bench.console import ConsoleClient
from host_tools.bench.line import SerialLine
from host_tools.bench.links import Serial, lines_here, own_lines
from host_tools.bench.passage import Passage, carried_out
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import AT_CONSOLE, AtConsole
from host_tools.cli.output import Output, print_talk
from host_tools.cli.screen import Screen
from host_tools.cli.settings import Settings
from host_tools.cli.way import link_of
from protocol.errors import one_line

LEVELS: Final = ("observe", "operate", "service")

_JSON: Final = " --json"
_LEAVE: Final = b"\x1d"  # Ctrl-]
_FRIENDLY: Final = b"\x02"
_PROMPT: Final = b"\r"
_GREETING_S: Final = 0.5
"""A console that sees who comes greets by then; on a UART none does, and is asked for its prompt."""

Word = Annotated[str, Parameter(help="The command, as on the console.", allow_leading_hyphen=True)]


def console_url(settings: Settings) -> str:
    """Where the console is: the link when it is a serial line, else the line of the module whose file is nearest, else
    the only line that a module running here has made. Raises CliError."""
    link = link_of(settings)
    if isinstance(link, Serial):
        return link.url
    value = settings.value("link")
    if value.origin == "the command line":
        raise CliError(Exit.USAGE, f"'{value.text}' has no console. Name a serial line, such as serial:console.")
    if own := own_lines():
        return str(own[0])
    found = lines_here()
    if len(found) == 1:
        return str(next(iter(found.values())))
    if found:
        names = ", ".join(f"serial:{name}" for name in found)
        raise CliError(Exit.USAGE, f"there are several consoles. Choose one with --link: {names}.")
    raise CliError(
        Exit.NOT_FOUND,
        "no module with a console runs here. Start one with `sharebox run` and a `[[serial]]` table, or name its line: "
        "--link serial:PATH.",
    )


@asynccontextmanager
async def talking(at: AtConsole) -> AsyncIterator[ConsoleClient]:
    """The console in machine mode, at the level that the settings name."""
    settings = at.settings()
    rising = _rising(settings)
    async with SerialLine(console_url(settings)) as line, ConsoleClient(line) as client:
        if rising:
            await client.do(rising)
        yield client


def _rising(settings: Settings) -> str:
    """The command that takes the level of the settings; empty: none. Raises CliError, KeyringError."""
    level, file = settings.text("level"), settings.text("password_file")
    if not level:
        return ""
    if level not in LEVELS:
        raise CliError(Exit.USAGE, f"'{one_line(level)}' is no level. Levels are: {', '.join(LEVELS)}.")
    if not file:
        return f"level {level}"
    # Only a password needs it.
    from host_tools.phone.keyring import read_file

    text = read_file(settings.path("password_file"), private=True).decode(errors="replace")
    password = text.partition("\n")[0].rstrip("\r")
    quote = "'" if '"' in password else '"'
    return f"level {level} {quote}{password}{quote}"


def show(answer: Answer, output: Output) -> None:
    """What the console answered."""
    output.result("answer", {"kind": answer.kind, "data": answer.data}, *answer.lines)


async def console(
    command: Annotated[str | None, Parameter(help="One command to carry out; without it, the console itself.")] = None,
    /,
    *,
    at: AtConsole = AT_CONSOLE,
) -> None:
    """Open the module's console in this terminal, or carry out one command.

    Without a command the terminal is the console's: completion, history and all; Ctrl-] leaves. When standard input is
    no terminal, each of its lines is a command; the first that is refused ends it with exit code 3, and what comes
    after it is not sent. `--json` at the end of a command is that option for it. The console is that of `--link`, else
    of the module that runs here.
    """
    output = at.output()
    if command is not None:
        await _do((command,), at, output)
    elif not sys.stdin.isatty():
        await _do_lines(at, output)
    elif output.json_lines:
        raise CliError(Exit.USAGE, "--json is for commands. Give one, or leave --json out.")
    else:
        await _terminal(console_url(at.settings()), output)


async def _do_lines(at: AtConsole, output: Output) -> None:
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(sys.stdin, 1):  # noqa: B007 - it is told below
            if line.strip():
                yield line.strip()

    try:
        await _do(lines(), at, output)
    except ConsoleRefused:
        print_talk(f"Line {number} was refused, and nothing after it was sent.")
        raise


async def _do(commands: Iterator[str] | tuple[str, ...], at: AtConsole, output: Output) -> None:
    timeout_s = at.settings().seconds("timeout") if at.timeout else None
    async with talking(at) as client:
        for asked in commands:
            command = asked.removesuffix(_JSON)
            chosen = output if command == asked else Output(json_lines=True)
            with chosen.waiting(command):
                answer = await _carried_out(command, client, timeout_s, chosen)
            show(answer, chosen)


async def _carried_out(command: str, client: ConsoleClient, timeout_s: float | None, output: Output) -> Answer:
    """Much time passes in stretches, each within the time for an answer."""
    passage, said = Passage(), ExitStack()

    def told() -> None:
        said.close()
        said.enter_context(output.waiting(f"{command}: {passage}"))

    async def ask(one: str) -> Answer:
        return await (client.do(one) if timeout_s is None else client.do(one, timeout_s))

    with said:
        try:
            return await carried_out(command, ask, passage, told)
        except BaseException:
            if passage.whole_ms:
                output.say(f"Broken off: {passage}.")
            raise


# ---------------------------------------------------------------- the groups of commands that `module` has
async def do(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Carry out any command of the module's console; `shareboxctl module do help` lists them."""
    await _one("", words, at)


async def state(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Show the state of the module, save it, load it, or compare it: `state`, `state save NAME`, `state diff A B`."""
    await _one("state", words, at)


async def why(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Show the reason for the last refusal, and what would change it."""
    await _one("why", words, at)


async def log(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Show what the module did last: `log`, `log 50`."""
    await _one("log", words, at)


async def time(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Show or change the module's time: `time`, `time move 30m`, `time set 2026-07-01T10:00Z`, `time freeze`."""
    await _one("time", words, at)


async def fault(*words: Word, at: AtConsole = AT_CONSOLE) -> None:
    """Let something fail, for a while or until it is cleared: `fault gnss lost --for 30s`, `fault clear`."""
    await _one("fault", words, at)


async def _one(first: str, words: tuple[str, ...], at: AtConsole) -> None:
    command = " ".join((first, *words)).strip()
    if not command:
        raise CliError(Exit.USAGE, "a command is missing. Try `shareboxctl module do help`.")
    await _do((command,), at, at.output())


# ---------------------------------------------------------------- the terminal
async def _terminal(url: str, output: Output) -> None:
    """Everything typed goes to the console, everything it says to the screen, until Ctrl-]."""
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def end(why: Exception) -> None:
        if not ended.done():
            ended.set_result(why)

    def gone(why: str) -> None:
        end(CliError(Exit.NOT_FOUND, f"the console is gone: {why}. Check that the module still runs."))

    async with SerialLine(url) as line:
        output.say(f"{url}: Ctrl-] leaves.")
        heard, screen = asyncio.Event(), Screen(sys.stdout.fileno(), lambda: end(BrokenPipeError()))

        def shown(text: bytes) -> None:
            heard.set()
            screen.show(text)

        stop = line.listen(shown, gone)
        with _raw(sys.stdin.fileno()), _signalled(end):
            typing: asyncio.Future[None] = asyncio.ensure_future(typed(line, sys.stdin.fileno(), heard))
            try:
                await asyncio.wait((typing, ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop()
                typing.cancel()
                await asyncio.wait({typing})
                await screen.close()
        output.say("")  # behind whatever the console has left on the line
    if ended.done():
        raise ended.result()
    typing.result()


@contextlib.contextmanager
def _raw(fd: int) -> Iterator[None]:
    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # a terminal that was closed
            termios.tcsetattr(fd, termios.TCSANOW, before)


@contextlib.contextmanager
def _signalled(end: Callable[[Exception], None]) -> Iterator[None]:
    """Who is told to go leaves the terminal as it was."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, CliError(Exit.INTERRUPTED, f"interrupted by {number.name}"))
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def typed(line: SerialLine, fd: int, heard: asyncio.Event) -> None:
    """Hand over what is typed at `fd`; return at Ctrl-] or when it ends. `heard`: the console has said something."""
    await line.send_text(_FRIENDLY)
    try:
        async with asyncio.timeout(_GREETING_S):
            await heard.wait()
    except TimeoutError:
        await line.send_text(_PROMPT)
    while keys := await _keys(fd):
        before, leave, _ = keys.partition(_LEAVE)
        if before:
            await line.send_text(before)
        if leave:
            return


async def _keys(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
    try:
        return os.read(fd, 1024)
    except OSError:  # the terminal was closed
        return b""
