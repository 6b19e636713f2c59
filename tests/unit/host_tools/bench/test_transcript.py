"""Transcripts: the story's own times, one line an entry, and a verdict."""

import pytest

from host_tools.bench.phrases import Said
from host_tools.bench.scenario import Scenario, Step
from host_tools.bench.transcript import Entry, Transcript

SAID = Said("granted", {"who": "anna"}, "anna is granted")
STORY = Scenario("a-story", "A story", ("ACC-1", "CUT-2"), (), (Step(36_060, (), (SAID,)),))


@pytest.mark.req("BEN-3")
def test_a_transcript_tells_what_was_done_and_what_held() -> None:
    told: list[Entry] = []
    transcript = Transcript(STORY, told.append)
    transcript.at(36_060)
    transcript.did("anna connects", "granted")
    transcript.holds("anna is granted")
    transcript.at(86_400 + 3_600)
    transcript.passed()
    transcript.ends()
    assert transcript.text() == (
        "scenario a-story: A story\n"
        "rules ACC-1 CUT-2\n"
        "    10:01:00 anna connects: granted\n"
        "               + anna is granted\n"
        " D2 01:00:00 time passes: done\n"
        "held: 1 expectations held\n"
    )
    assert told == transcript.entries
    assert transcript.failures == ()


def test_what_does_not_hold_is_told_with_what_is_instead() -> None:
    transcript = Transcript(STORY)
    transcript.at(36_060)
    transcript.fails("anna is granted", "it is: refused NOT_ADMITTED")
    transcript.ends()
    assert transcript.failures == (Entry("fails", "10:01:00", "anna is granted", "it is: refused NOT_ADMITTED"),)
    assert transcript.text().splitlines()[-2:] == [
        "               - anna is granted: it is: refused NOT_ADMITTED",
        "failed: 0 expectations held, 1 did not",
    ]
    assert transcript.failures[0].fields() == {
        "kind": "fails",
        "at": "10:01:00",
        "said": "anna is granted",
        "came": "it is: refused NOT_ADMITTED",
    }
