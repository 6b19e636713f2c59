"""Reads docs/threat-model.md into values. It judges nothing but the form."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = "docs/threat-model.md"
CLASSES = ("spoofing", "tampering", "repudiation", "information", "denial", "elevation")

_HEADING = re.compile(r"^### THR-(?P<number>\d+) (?P<title>.+)$", re.MULTILINE)
_FIELD = re.compile(r"\*\*(?P<name>[A-Z][\w ]+)\*\*\s+(?P<value>.*?)(?= · \*\*|\n- \*\*|\Z)", re.DOTALL)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_FILE = re.compile(r"`((?:firmware|host_tools|protocol)/[\w/]+\.py)`")
_SPEC = re.compile(r"SPEC ((?:\d+(?:\.\d+)?)(?:, \d+(?:\.\d+)?)*)")
_RULE = re.compile(r"\b([A-Z]{3}-\d+)\b")
_BOUNDARY_ROW = re.compile(r"^\| (B\d) [^|]+\|(.+)\|$", re.MULTILINE)
_SOURCE_ROW = re.compile(r"^\| (\d+\.\d+|M\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Threat:
    """One of them. `fields`: name to text, on one line each."""

    number: int
    title: str
    fields: Mapping[str, str]

    @property
    def tests(self) -> list[tuple[str, str]]:
        """(path, name) of the tests that show it."""
        return _TEST.findall(self.fields.get("Shown by", ""))

    @property
    def files(self) -> list[str]:
        """Source files that the mitigation names."""
        return _FILE.findall(self.fields["Mitigation"])

    @property
    def spec_sections(self) -> list[str]:
        """Sections of the specification that it names."""
        return [each for found in _SPEC.findall(self.fields["Mitigation"]) for each in found.split(", ")]

    @property
    def rules(self) -> list[str]:
        """Rules of the requirements that it names anywhere."""
        return [rule for text in self.fields.values() for rule in _RULE.findall(text) if not rule.startswith("THR")]

    @property
    def classes(self) -> list[str]:
        """Of STRIDE, in words."""
        return self.fields["STRIDE"].split(", ")

    @property
    def references(self) -> list[str]:
        """Numbers of UN R155, Annex 5."""
        return re.split(r"[,;] ", self.fields["UN R155"])


def threats(page: str) -> list[Threat]:
    """All threats in their order."""
    found = list(_HEADING.finditer(page))
    ends = [*(each.start() for each in found[1:]), len(page)]
    return [
        Threat(int(head["number"]), head["title"], dict(_fields(page[head.end() : end].partition("\n## ")[0])))
        for head, end in zip(found, ends, strict=True)
    ]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for field in _FIELD.finditer(text):
        yield field["name"], " ".join(field["value"].split())


def by_boundary(page: str) -> dict[tuple[str, str], list[int]]:
    """What the table says: (boundary, class of STRIDE) -> numbers of threats."""
    return {
        (row[1], kind): [int(number) for number in re.findall(r"\d+", cell)]
        for row in _BOUNDARY_ROW.finditer(page)
        for kind, cell in zip(CLASSES, row[2].split("|"), strict=True)
    }


def sources(page: str) -> dict[str, str]:
    """Reference -> where it was verified."""
    return dict(_SOURCE_ROW.findall(page))


def functions_in(path: Path) -> set[str]:
    """Names of the test functions in a file; empty when there is no such file."""
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}
