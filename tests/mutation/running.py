"""Runs tests against a mutant: in a forked child, which imports the mutant in place of the module.

No file is ever changed. The parent has imported pytest and the libraries, and nothing of the project.
"""

import ast
import gc
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import pytest

from tests.mutation.operators import Mutant, applied
from tests.tidy.mirror import test_file

_MOST_MEMORY: Final = 2 * 1024**3
_STILL_S: Final = 60.0
"""Who uses no CPU for so long waits for what will never come. One whom a busy machine keeps waiting uses a little."""
_LOOKS_EVERY_S: Final = 5.0
_OPTIONS: Final = (
    *("-x", "-q", "--no-header", "--tb=no", "--assert=plain", "-p", "pytest_asyncio.plugin"),
    *(part for name in ("cacheprovider", "unraisableexception", "threadexception") for part in ("-p", f"no:{name}")),
)
"""Nothing but what decides whether a test passes: most of the time is pytest's own."""
_LIBRARIES: Final = (
    "cbor2",
    "coverage",
    "cryptography.x509",
    "hypothesis.strategies",
    "msgspec",
    "pytest_asyncio",
    "structlog",
)

CORE: Final = ("tests/unit/firmware/core", "tests/unit/firmware/test_pump.py", "tests/unit/firmware/test_gateway.py")
PROTOCOL: Final = ("tests/unit/protocol", "tests/vectors", "tests/unit/firmware/test_gateway.py")


@dataclass(frozen=True)
class Stage:
    """Tests that look for a mutant. `limit_s` of CPU time: after that it hangs, which is seen too."""

    name: str
    paths: tuple[str, ...]
    limit_s: int

    def digest(self, root: Path) -> str:
        """Changes with any of its tests, and with the helpers that they import."""
        files = {file for path in self.paths for file in _python_files(root / path)}
        waiting = list(files)
        while waiting:
            new = _helpers(waiting.pop(), root) - files
            files |= new
            waiting += new
        found = hashlib.sha256()
        for file in sorted(files):
            found.update(file.read_bytes())
        return found.hexdigest()[:16]


def _python_files(path: Path) -> list[Path]:
    return list(path.rglob("*.py")) if path.is_dir() else [path]


def _helpers(file: Path, root: Path) -> set[Path]:
    """The files below `tests` that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {path for name in names if (path := root / f"{name.replace('.', '/')}.py").is_file()}


def stages(path: str) -> tuple[Stage, ...]:
    """Who looks for the mutants of a module: its own tests, those of its neighbours, then the stories. Each limit is
    five times and more what they take."""
    own = Stage("own tests", (test_file(path),), 4)
    if path.startswith("protocol/"):
        return own, Stage("neighbours", PROTOCOL, 10), Stage("properties", ("tests/property/protocol",), 60)
    return own, Stage("neighbours", CORE, 8), Stage("stories", ("tests/stories", "tests/property/firmware"), 180)


def preload() -> None:
    """Import in the parent what every child needs."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in _LIBRARIES:
        importlib.import_module(name)
    with redirect_stdout(io.StringIO()):
        pytest.main(["--version"])
    gc.freeze()


class Child:
    """One mutant before one stage, in a process of its own. `passes` once it is over: whether all tests passed."""

    def __init__(self, mutant: Mutant | None, tree: ast.Module, path: str, stage: Stage) -> None:
        self.mutant = mutant
        self.stage = stage
        self.passes: bool | None = None
        if mutant is None:
            code = compile(tree, path, "exec")
        else:
            with applied(mutant):
                code = compile(tree, path, "exec")
        self._process = os.fork()
        if self._process == 0:
            _child(path, code, stage)
        self._ended = os.pidfd_open(self._process)
        self._used, self._used_at = 0, time.monotonic()

    def fileno(self) -> int:
        """Readable once it is over."""
        return self._ended

    def poll(self) -> bool:
        """Whether it is over; one that hangs is ended. (One that runs for ever meets its limit by itself.)"""
        if self.passes is None:
            process, status = os.waitpid(self._process, os.WNOHANG)
            if process:
                self.passes = status == 0
            elif self._hangs():
                os.kill(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
                self.passes = False
            if self.passes is not None:
                os.close(self._ended)
        return self.passes is not None

    def _hangs(self) -> bool:
        used = _cpu_ticks(self._process)
        if used != self._used:
            self._used, self._used_at = used, time.monotonic()
        return time.monotonic() - self._used_at > _STILL_S


def _cpu_ticks(process: int) -> int:
    """CPU time of a process so far, in the system's ticks."""
    after_name = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])


def wait(children: Sequence[Child]) -> None:
    """Until one of them is over, or it is time to see whether one hangs."""
    select.select(children, [], [], _LOOKS_EVERY_S)


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives `code` to whoever imports the module called `name`."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        self._name, self._path, self._code = name, str(Path(path).resolve()), code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _child(path: str, code: CodeType, stage: Stage) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (stage.limit_s, stage.limit_s))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    name = path.removesuffix(".py").replace("/", ".")
    assert name not in sys.modules
    sys.meta_path.insert(0, _Instead(name, path, code))
    result = 1
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            result = int(pytest.main([*_OPTIONS, *stage.paths]))
    finally:
        os._exit(result)
