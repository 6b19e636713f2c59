"""06 Soak: the same again and again, with the plug pulled now and then; how long is an argument (`--soak 12h`)."""

import statistics
import time
from typing import Final

import pytest

from hil.stand import NOBODY, UP_S, Figure, Shown, Stand, lasted_s

pytestmark = pytest.mark.limit(300)

EACH_PLUG: Final = 50
"""Visits between two power cuts, at least one in each soak."""
BREAK_S: Final = 120
"""A booking is taken over by the next one so long before it ends."""
BOOKED_S: Final = 3600
A_FEW: Final = 100
"""One visit of so many may fail: the air over a table is shared."""
MOST_KEPT: Final = 100_000


class Times:
    """What was measured, a bounded number of each."""

    def __init__(self) -> None:
        self._of: dict[str, list[float]] = {}

    def add(self, name: str, seconds: float) -> None:
        kept = self._of.setdefault(name, [])
        if len(kept) < MOST_KEPT:
            kept.append(seconds)

    def tell(self, figure: Figure) -> None:
        """Median, nineteen of twenty, and the longest, in milliseconds."""
        for name, kept in self._of.items():
            ordered = sorted(kept)
            median, most = statistics.median(ordered), ordered[max(0, round(len(ordered) * 0.95) - 1)]
            figure(
                f"soak, {name} ({len(ordered)})",
                f"{median * 1000:.0f} ms, 95 % {most * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms",
            )


async def visit(stand: Stand, booking: Shown, times: Times, *, within_s: float) -> None:
    """Come, open, ask, close, go. Raises one of NOBODY."""
    since = time.monotonic()
    async with stand.phone(booking, within_s=within_s) as phone:
        times.add("scan, connect and handshake" if within_s == 0 else "after power", time.monotonic() - since)
        assert phone.access.granted, phone.access
        times.add("unlock", await lasted_s(phone.unlock()))
        times.add("status", await lasted_s(phone.status()))
        times.add("lock", await lasted_s(phone.lock()))


@pytest.mark.req("BLE-2", "PWR-1", "ACC-1")
async def test_visit_after_visit_is_like_the_first_one(stand: Stand, soak_s: float, figure: Figure) -> None:
    await stand.power_on()
    until = time.monotonic() + soak_s
    times, visits, plugs, missed = Times(), 0, 0, 0
    patience_s = UP_S
    booking, renew_at = stand.book(lasts_s=BOOKED_S), time.monotonic() + BOOKED_S - BREAK_S
    while time.monotonic() < until or not plugs:
        if time.monotonic() > renew_at:
            await stand.free(booking)
            booking = stand.book(lasts_s=BOOKED_S)
            renew_at = time.monotonic() + BOOKED_S - BREAK_S
        try:
            await visit(stand, booking, times, within_s=patience_s)
        except NOBODY:
            missed += 1
        patience_s = 0.0
        visits += 1
        if visits % EACH_PLUG == 0 or (time.monotonic() > until and not plugs):
            await stand.power_off()
            await stand.power_on()
            plugs, patience_s = plugs + 1, UP_S
    await stand.free(booking)
    times.tell(figure)
    figure("soak", f"{visits} visits, {missed} of them in vain, {plugs} power cuts, {soak_s:g} s")
    assert missed * A_FEW <= visits
