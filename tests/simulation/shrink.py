"""A failing seed becomes a short story: the fewest operations that still break the same rule (delta debugging)."""

import json
from pathlib import Path
from typing import Final, NamedTuple

from tests.simulation.play import play
from tests.simulation.script import Operation, at_text, script

MOST_RUNS: Final = 400


class Shrunk(NamedTuple):
    """What is left of a seed, and its story from the first operation to the violation."""

    seed: int
    days: float
    name: str
    operations: list[Operation]
    story: list[str]
    runs: int


def shrink(seed: int, days: float, name: str) -> Shrunk:
    """The smallest script that was found to break the rule called `name`, as this seed does."""
    operations, runs = script(seed, days), 0

    def fails(some: list[Operation]) -> bool:
        nonlocal runs
        runs += 1
        return play(seed, days, some).violation[0] == name

    parts = 2
    while len(operations) > 1 and runs < MOST_RUNS:
        size = max(1, len(operations) // parts)
        for start in range(0, len(operations), size):
            fewer = operations[:start] + operations[start + size :]
            if fails(fewer):
                operations = fewer
                parts = max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(len(operations), parts * 2)
    story: list[str] = []
    play(seed, days, operations, story.append)
    return Shrunk(seed, days, name, operations, story, runs)


def store(shrunk: Shrunk, folder: Path) -> Path:
    """Write it down twice: to be played again, and to be read. Returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{shrunk.name}-{shrunk.seed}.json"
    path.write_text(json.dumps({"seed": shrunk.seed, "days": shrunk.days, "operations": shrunk.operations}, indent=1))
    path.with_suffix(".txt").write_text("\n".join(tale(shrunk)) + "\n")
    return path


def load(path: Path) -> tuple[int, float, list[Operation]]:
    """What `store` wrote."""
    stored = json.loads(path.read_text())
    operations = [Operation(n, at, kind, tuple(args), car) for n, at, kind, args, car in stored["operations"]]
    return stored["seed"], stored["days"], operations


def tale(shrunk: Shrunk) -> list[str]:
    """The operations that are left, and what came of them."""
    lines = [f"seed {shrunk.seed}: {shrunk.name}, {len(shrunk.operations)} operations after {shrunk.runs} runs"]
    for operation in shrunk.operations:
        lines.append(f"    {at_text(operation.at_ms)}  {operation.kind} {' '.join(map(str, operation.args))}")
    return [*lines, "and so it goes:", *shrunk.story]
