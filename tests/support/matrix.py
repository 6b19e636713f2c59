"""The requirement matrix: which test shows which rule. Reads the rules, never judges a test."""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

REQUIREMENTS = "docs/requirements.md"
MATRIX = "docs/requirement-matrix.md"

_SECTION = re.compile(r"^## (?P<title>.+)$")
_RULE = re.compile(r"^\| (?P<id>[A-Z]{2,4}-\d+) \| (?P<text>.+) \| [^|]+ \|$")
_HEADER = """\
# Requirement matrix

Written by `make requirements` from the `req` markers of the tests; do not edit. Below each rule of
`requirements.md` stand the tests that show it.
"""

Shown = Mapping[str, Iterable[str]]
"""Rule id -> node ids of the tests, without parameters."""


@dataclass(frozen=True)
class Rule:
    """One line of the requirements."""

    id: str
    section: str
    text: str


def parse_rules(text: str) -> list[Rule]:
    """The rules in their order. Raises ValueError when an identifier appears twice."""
    rules: dict[str, Rule] = {}
    section = ""
    for line in text.splitlines():
        if heading := _SECTION.match(line):
            section = heading["title"]
        elif row := _RULE.match(line):
            if row["id"] in rules:
                raise ValueError(f"{REQUIREMENTS}: {row['id']} is there twice")
            rules[row["id"]] = Rule(row["id"], section, row["text"])
    return list(rules.values())


def read_rules(path: Path) -> list[Rule]:
    """The rules of the requirements file."""
    return parse_rules(path.read_text("utf-8"))


def rules_named_by(item: pytest.Item) -> list[str]:
    """The identifiers in all `req` markers of a test."""
    return [str(name) for marker in item.iter_markers("req") for name in marker.args]


class Collector:
    """A pytest plugin that notes the `req` markers of everything collected."""

    def __init__(self) -> None:
        self.shown: dict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before anything is deselected: tests of a campaign count too."""
        for item in items:
            for name in rules_named_by(item):
                self.shown[name].add(item.nodeid.partition("[")[0])


def render(rules: Iterable[Rule], shown: Shown) -> str:
    """The matrix as Markdown."""
    rules = list(rules)
    lines = [_HEADER]
    lines.append(f"{_summary(rules, shown)}\n")
    for section in dict.fromkeys(rule.section for rule in rules):
        members = [rule for rule in rules if rule.section == section]
        lines.append(f"## {section}\n\n{_summary(members, shown)}\n")
        lines.extend(_entry(rule, shown.get(rule.id, ())) for rule in members)
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def collect(root: Path) -> Shown:
    """Collect all tests without running them. Raises RuntimeError when that fails."""
    collector = Collector()
    said = StringIO()
    with redirect_stdout(said):
        code = pytest.main(
            ["--collect-only", "-qq", "-p", "no:cacheprovider", str(root / "tests")], plugins=[collector]
        )
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"{said.getvalue()}the tests could not be collected")
    return collector.shown


def main(arguments: list[str]) -> int:
    """`--check`: compare with the written matrix; otherwise print it and write it."""
    root = Path.cwd()
    try:
        matrix = render(read_rules(root / REQUIREMENTS), collect(root))
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    path = root / MATRIX
    if "--check" not in arguments:
        sys.stdout.write(matrix)
        path.write_text(matrix, "utf-8")
        return 0
    if path.exists() and path.read_text("utf-8") == matrix:
        return 0
    sys.stderr.write(f"{MATRIX} is not current: run `make requirements`\n")
    return 1


def _summary(rules: list[Rule], shown: Shown) -> str:
    missing = [rule.id for rule in rules if not shown.get(rule.id)]
    count = f"{len(rules) - len(missing)} of {len(rules)} rules have a test."
    return f"{count} None yet: {', '.join(missing)}." if missing else count


def _entry(rule: Rule, tests: Iterable[str]) -> str:
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in sorted(tests):
        path, _, name = test.partition("::")
        by_file[path].append(name.replace("::", "."))
    lines = [f"- **{rule.id}** {rule.text}"]
    lines += [f"  - `{path}`: {', '.join(names)}" for path, names in by_file.items()] or ["  - *no test yet*"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
