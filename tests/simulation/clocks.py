"""How wrong an honest module's clock may be, from what it was told and what is true."""

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.world import World

HONEST_MS: Final = 3_000
"""What any clock may be wrong: seconds are whole on the wire, and an RTC is two off."""
YEAR_MS: Final = 366 * 86_400_000
AGREE_MS: Final = 130_000
DRIFT_PPM: Final = 100


class Deadline(NamedTuple):
    """Between which true times the cutoff of a booking falls due (ms since the world began)."""

    earliest: int
    latest: int


class TrueClock:
    """Keeps what the module can not know: how wrong each source is that spoke since the boot."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.since_ms = 0
        self.lag_ms = 0
        """How far the floor was behind at the boot: so slow the module may be, never slower."""
        self.errors: list[tuple[str, int]] = []
        self.told = False
        """Whether anybody has said the time since the boot."""
        self.powered_ms = 0

    def booted(self, floor_ms: int) -> None:
        """Nothing is known but the floor."""
        self.powered_ms += self.world.heap.now - self.since_ms
        self.since_ms = self.world.heap.now
        self.lag_ms = max(0, self.world.utc_ms - floor_ms)
        self.errors = []
        self.told = False

    def offered(self, source: str, error_ms: int) -> None:
        """A source speaks, that much wrong (positive: fast)."""
        self.told = True
        if (source, error_ms) not in self.errors:
            self.errors.append((source, error_ms))

    def drift_ms(self) -> int:
        """What the crystal may have gained since the world began."""
        return self.world.heap.now * DRIFT_PPM // 1_000_000 + HONEST_MS

    def _slack(self) -> int:
        return (self.world.heap.now - self.since_ms) * DRIFT_PPM // 1_000_000 + HONEST_MS

    def _believable(self) -> list[int]:
        """CLK-4: a time far ahead counts only when two sources say the same."""
        near = [error for _, error in self.errors if error <= YEAR_MS - self.lag_ms - 86_400_000]
        far = [(source, error) for source, error in self.errors if error > YEAR_MS - self.lag_ms - 86_400_000]
        for source, error in far:
            if any(other != source and abs(error - said) <= AGREE_MS for other, said in far):
                near.append(error)
        return near

    def early_ms(self) -> int:
        """How far ahead the module's clock may be."""
        return max([0, *self._believable()]) + self._slack()

    def late_ms(self) -> int:
        """How far behind it may be."""
        errors = self._believable()
        behind = max([0, *(-error for error in errors)]) if errors else self.lag_ms
        return min(behind, self.lag_ms + self._slack()) + self._slack()

    def at_start(self, due: int) -> Deadline:
        """The deadline of a booking that begins now: on the module's clock as it is, and nothing moves it (CLK-3)."""
        drift = max(0, due - self.world.heap.now) * DRIFT_PPM // 1_000_000
        return Deadline(due - self.early_ms() - drift, due + self.late_ms() + drift)

    def after_reboot(self, due: int) -> Deadline:
        """The deadline of a booking that ran through this boot: never later than the floor says, a clock may bring it
        nearer, and one that is right makes it right."""
        drift = max(0, due - self.since_ms) * DRIFT_PPM // 1_000_000
        return Deadline(due - self.early_ms() - drift, due + min(self.lag_ms + self._slack(), self.late_ms()) + drift)
