"""`python -m tests.mutation [MODULE ...]`: does any test notice when the code is wrong?

Each mutant meets the module's own tests, then its neighbours', then the stories; whoever fails has killed it. What
survives all of them is named in `equivalent.toml` with the reason why it is no mistake, or is open, and then the run
fails. What has a reason meets the stories only with `--thorough`: they take half a minute each time.

Verdicts are kept in `build/mutation` and asked for again only when the module or the tests that gave them have changed.
A run over everything writes `docs/mutation.md`.
"""

import argparse
import ast
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.mutation import report
from tests.mutation.operators import Mutant, mutants
from tests.mutation.report import Verdict
from tests.mutation.running import Child, Stage, preload, stages, wait

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass
class Job:
    """A mutant on its way through the stages."""

    mutant: Mutant
    tree: ast.Module
    source: str
    left: list[Stage]
    child: Child | None = None


@dataclass
class Memory:
    """Verdicts of earlier runs, one line each, in `folder`."""

    folder: Path
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for file in self.folder.glob("*.jsonl"):
            for line in file.read_text("utf-8").splitlines():
                key, verdict = json.loads(line)
                self.known[key] = verdict

    def keep(self, path: str, key: str, verdict: str) -> None:
        """Remember it at once: a run that is stopped goes on where it was."""
        self.known[key] = verdict
        self.folder.mkdir(parents=True, exist_ok=True)
        with Path(self.folder, f"{path.replace('/', '.')}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, verdict]) + "\n")


class Unsound(Exception):
    """The tests fail by themselves: every verdict of theirs would be worthless."""


@dataclass
class Tests:
    """What is known of the stages in this run."""

    digests: dict[Stage, str] = field(default_factory=dict)
    sound: set[Stage] = field(default_factory=set)

    def key(self, job: Job, stage: Stage) -> str:
        """What a verdict depends on: the mutant, its module, the tests."""
        if stage not in self.digests:
            self.digests[stage] = stage.digest(ROOT)
        return f"{job.mutant.digest} {report.digest(job.source)} {self.digests[stage]}"

    def must_pass(self, stage: Stage) -> None:
        """The unharmed module passes."""
        if stage in self.sound or not all((ROOT / path).exists() for path in stage.paths):
            return
        child = Child(None, ast.parse(""), "tests/mutation/nothing.py", stage)
        while not child.poll():
            wait([child])
        if not child.passes:
            raise Unsound(f"the tests fail by themselves: {' '.join(stage.paths)}")
        self.sound.add(stage)


def jobs(path: str) -> list[Job]:
    """All mutants of a module."""
    source = (ROOT / path).read_text("utf-8")
    tree = ast.parse(source, path)
    return [Job(mutant, tree, source, list(stages(path))) for mutant in mutants(path, tree)]


def judge(waiting: list[Job], most: int, memory: Memory) -> Iterator[tuple[Job, str]]:
    """Each job with the name of the stage that killed it, or "" when it survived. `most` run at a time."""
    tests = Tests()
    running: list[Job] = []
    waiting = waiting[::-1]
    while waiting or running:
        while waiting and len(running) < most:
            job = waiting.pop()
            verdict = _advance(job, memory, tests)
            if verdict is None:
                running.append(job)
            else:
                yield job, verdict
        for job in [job for job in running if job.child is not None and job.child.poll()]:
            assert job.child is not None
            stage = job.left.pop(0)
            killed = stage.name if not job.child.passes else "survived"
            memory.keep(job.mutant.path, tests.key(job, stage), killed)
            running.remove(job)
            job.left.insert(0, stage)
            waiting.append(job)
        if running:
            wait([job.child for job in running if job.child is not None])


def _advance(job: Job, memory: Memory, tests: Tests) -> str | None:
    """What is known of it already; None: its next stage has been started."""
    while job.left:
        known = memory.known.get(tests.key(job, job.left[0]))
        if known is None:
            tests.must_pass(job.left[0])
            job.child = Child(job.mutant, job.tree, job.mutant.path, job.left[0])
            return None
        if known != "survived":
            return known
        job.left.pop(0)
    return ""


def modules() -> list[str]:
    """What is mutated."""
    core = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "firmware/core").glob("*.py"))
    wire = ("durations", "msd", "orders", "sealing", "selftest", "session", "sharing", "tokens", "vin")
    return [*core, *(f"protocol/{name}.py" for name in wire)]


def main() -> int:
    """Exit code 0 when no mutant is open and no reason is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="paths of modules; none for all, which writes docs/mutation.md")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="without the last stage")
    parser.add_argument("--thorough", action="store_true", help="the last stage for those with a reason, too")
    parser.add_argument("--kept", type=Path, default=ROOT / "build" / "mutation", help="where verdicts are kept")
    wanted = parser.parse_args()
    paths = wanted.modules or modules()
    for path in paths:
        if path not in modules():
            parser.error(f"{path} is not mutated; choose from {' '.join(modules())}")
    preload()
    waiting = [job for path in paths for job in jobs(path)]
    reasons = report.read_reasons()
    for job in waiting:
        if wanted.quick or (job.mutant.name in reasons and not wanted.thorough):
            job.left.pop()
    verdicts: list[Verdict] = []
    begun = time.monotonic()
    try:
        for job, killer in judge(waiting, wanted.jobs, Memory(wanted.kept)):
            verdicts.append(Verdict(job.mutant, killer, "" if killer else reasons.get(job.mutant.name, "")))
            if verdicts[-1].open:
                print(f"{job.mutant.path}:{job.mutant.line}: survives: {job.mutant.name.partition(' ')[2]}", flush=True)
            if len(verdicts) % 100 == 0:
                print(f"{len(verdicts)} of {len(waiting)} after {time.monotonic() - begun:.0f} s", flush=True)
    except Unsound as error:
        sys.stderr.write(f"mutation: {error}\n")
        return 1
    print(report.table(verdicts), end="")
    stale = report.stale(reasons, verdicts, paths)
    for name in stale:
        print(f"out of date: {name}")
    if not wanted.modules and not wanted.quick:
        (ROOT / "docs" / "mutation.md").write_text(report.page(verdicts), "utf-8")
    return 1 if stale or any(verdict.open for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
