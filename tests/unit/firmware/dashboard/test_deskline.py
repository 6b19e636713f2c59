"""Which lines for the desk a page may pass on."""

import pytest

from firmware.bench.grammar import Grammar
from firmware.bench.results import DeskCode, DeskError
from firmware.bench.table import COMMANDS
from firmware.dashboard.deskline import OF_FILES, check

GRAMMAR = Grammar(COMMANDS)
HARMLESS = {"record", "state", "state diff", "state list", "state show", "trace", "trace stop"}


@pytest.mark.parametrize(
    "line", ["trace play /etc/passwd", "'trace'  \"play\" x --loop", "record start", "record stop", "state save a"]
)
def test_nothing_that_touches_files(line: str) -> None:
    with pytest.raises(DeskError, match="reads and writes no files") as refused:
        check(line, GRAMMAR)
    assert refused.value.code is DeskCode.NOT_HERE
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("line", ["why", "time move 5m", "record", "trace", "state list"])
def test_the_rest_is_passed_on(line: str) -> None:
    check(line, GRAMMAR)


def test_nonsense_is_refused_as_the_desk_refuses_it() -> None:
    with pytest.raises(DeskError, match="there is no such command"):
        check("dance", GRAMMAR)


def test_no_command_of_a_family_that_works_with_files_is_forgotten() -> None:
    families = {words[0] for words in OF_FILES}
    assert {each.name for each in COMMANDS if each.words[0] in families and each.words not in OF_FILES} == HARMLESS
    named = {each.words for each in COMMANDS if any(one.kind.name == "FILE" for one in each.parameters)}
    assert named <= OF_FILES
