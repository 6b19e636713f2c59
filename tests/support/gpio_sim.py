"""The kernel's simulated GPIO chip (gpio-sim), made through configfs: what a hand at the pins feels and does.

The kernel's documentation: admin-guide/gpio/gpio-sim.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = Path("/sys/kernel/config/gpio-sim")


class SimulatedChip:
    """`device`: what a program opens."""

    def __init__(self, chip: str, device: str) -> None:
        self.device = f"/dev/{chip}"
        self._lines = Path("/sys/devices/platform") / device / chip

    def _line(self, offset: int) -> Path:
        return self._lines / f"sim_gpio{offset}"

    def level(self, offset: int) -> bool:
        """The voltage on the pin, high or low."""
        return (self._line(offset) / "value").read_text().strip() == "1"

    def pull(self, offset: int, high: bool) -> None:
        """Whatever is outside pulls it there."""
        (self._line(offset) / "pull").write_text("pull-up" if high else "pull-down")


@contextmanager
def simulated_chip(lines: int = 32, names: dict[int, str] | None = None) -> Iterator[SimulatedChip]:
    """A chip with so many lines, some of which have names."""
    root = CONFIG / "sharebox"
    bank = root / "bank0"
    bank.mkdir(parents=True)
    (bank / "num_lines").write_text(str(lines))
    named = {bank / f"line{offset}": name for offset, name in (names or {}).items()}
    for line, name in named.items():
        line.mkdir()
        (line / "name").write_text(name)
    (root / "live").write_text("1")
    try:
        yield SimulatedChip((bank / "chip_name").read_text().strip(), (root / "dev_name").read_text().strip())
    finally:
        (root / "live").write_text("0")
        for folder in (*named, bank, root):
            folder.rmdir()
