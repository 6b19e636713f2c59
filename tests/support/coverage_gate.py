"""The coverage gate: every line and branch of the pure parts, each module by its own test file.

One run of the unit tests, each test file under its own context; of a module's coverage only what its own test
file did is kept. What runs at import (class bodies, constants) counts whoever imported it.
"""

import ast
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import coverage
import pytest

from tests.tidy.mirror import test_file as test_file_of

PURE = ("protocol", "firmware/core")
"""The folders where nothing may be left untested."""

NOT_COUNTED = [
    r"if TYPE_CHECKING:",
    r"^\s*\.\.\.\s*$",  # the body of a Protocol's method
    r"(case|else)\b[^\n]*:\s*\n\s*assert_never\(",  # the type checker proves that it is never reached
    r"\bassert_never\(",
]
"""Not by comment: there is no way to switch the gate off from inside a module."""

_NO_MATCH = "(?!)"

Arc = tuple[int, int]


class ByTestFile:
    """A pytest plugin: what runs for a test file, its import and fixtures included, runs in its context."""

    def __init__(self, measured: coverage.Coverage, root: Path) -> None:
        self._measured = measured
        self._root = root

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        self._enter(collector.path)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._enter(item.path)
        return (yield)

    def _enter(self, path: Path) -> None:
        if path.is_relative_to(self._root):
            self._measured.switch_context(path.relative_to(self._root).as_posix())


def modules(root: Path) -> list[str]:
    """Paths of all modules under the gate."""
    found = (path for folder in PURE for path in (root / folder).rglob("*.py"))
    return sorted(path.relative_to(root).as_posix() for path in found)


def gate(root: Path, wanted: Iterable[str]) -> bool:
    """Run the tests of `wanted` modules and print what they leave out. True when it is nothing."""
    wanted = list(wanted)
    tests = [test for test in map(test_file_of, wanted) if (root / test).exists()]
    if not tests:
        sys.stderr.write(f"none of the modules has a test file: {', '.join(wanted)}\n")
        return False
    measured = coverage.Coverage(data_file=None, branch=True, source=[str(root / folder) for folder in PURE])
    measured.set_option("run:core", "ctrace")  # the only one that can tell contexts apart
    measured.start()
    passed = pytest.main(
        ["--import-mode=importlib", "-p", "no:cacheprovider", "-q", "--no-header", *tests],
        plugins=[ByTestFile(measured, root)],
    )
    measured.stop()
    if passed not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return False
    with TemporaryDirectory() as folder:
        kept = coverage.CoverageData(str(Path(folder, "kept")))
        _keep_own(measured.get_data(), kept, root, wanted)
        complete = _report(kept.data_filename())
    return passed == pytest.ExitCode.OK and complete


def _keep_own(data: coverage.CoverageData, kept: coverage.CoverageData, root: Path, wanted: Iterable[str]) -> None:
    for module in wanted:
        path = root / module
        functions = function_lines(path.read_text("utf-8"))
        data.set_query_context(test_file_of(module))
        own = set(data.arcs(str(path)) or ())
        data.set_query_contexts(None)
        at_import = {arc for arc in data.arcs(str(path)) or () if functions.isdisjoint(map(abs, arc))}
        kept.add_arcs({str(path): own | at_import})
        kept.touch_file(str(path))
    kept.write()


def function_lines(text: str) -> set[int]:
    """Numbers of the lines that belong to the body of a function."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.update(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _report(data_file: str) -> bool:
    reporter = coverage.Coverage(data_file=data_file, branch=True, config_file=False)
    reporter.set_option("report:exclude_lines", NOT_COUNTED)
    reporter.set_option("report:partial_branches", [_NO_MATCH])
    reporter.load()
    percent = reporter.report(show_missing=True, skip_covered=True, skip_empty=True)
    sys.stdout.write("Each module of the pure parts by its own test file: ")
    sys.stdout.write("complete.\n" if percent == 100 else "lines or branches are missing, see above.\n")
    return percent == 100


def main(arguments: list[str]) -> int:
    """Exit code of the gate; `arguments` are paths of modules, none for all."""
    root = Path.cwd()
    return 0 if gate(root, arguments or modules(root)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
