"""Things that are not done in this project, wherever they would stand."""

import ast
from collections.abc import Iterator

from tests.tidy.source import Finding, Source, dotted, within

MAY_PRINT = ("firmware.demo", "firmware.__main__", "host_tools.cli", "host_tools.bench")
"""Where standard output belongs to the user."""

REASON = "# broad:"
"""A handler of every exception carries this comment with its reason."""

_BROAD = {"Exception", "BaseException"}
_NO_TEST = {"skip", "skipif", "xfail", "importorskip"}
_MOCKS = {"MagicMock", "AsyncMock", "Mock", "NonCallableMock", "create_autospec"}


def check(source: Source) -> Iterator[Finding]:
    """Every forbidden construct in one file."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Call():
                yield from _call(source, node)
            case ast.Import() | ast.ImportFrom():
                yield from _import(source, node)
            case ast.ExceptHandler():
                yield from _handler(source, node)
            case ast.Attribute() if source.is_test and node.attr in _NO_TEST and _of_pytest(node):
                yield source.finding(node, f"{dotted(node)}: a test that does not run shows nothing")
            case ast.Name() if node.id in _MOCKS:
                yield source.finding(node, f"{node.id}: let the real part run")
            case ast.Assert(test=ast.Constant()):
                yield source.finding(node, "an assert of a constant says nothing")
            case _:
                pass


def _call(source: Source, node: ast.Call) -> Iterator[Finding]:
    name = dotted(node.func)
    if name == "print" and not source.is_test and not any(within(source.module, place) for place in MAY_PRINT):
        yield source.finding(node, "print() outside the command line and the demo's screens")
    if name == "time.sleep":
        yield source.finding(node, "time.sleep(): wait for the event instead")
    suppresses = name in ("suppress", "contextlib.suppress") and any(map(_is_broad, node.args))
    if suppresses and not _gives_reason(source, node.lineno):
        yield source.finding(node, f"suppresses everything; name the exceptions, or say why after `{REASON}`")


def _import(source: Source, node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    names = [alias.name for alias in node.names]
    module = node.module if isinstance(node, ast.ImportFrom) else None
    if module == "time" and "sleep" in names:
        yield source.finding(node, "time.sleep(): wait for the event instead")
    full = [f"{module}.{name}" if module else name for name in names]
    if any(within(name, "unittest.mock") or within(name, "mock") for name in full):
        yield source.finding(node, "mocks: let the real part run")


def _handler(source: Source, node: ast.ExceptHandler) -> Iterator[Finding]:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    if not any(kind is None or _is_broad(kind) for kind in kinds):
        return
    raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    if not raises and not _gives_reason(source, node.lineno):
        yield source.finding(node, f"catches everything; name the exceptions, or say why after `{REASON}`")


def _is_broad(node: ast.expr) -> bool:
    return dotted(node).rpartition(".")[2] in _BROAD


def _gives_reason(source: Source, line: int) -> bool:
    return bool(source.lines[line - 1].partition(REASON)[2].strip())


def _of_pytest(node: ast.Attribute) -> bool:
    return dotted(node.value) in ("pytest", "pytest.mark", "mark")
