"""The part of the phrasebook about keys, owners, services and emergency calls."""

import pytest

from host_tools.bench import scenario_key_claims, scenario_key_deeds
from host_tools.bench.phrases import PhraseError
from host_tools.bench.scenario_key_words import ACTIONS, CALLS, CLAIMS, SIMS, STANDINGS
from host_tools.bench.scenario_terms import Terms
from host_tools.bench.scenario_words import phrasebooks


def test_each_phrase_of_this_part_is_carried_out_or_checked_by_the_same_part() -> None:
    assert {phrase.name for phrase in ACTIONS} == scenario_key_deeds.DEEDS.keys()
    assert {phrase.name for phrase in CLAIMS} == scenario_key_claims.CLAIMS.keys()


@pytest.mark.req("KEY-2")
def test_a_share_says_what_it_permits() -> None:
    said = phrasebooks(["anna", "ben"])[0].read("anna shares a key with ben: may unlock; with a code")
    assert (said.name, said.values["terms"]) == ("share_with", Terms(1, coded=True))
    with pytest.raises(PhraseError, match="is no term of a shared key"):
        phrasebooks(["anna", "ben"])[0].read("anna shares a key with ben: at no cost")


def test_what_can_be_said_of_a_key_a_sim_and_a_call_is_a_short_list() -> None:
    claims = phrasebooks(["anna"])[1]
    for standing in STANDINGS:
        assert claims.read(f"anna's key is {standing}").word("standing") == standing
    for sim in SIMS:
        assert claims.read(f"SIM is {sim}").word("sim") == sim
    for call in CALLS:
        assert claims.read(f"emergency call is {call}").word("call") == call
    with pytest.raises(PhraseError, match="is no state of a shared key"):
        claims.read("anna's key is lost")
