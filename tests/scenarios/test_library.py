"""The library of scenarios: every one holds in this process, on virtual time, and shows the rules that it names."""

import pytest

from host_tools.bench.bench import in_process
from host_tools.bench.scenario_file import read
from host_tools.bench.scenario_library import find, names
from host_tools.bench.scenario_run import play
from host_tools.bench.scenario_words import ACTIONS, CLAIMS

LIBRARY = {name: read(find(name)) for name in names()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.req("BEN-3", *LIBRARY[name].rules)) for name in LIBRARY]
)
async def test_the_scenario_holds(name: str) -> None:
    async with in_process()() as bench:
        transcript = await play(LIBRARY[name], bench)
    assert transcript.failures == (), transcript.text()
    assert sum(entry.kind == "holds" for entry in transcript.entries) == LIBRARY[name].claims


def test_the_library_covers_what_drivers_and_owners_meet() -> None:
    assert len(LIBRARY) >= 25
    assert all(scenario.story and scenario.rules and scenario.claims >= 3 for scenario in LIBRARY.values())
    assert len({scenario.title for scenario in LIBRARY.values()}) == len(LIBRARY)


def test_every_phrase_is_used_in_the_library() -> None:
    steps = [step for scenario in LIBRARY.values() for step in scenario.steps]
    assert {said.name for step in steps for said in step.do} >= {phrase.name for phrase in ACTIONS}
    assert {said.name for step in steps for said in step.expect} >= {phrase.name for phrase in CLAIMS}
