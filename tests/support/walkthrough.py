"""A page for people as a program: its commands are carried out as they stand there, and answer what the page says.

In blocks that are indented by four columns a line with `$` is a command, and the lines below it have to be among its
answers, in that order; `…` stands for anything. Times, identifiers and codes are those of another day.
"""

import asyncio
import re
import shlex
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.command import Ran, in_loop
from tests.support.programs import Program, free_port

LIMIT_S: Final = 60.0
_REMARK: Final = re.compile(r"\s{2,}# .*$")
_CODE: Final = re.compile(r"Activation code: (\d{6})")
_LINE: Final = re.compile(r'name = "(.+)"')
_LINK: Final = re.compile(r'link = ".*"')
_ANY: Final = "…"
_VARIABLE: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "<time>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<id>"),
    (re.compile(r"Activation code: \d{6}"), "<code>"),
)


class Step(NamedTuple):
    """A command, and what has to be among its answers."""

    command: str
    said: tuple[str, ...]


def steps(page: str) -> list[Step]:
    """The commands of a page in Markdown, in order."""
    found: list[Step] = []
    for line in page.splitlines():
        if line.startswith("    $ "):
            found.append(Step(_REMARK.sub("", line[6:]).strip(), ()))
        elif line.startswith("    ") and found:
            found[-1] = Step(found[-1].command, (*found[-1].said, line[4:]))
    return found


def answers(said: tuple[str, ...], *streams: list[str]) -> str:
    """The first line of `said` that is in none of the `streams` behind those before it; empty: all are somewhere."""
    left = [list(stream) for stream in streams]
    for line in said:
        pattern = re.compile(".*".join(re.escape(part) for part in _plain(line).split(_ANY)))
        if line != _ANY and not any(_passed(pattern, stream) for stream in left):
            return line
    return ""


def _passed(pattern: re.Pattern[str], stream: list[str]) -> bool:
    """Whether a line of it matches; then it is gone, with those before it."""
    for at, line in enumerate(stream):
        if pattern.fullmatch(_plain(line)):
            del stream[: at + 1]
            return True
    return False


def _plain(line: str) -> str:
    for pattern, name in _VARIABLE:
        line = pattern.sub(name, line)
    return line.rstrip()


class Walker:
    """Whoever follows a page, in a directory that is empty at first. `broker`: HOST:PORT of one that runs; `serial`:
    over the module's serial line instead of the virtual radio. `codes`: the activation codes of the page -> those that
    were drawn; `logged`: what the module wrote."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._at = directory
        self._capsys = capsys
        self._patch = patch
        self._hub = str(free_port())
        self.codes: dict[str, str] = {}
        self._module: Program | None = None
        self.logged: list[str] = []
        self.broker = ""
        self.serial = False

    async def follow(self, page: str) -> None:
        """Carry out every command of the page. Fails with the first that answers something else."""
        try:
            for step in steps(page):
                await self._do(step)
        finally:
            if self._module is not None:
                await self._module.kill()
                self.logged = [*self._module.out, *self._module.err]

    async def _do(self, step: Step) -> None:
        words = shlex.split(step.command)
        match words:
            case ["cd", place]:
                self._at = (self._at / place).resolve()
            case ["mosquitto", *_, "&"]:
                assert self.broker, "the page needs a broker"
            case ["sharebox", "run", *options, "&"]:
                self._module = await Program.start("firmware", "run", "--json", *options, directory=self._at)
                await self._module.said("on the air")
                if self.broker:
                    await self._module.said("BrokerConnected")
            case ["shareboxctl", *tokens]:
                await self._ask(step, tokens)
            case _:
                raise AssertionError(f"nobody here knows how to do `{step.command}`")

    async def _ask(self, step: Step, tokens: list[str]) -> None:
        tokens = [self._with_codes(token) for token in tokens]
        if tokens[:2] == ["module", "init"]:
            tokens += ["--hub-port", self._hub]
        ran = await self._run(tokens)
        fails = any(line.startswith("shareboxctl: ") for line in step.said)
        lines = [*ran.out.splitlines(), *ran.err.splitlines()]
        missing = answers(step.said, ran.out.splitlines(), ran.err.splitlines())
        assert not missing, f"`{step.command}` does not say {missing!r}: {lines}"
        assert (ran.code != 0) == fails, f"`{step.command}` ended with {ran.code}: {lines}"
        self._learn(step.said, lines)
        if tokens[:2] == ["module", "init"]:
            self._settle_in(self._at / tokens[2])

    async def _run(self, tokens: list[str]) -> Ran:
        with self._patch.context() as patch:
            patch.chdir(self._at)
            patch.setenv("XDG_CONFIG_HOME", str(self._at / "xdg"))
            async with asyncio.timeout(LIMIT_S):
                return await in_loop(self._capsys, *tokens)

    def _with_codes(self, word: str) -> str:
        for written, drawn in self.codes.items():
            word = word.replace(written, drawn)
        return word

    def _learn(self, said: tuple[str, ...], lines: list[str]) -> None:
        """The page's activation code stands for the one that was drawn now."""
        written, drawn = (_CODE.findall("\n".join(text)) for text in (said, lines))
        self.codes |= dict(zip(written, drawn, strict=True))

    def _settle_in(self, directory: Path) -> None:
        """The broker of this test instead of the usual one, or none; and the way to the module."""
        module, tool = directory / "sharebox.toml", directory / "shareboxctl.toml"
        before, _, after = module.read_text().partition("[broker]")
        rest = after[after.index("[vehicle]") :]
        host, _, port = self.broker.partition(":")
        table = f'[broker]\nhost = "{host}"\nport = {port}\n\n' if self.broker else ""
        module.write_text(before + table + rest)
        settings = tool.read_text().replace("127.0.0.1:1883", self.broker)
        if self.serial:
            (name,) = _LINE.findall(rest)
            settings = _LINK.sub(f'link = "serial:{name}"', settings)
        tool.write_text(settings)
