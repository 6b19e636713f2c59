"""The quick portion of the simulator, and the simulator itself: it is deterministic, it finds what is planted, it
shrinks what it finds, and a campaign says what it has not seen."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.simulation import campaign as campaigns
from tests.simulation import reached
from tests.simulation.attacks import ATTACKS
from tests.simulation.campaign import ROOT, campaign
from tests.simulation.defects import DEFECTS
from tests.simulation.estate import DEEDS
from tests.simulation.faults import FAULTS
from tests.simulation.mischief import KEY_ATTACKS, KEY_FAULTS
from tests.simulation.planting import planted
from tests.simulation.play import play
from tests.simulation.reached import CODES, EVENTS, MOMENTS, RULES, RULES_OF_THE_CORE, missing, wanted
from tests.simulation.rescue import CALLS, PLANS
from tests.simulation.script import AIMS, KEY_AIMS, Operation, script
from tests.simulation.shrink import load, shrink, store

NAMES: Final = {defect.name: defect for defect in DEFECTS}


@pytest.mark.req(
    "ACC-3", "ACC-4", "ACC-5", "ACC-6", "ACC-7", "ACC-8", "ACC-11", "BKG-1", "BKG-2", "BKG-3", "CUT-1", "CUT-2",
    "CUT-3", "CUT-4", "CUT-5", "PRV-1", "PRV-2", "PRV-3", "TEL-3", "TEL-5", "CLK-1", "CLK-2", "CLK-3", "CLK-4",
    "PWR-1", "PWR-2", "SEC-2",
)  # fmt: skip
@pytest.mark.parametrize("first", range(0, 4, 2))
def test_what_must_never_happen_does_not_and_after_the_trouble_everything_works(first: int) -> None:
    for seed in range(first, first + 2):
        assert play(seed).violation == ("", "")


def test_the_same_seed_is_the_same_life_under_every_hash_seed() -> None:
    command = [sys.executable, "-m", "tests.simulation.run", "--seeds", "3..5", "--days", "1", "--hash"]
    traces = set()
    for hash_seed in ("1", "2"):
        place = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, cwd=ROOT, env=place, capture_output=True, text=True, timeout=60, check=True)
        traces.add(done.stdout)
    assert len(traces) == 1
    assert play(3, 1.0).trace in traces.pop()


def test_taking_an_operation_away_leaves_the_others_as_they_were() -> None:
    operations = script(5, 2.0)
    fewer = operations[:7] + operations[8:]
    assert play(5, 2.0, fewer).violation == ("", "")
    assert [operation.number for operation in fewer][7] == 8


@pytest.mark.req("ACC-5", "BKG-2", "BKG-7")
def test_a_booking_that_comes_and_goes_in_one_step_has_had_the_car() -> None:
    """Its start found the disk full; when its phone asks for the end again, that brings it in and ends it."""
    hour = 3_600_000
    operations = [
        Operation(0, 0, "settings", (0, 10_000, 1, 1, 1, 160)),
        Operation(1, hour, "fault", ("disk_full",)),
        Operation(2, hour + 100, "fault", ("rival",)),
        Operation(3, hour - 6_000, "fault", ("key_locks",)),
    ]
    story: list[str] = []
    assert play(8, 0.1, operations, story.append).violation == ("", "")
    assert any("booking.started" in line and "booking.ended" in line for line in story)
    with planted(NAMES["start_not_logged"]):
        assert play(8, 0.1, operations).violation[0] == "usage_log_lies"


def test_a_link_that_was_hung_up_before_the_cutoff_is_not_one_that_was_kept() -> None:
    """Its phone had come again over another link, and the first one was not lost yet."""
    operations = [
        Operation(0, 0, "settings", (0, 10_000, 0, 0, 0, 2_000)),
        Operation(3, 8_456_990, "booking", (2, 1_200_000, 0, -600_000, "driver", 0)),
        Operation(7, 24_456_666, "booking", (2, 1_200_000, 2, 1_200_000, "order", 0)),
        Operation(12, 44_866_405, "trap", ("started", 1, "rtc_wrong", 40)),
        Operation(14, 51_395_971, "booking", (2, 1_200_000, 3, 0, "order", 50)),
    ]
    assert play(1167, 0.7, operations).violation == ("", "")


@pytest.mark.req("TEL-3", "PWR-2")
def test_what_a_full_disk_has_let_out_may_arrive_after_the_power_is_lost() -> None:
    """Told from memory, on its way when the power went, and its number is used again: not the same record twice."""
    operations = [
        Operation(0, 0, "settings", (0, 60, 1, 1, 1, 2_000)),
        Operation(1, 985_120, "booking", (1, 36_000_000, 0, 0, "revoke", 10)),
        Operation(2, 7_754_746, "trap", ("armed", 2, "power", 8_000)),
        Operation(3, 44_831_460, "trap", ("connected", 2, "power", 210)),
        Operation(4, 57_751_282, "booking", (2, 36_000_000, 2, 0, "revoke", 50)),
        Operation(5, 63_135_215, "trap", ("near_cutoff", 1, "disk_full", 30_000)),
        Operation(6, 64_117_788, "fault", ("broker_down",)),
    ]
    played = play(2152, 1.3, operations)
    assert played.violation == ("", "")
    assert played.counters["sent: unkept"] > 0


@pytest.mark.req("CLK-2", "CUT-1")
def test_a_time_that_was_signed_at_some_moment_of_its_nonce_may_be_half_of_that_wrong() -> None:
    """A stranger had asked for the nonce eight seconds before the driver did."""
    operations = [
        Operation(0, 0, "settings", (90, 10_000, 0, 0, 0, 160)),
        Operation(3, 1_700_432, "booking", (2, 7_200_000, 2, -600_000, "order", 10)),
        Operation(41, 96_786_284, "fault", ("card_rolled_back",)),
        Operation(42, 97_906_680, "attack", ("replay_time",)),
        Operation(43, 97_907_085, "booking", (1, 14_400_000, 0, -600_000, "order", 0)),
        Operation(124, 105_860_837, "order", ("afar",)),
    ]
    assert play(2615, 2.0, operations).violation == ("", "")


def test_nobody_can_know_that_a_car_has_driven_off_under_a_bus_that_lied_already() -> None:
    operations = [
        Operation(64, 213_247_061, "trap", ("drove_off", 1, "zero", 40)),
        Operation(66, 220_314_022, "trap", ("armed", 1, "key_drive", 8_000)),
        Operation(86, 225_483_824, "fault", ("waver",)),
        Operation(88, 225_501_639, "fault", ("waver",)),
    ]
    assert play(4703, 3.0, operations).violation == ("", "")


@cache
def sound() -> str:
    """A life without any defect."""
    return play(1, 0.2).trace


@pytest.mark.parametrize("name", NAMES)
def test_each_defect_can_be_planted_and_taken_out_again(name: str) -> None:
    before = sound()
    with planted(NAMES[name]):
        pass
    assert play(1, 0.2).trace == before


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("ordered_end_while_moving", "taken_from_a_moving_car"),
        ("no_debounce", "taken_from_a_moving_car"),
        ("death_not_recorded", "dead_booking_revived"),
        ("order_forgotten", "order_not_carried_out"),
        ("unlock_before_durable", "moved_before_durable"),
        ("any_link_is_admitted", "moved_without_admission"),
        ("number_used_twice", "record_overwritten"),
        ("outcome_overwritten", "two_outcomes"),
    ],
)
def test_a_planted_defect_breaks_its_rule(name: str, rule: str) -> None:
    with planted(NAMES[name]):
        assert any(play(seed).violation[0] == rule for seed in range(4))


def test_a_failing_seed_shrinks_to_a_short_story_that_can_be_played_again(tmp_path: Path) -> None:
    with planted(NAMES["cut_while_moving"]):
        seed = next(seed for seed in range(40) if play(seed).violation[0] == "taken_from_a_moving_car")
        shrunk = shrink(seed, 3.0, "taken_from_a_moving_car")
        assert len(shrunk.operations) <= 10
        path = store(shrunk, tmp_path)
        seed, days, operations = load(path)
        assert play(seed, days, operations).violation[0] == "taken_from_a_moving_car"
    assert play(seed, days, operations).violation == ("", "")
    story = path.with_suffix(".txt").read_text()
    assert "booking" in story
    assert "VIOLATION taken_from_a_moving_car" in story


# ---------------------------------------------------------------- what has to be seen
def test_every_row_and_rule_of_the_trip_is_wanted() -> None:
    from firmware.core import trip

    assert {f"{phase.name}+{event.name}" for phase, event in trip.EVENTS} == set(EVENTS)
    assert [rule.name for rule in RULES_OF_THE_CORE] == list(RULES)


def test_every_refusal_that_the_core_names_is_wanted() -> None:
    from protocol.errors import Code

    source = "".join(path.read_text() for path in (ROOT / "firmware" / "core").glob("*.py"))
    named = {code.name for code in Code if f"Code.{code.name}" in source and 0 < code < 128}
    assert named == set(CODES)


def test_every_fault_attack_and_aim_is_wanted() -> None:
    assert (set(FAULTS), set(KEY_FAULTS)) == (set(reached.FAULTS), set(reached.KEY_FAULTS))
    assert (set(ATTACKS), set(KEY_ATTACKS)) == (set(reached.ATTACKS), set(reached.KEY_ATTACKS))
    assert (set(DEEDS), set(CALLS), set(PLANS)) == (set(reached.DEEDS), set(reached.CALLS), set(reached.PLANS))
    assert set(AIMS) == set(MOMENTS)
    assert set(reached.KEY_MOMENTS) <= set(KEY_AIMS) <= set(reached.KEY_MOMENTS) | set(MOMENTS)
    known = FAULTS.keys() | ATTACKS.keys() | KEY_FAULTS.keys() | KEY_ATTACKS.keys()
    aimed = [*AIMS.values(), *KEY_AIMS.values()]
    assert {what for aims in aimed for what in aims.split()} <= known


def test_what_was_never_seen_is_listed() -> None:
    assert missing(Counter()) == wanted()
    assert missing(Counter(wanted())) == []


# ---------------------------------------------------------------- campaigns
def test_a_campaign_goes_on_where_it_was_stopped_and_says_what_it_has_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "CHUNK", 2)
    state, told = tmp_path / "state.json", list[str]()
    with ThreadPoolExecutor(1) as executor:
        first = campaign(executor, range(4), 0.3, state, told.append)
        both = campaign(executor, range(8), 0.3, state, told.append)
        again = campaign(executor, range(8), 0.3, state, told.append)
        alone = campaign(executor, range(8), 0.3, None, told.append)
    assert "2 chunks were done before" in told
    assert "4 chunks were done before" in told
    assert (first.seeds, both.seeds) == (4, 8)
    assert both.counters == again.counters == alone.counters
    assert both.days == again.days
    assert both.failures == []
    assert both.missing
    assert any("violations" in line for line in both.lines())


def test_a_campaign_that_goes_on_still_knows_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "CHUNK", 2)
    state = tmp_path / "state.json"
    with ThreadPoolExecutor(1) as executor, planted(NAMES["number_used_twice"]):
        first = campaign(executor, range(4), 0.3, state, lambda _: None)
        both = campaign(executor, range(8), 0.3, state, lambda _: None)
    assert first.failures
    assert sorted(both.failures)[: len(first.failures)] == sorted(first.failures)
    assert any(f"seed {first.failures[0][0]}" in line for line in both.lines())


def test_every_planted_defect_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "simulation.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []
