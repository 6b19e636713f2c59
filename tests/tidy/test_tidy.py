"""The house rules, checked over the whole project. Each breach is one line: file, line, what is wrong."""

from collections.abc import Iterable

import pytest

from tests.tidy import calls, layers, mirror, sizes, words
from tests.tidy.source import ROOT, Finding, files, sources

SOURCES = sources()


def none(findings: Iterable[Finding]) -> None:
    lines = [str(finding) for finding in findings]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


def test_imports_point_in_one_direction_and_the_pure_parts_stay_pure() -> None:
    none(finding for source in SOURCES for finding in layers.check(source))


def test_files_and_functions_stay_small() -> None:
    none(finding for source in SOURCES for finding in sizes.check(source))


def test_nothing_forbidden_is_called_caught_or_skipped() -> None:
    none(finding for source in SOURCES for finding in calls.check(source))


def test_every_source_file_has_its_test_file() -> None:
    none(mirror.check(SOURCES))


def test_no_open_ends_machine_paths_or_registries() -> None:
    read = ((path.relative_to(ROOT).as_posix(), path.read_bytes()) for path in files())
    none(finding for path, data in read for finding in words.check(path, data))


def test_the_walk_sees_the_whole_project() -> None:
    seen = {source.path for source in SOURCES}
    assert {"protocol/errors.py", "firmware/ports.py", "tests/conftest.py", "tests/tidy/test_tidy.py"} <= seen
