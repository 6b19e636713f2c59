"""Words that do not belong into any file: open ends, and places that exist on one machine only."""

import re
from collections.abc import Iterator

from tests.tidy.source import Finding

# An empty group in each word, so that this file does not find itself.
_OPEN_END = re.compile(r"\b(TO(?:)DO|FIX(?:)ME|XX(?:)X)\b")
_MACHINE = re.compile(r"(?<![\w.:/-])/(home|root|work|Users|tmp)/[\w.]")
_REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|crates\.io")
_BINARY = b"\0"


def check(path: str, data: bytes) -> Iterator[Finding]:
    """Every such word in one file of any kind; binary files hold no words."""
    if _BINARY in data:
        return
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if found := _OPEN_END.search(line):
            yield Finding(path, number, f"{found[0]}: do it, or file it where it will be found")
        if found := _MACHINE.search(line):
            yield Finding(path, number, f"{found[0]}...: a path of one machine")
        if found := _REGISTRY.search(line):
            yield Finding(path, number, f"{found[0]}: the set-up does not depend on one registry")
