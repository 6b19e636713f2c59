"""One seed's worth of power cuts: a life, cut everywhere; then boots cut, files damaged, cards that lie."""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from firmware.core.events import Trouble
from tests.powercut.deeds import ACTS, FACTORY, play, prepare
from tests.powercut.images import PAGE, Files, Image, images
from tests.powercut.judge import NAME, Judge
from tests.powercut.life import live
from tests.powercut.promises import Notary
from tests.support.vfs import Op, Tape

LIES: Final = (1, 2, 4, 8)
"""So many of its last syncs a card has not done."""
ACTS_EVERY: Final = 4
RECOVERIES: Final = 40
DAMAGES: Final = 12
LYING_SHARE: Final = 0.1
FAILURES_KEPT: Final = 5


class Figures(msgspec.Struct):
    """What one seed gave. `lost` and `revived`: how often so many operations, or commits, on a card that lied."""

    seed: int
    operations: int = 0
    honest: int = 0
    recovery: int = 0
    damaged: int = 0
    rebuilt: int = 0
    lying: dict[int, int] = {}
    distinct: int = 0
    failures: int = 0
    examples: list[str] = []
    lost: dict[int, dict[int, int]] = {}
    revived: dict[int, dict[int, int]] = {}

    @property
    def images(self) -> int:
        """All images that were booted."""
        return self.honest + self.recovery + self.damaged + sum(self.lying.values())


def run(
    seed: int, operations: int | None = None, *, recoveries: int = RECOVERIES, lies: tuple[int, ...] = LIES
) -> Figures:
    """Everything for one seed; the same seed gives the same figures. Every fourth seed is an act of owners and keys,
    the others are lives of the store."""
    if seed % ACTS_EVERY == 0:
        return run_act(list(ACTS)[seed // ACTS_EVERY % len(ACTS)], seed, recoveries=recoveries, lies=lies)
    rng = random.Random(f"power cut {seed}")
    figures = Figures(seed, operations or rng.randrange(8, 28))
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory()) as folder:
        tape, life = Tape(), Path(folder, "life")
        life.mkdir()
        history = live(life / NAME, tape, seed, figures.operations)
        _judged(figures, lambda: Judge(Path(folder, "boot"), history), tape, {}, rng, recoveries, lies)
    return figures


def run_act(
    act: str, seed: int, *, recoveries: int = RECOVERIES, lies: tuple[int, ...] = LIES, share: float = 1.0
) -> Figures:
    """Everything for one act. `share`: of the ways in which a write may be cut, besides losing and keeping it."""
    rng = random.Random(f"power cut {act} {seed}")
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory()) as folder:
        life = Path(folder, "life")
        life.mkdir()
        prepare(life / NAME)
        base = {path.name: path.read_bytes() for path in life.iterdir()}
        tape = Tape(list(base))
        history = play(act, life / NAME, tape, seed)
        figures = Figures(seed, len(history.held) - 1)
        boot = Path(folder, "boot")
        _judged(figures, lambda: Notary(boot, history, FACTORY), tape, base, rng, recoveries, lies, share)
    return figures


def _judged(
    figures: Figures,
    judge: Callable[[], Judge],
    tape: Tape,
    base: Files,
    rng: random.Random,
    recoveries: int,
    lies: tuple[int, ...],
    share: float = 1.0,
) -> None:
    """Every kind of image of what is on the tape, on a disk that held `base`."""
    _honest(figures, judge(), tape.ops, base, rng, recoveries, share)
    for lie in lies:
        _lying(figures, judge(), tape.ops, base, rng, lie)


def _honest(
    figures: Figures, judge: Judge, ops: list[Op], base: Files, rng: random.Random, recoveries: int, share: float
) -> None:
    kept: list[Image] = []
    for number, image in enumerate(images(ops, base, rng)):
        if image.how not in ("lost", "kept") and rng.random() >= share:
            continue
        judge.honest(image)
        # A fair sample of all images, without knowing how many there will be.
        if len(kept) < recoveries:
            kept.append(image)
        elif rng.randrange(number + 1) < recoveries:
            kept[rng.randrange(recoveries)] = image
    figures.honest = judge.images
    for image in kept:
        judge.recovery(image, rng)
    figures.recovery = judge.images - figures.honest
    for image in kept[: min(DAMAGES, recoveries)]:
        judge.recovery(_smashed(image, rng), rng, damaged=True)
    figures.damaged = judge.images - figures.honest - figures.recovery
    figures.rebuilt = judge.troubles[Trouble.REBUILT.value]
    _add(figures, judge)


def _lying(figures: Figures, judge: Judge, ops: list[Op], base: Files, rng: random.Random, lie: int) -> None:
    for image in images(ops, base, rng, lie=lie):
        if rng.random() < LYING_SHARE:
            judge.lying(image, bound=lie // 2)  # a commit syncs twice: the database, then the critical record
    figures.lying[lie] = judge.images
    figures.lost[lie] = dict(judge.lost)
    figures.revived[lie] = dict(judge.revived)
    _add(figures, judge)


def _add(figures: Figures, judge: Judge) -> None:
    figures.distinct += judge.distinct
    figures.failures += len(judge.failures)
    figures.examples = [*figures.examples, *judge.failures][:FAILURES_KEPT]


def _smashed(image: Image, rng: random.Random) -> Image:
    """One page of the database is garbage; or the first one, without which nothing can be read."""
    content = image.files.get(NAME, b"")
    page = rng.choice((0, rng.randrange(max(1, len(content) // PAGE)))) * PAGE
    smashed = content[:page] + rng.randbytes(PAGE) + content[page + PAGE :]
    return image._replace(files={**image.files, NAME: smashed}, how=f"{image.how}, a page damaged")


def memory() -> str | None:
    """A file system in memory, where there is one: the disk under test is a model, the real one only slows."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
