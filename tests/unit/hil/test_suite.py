"""The numbered tests themselves: in order, each with a bounded time and a rule that there is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import matrix
from tests.support.command import ROOT

SUITE = ROOT / "hil/suite"
FILES = sorted(SUITE.glob("test_*.py"))


def marks(nodes: list[ast.expr]) -> Iterator[tuple[str, list[object]]]:
    """Name and arguments of each `pytest.mark.name(...)` among these expressions."""
    for node in nodes:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("pytest.mark."):
                yield ast.unparse(call.func).rpartition(".")[2], [ast.literal_eval(each) for each in call.args]


def of_module(tree: ast.Module) -> list[ast.expr]:
    """What `pytestmark` says."""
    return [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]


def test_they_are_numbered_from_power_to_soak() -> None:
    assert [file.stem for file in FILES] == [
        "test_01_power", "test_02_console", "test_03_gatt", "test_04_booking", "test_05_cutoff", "test_06_soak",
    ]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_a_sentence_with_a_limit_and_a_rule(file: Path) -> None:
    tree = ast.parse(file.read_text())
    known = {rule.id for rule in matrix.read_rules(ROOT / matrix.REQUIREMENTS)}
    everywhere = list(marks(of_module(tree)))
    tests = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")]
    assert tests
    for test in tests:
        assert re.fullmatch(r"test(_[a-z0-9]+){5,}", test.name)
        said = [*everywhere, *marks(test.decorator_list)]
        (limit,) = [arguments for name, arguments in said if name == "limit"]
        assert isinstance(limit[0], int)
        assert 0 < limit[0] <= 300
        rules = {rule for name, arguments in said if name == "req" for rule in arguments}
        assert rules, test.name
        assert rules <= known
