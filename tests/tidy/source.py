"""What the tidy rules look at: the project's files, parsed once. Judges nothing."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "firmware", "host_tools", "hil")

_NOT_OURS = {"__pycache__", "build", "dist", "node_modules"}
_OURS_THOUGH_HIDDEN = {".ci", ".gitignore"}


@dataclass(frozen=True)
class Finding:
    """One breach: where, and what is wrong."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """A Python file: its path from the root of the project, with forward slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def module(self) -> str:
        """The dotted name: `firmware.core.trip`."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_test(self) -> bool:
        return self.path.startswith(("tests/", "hil/suite/"))

    def finding(self, node: ast.AST, message: str) -> Finding:
        return Finding(self.path, getattr(node, "lineno", 1), message)


def files(root: Path = ROOT) -> Iterator[Path]:
    """Every file of the project; what is built, cached or hidden is left out. Needs no git."""
    for folder, names, leaves in os.walk(root):
        names[:] = sorted(name for name in names if _is_ours(name))
        for leaf in sorted(leaves):
            if _is_ours(leaf):
                yield Path(folder, leaf)


def sources(root: Path = ROOT) -> list[Source]:
    """Every Python file of the project."""
    python = (path for path in files(root) if path.suffix == ".py")
    return [Source(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in python]


def _is_ours(name: str) -> bool:
    if name.startswith("."):
        return name in _OURS_THOUGH_HIDDEN
    return name not in _NOT_OURS and not name.endswith(".egg-info")


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or lies inside it."""
    return module == package or module.startswith(f"{package}.")


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name or an attribute chain; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
