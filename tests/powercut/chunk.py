"""One seed's worth of power cuts: a life, cut everywhere; then boots cut, files damaged, cards that lie."""

import random
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from firmware.core.events import Trouble
from tests.powercut.images import PAGE, Image, images
from tests.powercut.judge import NAME, Judge
from tests.powercut.life import live
from tests.support.vfs import Op, Tape

LIES: Final = (1, 2, 4, 8)
"""So many of its last syncs a card has not done."""
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
    """Everything for one seed; the same seed gives the same figures."""
    rng = random.Random(f"power cut {seed}")
    figures = Figures(seed, operations or rng.randrange(8, 28))
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=memory()) as folder:
        tape, life = Tape(), Path(folder, "life")
        life.mkdir()
        history = live(life / NAME, tape, seed, figures.operations)
        _honest(figures, Judge(Path(folder, "boot"), history), tape.ops, rng, recoveries)
        for lie in lies:
            _lying(figures, Judge(Path(folder, "boot"), history), tape.ops, rng, lie)
    return figures


def _honest(figures: Figures, judge: Judge, ops: list[Op], rng: random.Random, recoveries: int) -> None:
    kept: list[Image] = []
    for number, image in enumerate(images(ops, {}, rng)):
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


def _lying(figures: Figures, judge: Judge, ops: list[Op], rng: random.Random, lie: int) -> None:
    for image in images(ops, {}, rng, lie=lie):
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
