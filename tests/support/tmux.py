"""A terminal session in tmux: keys in, screen out."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

WITHIN_S = 30.0


class Tmux:
    """A server of its own at a socket in `directory`, with one window. Use as a context manager."""

    def __init__(self, directory: Path, *command: str, columns: int = 100, rows: int = 40) -> None:
        self._tmux = ("tmux", "-S", str(directory / "tmux.sock"), "-f", "/dev/null")
        self._environment = {**os.environ, "TERM": "screen", "LC_ALL": "C.UTF-8"}
        self._run("new-session", "-d", "-x", str(columns), "-y", str(rows))
        self._run("set-option", "-g", "remain-on-exit", "on")
        self.start(*command)

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill-server")

    def start(self, *command: str) -> None:
        """Run a program in the window, in place of the one before."""
        self._run("respawn-pane", "-k", *command)

    def keys(self, *keys: str) -> None:
        """Press keys, as tmux names them: `Enter`, `C-c`, `Tab`, `Up`."""
        self._run("send-keys", *keys)

    def text(self, text: str) -> None:
        """Type `text` as it is."""
        self._run("send-keys", "-l", text)

    def screen(self) -> list[str]:
        """The lines that have something on them; one empty line when none has."""
        lines = [line.rstrip() for line in self._run("capture-pane", "-p").splitlines()]
        return [line for line in lines if line] or [""]

    async def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """The screen, as soon as it is as wanted."""
        shown: list[str] = []
        try:
            async with asyncio.timeout(WITHIN_S):
                while not holds(shown := self.screen()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError("the screen never was as wanted:\n" + "\n".join(shown)) from None
        return shown

    async def shows(self, *last: str) -> list[str]:
        """The screen, as soon as these are its last lines."""
        return await self.until(lambda shown: shown[-len(last) :] == list(last))

    def _run(self, *tokens: str) -> str:
        done = subprocess.run(
            [*self._tmux, *tokens], env=self._environment, capture_output=True, text=True, check=True, timeout=WITHIN_S
        )
        return done.stdout
