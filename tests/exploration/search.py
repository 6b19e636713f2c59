"""Breadth first through everything that can happen in a scene, to a depth or a number of states."""

import time
from collections import deque
from dataclasses import dataclass, field

from tests.exploration.auditor import Violation
from tests.exploration.canonical import canonical
from tests.exploration.life import Life
from tests.exploration.scenes import HEADERS, Scene


@dataclass
class Found:
    """What one search came to. `exhausted`: nothing was left to look at."""

    scene: str
    depth: int = 0
    states: int = 0
    transitions: int = 0
    seconds: float = 0.0
    exhausted: bool = False
    story: str = ""
    lines: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Step:
    """One line and what led to it."""

    now: int
    line: str
    before: "Step | None"


def explore(scene: Scene, depth: int, most: int) -> Found:
    """Look at every life of the scene that is up to `depth` lines long, until `most` states are known."""
    begun = time.process_time()
    found = Found(scene.name)
    first = scene.first()
    known = {hash(canonical(first, scene.landmarks))}
    waiting: deque[tuple[Life, int, Step | None]] = deque([(first, 0, None)])
    while waiting and len(known) < most:
        life, deep, path = waiting.popleft()
        if deep == depth:
            break
        found.depth = max(found.depth, deep + 1)
        for now, line in scene.next(life):
            found.transitions += 1
            step, other = Step(now, line, path), life.fork()
            try:
                other.advance(now)
                other.play(line)
            except (Violation, AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as violation:
                found.story = story(scene, step, violation)
                break
            found.lines.add(line)
            key = hash(canonical(other, scene.landmarks))
            if key not in known:
                known.add(key)
                waiting.append((other, deep + 1, step))
        if found.story:
            break
    found.exhausted = not waiting
    found.states, found.seconds = len(known), time.process_time() - begun
    return found


def story(scene: Scene, last: Step, violation: Exception) -> str:
    """The way to a violation, in the language of `tests.support.story`."""
    steps: list[Step] = []
    step: Step | None = last
    while step is not None:
        steps.append(step)
        step = step.before
    lines = [HEADERS[name] for name in scene.phones]
    lines += [f"{clock_text(scene.first().now)} {line}" for line in scene.before]
    lines += [f"{clock_text(step.now)} {step.line}" for step in reversed(steps)]
    return "\n".join(lines) + f"   <- {str(violation) or type(violation).__name__}\n"


def clock_text(now: int) -> str:
    """The time as a story writes it."""
    return f"{now // 3_600_000:02}:{now // 60_000 % 60:02}:{now // 1000 % 60:02}.{now % 1000:03}"
