"""What is given up when the outbox is full."""

from itertools import pairwise

import pytest

from firmware.adapters.store.thinning import thin, victims


@pytest.mark.req("TEL-4")
def test_thinning_leaves_an_even_trail_and_never_takes_the_newest() -> None:
    assert thin(list(range(1, 11)), 4) == [2, 4, 6, 8]
    assert thin([1, 3, 5, 7, 9, 10, 11, 12], 1) == [10], "where they are dense before where they are sparse"
    assert thin([4, 9], 5) == [4]
    assert thin([4], 1) == []
    assert thin([], 1) == []
    trail = sorted(set(range(1, 10_001)) - set(thin(range(1, 10_001), 9_000)))
    holes = [after - before for before, after in pairwise(trail)]
    assert trail[-1] == 10_000
    assert len(trail) == 1_000
    assert max(holes) <= 16, "no hole is wider than the last reach"


@pytest.mark.req("TEL-4")
def test_positions_and_states_are_thinned_each_among_themselves() -> None:
    entries = [(number, number % 2 == 1, True) for number in range(1, 101)]
    gone = victims(entries, 60)
    assert sum(number % 2 for number in gone) == pytest.approx(len(gone) / 2, abs=1)
    assert victims(entries, 100) == []
    assert victims([(1, True, True), (2, False, True)], 1) == [1]
