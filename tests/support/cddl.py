"""A checker for the part of CDDL (RFC 8610) that `protocol/wire.cddl` uses, so that the schema cannot go stale.

Rules, choices, arrays, maps with `=>`, `?` and `*`, integers, ranges, `h''`, `.size`, `.cbor` and the types bool,
int, uint, bstr, tstr, null, any. Choices in arrays and groups within groups are not known here.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import cbor2

Check = Callable[[Any], bool]

_TOKEN = re.compile(r"\s*(;[^\n]*|=>|\.\.|\.size|\.cbor|h'[0-9a-f]*'|-?\d+|[a-z][\w-]*|[][{}()/,?*=])")
_PRELUDE: dict[str, Check] = {
    "bool": lambda value: type(value) is bool,
    "int": lambda value: type(value) is int,
    "uint": lambda value: type(value) is int and value >= 0,
    "bstr": lambda value: type(value) is bytes,
    "tstr": lambda value: type(value) is str,
    "null": lambda value: value is None,
    "any": lambda value: True,
}


class _Entry(NamedTuple):
    occurs: str
    key: Check | None
    value: Check


def _size(value: Any) -> int:
    return len(value.encode() if type(value) is str else value)


def _equal(wanted: Any) -> Check:
    return lambda value: type(value) is type(wanted) and value == wanted


class Schema:
    """All rules of one text. Raises ValueError for what it does not know."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not CDDL as known here: {text[at : at + 40]!r}")
            at = found.end()
            if not found[1].startswith(";"):
                self._tokens.append(found[1])
        self._at = 0
        self.rules: dict[str, Check] = {}
        while self._at < len(self._tokens):
            name = self._take()
            self._expect("=")
            self.rules[name] = self._type()

    def matches(self, rule: str, data: bytes) -> bool:
        """Whether the one item `data` is of `rule`."""
        return self.rules[rule](cbor2.loads(data))

    # ------------------------------------------------------------ tokens
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, *tokens: str) -> str:
        return self._take() if self._next() in tokens else ""

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise ValueError(f"{token!r} expected near {self._tokens[self._at - 5 : self._at + 3]}")

    # ------------------------------------------------------------ grammar
    def _type(self) -> Check:
        choices = [self._ranged()]
        while self._accept("/"):
            choices.append(self._ranged())
        return lambda value: any(choice(value) for choice in choices)

    def _ranged(self) -> Check:
        first = self._next()
        check = self._plain()
        if self._accept(".."):
            least, most = int(first), int(self._take())
            return lambda value: type(value) is int and least <= value <= most
        if self._accept(".cbor"):
            inner = self._ranged()
            return lambda value: check(value) and inner(cbor2.loads(value))
        if self._accept(".size"):
            if self._accept("("):
                size = self._ranged()
                self._expect(")")
            else:
                size = _equal(int(self._take()))
            return lambda value: check(value) and size(_size(value))
        return check

    def _plain(self) -> Check:
        token = self._take()
        if token == "[":
            return _array(self._group("]"))
        if token == "{":
            return _map(self._group("}"))
        if token.startswith("h'"):
            return _equal(bytes.fromhex(token[2:-1]))
        if token.lstrip("-").isdigit():
            return _equal(int(token))

        def named(value: Any) -> bool:
            """Looked up when it is used: a rule may stand before those that it names."""
            return (self.rules.get(token) or _PRELUDE[token])(value)

        return named

    def _group(self, closing: str) -> list[_Entry]:
        entries: list[_Entry] = []
        while not self._accept(closing):
            occurs = self._accept("?", "*")
            first = self._type()
            entry = _Entry(occurs, first, self._type()) if self._accept("=>") else _Entry(occurs, None, first)
            entries.append(entry)
            self._accept(",")
        return entries


def _array(entries: list[_Entry]) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, list):
            return False
        if entries and entries[-1].occurs == "*":
            fixed, rest = entries[:-1], value[len(entries) - 1 :]
            if not all(entries[-1].value(item) for item in rest):
                return False
            value = value[: len(fixed)]
        else:
            fixed = entries
        return len(value) == len(fixed) and all(entry.value(item) for entry, item in zip(fixed, value, strict=True))

    return check


def _map(entries: list[_Entry]) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        left = dict(value)
        for entry in entries:
            keys = [key for key in left if entry.key is not None and entry.key(key)]
            if not keys and not entry.occurs:
                return False
            for key in keys:
                if not entry.value(left.pop(key)):
                    return False
        return not left

    return check
