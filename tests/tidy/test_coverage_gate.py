"""The coverage gate counts only what a module's own test file does."""

import subprocess
import sys
from pathlib import Path

from tests.support.coverage_gate import function_lines
from tests.tidy.source import ROOT

MODULE = """\
LIMIT = 3


def clip(value: int) -> int:
    if value > LIMIT:
        return LIMIT
    return value
"""
BOTH = "from protocol.clip import clip\n\n\ndef test_both() -> None:\n    assert (clip(1), clip(9)) == (1, 3)\n"
HALF = "from protocol.clip import clip\n\n\ndef test_half() -> None:\n    assert clip(9) == 3\n"


SCRIPT = """\
import sys
sys.path[:0] = sys.argv[1:]
from tests.support import coverage_gate
sys.exit(coverage_gate.main([]))
"""


def gate(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, text in {"protocol/__init__.py": "", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    command = [sys.executable, "-c", SCRIPT, str(folder), str(ROOT)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_module_covered_by_its_own_tests_passes(tmp_path: Path) -> None:
    done = gate(tmp_path, {"protocol/clip.py": MODULE, "tests/unit/protocol/test_clip.py": BOTH})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("complete.\n")


def test_what_only_another_module_s_tests_reach_is_missing_and_no_comment_hides_it(tmp_path: Path) -> None:
    files = {
        "protocol/clip.py": MODULE.replace("return value", "return value  # pragma: no cover").replace(
            "> LIMIT:", "> LIMIT:  # pragma: no branch"
        ),
        "protocol/other.py": "",
        "tests/unit/protocol/test_clip.py": HALF,
        "tests/unit/protocol/test_other.py": BOTH,
    }
    done = gate(tmp_path, files)
    assert done.returncode == 1
    (row,) = (line.split() for line in done.stdout.splitlines() if line.startswith("protocol/clip.py"))
    assert row == ["protocol/clip.py", "5", "1", "2", "1", "71%", "7"]


def test_a_failing_test_fails_the_gate(tmp_path: Path) -> None:
    files = {"protocol/clip.py": MODULE, "tests/unit/protocol/test_clip.py": BOTH.replace("(1, 3)", "(1, 4)")}
    assert gate(tmp_path, files).returncode == 1


def test_a_module_without_a_test_file_fails_the_gate(tmp_path: Path) -> None:
    done = gate(tmp_path, {"protocol/clip.py": MODULE})
    assert done.returncode == 1
    assert "protocol/clip.py" in done.stderr


def test_the_lines_of_function_bodies_are_told_from_those_run_at_import() -> None:
    assert function_lines(MODULE) == {5, 6, 7}
