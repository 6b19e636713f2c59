"""The requirement matrix: read right, written right, and current."""

import subprocess
import sys

import pytest

from tests.support import matrix
from tests.tidy.source import ROOT

RULES = """\
# Requirements

| id | rule | from |
|---|---|---|
| AAA-1 | The first rule, with a `|` in it | S1, + |

## Second part

| AAA-2 | The second rule | card |
"""


def test_rules_are_read_with_their_section_and_text() -> None:
    first, second = matrix.parse_rules(RULES)
    assert (first.id, first.section, first.text) == ("AAA-1", "", "The first rule, with a `|` in it")
    assert (second.id, second.section, second.text) == ("AAA-2", "Second part", "The second rule")


def test_an_identifier_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="AAA-1 is there twice"):
        matrix.parse_rules(RULES + RULES)


def test_the_project_has_its_rules() -> None:
    rules = matrix.read_rules(ROOT / matrix.REQUIREMENTS)
    lines = (ROOT / matrix.REQUIREMENTS).read_text("utf-8").splitlines()
    assert len(rules) == sum(line.startswith("| ") and "-" in line.split("|")[1] for line in lines)
    assert {"ACC-1", "CUT-7", "SEC-2"} <= {rule.id for rule in rules}


def test_the_matrix_lists_the_tests_of_each_rule_and_the_rules_without() -> None:
    shown = {"AAA-1": {"tests/b.py::test_2", "tests/a.py::test_3", "tests/b.py::TestIt::test_1"}}
    text = matrix.render(matrix.parse_rules(RULES), shown)
    assert "1 of 2 rules have a test. None yet: AAA-2." in text
    assert "## Second part\n\n0 of 1 rules have a test. None yet: AAA-2.\n\n" in text
    assert "  - `tests/a.py`: test_3\n  - `tests/b.py`: TestIt.test_1, test_2\n" in text
    assert text.endswith("- **AAA-2** The second rule\n  - *no test yet*\n")


def test_the_written_matrix_is_current() -> None:
    command = [sys.executable, "-m", "tests.support.matrix", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
