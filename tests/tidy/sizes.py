"""How large a file and a function may grow before they have to be split."""

import ast
from collections.abc import Iterator

from tests.tidy.source import Finding, Source

MODULE_LINES = 400
TEST_MODULE_LINES = 600
FUNCTION_LINES = 60


def check(source: Source) -> Iterator[Finding]:
    """Files and functions over the limit."""
    limit = TEST_MODULE_LINES if source.is_test else MODULE_LINES
    if len(source.lines) > limit:
        yield Finding(source.path, limit + 1, f"the file has {len(source.lines)} lines, at most {limit}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield source.finding(node, f"{node.name}() has {lines} lines, at most {FUNCTION_LINES}")
