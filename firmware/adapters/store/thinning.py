"""What is given up when the outbox is full (TEL-4): the old before the new, the many before the few.

Refuses to know what a record says: all it sees is its number, and to which of three kinds it belongs.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

# A full outbox makes room for this share of itself at once, so that not every commit has to.
_SLACK_SHARE: Final = 32


def victims(entries: Sequence[tuple[int, bool, bool]], capacity: int) -> list[int]:
    """Numbers of the records to drop so that at most `capacity` stay; empty while nothing has to go.

    `entries`: (number, reveals_position, thinnable) in order. Positions and vehicle states are thinned evenly,
    each among themselves and the old ones first; their newest stay. Then events go, the oldest first.
    """
    excess = len(entries) - capacity
    if excess <= 0:
        return []
    positions = [number for number, reveals, thinnable in entries if thinnable and reveals]
    states = [number for number, reveals, thinnable in entries if thinnable and not reveals]
    spare_positions, spare_states = max(0, len(positions) - 1), max(0, len(states) - 1)
    goal = min(excess + capacity // _SLACK_SHARE, spare_positions + spare_states)
    fair = goal * len(positions) // max(1, len(positions) + len(states))
    from_states = min(spare_states, goal - min(spare_positions, fair))
    dropped = thin(positions, goal - from_states) + thin(states, from_states)
    if len(dropped) < excess:
        gone = set(dropped)
        rest = sorted((thinnable, number) for number, _, thinnable in entries if number not in gone)
        dropped += [number for _, number in rest[: excess - len(dropped)]]
    return sorted(dropped)


def thin(numbers: Sequence[int], drop: int) -> list[int]:
    """Choose `drop` of the rising `numbers`, the old ones first, so that what stays is spread evenly.

    A number goes when the hole that it leaves is no wider than `reach`; the reach doubles when that is not
    enough. The newest never goes.
    """
    kept = list(numbers)
    dropped: list[int] = []
    drop = min(drop, len(kept) - 1)
    reach = 2
    while len(dropped) < drop:
        if len(kept) == 2:  # no hole to judge by
            dropped.append(kept.pop(0))
            continue
        stay = kept[:1]
        for number, following in pairwise(kept[1:]):
            if len(dropped) < drop and following - stay[-1] <= reach:
                dropped.append(number)
            else:
                stay.append(number)
        kept = [*stay, kept[-1]]
        reach *= 2
    return dropped
