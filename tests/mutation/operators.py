"""Mutants: a module's syntax tree with one small thing wrong. Runs nothing.

Left alone: docstrings, annotations, keywords of classes, what stands beside an `assert` (they are for our own bugs and
for the type checker), texts and byte strings.
"""

import ast
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_CHOICES = ast.If | ast.While | ast.IfExp


@dataclass(frozen=True)
class Place:
    """One field of one node, or one item of a field that is a list, and what takes its place."""

    node: ast.AST
    field: str
    index: int | None
    wrong: ast.AST | None


@dataclass(frozen=True)
class Mutant:
    """One thing wrong. `before` and `after` are source text, `where` the function, `nth` tells equal ones apart."""

    path: str
    where: str
    line: int
    before: str
    after: str
    nth: int
    place: Place

    @property
    def name(self) -> str:
        """Stable as long as the function has the same text there, wherever it moves."""
        nth = f" (no. {self.nth})" if self.nth > 1 else ""
        return f"{self.path} {self.where}: {self.before} -> {self.after}{nth}"

    @property
    def digest(self) -> str:
        """A short name for files."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:16]


def mutants(path: str, tree: ast.Module) -> list[Mutant]:
    """Every mutant of the module, in the order of the source."""
    found: list[Mutant] = []
    times: dict[str, int] = {}
    for where, place in _walk(tree, ""):
        original = _at(place)
        before, after = _shown(original), "nothing" if place.wrong is None else _shown(place.wrong)
        key = f"{where}: {before} -> {after}"
        times[key] = times.get(key, 0) + 1
        found.append(Mutant(path, where or "module", getattr(original, "lineno", 0), before, after, times[key], place))
    return found


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The tree that the mutant came from, with this one thing wrong in it."""
    place = mutant.place
    if place.index is None:
        was = getattr(place.node, place.field)
        setattr(place.node, place.field, place.wrong)
        yield
        setattr(place.node, place.field, was)
        return
    items: list[ast.AST] = getattr(place.node, place.field)
    right = list(items)
    items[place.index : place.index + 1] = [] if place.wrong is None else [place.wrong]
    yield
    items[:] = right


def _at(place: Place) -> ast.AST:
    value = getattr(place.node, place.field)
    original: ast.AST = value if place.index is None else value[place.index]
    return original


def _shown(node: ast.AST) -> str:
    """Source text of a node, on one line and not too long."""
    if isinstance(node, ast.match_case):
        node = ast.Match(ast.Name("_"), [node])
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 160 else f"{text[:110]}...{text[-47:]}"


def _walk(node: ast.AST, where: str) -> Iterator[tuple[str, Place]]:
    """Every place below `node`, with the name of the function that it is in."""
    returns = _returns(node) if isinstance(node, _FUNCTIONS) else {}
    for field, value in ast.iter_fields(node):
        if _left_alone(node, field):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _is_text(child) or isinstance(child, ast.Assert):
                continue
            if isinstance(node, _FUNCTIONS) and child is node.body[-1] and _gives_nothing(child):
                continue
            for wrong in _wrongs(node, field, child):
                yield where, Place(node, field, index, wrong)
            yield from _walk(child, _inside(child, where))
    for place in returns.values():
        yield where, place


def _inside(node: ast.AST, where: str) -> str:
    """What the parts of `node` are part of: a function, a class or a constant."""
    if isinstance(node, _FUNCTIONS | ast.ClassDef):
        return f"{where}.{node.name}" if where else node.name
    if not where and isinstance(node, ast.AnnAssign | ast.Assign):
        return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])
    return where


def _left_alone(node: ast.AST, field: str) -> bool:
    return (
        field in ("annotation", "returns", "decorator_list", "type_params")
        or (isinstance(node, ast.ClassDef) and field in ("keywords", "bases"))
        or isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__slots__" for t in node.targets))
    )


def _gives_nothing(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and (node.value is None or _is_none(node.value))


def _is_text(node: ast.AST) -> bool:
    """A docstring: an expression that is nothing but a text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _wrongs(parent: ast.AST, field: str, node: ast.AST) -> Iterator[ast.AST | None]:
    """What may stand in the place of `node`."""
    match node:
        case ast.Compare(left, [op], [right]):
            for other in _COMPARED[type(op)]:
                yield _put(ast.Compare(left, [other()], [right]), node)
        case ast.Compare(left, ops, rights):
            for index, op in enumerate(ops):
                for other in _COMPARED[type(op)]:
                    yield _put(ast.Compare(left, [*ops[:index], other(), *ops[index + 1 :]], rights), node)
        case ast.BinOp(left, operator, right) if type(operator) in _CALCULATED:
            yield _put(ast.BinOp(left, _CALCULATED[type(operator)](), right), node)
        case ast.BoolOp(operator, values):
            yield _put(ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values), node)
            for index in range(len(values)):
                rest = [*values[:index], *values[index + 1 :]]
                yield _put(rest[0] if len(rest) == 1 else ast.BoolOp(operator, rest), node)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.Constant(bool() as value):
            yield _put(ast.Constant(not value), node)
        case ast.Constant(int() | float() as value):
            yield _put(ast.Constant(value + 1), node)
            yield _put(ast.Constant(value - 1), node)
        case ast.keyword(arg=str()) if isinstance(parent, ast.Call):
            yield None
        case ast.match_case(pattern) if not isinstance(pattern, ast.MatchAs) or pattern.pattern is not None:
            yield None
        case _:
            yield from _wrong_statement(node)
    if isinstance(parent, _CHOICES) and field == "test" and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield _put(ast.UnaryOp(ast.Not(), _expression(node)), node)
    if isinstance(parent, ast.match_case | ast.comprehension) and field in ("guard", "ifs"):
        yield _put(ast.Constant(True), node)


def _wrong_statement(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Expr() | ast.Assign() | ast.AugAssign() | ast.Raise():
            yield _put(ast.Pass(), node)
        case ast.Return(value) if value is not None and not _is_none(value):
            yield _put(ast.Return(ast.Constant(None)), node)
        case ast.Return() | ast.Break():
            yield _put(ast.Pass(), node)
        case ast.Continue():
            yield _put(ast.Break(), node)
        case _:
            pass


def _returns(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[int, Place]:
    """Each `return` gives what the next different one in the same function gives."""
    own: list[tuple[ast.AST, str, int, ast.Return]] = []
    waiting: list[ast.AST] = [function]
    while waiting:
        node = waiting.pop()
        for field, value in ast.iter_fields(node):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.Return) and child.value is not None:
                    own.append((node, field, index, child))
                elif isinstance(child, ast.AST) and not isinstance(child, _FUNCTIONS | ast.Lambda):
                    waiting.append(child)
    own.sort(key=lambda each: each[3].lineno)
    places = {}
    for number, (node, field, index, statement) in enumerate(own):
        following = [*own[number + 1 :], *own[:number]]
        value = next((e[3].value for e in following if _text(e[3].value) != _text(statement.value)), None)
        if value is not None and not _is_none(value):
            places[number] = Place(node, field, index, _put(ast.Return(value), statement))
    return places


def _text(node: ast.expr | None) -> str:
    return "" if node is None else ast.unparse(node)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _expression(node: ast.AST) -> ast.expr:
    assert isinstance(node, ast.expr)
    return node


def _put(new: ast.AST, old: ast.AST) -> ast.AST:
    return ast.fix_missing_locations(ast.copy_location(new, old))
