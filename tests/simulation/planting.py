"""Puts a planted defect into the core of this process, and takes it out again.

A defect replaces a piece of one core module's source. Only the code of the functions that it changes is exchanged,
so every module that has imported them is changed with them.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType, ModuleType
from typing import NamedTuple

from tests.simulation.reached import RULES_OF_THE_CORE


class Defect(NamedTuple):
    """In `firmware.core.<module>`, `right` becomes `wrong`; or, when `right` is a constant's name, its value."""

    name: str
    module: str
    right: str
    wrong: str
    story: str


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value
    if module.__name__ == "firmware.core.trip":
        for rule in RULES_OF_THE_CORE:
            if isinstance(rule.holds, FunctionType):
                yield rule.holds


@contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """The core of this process with the defect in it."""
    module = import_module(f"firmware.core.{defect.module}")
    if defect.right.isidentifier():
        yield from _constant(module, defect)
        return
    source = inspect.getsource(module)
    times = source.count(defect.right)
    if times != 1:
        raise AssertionError(f"{defect.name}: {defect.right!r} stands {times} times in {module.__name__}")
    changed = source.replace(defect.right, defect.wrong)
    pairs = zip(_codes(compile(source, "core", "exec")), _codes(compile(changed, "core", "exec")), strict=True)
    inner = [(old, new) for old, new in pairs if old.co_name != "<module>" and old != new]
    wanted = {(old.co_qualname, old.co_firstlineno): new for old, new in inner}
    exchanged: list[tuple[FunctionType, CodeType]] = []
    for function in _functions(module):
        new = wanted.get((function.__code__.co_qualname, function.__code__.co_firstlineno))
        if new is not None:
            exchanged.append((function, function.__code__))
            function.__code__ = new
    if not exchanged:
        raise AssertionError(f"{defect.name} changes no function")
    try:
        yield
    finally:
        for function, code in exchanged:
            function.__code__ = code


def _constant(module: ModuleType, defect: Defect) -> Iterator[None]:
    """Change a constant wherever it was imported to."""
    right = getattr(module, defect.right)
    places = [
        place
        for name, place in sys.modules.items()
        if name.startswith("firmware.") and getattr(place, defect.right, None) == right
    ]
    for place in places:
        setattr(place, defect.right, int(defect.wrong))
    try:
        yield
    finally:
        for place in places:
            setattr(place, defect.right, right)
