"""The words of scenarios: a phrasebook in which everything can be said."""

import itertools

import pytest

from host_tools.bench import scenario_claims, scenario_deeds
from host_tools.bench.phrases import PhraseError
from host_tools.bench.scenario_words import (
    ACTIONS,
    CLAIMS,
    RESERVED,
    desk_command,
    is_desk_command,
    phrasebooks,
)


def test_every_phrase_can_be_carried_out_or_checked_and_is_called_once() -> None:
    assert {phrase.name for phrase in ACTIONS} == scenario_deeds.KNOWN - {"desk"}
    assert {phrase.name for phrase in CLAIMS} == scenario_claims.KNOWN
    for known in (ACTIONS, CLAIMS):
        assert len({phrase.name for phrase in known}) == len({phrase.template for phrase in known}) == len(known)
        assert all(phrase.about for phrase in known)


FILLED = {
    "{who}": "anna",
    "{person}": "anna",
    "{token}": "half a token",
    "{number}": "20",
    "{window}": "10:00 - D2 12:00",
    "{time}": "12:00:30",
    "{code}": "BOOKING_CUT_OFF",
    "{rule}": "CUT-2",
    "{words}": "'ask the owner'",
    "{permissions}": "unlock, lock",
    "{notice}": "cutoff soon",
    "{condition}": "switched off",
    "{phase}": "cutoff pending",
    "{kind}": "alert.left_open",
    "{terms}": "may unlock; with a code; daily 08:00 - 18:00",
    "{standing}": "waiting for its code",
    "{shown}": "key",
    "{vin}": "WBA11AA0107A12345",
    "{packs}": "6UM, 6AC",
    "{sim}": "emergency call only",
    "{call}": "under way",
}


def test_no_phrase_shadows_another_one() -> None:
    for book, known in zip(phrasebooks(["anna"]), (ACTIONS, CLAIMS), strict=True):
        for phrase in known:
            text = phrase.template
            for slot, value in FILLED.items():
                text = text.replace(slot, value)
            assert book.read(text).name == phrase.name, text


@pytest.mark.parametrize(
    "text",
    [
        "carl is granted",
        "anna is refused BOOKING_CUTOFF",
        "anna is refused BOOKING_OVER by cut-2",
        "car is blue",
        "booking is lost",
        "owner is told booking.lost",
        "anna hears voices",
        "anna's new phone is granted",
        "anna may fly",
    ],
)
def test_what_cannot_be_expected_is_refused(text: str) -> None:
    with pytest.raises(PhraseError, match=r"^'.*': "):
        phrasebooks(["anna"])[1].read(text)


def test_nobody_without_people_and_numbers_have_bounds() -> None:
    with pytest.raises(PhraseError, match="the scenario has none"):
        phrasebooks([])[0].read("anna connects")
    with pytest.raises(PhraseError, match="no number from 1 to 1000"):
        phrasebooks([])[0].read("a stranger fails 1001 handshakes")


def test_lines_for_the_desk_are_known_by_their_first_word() -> None:
    assert is_desk_command("fault gnss lost --for 30s")
    assert not is_desk_command("anna connects")
    assert desk_command("power cut").word("command") == "power cut"
    first = {text.split()[0] for text in itertools.chain(*([p.template for p in known] for known in (ACTIONS, CLAIMS)))}
    assert {word for word in first if word.isalpha()} <= RESERVED
