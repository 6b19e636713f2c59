"""Recordings of whole lives: what was recorded comes out the same, and a change of the core is found where it acts."""

from pathlib import Path
from random import Random

import pytest

from firmware.bench.recorder import Recorder
from tests.shell import run, world
from tests.simulation.defects import DEFECTS
from tests.simulation.planting import Defect, planted
from tests.support.module_files import PROVISIONING
from tests.support.recordings import a_life, lines_of, played, stored

pytestmark = pytest.mark.req("BEN-4")


def a_defect(name: str) -> Defect:
    """One of the simulator's planted defects."""
    return next(defect for defect in DEFECTS if defect.name == name)


def test_a_cutoff_that_does_not_wait_for_the_car_to_park_is_found_where_it_acts(tmp_path: Path) -> None:
    path = stored(tmp_path, lines_of(a_life()))
    with planted(a_defect("cut_while_moving")):
        found = played(path).divergence
    assert found is not None
    assert found.about.startswith("the state after the step of ")
    # Booked for ten minutes from 10:00 on: at 10:40 it is overdue by 30 minutes, and still on the road.
    assert found.at.startswith("2026-10-30T10:40:00.")
    assert "durable.trip.phase: expected cutoff pending, came cut off" in map(str, found.fields)
    assert played(path).divergence is None


def test_a_rule_that_was_altered_is_found_as_soon_as_anybody_is_told_of_it(tmp_path: Path) -> None:
    path = stored(tmp_path, lines_of(a_life()))
    with planted(a_defect("grace_too_short")):
        found = played(path).divergence
    assert found is not None
    assert found.at.startswith("2026-10-30T10:00:0"), "in the first answer to the first phone"
    assert "reply.body.access.cutoff_at_ms: expected 1793356800000, came 1793356740000" in map(str, found.fields)


@pytest.mark.parametrize("name", ["no_debounce", "ordered_end_while_moving"])
def test_a_rule_that_the_life_never_touches_is_not_found_and_one_that_it_does_is(tmp_path: Path, name: str) -> None:
    path = stored(tmp_path, lines_of(a_life()))
    with planted(a_defect(name)):
        assert (played(path).divergence is not None) is (name == "no_debounce")


@pytest.mark.parametrize("seed", [1, 7])
def test_lives_in_which_everything_fails_at_once_come_out_the_same(tmp_path: Path, seed: int) -> None:
    run.quiet()
    for cut in (None, Random(f"steps {seed}").randrange(1, run.LONGEST_LIFE_STEPS)):
        path = tmp_path / f"{cut}.jsonl"
        recorder = Recorder(PROVISIONING, with_keys=True)
        recorder.start(path)
        world.live(seed, cut, recorder)
        recorder.stop()
        outcome = played(path)
        assert outcome.divergence is None
        assert outcome.steps > 100
