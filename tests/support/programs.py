"""The project's programs as processes: started, watched line by line, and what they leave behind."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tests.support.command import ENVIRONMENT, Ran

LIMIT_S = 30.0
"""Longest wait for anything; reached only by what hangs."""


class Program:
    """A running `python -m <module> <tokens>`; `lines` are what it has written, standard output and error apart."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._changed = asyncio.Event()
        self._readers = asyncio.gather(self._read(process.stdout, self.out), self._read(process.stderr, self.err))
        self._readers.add_done_callback(lambda _: self._changed.set())  # whoever waits for words waits in vain

    @classmethod
    async def start(cls, module: str, *tokens: str, directory: Path, **environment: str) -> "Program":
        """Start it in `directory`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *tokens),
            cwd=directory,
            env={**ENVIRONMENT, "TERM": "dumb", **environment},
            stdout=PIPE,
            stderr=PIPE,
        )
        return cls(process)

    async def _read(self, stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode())
            self._changed.set()

    async def said(self, text: str) -> str:
        """The first line with `text`, now or as soon as it comes."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for line in (*self.out, *self.err):
                    if text in line:
                        return line
                assert not self._readers.done(), f"it ended without saying {text!r}: {self.out + self.err}"
                self._changed.clear()
                await self._changed.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self, within_s: float = LIMIT_S) -> Ran:
        """Wait until it has ended."""
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            await self._readers
        return Ran(code, "".join(self.out), "".join(self.err))

    async def kill(self) -> None:
        """Whatever state it is in; for the end of a test."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    def children(self) -> list[int]:
        """Its child processes."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]


def alive(pid: int) -> bool:
    """Whether the process is there, and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_port() -> int:
    """A port on loopback that nobody has at the moment."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
