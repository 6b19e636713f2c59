"""`shareboxctl` in this process: exit code, standard output, standard error."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from host_tools.cli import main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
"""For `shareboxctl` in a process of its own, wherever it is started."""


class Ran(msgspec.Struct, frozen=True):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def objects(self) -> list[dict[str, object]]:
        """Standard output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def shareboxctl(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """A function that runs one command."""

    def run(*tokens: str) -> Ran:
        code = main.main(tokens)
        return Ran(code, *capsys.readouterr())

    return run


async def in_loop(capsys: pytest.CaptureFixture[str], *tokens: str) -> Ran:
    """Run one command in the running event loop."""
    code = await main.run(tokens)
    return Ran(code, *capsys.readouterr())
