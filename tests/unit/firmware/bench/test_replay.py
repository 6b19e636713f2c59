"""A replay finds the place where something is otherwise, whichever line it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.bench.notation import Json
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.replay import Divergence
from tests.support.recordings import Fields, a_life, first, lines_of, played, stored

pytestmark = pytest.mark.req("BEN-4")


def found(directory: Path, lines: list[Fields], *, with_keys: bool = True) -> Divergence:
    divergence = played(stored(directory, lines), with_keys=with_keys).divergence
    assert divergence is not None
    return divergence


def part(line: Fields, *names: str) -> Fields:
    """What is inside of it."""
    for name in names:
        inside = line[name]
        assert isinstance(inside, dict)
        line = inside
    return line


def of_kind(kind: str) -> Callable[[Fields], bool]:
    return lambda line: line["kind"] == kind


def number(line: Fields) -> int:
    assert isinstance(line["n"], int)
    return line["n"]


def names_event(name: str) -> Callable[[Fields], bool]:
    return lambda line: line["kind"] == "told" and part(line, "event")["is"] == name


def test_a_whole_life_comes_out_the_same(tmp_path: Path) -> None:
    outcome = played(stored(tmp_path, lines_of(a_life())))
    assert outcome.divergence is None
    assert (outcome.boots, outcome.not_compared, outcome.torn) == (3, 0, "")
    assert outcome.compared > 50


def test_a_life_comes_out_the_same_without_the_keys_too(tmp_path: Path) -> None:
    outcome = played(stored(tmp_path, lines_of(a_life())), with_keys=False)
    assert outcome.divergence is None
    assert outcome.steps > 150


def test_a_sample_that_was_altered_shows_at_the_step_that_took_it(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    told = first(lines, names_event("VehicleSampled"))
    part(told, "event")["fuel_pct"] = 5.0
    divergence = found(tmp_path, lines)
    step = first(lines, lambda line: line.get("of") == [told["n"], 0])
    assert divergence.line == step["n"]
    assert divergence.about == f"the state after the step of VehicleSampled of line {told['n']}"
    assert "vehicle.sample.fuel_pct: expected 80.0, came 5.0" in map(str, divergence.fields)
    assert (divergence.boot, divergence.at) == (1, "2026-10-30T10:00:00.000Z")


@pytest.mark.parametrize(
    ("kind", "name", "value", "about"),
    [
        ("step", "state", "0011223344556677", "the digest of the state"),
        ("step", "now", 7, "the state after the step of"),
        ("step", "of", [3, 0], "the event of a step"),
        ("step", "effects", [{"is": "Ticked"}], "effect 1 of the step of"),
        ("booted", "effects", [], "effect 1 of the boot"),
        ("booted", "now", 5, "the state after a boot"),
        ("fragment", "data", "c1", "what the gateway makes of a fragment on link 1"),
        ("did", "effect", 1, "the effect that is carried out next"),
        ("did", "unsure", True, None),
        ("closed", "n", 3, "the number of the line"),
        ("published", "topic", "sharebox/00/position", "the publication on position"),
        ("published", "retain", False, "the publication on position"),
        ("published", "payload", "{}", "the publication on position"),
        ("published", "attributes", [], "the publication on position"),
        ("order", "payload", "00", "what the gateway makes of an order"),
    ],
)
def test_a_line_that_was_altered_is_found_where_it_stands(
    tmp_path: Path, kind: str, name: str, value: Json, about: str | None
) -> None:
    lines = lines_of(a_life())
    line = first(lines, of_kind(kind))
    place = number(line)
    line[name] = value
    if about is None:
        # An effect that acknowledges nothing is not made unsure: the mark says nothing about it.
        assert played(stored(tmp_path, lines)).divergence is None
        return
    divergence = found(tmp_path, lines)
    assert about in divergence.about
    assert divergence.line == (place if name != "n" else 3)


def test_a_fragment_that_was_altered_is_found_at_the_fragment(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    record = [line for line in lines[1:] if line["kind"] == "fragment"][2]
    data = str(record["data"])
    record["data"] = data[:-2] + ("00" if data[-2:] != "00" else "01")
    divergence = found(tmp_path, lines)
    assert divergence.line == record["n"]
    assert divergence.about.endswith("events")
    assert divergence.fields[0].came == []


def test_other_random_bytes_are_found_where_they_were_drawn(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    did = first(lines, lambda line: line["kind"] == "did" and "drawn" in part(line, "said"))
    drawn = part(did, "said")["drawn"]
    assert isinstance(drawn, list)
    cases: list[tuple[list[Json], str]] = [
        (["11" * 32], "ContinueHandshake on link 1: fragments sent"),
        ([], "the random bytes that the gateway draws"),
        (["11" * 31], "the random bytes that the gateway draws"),
        ([*drawn, "00"], "ContinueHandshake on link 1: random bytes left"),
    ]
    for wrong, about in cases:
        part(did, "said")["drawn"] = wrong
        divergence = found(tmp_path, lines)
        assert (divergence.line, divergence.about) == (did["n"], about)


def test_a_line_that_is_gone_is_found(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    saved = first(lines, of_kind("saved"))
    lines.remove(saved)
    divergence = found(tmp_path, lines)
    assert divergence.line == number(saved) + 1
    assert divergence.about == "the number of the line"


def test_an_effect_that_was_not_carried_out_is_found(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    answer = first(lines, lambda line: line["kind"] == "did" and line["what"] == "Answer")
    place = number(answer)
    answer.clear()
    answer.update({"kind": "saved", "n": place, "worked": True})
    divergence = found(tmp_path, lines)
    assert divergence.about == "an effect of the step before: Answer"
    assert divergence.line > place


def test_an_effect_that_nobody_ordered_is_found(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    saved = [line for line in lines[1:] if line["kind"] == "saved"][1]
    place = number(saved)
    saved.clear()
    saved.update({"kind": "did", "n": place, "effect": 0, "what": "HangUp"})
    assert found(tmp_path, lines).about == "an effect that is carried out"


def test_an_acknowledgement_of_what_was_not_durable_is_found(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    unsure = first(lines, lambda line: bool(line.get("unsure")))
    unsure["unsure"] = False
    divergence = found(tmp_path, lines)
    assert divergence.line == unsure["n"]
    assert divergence.about == "whether Answer may be acknowledged"


def test_a_step_that_was_undone_belongs_to_the_one_before(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    undone = first(lines, lambda line: bool(line.get("undone")))
    undone["of"] = [1, 0]
    assert found(tmp_path, lines).about == "the step that was undone"


def test_a_position_that_left_during_a_drivers_booking_is_found(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    track = first(lines, lambda line: line["kind"] == "published" and str(line["topic"]).endswith("track"))
    begun = first(lines, lambda line: "durable.trip.booking" in part(line, "changed") if "changed" in line else False)
    later = [line for line in lines[1:] if line["kind"] == "saved" and number(line) > number(begun)][2]
    place = number(later)
    later.clear()
    later.update({**track, "n": place})
    divergence = found(tmp_path, lines)
    assert divergence.line == place
    assert "may leave" in divergence.about


def test_records_that_are_older_than_the_recording_are_not_compared(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    event = first(lines, lambda line: line["kind"] == "published" and str(line["topic"]).endswith("event"))
    event["numbers"] = [999]
    assert played(stored(tmp_path, lines)).not_compared == 1


@pytest.mark.parametrize(
    ("kind", "name", "value", "said"),
    [
        ("booted", "found", "zz", "not hexadecimal"),
        ("booted", "found", "00", "stored state can not be read"),
        ("booted", "profile", None, "no profile"),
        ("told", "event", {"is": "Submarine"}, "Submarine"),
        ("told", "event", {"is": "Phase", "value": "ACTIVE"}, "no event"),
    ],
)
def test_what_this_version_can_not_read_is_told(tmp_path: Path, kind: str, name: str, value: Json, said: str) -> None:
    lines = lines_of(a_life())
    first(lines, of_kind(kind))[name] = value
    with pytest.raises(RecordingFailed, match=said):
        played(stored(tmp_path, lines))


def test_a_recording_that_begins_nowhere_is_told(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    header, boot = lines[:2]
    with pytest.raises(RecordingFailed, match="does not begin with a boot"):
        played(stored(tmp_path, [header, {"kind": "step", "n": 1, "now": 1, "state": ""}]))
    begun: Fields = {"kind": "begun", "n": 1, "state": boot["profile"]}
    with pytest.raises(RecordingFailed, match="holds no state"):
        played(stored(tmp_path, [header, begun]))


def test_a_time_that_is_none_is_not_shown(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    step = [line for line in lines[1:] if line["kind"] == "step"][5]
    step["now"] = 2**62
    divergence = found(tmp_path, lines)
    assert (divergence.line, divergence.at) == (step["n"], "")


def test_a_fact_that_breaks_the_core_is_found_at_its_step(tmp_path: Path) -> None:
    lines = lines_of(a_life())
    told = first(lines, names_event("VehicleSampled"))
    part(told, "event")["speed_kmh"] = "fast"
    divergence = found(tmp_path, lines)
    assert "a call of core or gateway" in divergence.about or "state" in divergence.about
    assert divergence.line == first(lines, lambda line: line.get("of") == [told["n"], 0])["n"]
