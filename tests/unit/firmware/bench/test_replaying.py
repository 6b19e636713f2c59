"""What is said about a replay."""

from pathlib import Path

import msgspec
import pytest

from firmware.bench import replaying
from firmware.bench.compared import Field
from firmware.bench.recordfile import RecordingFailed
from firmware.bench.recording import Recording, header
from firmware.bench.replay import Divergence
from firmware.bench.replaying import MOST_FIELDS_SHOWN, Outcome
from tests.support.module_files import PROVISIONING
from tests.support.recordings import a_life, lines_of, played, stored

pytestmark = pytest.mark.req("BEN-4")

FOUND = Divergence(7, "the state", 2, "2026-10-30T10:00:00.000Z", (Field("trip.warned", True, False),))
SAME = Outcome(9, 5, 1, 3, 0, True, "", None)


def test_no_difference_is_one_line() -> None:
    assert list(replaying.words(SAME)) == [
        "No difference: 9 lines, 5 steps, 1 boot replayed, 3 answers and publications compared."
    ]


def test_a_difference_says_where_when_what_and_how() -> None:
    outcome = Outcome(7, 5, 2, 3, 0, True, "", FOUND)
    assert list(replaying.words(outcome)) == [
        "Line 7 (boot 2, 2026-10-30T10:00:00.000Z): the state differs.",
        "  trip.warned: expected true, came false",
    ]
    many = msgspec.structs.replace(FOUND, at="", fields=FOUND.fields * (MOST_FIELDS_SHOWN + 2))
    lines = list(replaying.words(msgspec.structs.replace(outcome, divergence=many)))
    assert lines[0] == "Line 7: the state differs."
    assert lines[-1] == "  and 2 more"
    assert len(lines) == MOST_FIELDS_SHOWN + 2


def test_what_was_not_looked_at_is_said() -> None:
    lines = list(replaying.words(Outcome(9, 5, 1, 3, 4, False, "line 10, the last one, is torn", None)))
    assert lines[1] == "Not compared: 4, of links or records that are older than the recording."
    assert lines[2].startswith("The links were not compared")
    assert lines[3] == "Note: line 10, the last one, is torn."


def test_for_programs_it_is_one_object() -> None:
    found = replaying.result(Outcome(7, 5, 2, 3, 0, True, "", FOUND))
    assert msgspec.json.decode(msgspec.json.encode(found)) == {
        "type": "replay",
        "format": "sharebox-recording/1",
        "same": False,
        "lines": 7,
        "steps": 5,
        "boots": 2,
        "compared": 3,
        "not_compared": 0,
        "with_keys": True,
        "torn": "",
        "difference": {
            "line": 7,
            "about": "the state",
            "boot": 2,
            "at": "2026-10-30T10:00:00.000Z",
            "fields": [{"path": "trip.warned", "expected": True, "came": False}],
        },
        "state": None,
    }


def test_a_replay_can_be_stopped_and_the_state_looked_at(tmp_path: Path) -> None:
    path = stored(tmp_path, lines_of(a_life()))
    outcome = played(path, until=100)
    assert outcome.lines == 100
    assert outcome.state is not None
    lines = list(replaying.words(outcome))
    assert "The module at line 100:" in lines
    assert "  durable.drive_enabled: true" in lines
    state = replaying.result(outcome)["state"]
    assert isinstance(state, dict)
    assert state["durable.drive_enabled"] is True
    assert played(path).state is None


def test_the_keys_come_from_the_recording_or_fit_it(tmp_path: Path) -> None:
    without = header(PROVISIONING, "1", with_keys=False)
    assert replaying.keys_in(without) is None
    replaying.check_fits(without, PROVISIONING)
    assert replaying.keys_in(header(PROVISIONING, "1", with_keys=True)) == PROVISIONING
    for changes in ({"module_id": bytes(8)}, {"handshake_private": PROVISIONING.signing_private}):
        other = msgspec.structs.replace(PROVISIONING, **changes)
        with pytest.raises(RecordingFailed, match="give the configuration of that module"):
            replaying.check_fits(without, other)
    broken = msgspec.structs.replace(without, provisioning={"format": "sharebox-provisioning/1"})
    with pytest.raises(RecordingFailed, match="the keys in the recording"):
        replaying.keys_in(broken)
    assert Recording(stored(tmp_path, lines_of(a_life()))).header.provisioning is not None
