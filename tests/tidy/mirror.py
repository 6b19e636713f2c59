"""Each source file has its test file, in the same place under `tests/unit`."""

import ast
from collections.abc import Collection, Iterator

from tests.tidy.source import PACKAGES, Finding, Source


def test_file(path: str) -> str:
    """`protocol/cose.py` -> `tests/unit/protocol/test_cose.py`; `__main__.py` -> `test_main.py`."""
    folder, _, name = path.rpartition("/")
    return f"tests/unit/{folder}/test_{name.removesuffix('.py').strip('_')}.py"


def check(sources: Collection[Source]) -> Iterator[Finding]:
    """Source files without a test file."""
    there = {source.path for source in sources}
    for source in sources:
        ours = source.path.split("/")[0] in PACKAGES and not source.is_test
        wanted = test_file(source.path)
        if ours and _can_run(source) and wanted not in there:
            yield Finding(source.path, 1, f"has no test file; it would be {wanted}")


def _can_run(source: Source) -> bool:
    """Constants, plain records and Protocols hold nothing that a test could run."""
    functions = (node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(not all(_is_empty(statement) for statement in function.body) for function in functions)


def _is_empty(statement: ast.stmt) -> bool:
    """A docstring, `...` or `pass`."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )
