"""The threat model says what is so: its tests and files exist, its table and its references fit."""

import re

from tests.support import matrix
from tests.support.threats import CLASSES, PAGE, by_boundary, functions_in, sources, threats
from tests.tidy.source import ROOT

TEXT = (ROOT / PAGE).read_text("utf-8")
THREATS = threats(TEXT)


def test_there_are_enough_threats_and_their_numbers_have_no_gap() -> None:
    assert len(THREATS) >= 25
    assert [threat.number for threat in THREATS] == list(range(1, len(THREATS) + 1))


def test_each_threat_says_what_happens_what_is_done_and_which_test_shows_it_or_what_remains() -> None:
    for threat in THREATS:
        needed = {"Boundary", "STRIDE", "Actor", "UN R155", "What happens", "Mitigation"}
        assert needed <= threat.fields.keys(), f"THR-{threat.number}"
        assert all(threat.fields.values()), f"THR-{threat.number} has an empty field"
        assert threat.tests or "Residual risk" in threat.fields, f"THR-{threat.number} shows nothing"
        assert set(threat.classes) <= set(CLASSES), f"THR-{threat.number}"
        assert f"| {threat.fields['Actor']} |" in TEXT, f"THR-{threat.number}: who is that?"


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"THR-{threat.number}: {path}::{name}"
        for threat in THREATS
        for path, name in threat.tests
        if name not in functions_in(ROOT / path)
    ]
    assert missing == []
    assert len({test for threat in THREATS for test in threat.tests}) > 80
    assert all(threat.fields.get("Shown by", "").count("::") == len(threat.tests) for threat in THREATS)


def test_every_file_section_and_rule_that_is_named_exists() -> None:
    headings = set(re.findall(r"(?m)^###? (\d+(?:\.\d+)?) ", (ROOT / "protocol/SPEC.md").read_text("utf-8")))
    known = {rule.id for rule in matrix.read_rules(ROOT / matrix.REQUIREMENTS)}
    for threat in THREATS:
        assert [path for path in threat.files if not (ROOT / path).is_file()] == [], f"THR-{threat.number}"
        assert set(threat.spec_sections) <= headings, f"THR-{threat.number}"
        assert set(threat.rules) <= known, f"THR-{threat.number}"


def test_the_table_of_boundaries_and_the_threats_agree() -> None:
    table = by_boundary(TEXT)
    declared: dict[tuple[str, str], list[int]] = {cell: [] for cell in table}
    for threat in THREATS:
        for kind in threat.classes:
            declared[threat.fields["Boundary"], kind].append(threat.number)
    assert declared == table


def test_each_reference_to_the_regulation_is_in_the_list_of_what_was_verified_and_none_too_many() -> None:
    used = {reference for threat in THREATS for reference in threat.references}
    listed = sources(TEXT)
    assert used == listed.keys()
    assert all(source.startswith("AIS-189, Annexure D, table") for source in listed.values())


def test_a_page_with_faults_is_read_as_it_is() -> None:
    (threat,) = threats("### THR-7 Title\n- **Boundary** B1 · **STRIDE** denial\n- **Shown by** `tests/a.py::test_b`\n")
    assert threat.fields == {"Boundary": "B1", "STRIDE": "denial", "Shown by": "`tests/a.py::test_b`"}
    assert threat.tests == [("tests/a.py", "test_b")]
    assert functions_in(ROOT / "tests/a.py") == set()
