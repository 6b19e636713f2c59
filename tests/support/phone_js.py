"""The foreign phone of docs/phone-js as a process, and noble beside it: started, told what to do, and what they say."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.support.needs import PACKAGES
from tests.support.whole_job import Line

PHONE: Final = PACKAGES["noble"].parents[2]
"""The directory of the phone."""
LIMIT_S: Final = 30.0
"""Longest wait for anything; reached only by what hangs."""


class Told(msgspec.Struct, frozen=True):
    """What the phone says without being asked: of the access, of a notice, of a module that was not its own."""

    told: str
    note: str


class Node:
    """A running program of Node. `told` is what it said beside the operations, `lines` all operations."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[Line] = []
        self.told: list[Told] = []
        self._taken = 0

    async def until(self, operation: str) -> Line:
        """The next line about `operation`; those before it are kept in `lines`, too."""
        assert self.process.stdout is not None
        while True:
            while self._taken < len(self.lines):
                self._taken += 1
                if self.lines[self._taken - 1].operation == operation:
                    return self.lines[self._taken - 1]
            async with asyncio.timeout(LIMIT_S):
                line = await self.process.stdout.readline()
            assert line, f"it ended without a word about {operation}: {self.lines} {await self.complaint()}"
            self._take(line)

    def _take(self, line: bytes) -> None:
        said = json.loads(line)
        if "told" in said:
            self.told.append(msgspec.convert(said, Told))
        else:
            self.lines.append(msgspec.convert(said, Line))

    def tell(self, word: str) -> None:
        """Say one command, and wait for nothing."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())

    async def do(self, word: str, operation: str | None = None) -> Line:
        """Say one command, and return what came of it. `operation`: how it is told of, if otherwise."""
        self.tell(word)
        return await self.until(operation or word)

    async def complaint(self) -> str:
        """Its standard error, once it has ended."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def ended(self) -> int:
        """No more commands; its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        async with asyncio.timeout(LIMIT_S):
            while line := await self.process.stdout.readline():
                self._take(line)
            return await self.process.wait()


@asynccontextmanager
async def node(directory: Path, *tokens: str | Path) -> AsyncIterator[Node]:
    """`node` with these arguments, in `directory`; it does not outlive the block."""
    program = shutil.which("node")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program, *map(str, tokens), cwd=directory, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield Node(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
