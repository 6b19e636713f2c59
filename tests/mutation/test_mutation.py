"""The mutation runner: what it changes, and that it tells a test that sees from one that does not."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.mutation.__main__ import ROOT, modules
from tests.mutation.operators import applied, mutants
from tests.mutation.report import Verdict, page, read_reasons, stale, table
from tests.mutation.running import Stage

SOURCE = '''
"""A docstring is no code."""
LIMIT: Final = 5

def inside(speed: int, *, parked: bool = False) -> bool:
    """Neither is this."""
    assert speed > -1
    if speed < LIMIT and not parked:
        log(speed, limit=LIMIT)
        return True
    return speed + 1 == LIMIT
'''


def test_every_kind_of_small_mistake_is_made_once_in_every_place() -> None:
    names = [mutant.name.removeprefix("a.py ") for mutant in mutants("a.py", ast.parse(SOURCE))]
    assert sorted(names) == sorted(
        [
            "LIMIT: 5 -> 6",
            "LIMIT: 5 -> 4",
            "inside: False -> True",
            "inside: speed < LIMIT and (not parked) -> speed < LIMIT or not parked",
            "inside: speed < LIMIT and (not parked) -> not parked",
            "inside: speed < LIMIT and (not parked) -> speed < LIMIT",
            "inside: speed < LIMIT and (not parked) -> not (speed < LIMIT and (not parked))",
            "inside: speed < LIMIT -> speed <= LIMIT",
            "inside: speed < LIMIT -> speed >= LIMIT",
            "inside: not parked -> parked",
            "inside: log(speed, limit=LIMIT) -> pass",
            "inside: limit=LIMIT -> nothing",
            "inside: return True -> return None",
            "inside: True -> False",
            "inside: return speed + 1 == LIMIT -> return None",
            "inside: speed + 1 == LIMIT -> speed + 1 != LIMIT",
            "inside: speed + 1 -> speed - 1",
            "inside: 1 -> 2",
            "inside: 1 -> 0",
            "inside: return True -> return speed + 1 == LIMIT",
            "inside: return speed + 1 == LIMIT -> return True",
        ]
    )


def test_a_mistake_is_taken_out_again() -> None:
    tree = ast.parse(SOURCE)
    right = ast.unparse(tree)
    wrong = set()
    for mutant in mutants("a.py", tree):
        with applied(mutant):
            wrong.add(ast.unparse(tree))
        assert ast.unparse(tree) == right
    assert len(wrong) == len(mutants("a.py", tree))
    assert right not in wrong


def test_what_no_test_sees_is_open_and_fails_the_run(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "tests.mutation", "--quick", "--kept", str(tmp_path), "firmware/core/draft.py"]
    first = subprocess.run(run, capture_output=True, text=True, check=False, cwd=ROOT)
    assert "| firmware/core/draft.py |" in first.stdout, first.stderr
    # Leaving __slots__ out changes nothing that a test could see; it is the only one.
    assert first.returncode == 0, first.stdout
    verdicts = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert sum("own tests" in verdict for verdict in verdicts) >= 15
    again = subprocess.run(run, capture_output=True, text=True, check=False, cwd=ROOT)
    assert again.stdout == first.stdout
    assert [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()] == verdicts


def test_a_verdict_holds_until_its_tests_or_what_they_import_change(tmp_path: Path) -> None:
    for name, text in (("test_a", "from tests.near import x"), ("near", "from tests.far import y"), ("other", "")):
        Path(tmp_path, "tests").mkdir(exist_ok=True)
        Path(tmp_path, f"tests/{name}.py").write_text(text)
    stage = Stage("own tests", ("tests/test_a.py",), 1)
    digests = [stage.digest(tmp_path)]
    for name in ("other", "test_a", "near", "far"):
        with Path(tmp_path, f"tests/{name}.py").open("a") as file:
            file.write("\n")
        digests.append(stage.digest(tmp_path))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


def test_the_page_tells_killed_equivalent_and_open_apart() -> None:
    killed, equivalent, left, *_ = mutants("a.py", ast.parse(SOURCE))
    verdicts = [Verdict(killed, "own tests", ""), Verdict(equivalent, "", "nobody counts"), Verdict(left, "", "")]
    assert table(verdicts).splitlines()[-1] == "| all | 3 | 1 | 0 | 0 | 1 | 1 |"
    written = page(verdicts)
    assert written.index("## Equivalent") < written.index("nobody counts") < written.index("## Open")
    assert stale({killed.name: "once", "b.py x: y -> z": "elsewhere"}, verdicts, ["a.py"]) == [killed.name]


def test_every_reason_is_given_once_in_words_and_for_a_mistake_that_can_be_made() -> None:
    reasons = read_reasons()
    assert all(len(why.split()) >= 3 for why in reasons.values())
    possible = {m.name for path in modules() for m in mutants(path, ast.parse((ROOT / path).read_text("utf-8")))}
    assert [name for name in reasons if name not in possible] == []
