"""Facts in words."""

from firmware.bench.words import instant, phase_word, yes_no
from firmware.core.clock import Clock
from firmware.core.state import Durable, Profile, State, Trip
from protocol.messages import Phase


def test_facts_read_like_sentences() -> None:
    state = State(Profile(b"8 bytes."), Durable(0, 1, trip=Trip(Phase.CUTOFF_PENDING)), Clock(0))
    assert phase_word(state) == "cutoff pending"
    assert instant(1_793_354_400_000) == "2026-10-30 10:00:00 UTC"
    assert [yes_no(value) for value in (True, False, None)] == ["yes", "no", "unknown"]
