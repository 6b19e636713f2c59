"""What was once recorded comes out the same: a change of behaviour shows here, at the line where it begins.

Renewed, by whoever means the change, with `python -m tests.support.recorded_life`.
"""

import pytest

from firmware.bench import replaying
from firmware.bench.recording import Booted, Did, Order, Published, Recording, Saved, Stepped
from tests.support.recorded_life import VECTOR
from tests.support.recordings import played


@pytest.mark.req("BEN-4")
def test_the_recorded_life_still_comes_out_as_it_did() -> None:
    outcome = played(VECTOR)
    assert outcome.divergence is None, "\n".join(replaying.words(outcome))
    assert (outcome.boots, outcome.not_compared, outcome.with_keys) == (3, 0, True)


@pytest.mark.req("BEN-4")
def test_everything_is_in_the_recorded_life_once() -> None:
    lines = list(Recording(VECTOR).lines())
    phases = [line.changed.get("durable.trip.phase") for line in lines if isinstance(line, Stepped)]
    seen = [phase["value"] for phase in phases if isinstance(phase, dict)]
    assert seen == ["ACTIVE", "OVERDUE", "CUTOFF_PENDING", "CUT_OFF", "ACTIVE"]
    assert sum(isinstance(line, Booted) for line in lines) == 3
    assert [line for line in lines if isinstance(line, Stepped) and line.undone]
    assert [line for line in lines if isinstance(line, Did) and line.unsure]
    assert [line for line in lines if isinstance(line, Did) and line.what == "HangUp"]
    assert [line for line in lines if isinstance(line, Saved) and not line.worked]
    assert [line for line in lines if isinstance(line, Published) and line.packed]
    assert [line for line in lines if isinstance(line, Order)]
